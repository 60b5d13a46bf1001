//! The connection key, which ties everything after authentication to all bytes before it.

use zeroize::Zeroizing;

use crate::crypto::{Sha256, hkdf_expand_sha256, hkdf_extract_sha256};
use crate::wire::Role;

/// Both directions' bytes up to the end of authentication, as running hashes.
///
/// What each side has sent: the client's up to and with its last AUTH_REQUEST, the server's up to and with the
/// AUTH_REPLY that completes authentication. Banners, refused methods and dropped requests are in it.
#[derive(Clone, Debug, Default)]
pub struct Transcripts {
    client: Sha256,
    server: Sha256,
}

impl Transcripts {
    /// Adds what a side has sent.
    pub fn add(&mut self, sender: Role, bytes: &[u8]) {
        match sender {
            Role::Client => self.client.update(bytes),
            Role::Server => self.server.update(bytes),
        }
    }

    /// The key of the connection: HKDF-Extract with both hashes as salt, and session key and connection secret as
    /// keying material.
    pub fn connection_key(&self, session_key: &[u8], connection_secret: &[u8]) -> ConnectionKey {
        let (client, server) = (self.client.clone().finish(), self.server.clone().finish());
        ConnectionKey(hkdf_extract_sha256(&[&client, &server], &[session_key, connection_secret]))
    }
}

/// The key of one connection. It is wiped when it is dropped, and shown to nobody.
#[derive(Clone)]
pub struct ConnectionKey(Zeroizing<[u8; 32]>);

impl std::fmt::Debug for ConnectionKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ConnectionKey")
    }
}

impl ConnectionKey {
    /// A key from elsewhere: a log of keys, or a capture's secrets.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        ConnectionKey(Zeroizing::new(bytes))
    }

    /// Its bytes, for such a log.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Keys for what `sender` sends: HKDF-Expand with the parts of the label one after the other.
    pub(super) fn expand<const N: usize>(&self, label: &str, sender: Role, salt: &[u8]) -> Zeroizing<[u8; N]> {
        let direction: &[u8] = match sender {
            Role::Client => b"c2s",
            Role::Server => b"s2c",
        };
        hkdf_expand_sha256(&self.0, &[label.as_bytes(), direction, salt])
    }
}
