//! Signatures: HMAC-SHA256 over the number of the signature and the frame.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::ConnectionKey;
use crate::wire::Role;

/// The bytes of a signature.
pub const SIGNATURE_LEN: usize = 32;

/// Signs what one side sends.
#[derive(Clone, Debug)]
pub struct Signer(Numbered);

/// Verifies what the other side sends.
#[derive(Clone, Debug)]
pub struct Verifier(Numbered);

#[derive(Clone)]
struct Numbered {
    keyed: Hmac<Sha256>,
    /// The signatures of this direction so far.
    count: u64,
}

impl std::fmt::Debug for Numbered {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "signature {}", self.count)
    }
}

impl Numbered {
    fn new(key: &ConnectionKey, sender: Role) -> Self {
        let key = key.expand::<32>("msgr2 proposal sign ", sender, &[]);
        Numbered { keyed: Hmac::new_from_slice(key.as_slice()).expect("any length will do"), count: 0 }
    }

    fn next(&mut self, frame: &[u8]) -> Hmac<Sha256> {
        let mut mac = self.keyed.clone();
        mac.update(&self.count.to_le_bytes());
        mac.update(frame);
        self.count += 1;
        mac
    }
}

impl Signer {
    /// For what `sender` sends.
    pub fn new(key: &ConnectionKey, sender: Role) -> Self {
        Signer(Numbered::new(key, sender))
    }

    /// The signature of the next frame, given from its length to its last byte.
    pub fn sign(&mut self, frame: &[u8]) -> [u8; SIGNATURE_LEN] {
        self.0.next(frame).finalize().into_bytes().into()
    }
}

impl Verifier {
    /// For what `sender` sends.
    pub fn new(key: &ConnectionKey, sender: Role) -> Self {
        Verifier(Numbered::new(key, sender))
    }

    /// Whether this is the next signature and signs the frame. Takes the same time whatever the bytes.
    #[must_use]
    pub fn verify(&mut self, frame: &[u8], signature: &[u8]) -> bool {
        self.0.next(frame).verify_slice(signature).is_ok()
    }

    /// How many signatures there were.
    pub fn count(&self) -> u64 {
        self.0.count
    }
}
