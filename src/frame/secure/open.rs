//! Frames opened.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use super::key::Nonce;
use super::layout::{FIRST_LEN, TAG_LEN, operations};
use crate::crypto::{Gcm, NotOpened};
use crate::frame::{Head, HeadError, PREAMBLE_LEN, Revision};

/// Why a frame doesn't open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SecureError {
    /// It isn't what was sealed with this key and nonce.
    #[error("operation {op} of the cipher doesn't authenticate")]
    Unauthentic {
        /// The operation's number in its direction, from 0.
        op: u64,
    },
    /// Its preamble is none; in v2.0 the first that one notices of a wrong key.
    #[error(transparent)]
    Head(#[from] HeadError),
    /// Not as many bytes as belong to the frame.
    #[error("{found} bytes of a frame of {expected}")]
    Length {
        /// Those given.
        found: usize,
        /// Those of the whole frame.
        expected: usize,
    },
    /// The direction has had all of its nonces.
    #[error("all nonces are used up")]
    Exhausted,
}

/// Opens the frames of one direction. It has no position: `op` is always the number of operations of the cipher that
/// came before in this direction.
#[derive(Clone)]
pub struct Opener {
    gcm: Arc<Gcm>,
    nonce: Nonce,
    revision: Revision,
}

/// The bytes of a whole frame on the wire.
pub fn frame_len(head: &Head, revision: Revision) -> usize {
    operations(head, revision).iter().filter(|&&plain| plain > 0).map(|plain| plain + TAG_LEN).sum()
}

impl Opener {
    pub(super) fn new(gcm: Arc<Gcm>, nonce: Nonce, revision: Revision) -> Self {
        Opener { gcm, nonce, revision }
    }

    /// The revision of the frames.
    pub fn revision(&self) -> Revision {
        self.revision
    }

    /// The bytes of a frame that [`head`](Opener::head) needs.
    pub fn head_len(&self) -> usize {
        match self.revision {
            Revision::V2_0 => PREAMBLE_LEN,
            Revision::V2_1 => FIRST_LEN + TAG_LEN,
        }
    }

    /// The preamble of a frame that begins with these bytes. In v2.0 nothing has authenticated it yet but its CRC.
    pub fn head(&self, op: u64, bytes: &[u8]) -> Result<Head, SecureError> {
        let expected = self.head_len();
        let bytes = bytes.get(..expected).ok_or(SecureError::Length { found: bytes.len(), expected })?;
        let preamble = match self.revision {
            Revision::V2_0 => {
                let mut preamble = [0; PREAMBLE_LEN];
                preamble.copy_from_slice(bytes);
                self.peek(op, preamble)?
            }
            Revision::V2_1 => {
                let mut first = [0; FIRST_LEN];
                first.copy_from_slice(&bytes[..FIRST_LEN]);
                self.decrypt(op, &mut first, &bytes[FIRST_LEN..])?;
                let mut preamble = [0; PREAMBLE_LEN];
                preamble.copy_from_slice(&first[..PREAMBLE_LEN]);
                preamble
            }
        };
        Ok(Head::parse(&preamble, self.revision)?)
    }

    /// What the preamble of a frame would be that begins with these bytes. Nothing says that one does: this is for who
    /// searches, or waits for the rest.
    pub fn peek(&self, op: u64, mut preamble: [u8; PREAMBLE_LEN]) -> Result<[u8; PREAMBLE_LEN], SecureError> {
        self.gcm.peek(&self.nonce(op)?, &mut preamble);
        Ok(preamble)
    }

    /// The bytes of the whole frame.
    pub fn frame_len(&self, head: &Head) -> usize {
        frame_len(head, self.revision)
    }

    /// The operations, and so the nonces, that the frame takes.
    pub fn ops(&self, head: &Head) -> u64 {
        operations(head, self.revision).iter().filter(|&&plain| plain > 0).count() as u64
    }

    /// Opens a whole frame, and appends its decrypted view: the preamble; each segment, padded with zeros to a
    /// multiple of 16 bytes (in v2.1 the first to at least 48); the epilogue, in v2.1 only behind several segments.
    /// With an error nothing is appended.
    pub fn open(&self, op: u64, head: &Head, frame: &[u8], view: &mut Vec<u8>) -> Result<(), SecureError> {
        self.whole(head, frame)?;
        let start = view.len();
        let opened = self.open_all(op, head, frame, view);
        if opened.is_err() {
            view.truncate(start);
        }
        opened
    }

    fn open_all(&self, op: u64, head: &Head, mut frame: &[u8], view: &mut Vec<u8>) -> Result<(), SecureError> {
        view.reserve(operations(head, self.revision).iter().sum());
        for (op, plain) in self.pieces(op, head) {
            let (sealed, rest) = frame.split_at(plain + TAG_LEN);
            let (sealed, tag) = sealed.split_at(plain);
            let at = view.len();
            view.extend_from_slice(sealed);
            self.decrypt(op, &mut view[at..], tag)?;
            frame = rest;
        }
        Ok(())
    }

    /// Opens a whole frame where it stands, for who owns its bytes and needs no ciphertext any more. Its decrypted view,
    /// the same that [`open`](Opener::open) appends, is at the place that is returned. With an error the bytes are of
    /// no use.
    pub fn open_in_place(&self, op: u64, head: &Head, frame: &mut [u8]) -> Result<Range<usize>, SecureError> {
        self.whole(head, frame)?;
        let mut ends = [None; 3];
        let mut at = 0;
        for ((op, plain), end) in self.pieces(op, head).zip(&mut ends) {
            let (sealed, rest) = frame[at..].split_at_mut(plain);
            self.decrypt(op, sealed, &rest[..TAG_LEN])?;
            *end = Some((at + plain, plain));
            at += plain + TAG_LEN;
        }
        // tags stand between the pieces: those in front, which are the short ones, move to the last
        let view_end = at - TAG_LEN;
        let mut start = view_end;
        for (end, plain) in ends.into_iter().rev().flatten() {
            start -= plain;
            if end - plain != start {
                frame.copy_within(end - plain..end, start);
            }
        }
        Ok(start..view_end)
    }

    fn whole(&self, head: &Head, frame: &[u8]) -> Result<(), SecureError> {
        let (found, expected) = (frame.len(), self.frame_len(head));
        if found == expected { Ok(()) } else { Err(SecureError::Length { found, expected }) }
    }

    /// The operations of a frame: the number of each, and its plain bytes.
    fn pieces(&self, op: u64, head: &Head) -> impl Iterator<Item = (u64, usize)> + use<> {
        let parts = operations(head, self.revision).into_iter().filter(|&plain| plain > 0);
        // the last number has no nonce
        parts.enumerate().map(move |(index, plain)| (op.saturating_add(index as u64), plain))
    }

    fn decrypt(&self, op: u64, data: &mut [u8], tag: &[u8]) -> Result<(), SecureError> {
        let unauthentic = SecureError::Unauthentic { op };
        let tag = tag.first_chunk().ok_or(unauthentic)?;
        self.gcm.decrypt_in_place(&self.nonce(op)?, &[], data, tag).map_err(|NotOpened| unauthentic)
    }

    fn nonce(&self, op: u64) -> Result<[u8; 12], SecureError> {
        self.nonce.at(self.revision, op).ok_or(SecureError::Exhausted)
    }
}

impl fmt::Debug for Opener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opener").field("revision", &self.revision).finish_non_exhaustive()
    }
}
