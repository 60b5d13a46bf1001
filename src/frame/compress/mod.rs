//! Compression of a frame's segments, each by itself.
//!
//! What comes out is bounded before it is made: a few bytes may announce, or really hold, any amount of zeros.

mod lz4;
mod snappy;
#[cfg(test)]
mod tests;
mod zlib;
mod zstandard;

use std::io::{self, Read};

use bytes::Bytes;

use crate::types::CompressionAlgorithm;
use crate::wire::Segments;

/// The algorithms that are here, as both sides of a connection may name them.
pub const ALGORITHMS: [CompressionAlgorithm; 4] =
    [CompressionAlgorithm::SNAPPY, CompressionAlgorithm::ZLIB, CompressionAlgorithm::ZSTD, CompressionAlgorithm::LZ4];

/// Why a segment doesn't decompress.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecompressError {
    /// The algorithm isn't here.
    #[error("compression by {0} isn't supported")]
    Unsupported(CompressionAlgorithm),
    /// There is more in it than may be.
    #[error("more than {limit} bytes when decompressed")]
    TooLarge {
        /// The most bytes that were asked for.
        limit: usize,
    },
    /// It isn't what the algorithm makes.
    #[error("no {algorithm} data: {what}")]
    Malformed {
        /// The algorithm.
        algorithm: CompressionAlgorithm,
        /// What is wrong with it.
        what: &'static str,
    },
}

/// Compresses each segment that isn't empty. `None` where that can't be done; the frame then goes as it is.
pub fn compress(algorithm: CompressionAlgorithm, segments: &[Bytes; 4]) -> Option<[Bytes; 4]> {
    let one: fn(&[u8]) -> Option<Vec<u8>> = match algorithm {
        CompressionAlgorithm::SNAPPY => snappy::compress,
        CompressionAlgorithm::ZLIB => zlib::compress,
        CompressionAlgorithm::ZSTD => zstandard::compress,
        CompressionAlgorithm::LZ4 => lz4::compress,
        _ => return None,
    };
    let mut compressed = [const { Bytes::new() }; 4];
    for (to, from) in compressed.iter_mut().zip(segments).filter(|(_, from)| !from.is_empty()) {
        *to = one(from)?.into();
    }
    Some(compressed)
}

/// Decompresses a segment, to at most `limit` bytes. An empty one is empty.
pub fn decompress(algorithm: CompressionAlgorithm, bytes: &[u8], limit: usize) -> Result<Vec<u8>, DecompressError> {
    if bytes.is_empty() {
        return Ok(Vec::new());
    }
    match algorithm {
        CompressionAlgorithm::SNAPPY => snappy::decompress(bytes, limit),
        CompressionAlgorithm::ZLIB => zlib::decompress(bytes, limit),
        CompressionAlgorithm::ZSTD => zstandard::decompress(bytes, limit),
        CompressionAlgorithm::LZ4 => lz4::decompress(bytes, limit),
        other => Err(DecompressError::Unsupported(other)),
    }
}

/// Decompresses all segments of a frame, to at most `limit` bytes together. The error comes with the segment's number.
pub fn decompress_segments(
    algorithm: CompressionAlgorithm,
    segments: &Segments<'_>,
    limit: usize,
) -> Result<[Vec<u8>; 4], (usize, DecompressError)> {
    let mut left = limit;
    let mut all = [const { Vec::new() }; 4];
    for (index, to) in all.iter_mut().enumerate() {
        *to = decompress(algorithm, segments.bytes(index), left).map_err(|error| match error {
            DecompressError::TooLarge { .. } => (index, DecompressError::TooLarge { limit }),
            error => (index, error),
        })?;
        left -= to.len();
    }
    Ok(all)
}

/// Reads to the end, but not more than the limit. `None` is more.
fn read_bounded(mut from: impl Read, limit: usize) -> io::Result<Option<Vec<u8>>> {
    let mut out = Vec::new();
    (&mut from).take(limit as u64).read_to_end(&mut out)?;
    let more = out.len() == limit && from.read(&mut [0])? > 0;
    Ok((!more).then_some(out))
}
