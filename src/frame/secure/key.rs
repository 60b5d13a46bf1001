//! Key and nonces, cut from the connection secret.

use std::fmt;
use std::sync::Arc;

use zeroize::Zeroize as _;

use super::{Opener, Sealer};
use crate::crypto::{Gcm, Secret};
use crate::frame::Revision;
use crate::wire::Role;

/// The bytes of a key, and of a nonce.
const KEY_LEN: usize = 16;
const NONCE_LEN: usize = 12;
/// What must be there of a connection secret: the key, and a nonce for either direction.
const LEAST: usize = KEY_LEN + 2 * NONCE_LEN;

/// A connection secret that is too short to hold a key and two nonces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a connection secret of {found} bytes, at least {LEAST} are needed")]
pub struct SecretTooShort {
    /// Its bytes.
    pub found: usize,
}

/// The key of a connection in secure mode, with the first nonce of either direction. It is wiped when it is dropped.
#[derive(Clone)]
pub struct ConnectionKey {
    gcm: Arc<Gcm>,
    nonces: [Nonce; 2],
    revision: Revision,
}

impl ConnectionKey {
    /// Cuts a connection secret, as authentication gives it to both sides.
    pub fn new(secret: &Secret, revision: Revision) -> Result<Self, SecretTooShort> {
        let bytes = secret.expose();
        let too_short = SecretTooShort { found: bytes.len() };
        let (key, rest) = bytes.split_first_chunk::<KEY_LEN>().ok_or(too_short)?;
        // first that of the server's frames
        let (server, rest) = rest.split_first_chunk::<NONCE_LEN>().ok_or(too_short)?;
        let client = rest.first_chunk::<NONCE_LEN>().ok_or(too_short)?;
        Ok(ConnectionKey { gcm: Arc::new(Gcm::new(key)), nonces: [client, server].map(Nonce::new), revision })
    }

    /// Seals the frames that this role sends.
    pub fn sealer(&self, from: Role) -> Sealer {
        Sealer::new(self.gcm.clone(), self.nonce(from), self.revision)
    }

    /// Opens the frames that this role sends.
    pub fn opener(&self, from: Role) -> Opener {
        Opener::new(self.gcm.clone(), self.nonce(from), self.revision)
    }

    fn nonce(&self, from: Role) -> Nonce {
        match from {
            Role::Client => self.nonces[0].clone(),
            Role::Server => self.nonces[1].clone(),
        }
    }
}

impl fmt::Debug for ConnectionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ConnectionKey")
    }
}

/// The first nonce of a direction.
#[derive(Clone)]
pub(super) struct Nonce {
    fixed: u32,
    counter: u64,
}

impl Nonce {
    fn new(bytes: &[u8; NONCE_LEN]) -> Self {
        let [a, b, c, d, counter @ ..] = *bytes;
        Nonce { fixed: u32::from_le_bytes([a, b, c, d]), counter: u64::from_le_bytes(counter) }
    }

    /// The nonce of an operation, numbered from 0 in its direction. `None` where the nonces would begin anew.
    pub(super) fn at(&self, revision: Revision, op: u64) -> Option<[u8; NONCE_LEN]> {
        let (fixed, counter) = match revision {
            Revision::V2_0 => (self.fixed.wrapping_add(u32::try_from(op).ok()?), self.counter),
            // the last number is given up, so that counting the operations can't overflow
            Revision::V2_1 if op == u64::MAX => return None,
            Revision::V2_1 => (self.fixed, self.counter.wrapping_add(op)),
        };
        let mut nonce = [0; NONCE_LEN];
        nonce[..4].copy_from_slice(&fixed.to_le_bytes());
        nonce[4..].copy_from_slice(&counter.to_le_bytes());
        Some(nonce)
    }
}

impl Drop for Nonce {
    fn drop(&mut self) {
        self.fixed.zeroize();
        self.counter.zeroize();
    }
}
