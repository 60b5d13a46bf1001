//! zstd: the decompressed length (u32, little-endian), then a zstd frame.

use zstd::stream::read::Decoder;

use super::{DecompressError, read_bounded};
use crate::types::CompressionAlgorithm;

/// The level that Ceph uses by default.
const LEVEL: i32 = 1;
/// The bounds of a decoder's window, as powers of two: what every decoder must take, and what zstd itself takes.
const WINDOW: std::ops::RangeInclusive<u32> = 23..=27;

pub(super) fn compress(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut out = u32::try_from(bytes.len()).ok()?.to_le_bytes().to_vec();
    out.extend(zstd::bulk::compress(bytes, LEVEL).ok()?);
    Some(out)
}

pub(super) fn decompress(bytes: &[u8], limit: usize, out: &mut Vec<u8>) -> Result<(), DecompressError> {
    let malformed = |what| DecompressError::Malformed { algorithm: CompressionAlgorithm::ZSTD, what };
    let (length, frame) = bytes.split_first_chunk().ok_or(malformed("its length is cut"))?;
    let length = u32::from_le_bytes(*length) as usize;
    if length > limit {
        return Err(DecompressError::TooLarge { limit });
    }
    let damaged = |_| malformed("the frame is damaged");
    let mut decoder = Decoder::with_buffer(frame).map_err(damaged)?.single_frame();
    // a window beyond what may come out is of no use to anybody
    let window = limit.max(1).ilog2() + 1;
    decoder.window_log_max(window.clamp(*WINDOW.start(), *WINDOW.end())).map_err(damaged)?;
    // the announced length has to be right, so that more needn't be made than that
    let made = read_bounded(&mut decoder, length, out).map_err(damaged)?;
    if made.ok_or(malformed("it holds more than it announces"))? != length {
        return Err(malformed("it holds less than it announces"));
    }
    let left = decoder.finish();
    if left.is_empty() { Ok(()) } else { Err(malformed("there are bytes behind the frame")) }
}
