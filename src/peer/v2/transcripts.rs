//! What went over a connection until its keys were there, and the signatures over it.

use crate::crypto::{equal, hmac_sha256};
use crate::wire::Role;

/// The bytes of both directions up to AUTH_DONE, and then the signatures over them.
#[derive(Debug, Default)]
pub(super) struct Transcripts {
    sent: Vec<u8>,
    received: Vec<u8>,
    signed: Option<Signatures>,
}

#[derive(Clone, Copy, Debug)]
struct Signatures {
    own: [u8; 32],
    theirs: [u8; 32],
}

impl Transcripts {
    /// Bytes of a side; `own` says which.
    pub(super) fn add(&mut self, own: Role, from: Role, bytes: &[u8]) {
        if self.signed.is_none() {
            let transcript = if own == from { &mut self.sent } else { &mut self.received };
            transcript.extend_from_slice(bytes);
        }
    }

    /// How many bytes are kept.
    pub(super) fn len(&self) -> usize {
        self.sent.len() + self.received.len()
    }

    /// It is complete. Each side signs what it received; without a key all signatures are zeros.
    pub(super) fn sign(&mut self, key: Option<&[u8]>) {
        let (sent, received) = (std::mem::take(&mut self.sent), std::mem::take(&mut self.received));
        let mac = |bytes: &[u8]| key.map_or([0; 32], |key| hmac_sha256(key, &[bytes]));
        self.signed = Some(Signatures { own: mac(&received), theirs: mac(&sent) });
    }

    /// This side's signature.
    pub(super) fn signature(&self) -> Option<[u8; 32]> {
        self.signed.map(|signed| signed.own)
    }

    /// Whether the peer's signature is that over what this side sent.
    pub(super) fn verifies(&self, signature: &[u8]) -> bool {
        self.signed.is_some_and(|signed| equal(&signed.theirs, signature))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_side_signs_what_it_received() {
        let (mut client, mut server) = (Transcripts::default(), Transcripts::default());
        for (from, bytes) in [(Role::Client, b"one".as_slice()), (Role::Server, b"two"), (Role::Client, b"three")] {
            client.add(Role::Client, from, bytes);
            server.add(Role::Server, from, bytes);
        }
        assert_eq!(client.len(), 11);
        client.sign(Some(b"key"));
        server.sign(Some(b"key"));
        assert_eq!(client.signature().unwrap(), hmac_sha256(b"key", &[b"two"]));
        assert!(server.verifies(&client.signature().unwrap()) && client.verifies(&server.signature().unwrap()));
        assert!(!client.verifies(&client.signature().unwrap()));
        client.add(Role::Client, Role::Client, b"later");
        assert_eq!(client.len(), 0);
        client.sign(None);
        assert_eq!(client.signature(), Some([0; 32]));
    }
}
