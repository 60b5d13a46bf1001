//! Frames sealed.

use std::fmt;
use std::sync::Arc;

use bytes::{BufMut as _, Bytes, BytesMut};

use super::key::Nonce;
use super::layout::{EPILOGUE_LEN, FIRST_LEN, TAG_LEN, operations, padded};
use crate::crypto::Gcm;
use crate::frame::write::{count, preamble};
use crate::frame::{Ending, Head, PREAMBLE_LEN, Revision};
use crate::types::PreambleFlags;
use crate::v2_1::Tag;

/// A direction has had all of its nonces; the connection must end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("all nonces are used up")]
pub struct NoncesExhausted;

/// Seals the frames of one direction, and knows how far it is.
pub struct Sealer {
    gcm: Arc<Gcm>,
    nonce: Nonce,
    revision: Revision,
    op: u64,
}

impl Sealer {
    pub(super) fn new(gcm: Arc<Gcm>, nonce: Nonce, revision: Revision) -> Self {
        Sealer { gcm, nonce, revision, op: 0 }
    }

    /// How many operations of the cipher there were in this direction.
    pub fn ops(&self) -> u64 {
        self.op
    }

    /// As if there had been so many operations: to seal a frame again that was seen there.
    pub fn at(self, op: u64) -> Self {
        Sealer { op, ..self }
    }

    /// Seals a frame. `out` gets it as one buffer, in which it was encrypted.
    pub fn assemble(
        &mut self,
        tag: Tag,
        flags: PreambleFlags,
        segments: &[Bytes; 4],
        ending: Ending,
        out: &mut Vec<Bytes>,
    ) -> Result<(), NoncesExhausted> {
        let count = count(segments);
        // more than 4 GiB in a segment can't be announced, and is refused long before
        let lengths = std::array::from_fn(|index| segments[index].len() as u32);
        let head = Head { tag: tag.0, num_segments: count as u8, lengths, flags: flags.0 };
        let parts = operations(&head, self.revision);
        let mut buffer = BytesMut::with_capacity(parts.iter().sum::<usize>() + parts.len() * TAG_LEN);

        buffer.put_slice(&preamble(tag, flags, lengths.map(|length| length as usize), count));
        match self.revision {
            Revision::V2_0 => {
                segments.iter().for_each(|segment| put_padded(&mut buffer, segment));
                put_epilogue(&mut buffer, self.revision, ending);
                self.seal_from(0, &mut buffer)?;
            }
            Revision::V2_1 => {
                let (inline, rest) = segments[0].split_at(segments[0].len().min(FIRST_LEN - PREAMBLE_LEN));
                buffer.put_slice(inline);
                buffer.put_bytes(0, FIRST_LEN - buffer.len());
                self.seal_from(0, &mut buffer)?;
                if !rest.is_empty() {
                    let start = buffer.len();
                    // what is inline is a multiple of the padding
                    put_padded(&mut buffer, rest);
                    self.seal_from(start, &mut buffer)?;
                }
                if count > 1 {
                    let start = buffer.len();
                    segments[1..].iter().for_each(|segment| put_padded(&mut buffer, segment));
                    put_epilogue(&mut buffer, self.revision, ending);
                    self.seal_from(start, &mut buffer)?;
                }
            }
        }
        out.push(buffer.freeze());
        Ok(())
    }

    /// One operation: encrypts the buffer from there to its end, and appends the tag.
    fn seal_from(&mut self, start: usize, buffer: &mut BytesMut) -> Result<(), NoncesExhausted> {
        let nonce = self.nonce.at(self.revision, self.op).ok_or(NoncesExhausted)?;
        let tag = self.gcm.encrypt_in_place(&nonce, &[], &mut buffer[start..]).ok_or(NoncesExhausted)?;
        self.op += 1;
        buffer.put_slice(&tag);
        Ok(())
    }
}

fn put_padded(buffer: &mut BytesMut, segment: &[u8]) {
    buffer.put_slice(segment);
    buffer.put_bytes(0, padded(segment.len() as u32) - segment.len());
}

fn put_epilogue(buffer: &mut BytesMut, revision: Revision, ending: Ending) {
    buffer.put_u8(ending.late(revision));
    buffer.put_bytes(0, EPILOGUE_LEN - 1);
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sealer").field("revision", &self.revision).field("op", &self.op).finish_non_exhaustive()
    }
}
