//! lz4: a number of blocks, the decompressed and the compressed length of each (all u32, little-endian), then the
//! blocks. A block may refer to what came out of those before it.

use lz4_flex::block;

use super::DecompressError;
use crate::types::CompressionAlgorithm;

/// No byte of a block makes more than this many.
const MOST_EXPANSION: usize = 255;
/// How far back a block can refer.
const WINDOW: usize = 65_536;

pub(super) fn compress(bytes: &[u8]) -> Option<Vec<u8>> {
    let length = u32::try_from(bytes.len()).ok()?;
    let compressed = block::compress(bytes);
    let header = [1, length, u32::try_from(compressed.len()).ok()?];
    let mut out: Vec<u8> = header.into_iter().flat_map(u32::to_le_bytes).collect();
    out.extend(compressed);
    Some(out)
}

pub(super) fn decompress(bytes: &[u8], limit: usize, out: &mut Vec<u8>) -> Result<(), DecompressError> {
    let malformed = |what| DecompressError::Malformed { algorithm: CompressionAlgorithm::LZ4, what };
    let (count, rest) = bytes.split_first_chunk().ok_or(malformed("its number of blocks is cut"))?;
    let lengths_len = u64::from(u32::from_le_bytes(*count)) * 8;
    let lengths_len = usize::try_from(lengths_len).unwrap_or(usize::MAX);
    let (lengths, mut blocks) = rest.split_at_checked(lengths_len).ok_or(malformed("its lengths are cut"))?;
    let begin = out.len();
    for lengths in lengths.as_chunks::<8>().0 {
        let (original, compressed) = lengths.split_at(4);
        let number = |bytes: &[u8]| bytes.first_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes) as usize);
        let (original, compressed) = (number(original), number(compressed));
        let (block, rest) = blocks.split_at_checked(compressed).ok_or(malformed("a block is cut"))?;
        if original > limit - (out.len() - begin) {
            return Err(DecompressError::TooLarge { limit });
        }
        if original > block.len().saturating_mul(MOST_EXPANSION) {
            return Err(malformed("a block announces more than it can hold"));
        }
        let start = out.len();
        out.resize(start + original, 0);
        let (before, here) = out.split_at_mut(start);
        let window = &before[start.saturating_sub(WINDOW).max(begin)..];
        let made = block::decompress_into_with_dict(block, here, window);
        if made.map_err(|_| malformed("a block can't be read"))? != original {
            return Err(malformed("a block holds less than it announces"));
        }
        blocks = rest;
    }
    if blocks.is_empty() { Ok(()) } else { Err(malformed("there are bytes behind the blocks")) }
}
