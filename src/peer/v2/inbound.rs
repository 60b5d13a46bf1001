//! What one side receives: from bytes to frames.

use bytes::{Buf, Bytes, BytesMut};

use crate::frame::compress::decompress_segments;
use crate::frame::secure::{Opener, open_view};
use crate::frame::{Check, Head, HeadError, Late, PREAMBLE_LEN, Revision, open};
use crate::peer::Error;
use crate::types::CompressionAlgorithm;
use crate::v2_1::Tag;
use crate::wire::Segments;

/// The receiving direction of a connection: bytes that aren't a frame yet.
#[derive(Debug, Default)]
pub(super) struct Inbound {
    raw: BytesMut,
    seal: Option<Seal>,
    /// The head of the frame that is on its way.
    head: Option<Head>,
    /// How frames are compressed that say they are.
    compression: Option<CompressionAlgorithm>,
}

/// What opens frames.
#[derive(Debug)]
struct Seal {
    opener: Opener,
    /// How often something was opened in this direction.
    op: u64,
}

/// A frame's segments, each with its place in the frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::peer) struct Whole {
    pub(super) tag: Tag,
    /// As it stands on the wire, or was decrypted.
    pub(super) bytes: Bytes,
    pub(super) parts: [(usize, Bytes); 4],
}

/// What there is to be had.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Nothing yet.
    Nothing,
    Frame(Whole),
    /// A frame that its sender gave up.
    Aborted(Tag),
}

impl Whole {
    /// The segments, for the codec.
    pub(super) fn segments(&self) -> Segments<'_> {
        Segments::new(self.parts.each_ref().map(|(at, part)| (*at, &part[..])))
    }

    /// The bytes of a segment.
    pub(super) fn part(&self, index: usize) -> &Bytes {
        &self.parts[index].1
    }
}

impl Inbound {
    pub(super) fn extend(&mut self, bytes: &[u8]) {
        self.raw.extend_from_slice(bytes);
    }

    /// How many bytes are kept.
    pub(super) fn len(&self) -> usize {
        self.raw.len()
    }

    /// The bytes that are there, for the banner.
    pub(super) fn peek(&self) -> &[u8] {
        &self.raw
    }

    /// Takes bytes off.
    pub(super) fn skip(&mut self, count: usize) -> Bytes {
        self.raw.copy_to_bytes(count)
    }

    /// From here on frames are sealed.
    pub(super) fn unseal(&mut self, opener: Opener) {
        self.seal = Some(Seal { opener, op: 0 });
    }

    /// From here on frames may be compressed.
    pub(super) fn decompress(&mut self, algorithm: CompressionAlgorithm) {
        self.compression = Some(algorithm);
    }

    /// The next frame, if it is whole. What can't become one is an error at once.
    pub(super) fn next(&mut self, revision: Revision, limit: u64) -> Result<Next, Error> {
        let Some(head) = self.head(revision)? else { return Ok(Next::Nothing) };
        if head.payload_len() > limit {
            return Err(Error::Preamble(HeadError::TooLarge { length: head.payload_len(), limit }));
        }
        let length = match &self.seal {
            Some(seal) => seal.opener.frame_len(&head),
            None => head.frame_len(revision),
        };
        if self.raw.len() < length {
            return Ok(Next::Nothing);
        }
        self.head = None;
        let mut bytes = self.raw.split_to(length);
        if let Some(seal) = &mut self.seal {
            let place = seal.opener.open_in_place(seal.op, &head, &mut bytes).map_err(Error::Secure)?;
            seal.op += seal.opener.ops(&head);
            bytes.truncate(place.end);
            bytes.advance(place.start);
        }
        let bytes = bytes.freeze();
        let opened = match &self.seal {
            Some(_) => open_view(&head, revision, &bytes),
            None => open(&head, revision, &bytes, Check::Crc),
        };
        let tag = Tag(head.tag);
        if let Some(bad) = opened.bad_crc {
            return Err(Error::BadCrc { tag: tag.into(), segment: bad.segment });
        }
        match opened.late {
            Late::Complete => {}
            Late::Aborted => return Ok(Next::Aborted(tag)),
            Late::Bad(status) => return Err(Error::BadEpilogue { tag: tag.into(), status }),
        }
        let segments = &opened.segments;
        let parts = if head.compressed() {
            let error = |segment, error| Error::NotDecompressed { tag: tag.into(), segment, error };
            let algorithm = self.compression.ok_or(Error::CompressedUnasked { tag: tag.into() })?;
            let limit = usize::try_from(limit).unwrap_or(usize::MAX);
            let parts =
                decompress_segments(algorithm, segments, limit).map_err(|(segment, what)| error(segment, what))?;
            parts.map(|part| (0, Bytes::from(part)))
        } else {
            std::array::from_fn(|i| (segments.reader(i).offset(), bytes.slice_ref(segments.bytes(i))))
        };
        Ok(Next::Frame(Whole { tag, bytes, parts }))
    }

    /// The head of the next frame, if it is there. It is read once, however often more bytes come.
    fn head(&mut self, revision: Revision) -> Result<Option<Head>, Error> {
        if self.head.is_none() {
            self.head = match &self.seal {
                None => match self.raw.first_chunk::<PREAMBLE_LEN>() {
                    Some(preamble) => Some(Head::parse(preamble, revision).map_err(Error::Preamble)?),
                    None => None,
                },
                Some(seal) => match self.raw.get(..seal.opener.head_len()) {
                    Some(bytes) => Some(seal.opener.head(seal.op, bytes).map_err(Error::Secure)?),
                    None => None,
                },
            };
        }
        Ok(self.head)
    }
}
