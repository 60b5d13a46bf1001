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

impl DecompressError {
    /// The same error, seen from the frame: its limit is that of all segments together.
    fn within(self, limit: usize) -> Self {
        match self {
            DecompressError::TooLarge { .. } => DecompressError::TooLarge { limit },
            error => error,
        }
    }
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
    let mut out = Vec::new();
    append(algorithm, bytes, limit, &mut out)?;
    Ok(out)
}

/// Decompresses a segment to the end of `out`, which grows by at most `limit` bytes. What an error leaves there is of
/// no use.
fn append(
    algorithm: CompressionAlgorithm,
    bytes: &[u8],
    limit: usize,
    out: &mut Vec<u8>,
) -> Result<(), DecompressError> {
    if bytes.is_empty() {
        return Ok(());
    }
    match algorithm {
        CompressionAlgorithm::SNAPPY => snappy::decompress(bytes, limit, out),
        CompressionAlgorithm::ZLIB => zlib::decompress(bytes, limit, out),
        CompressionAlgorithm::ZSTD => zstandard::decompress(bytes, limit, out),
        CompressionAlgorithm::LZ4 => lz4::decompress(bytes, limit, out),
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
        *to = decompress(algorithm, segments.bytes(index), left).map_err(|error| (index, error.within(limit)))?;
        left -= to.len();
    }
    Ok(all)
}

/// The same, one behind the other in a single buffer, with the length of each.
pub fn decompress_joined(
    algorithm: CompressionAlgorithm,
    segments: &Segments<'_>,
    limit: usize,
) -> Result<(Vec<u8>, [u32; 4]), (usize, DecompressError)> {
    let (mut all, mut lengths) = (Vec::new(), [0; 4]);
    for (index, length) in lengths.iter_mut().enumerate() {
        let start = all.len();
        append(algorithm, segments.bytes(index), limit - start, &mut all)
            .map_err(|error| (index, error.within(limit)))?;
        *length = (all.len() - start) as u32;
    }
    Ok((all, lengths))
}

/// Reads to the end, but not more than the limit, and says how much that was. `None` is more.
fn read_bounded(mut from: impl Read, limit: usize, out: &mut Vec<u8>) -> io::Result<Option<usize>> {
    let read = (&mut from).take(limit as u64).read_to_end(out)?;
    let more = read == limit && from.read(&mut [0])? > 0;
    Ok((!more).then_some(read))
}
