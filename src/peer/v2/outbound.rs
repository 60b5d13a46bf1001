//! What one side sends: frames from segments.

use bytes::Bytes;

use crate::frame::compress::compress;
use crate::frame::secure::Sealer;
use crate::frame::{Ending, Revision, assemble};
use crate::peer::Error;
use crate::types::{CompressionAlgorithm, PreambleFlags};
use crate::v2_1::Tag;

/// The sending direction of a connection.
#[derive(Debug, Default)]
pub(super) struct Outbound {
    /// Bytes of the handshake, ready to be written.
    ready: Vec<u8>,
    /// The buffers of a frame.
    buffers: Vec<Bytes>,
    sealer: Option<Sealer>,
    /// How frames of at least so many bytes are compressed.
    compression: Option<(CompressionAlgorithm, usize)>,
}

impl Outbound {
    pub(super) fn is_empty(&self) -> bool {
        self.ready.is_empty()
    }

    /// From here on frames are sealed.
    pub(super) fn seal(&mut self, sealer: Sealer) {
        self.sealer = Some(sealer);
    }

    /// From here on frames of at least so many bytes are compressed.
    pub(super) fn compress(&mut self, algorithm: CompressionAlgorithm, min_size: usize) {
        self.compression = Some((algorithm, min_size));
    }

    /// Forgets what isn't written.
    pub(super) fn clear(&mut self) {
        self.ready = Vec::new();
    }

    /// Makes bytes ready that are no frame: the banner.
    pub(super) fn raw(&mut self, bytes: &[u8]) {
        self.ready.extend_from_slice(bytes);
    }

    /// Makes a frame ready. Returns its bytes.
    pub(super) fn push(&mut self, revision: Revision, tag: Tag, segments: &[Bytes; 4]) -> Result<&[u8], Error> {
        let mut ready = std::mem::take(&mut self.ready);
        let start = ready.len();
        let added = self.add(revision, tag, segments, &mut ready);
        self.ready = ready;
        added.map(|()| &self.ready[start..])
    }

    /// Writes what is ready.
    pub(super) fn flush(&mut self, out: &mut Vec<u8>) {
        out.append(&mut self.ready);
    }

    /// Writes a frame.
    pub(super) fn add(
        &mut self,
        revision: Revision,
        tag: Tag,
        segments: &[Bytes; 4],
        out: &mut Vec<u8>,
    ) -> Result<(), Error> {
        let (mut flags, mut segments) = (PreambleFlags::default(), segments);
        let compressed = self.compression.and_then(|(algorithm, min_size)| {
            let size: usize = segments.iter().map(Bytes::len).sum();
            (size >= min_size).then(|| compress(algorithm, segments)).flatten()
        });
        if let Some(compressed) = &compressed {
            (flags, segments) = (PreambleFlags::COMPRESSED, compressed);
        }
        match &mut self.sealer {
            Some(sealer) => sealer.assemble(tag, flags, segments, Ending::Complete, &mut self.buffers)?,
            None => assemble(revision, tag, flags, segments, Ending::Complete, &mut self.buffers),
        }
        for buffer in self.buffers.drain(..) {
            out.extend_from_slice(&buffer);
        }
        Ok(())
    }
}
