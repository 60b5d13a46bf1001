//! What one side receives: from bytes to frames.

use bytes::{Buf, Bytes, BytesMut};

use super::super::Error;
use crate::frame::proposal::{Head, HeadError, Opener, RecordHead, SIGNATURE_LEN};
use crate::proposal::Tag;

/// The frame_len of a SIGNATURE.
const SIGNATURE_FRAME: u32 = 1 + SIGNATURE_LEN as u32;

/// The receiving direction of a connection: bytes that aren't a frame yet.
#[derive(Debug, Default)]
pub(super) struct Inbound {
    raw: BytesMut,
    opener: Option<Opener>,
    /// Frames of the record that was opened last.
    plain: Bytes,
}

/// A frame from its length to its last byte.
#[derive(Clone, Debug)]
pub(in crate::peer) struct Whole {
    pub(super) tag: Tag,
    pub(super) bytes: Bytes,
}

impl From<HeadError> for Error {
    fn from(error: HeadError) -> Self {
        match error {
            HeadError::Empty => Error::FrameEmpty,
            HeadError::TooLarge { frame_len, limit } => Error::FrameTooLarge { frame_len, limit },
        }
    }
}

impl Inbound {
    pub(super) fn extend(&mut self, bytes: &[u8]) {
        self.raw.extend_from_slice(bytes);
    }

    /// How many bytes are kept.
    pub(super) fn len(&self) -> usize {
        self.raw.len() + self.plain.len()
    }

    pub(super) fn is_sealed(&self) -> bool {
        self.opener.is_some()
    }

    /// From here on there are sealed records.
    pub(super) fn unseal(&mut self, opener: Opener) {
        self.opener = Some(opener);
    }

    /// The bytes that are there, for the banner.
    pub(super) fn peek(&self) -> &[u8] {
        &self.raw
    }

    /// Takes bytes off.
    pub(super) fn skip(&mut self, count: usize) {
        self.raw.advance(count);
    }

    /// The next frame, if it is whole. A beginning that can't be one is an error at once; what else is wrong with it
    /// at first sight says `first_sight`.
    pub(super) fn next(
        &mut self,
        limit: u32,
        first_sight: impl Fn(&Head) -> Result<(), Error>,
    ) -> Result<Option<Whole>, Error> {
        if self.opener.is_some() && self.plain.is_empty() && !self.open(limit)? {
            return Ok(None);
        }
        let from: &[u8] = if self.opener.is_some() { &self.plain } else { &self.raw };
        let Some(head) = Head::parse(from, limit)? else { return self.part() };
        if head.tag == Tag::SIGNATURE && head.frame_len != SIGNATURE_FRAME {
            return Err(Error::SignatureLength { frame_len: head.frame_len });
        }
        first_sight(&head)?;
        let length = head.total_len();
        if from.len() < length {
            return self.part();
        }
        let bytes =
            if self.opener.is_some() { self.plain.split_to(length) } else { self.raw.split_to(length).freeze() };
        Ok(Some(Whole { tag: head.tag, bytes }))
    }

    /// A frame isn't there to its end.
    fn part(&self) -> Result<Option<Whole>, Error> {
        match &self.opener {
            Some(opener) => Err(Error::PartOfFrame { record: opener.next().saturating_sub(1) }),
            None => Ok(None),
        }
    }

    /// Opens the next record, if it is whole.
    fn open(&mut self, limit: u32) -> Result<bool, Error> {
        let Some(opener) = &mut self.opener else { return Ok(false) };
        let Some(head) = RecordHead::parse(&self.raw, limit)? else { return Ok(false) };
        if self.raw.len() < head.total_len() {
            return Ok(false);
        }
        let record = self.raw.split_to(head.total_len());
        let mut plain = Vec::with_capacity(record.len());
        opener.open(&record, &mut plain)?;
        self.plain = plain.into();
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::proposal::{ConnectionKey, RecordError, Sealer, assemble};
    use crate::wire::Role;

    /// A direction that is sealed, and what seals it.
    fn sealed() -> (Inbound, Sealer) {
        let key = ConnectionKey::from_bytes([7; 32]);
        let mut inbound = Inbound::default();
        inbound.unseal(Opener::new(&key, Role::Client, &[9; 16]));
        (inbound, Sealer::new(&key, Role::Client, &[9; 16]))
    }

    fn next(inbound: &mut Inbound) -> Result<Option<Tag>, Error> {
        inbound.next(100, |_| Ok(())).map(|whole| whole.map(|whole| whole.tag))
    }

    #[test]
    fn records_hold_whole_frames() {
        let (mut inbound, mut sealer) = sealed();
        let frames = [assemble(Tag::START, &[0; 8]), assemble(Tag::CLOSE, &[])].concat();
        let mut bytes = Vec::new();
        sealer.seal(&frames, &mut bytes).unwrap();
        for (index, byte) in bytes.iter().enumerate() {
            assert_eq!(next(&mut inbound), Ok(None), "byte {index}");
            inbound.extend(&[*byte]);
        }
        assert_eq!(next(&mut inbound), Ok(Some(Tag::START)));
        assert_eq!(next(&mut inbound), Ok(Some(Tag::CLOSE)));
        assert_eq!((next(&mut inbound), inbound.len()), (Ok(None), 0));
        for length in [3, 4, 12, 15] {
            let (mut inbound, mut sealer) = sealed();
            let mut bytes = Vec::new();
            sealer.seal(&frames[..length], &mut bytes).unwrap();
            inbound.extend(&bytes);
            let first = next(&mut inbound);
            let found = if length > 13 { next(&mut inbound) } else { first };
            assert_eq!(found, Err(Error::PartOfFrame { record: 0 }), "{length} bytes");
        }
    }

    #[test]
    fn a_record_is_at_most_as_long_as_a_frame() {
        let (mut inbound, _) = sealed();
        inbound.extend(&121u32.to_le_bytes());
        let too_large = RecordError::TooLarge { sealed_len: 121, limit: 120 };
        assert_eq!(next(&mut inbound), Err(Error::Record(too_large)));
    }
}
