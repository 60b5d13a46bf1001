use bytes::Bytes;
use proptest::prelude::*;

use super::*;

/// Data that compresses, and some that doesn't.
fn samples() -> Vec<Vec<u8>> {
    let text: Vec<u8> = (0..5000u32).flat_map(|n| format!("object {} ", n % 37).into_bytes()).collect();
    let mut seed = 1u32;
    let noise = (0..3000)
        .map(|_| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (seed >> 24) as u8
        })
        .collect();
    vec![vec![7], vec![0; 100_000], text, noise]
}

#[test]
fn what_goes_in_comes_out() {
    for algorithm in ALGORITHMS {
        for sample in samples() {
            let segments = [sample.clone().into(), Bytes::new(), Bytes::from_static(b"x"), Bytes::new()];
            let compressed = compress(algorithm, &segments).unwrap();
            assert!(compressed[1].is_empty() && compressed[3].is_empty(), "an empty segment stays one");
            let parts = std::array::from_fn(|index| (0, &*compressed[index]));
            let all = decompress_segments(algorithm, &Segments::new(parts), sample.len() + 1).unwrap();
            assert_eq!(all.map(Bytes::from), segments, "{algorithm}");
            let short = decompress_segments(algorithm, &Segments::new(parts), sample.len());
            assert_eq!(short, Err((2, DecompressError::TooLarge { limit: sample.len() })), "{algorithm}");
            let shorter = decompress(algorithm, &compressed[0], sample.len() - 1);
            assert_eq!(shorter, Err(DecompressError::TooLarge { limit: sample.len() - 1 }), "{algorithm}");
        }
    }
}

#[test]
fn cut_and_longer_data_is_refused() {
    for algorithm in ALGORITHMS {
        let mut whole =
            compress(algorithm, &std::array::from_fn(|_| Bytes::from(samples()[2].clone()))).unwrap()[0].to_vec();
        for length in 1..whole.len() {
            assert!(decompress(algorithm, &whole[..length], 1 << 20).is_err(), "{algorithm} {length}");
        }
        whole.push(0);
        assert!(decompress(algorithm, &whole, 1 << 20).is_err(), "{algorithm}");
    }
}

#[test]
fn announcements_are_not_believed() {
    let limit = 1 << 28;
    // 256 MiB in a few bytes, as they would be announced
    for (algorithm, bytes) in [
        (CompressionAlgorithm::SNAPPY, vec![0x80, 0x80, 0x80, 0x80, 0x01, 0, 0]),
        (CompressionAlgorithm::ZSTD, [&(1u32 << 28).to_le_bytes()[..], &[0x28, 0xb5, 0x2f, 0xfd, 0, 0x88]].concat()),
        (CompressionAlgorithm::LZ4, [1, 1 << 28, 4, 0u32].into_iter().flat_map(u32::to_le_bytes).collect()),
        (CompressionAlgorithm::LZ4, vec![0xff; 12]),
    ] {
        let error = decompress(algorithm, &bytes, limit).unwrap_err();
        assert!(matches!(error, DecompressError::Malformed { .. }), "{algorithm}: {error}");
        assert!(decompress(algorithm, &bytes, 100).is_err());
    }
}

#[test]
fn bombs_stop_at_the_limit() {
    for algorithm in ALGORITHMS {
        let bomb = compress(algorithm, &std::array::from_fn(|_| Bytes::from(vec![0; 1 << 24]))).unwrap()[0].clone();
        let error = decompress(algorithm, &bomb, 1 << 20).unwrap_err();
        assert_eq!(error, DecompressError::TooLarge { limit: 1 << 20 }, "{algorithm}");
    }
}

#[test]
fn lz4_blocks_refer_to_those_before() {
    // "abcdefgh", then a block that copies it from 8 bytes back, and ends as blocks must with literals
    let first = [&[0x80][..], b"abcdefgh"].concat();
    let second = [&[0x04, 8, 0, 0x50][..], b"12345"].concat();
    let lengths = [2, 8, first.len() as u32, 13, second.len() as u32].into_iter().flat_map(u32::to_le_bytes);
    let bytes: Vec<u8> = lengths.chain(first).chain(second).collect();
    assert_eq!(decompress(CompressionAlgorithm::LZ4, &bytes, 100).unwrap(), b"abcdefghabcdefgh12345");
}

#[test]
fn others_are_unsupported() {
    for algorithm in [CompressionAlgorithm::NONE, CompressionAlgorithm::BROTLI, CompressionAlgorithm(99)] {
        assert_eq!(decompress(algorithm, b"x", 10), Err(DecompressError::Unsupported(algorithm)));
        assert_eq!(compress(algorithm, &std::array::from_fn(|_| Bytes::from_static(b"x"))), None);
    }
}

proptest! {
    #[test]
    fn anything_at_all_is_survived(bytes in proptest::collection::vec(any::<u8>(), 0..300), limit in 0..1000usize) {
        for algorithm in ALGORITHMS {
            if let Ok(out) = decompress(algorithm, &bytes, limit) {
                prop_assert!(out.len() <= limit);
            }
        }
    }
}
