//! snappy: a raw block, which begins with its decompressed length.

use snap::raw::{Decoder, Encoder, decompress_len};

use super::DecompressError;
use crate::types::CompressionAlgorithm;

/// No byte of a block makes more than this many: three bytes copy up to 64.
const MOST_EXPANSION: usize = 22;

pub(super) fn compress(bytes: &[u8]) -> Option<Vec<u8>> {
    Encoder::new().compress_vec(bytes).ok()
}

pub(super) fn decompress(bytes: &[u8], limit: usize, out: &mut Vec<u8>) -> Result<(), DecompressError> {
    let malformed = |what| DecompressError::Malformed { algorithm: CompressionAlgorithm::SNAPPY, what };
    let length = decompress_len(bytes).map_err(|_| malformed("its length can't be read"))?;
    if length > limit {
        return Err(DecompressError::TooLarge { limit });
    }
    if length > bytes.len().saturating_mul(MOST_EXPANSION) {
        return Err(malformed("it announces more than it can hold"));
    }
    let start = out.len();
    out.resize(start + length, 0);
    // fewer bytes than announced are an error of the decoder
    Decoder::new().decompress(bytes, &mut out[start..]).map_err(|_| malformed("its content can't be read"))?;
    Ok(())
}
