//! Ceph's CRC-32C: an explicit initial value and no final inversion.

use crc_fast::{CrcAlgorithm, Digest};

/// The initial value of the CRCs of segments.
pub const SEGMENT_SEED: u32 = 0xffff_ffff;

/// The bytes of a preamble in front of its CRC.
pub(super) const PREAMBLE_COVERED: usize = 28;
/// By how much the CRC of so many bytes differs between the initial values [`SEGMENT_SEED`] and 0, whatever the bytes.
const PREAMBLE_DIFFERENCE: u32 = zeros(SEGMENT_SEED, PREAMBLE_COVERED);

/// The CRC of a preamble, whose initial value is 0. Short inputs are quickest with the initial value that is usual.
#[inline]
pub(super) fn preamble_crc(bytes: &[u8; PREAMBLE_COVERED]) -> u32 {
    crc32c(SEGMENT_SEED, bytes) ^ PREAMBLE_DIFFERENCE
}

/// The CRC of so many zeros, bit by bit.
const fn zeros(seed: u32, bytes: usize) -> u32 {
    let (mut crc, mut bit) = (seed, 0);
    while bit < 8 * bytes {
        crc = (crc >> 1) ^ if crc & 1 == 1 { 0x82f6_3b78 } else { 0 };
        bit += 1;
    }
    crc
}

/// The CRC of `bytes`, begun with `seed`.
#[inline]
pub fn crc32c(seed: u32, bytes: &[u8]) -> u32 {
    if seed == SEGMENT_SEED {
        // the usual initial value; only the final inversion is to be taken back
        return !(crc_fast::checksum(CrcAlgorithm::Crc32Iscsi, bytes) as u32);
    }
    let mut digest = Digest::new_with_init_state(CrcAlgorithm::Crc32Iscsi, u64::from(seed));
    digest.update(bytes);
    !(digest.finalize() as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_values() {
        // the first three are from Ceph's own unit tests
        assert_eq!(crc32c(0, b"foo bar baz"), 4_119_623_852);
        assert_eq!(crc32c(1234, b"foo bar baz"), 881_700_046);
        assert_eq!(crc32c(0, b"whiz bang boom"), 2_360_230_088);
        assert_eq!(crc32c(SEGMENT_SEED, b"123456789"), 0x1cf9_6d7c);
        assert_eq!(crc32c(0, b"123456789"), 0x58e3_fa20);
        assert_eq!(crc32c(SEGMENT_SEED, b""), SEGMENT_SEED);
        let bytes = std::array::from_fn(|n| n as u8 ^ 0x5a);
        assert_eq!(preamble_crc(&bytes), crc32c(0, &bytes));
    }
}
