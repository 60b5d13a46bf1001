//! Finding a frame among bytes, where the stream doesn't say where one begins.

use crate::frame::{Check, Head, PREAMBLE_LEN, Revision, open};

/// Whether a frame begins with these bytes. The CRC of the preamble makes a mistake all but impossible.
pub(super) fn begins_here(bytes: &[u8]) -> bool {
    let Some(preamble) = bytes.first_chunk::<PREAMBLE_LEN>() else { return false };
    Head::plausible(preamble) && Head::parse(preamble, Revision::V2_0).is_ok()
}

/// Where the next preamble begins; or, if there is none, how many bytes at the end may be the beginning of one.
pub(super) fn next_preamble(bytes: &[u8], more: bool) -> Result<usize, usize> {
    let found = bytes.windows(PREAMBLE_LEN).position(begins_here);
    found.ok_or(if more { bytes.len().min(PREAMBLE_LEN - 1) } else { 0 })
}

/// The revision that a frame's own CRCs show; or how many bytes it takes to tell.
pub(super) fn revision(head: &Head, bytes: &[u8], guess: Revision, more: bool) -> Result<Revision, usize> {
    let other = match guess {
        Revision::V2_0 => Revision::V2_1,
        Revision::V2_1 => Revision::V2_0,
    };
    // two frames without a CRC in common: WAIT has none in v2.1
    for revision in [guess, other] {
        let length = head.frame_len(revision);
        if bytes.len() < length {
            if more {
                return Err(length);
            }
            continue;
        }
        let frame = &bytes[..length];
        if length > PREAMBLE_LEN && open(head, revision, frame, Check::Crc).bad_crc.is_none() {
            return Ok(revision);
        }
    }
    Ok(guess)
}
