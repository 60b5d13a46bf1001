//! What one side sends: signatures behind frames, sealed records around them.

use super::super::Error;
use crate::frame::proposal::{ConnectionKey, SIGNATURE_LEN, Sealer, Signer, assemble};
use crate::proposal::Tag;
use crate::wire::Role;

/// Messages share records of about this many bytes.
const PACK: usize = 16 << 10;

/// The sending direction of a connection.
#[derive(Debug, Default)]
pub(super) struct Outbound {
    /// Bytes of the handshake, ready to be written.
    ready: Vec<u8>,
    signer: Option<Signer>,
    sealer: Option<Sealer>,
    /// Frames of the record that is being filled.
    pack: Vec<u8>,
    /// The longest record's frames.
    most: usize,
    /// Each frame is sealed by itself, with its signature.
    apart: bool,
    /// The next frame goes out without its signature, as from a faulty peer.
    #[cfg(test)]
    pub(super) forget: bool,
}

impl Outbound {
    /// From here on frames are signed.
    pub(super) fn sign(&mut self, signer: Signer) {
        self.signer = Some(signer);
    }

    /// From here on frames are sealed.
    pub(super) fn seal(&mut self, key: &ConnectionKey, sender: Role, salt: &[u8; 16]) {
        self.sealer = Some(Sealer::new(key, sender, salt));
    }

    pub(super) fn is_sealed(&self) -> bool {
        self.sealer.is_some()
    }

    /// From here on each frame gets a record of its own, or frames share them again. A record is nothing until its last
    /// byte has come: who doesn't know how much a connection carries before it breaks does better with small ones.
    pub(super) fn keep_apart(&mut self, apart: bool) {
        self.apart = apart;
    }

    pub(super) fn is_empty(&self) -> bool {
        self.ready.is_empty()
    }

    /// Forgets what isn't written.
    pub(super) fn clear(&mut self) {
        self.ready = Vec::new();
    }

    /// Makes bytes ready that are no frame: the banner.
    pub(super) fn raw(&mut self, bytes: &[u8]) {
        self.ready.extend_from_slice(bytes);
    }

    /// Makes a frame ready; it gets a record of its own. `limit` is the largest frame_len that the peer takes.
    pub(super) fn push(&mut self, frame: &[u8], signed: bool, limit: u32) -> Result<(), Error> {
        let mut ready = std::mem::take(&mut self.ready);
        let pushed = self.add(frame, signed, limit, &mut ready).and_then(|()| self.finish(&mut ready));
        self.ready = ready;
        pushed
    }

    /// Writes what is ready.
    pub(super) fn flush(&mut self, out: &mut Vec<u8>) {
        out.append(&mut self.ready);
    }

    /// How many bytes wait for a record to be finished.
    pub(super) fn pending(&self) -> usize {
        self.pack.len()
    }

    /// Writes a frame with its signature. If records are sealed it may wait for [`Outbound::finish`].
    pub(super) fn add(&mut self, frame: &[u8], signed: bool, limit: u32, out: &mut Vec<u8>) -> Result<(), Error> {
        #[cfg(test)]
        let signed = signed && !std::mem::take(&mut self.forget);
        self.most = limit as usize + 4;
        self.put(frame, out)?;
        if signed && let Some(signer) = &mut self.signer {
            let signature = assemble(Tag::SIGNATURE, &signer.sign(frame));
            debug_assert_eq!(signature.len(), 5 + SIGNATURE_LEN);
            self.put(&signature, out)?;
        }
        if self.apart || self.pack.len() >= PACK { self.finish(out) } else { Ok(()) }
    }

    fn put(&mut self, frame: &[u8], out: &mut Vec<u8>) -> Result<(), Error> {
        if self.sealer.is_none() {
            out.extend_from_slice(frame);
            return Ok(());
        }
        if self.pack.len() + frame.len() > self.most {
            self.finish(out)?;
        }
        self.pack.extend_from_slice(frame);
        Ok(())
    }

    /// Seals what waits.
    pub(super) fn finish(&mut self, out: &mut Vec<u8>) -> Result<(), Error> {
        if let Some(sealer) = &mut self.sealer
            && !self.pack.is_empty()
        {
            sealer.seal(&self.pack, out)?;
            self.pack.clear();
            if self.pack.capacity() > 4 * PACK {
                self.pack = Vec::new();
            }
        }
        Ok(())
    }
}
