//! zlib: a byte that tells which library made it, then a raw deflate stream.

use std::io::Write as _;

use flate2::Compression;
use flate2::bufread::DeflateDecoder;
use flate2::write::DeflateEncoder;

use super::{DecompressError, read_bounded};
use crate::types::CompressionAlgorithm;

/// Made by zlib itself; 1 is ISA-L, whose streams are read alike.
const ZLIB: u8 = 0;
/// The level that Ceph uses by default.
const LEVEL: u32 = 5;

pub(super) fn compress(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut encoder = DeflateEncoder::new(vec![ZLIB], Compression::new(LEVEL));
    encoder.write_all(bytes).ok()?;
    encoder.finish().ok()
}

pub(super) fn decompress(bytes: &[u8], limit: usize, out: &mut Vec<u8>) -> Result<(), DecompressError> {
    let malformed = |what| DecompressError::Malformed { algorithm: CompressionAlgorithm::ZLIB, what };
    let mut stream = bytes.get(1..).unwrap_or_default();
    let made = read_bounded(DeflateDecoder::new(&mut stream), limit, out);
    made.map_err(|_| malformed("the stream is damaged"))?.ok_or(DecompressError::TooLarge { limit })?;
    if stream.is_empty() { Ok(()) } else { Err(malformed("there are bytes behind the stream")) }
}
