//! The primitives that authentication, signatures and encryption are made of. Nothing here knows Ceph's structures.
//!
//! Randomness is given by the caller, as a [`Random`]; nothing here asks the operating system.

pub mod aes_cbc;
mod gcm;
mod hash;
mod hkdf;
pub mod krb5;
mod random;
mod secret;

pub use gcm::Gcm;
pub use hash::{Sha256, hmac_sha256, hmac_sha384, sha256};
pub use hkdf::{hkdf_expand_sha256, hkdf_extract_sha256};
pub(crate) use random::number;
pub use random::{FixedRandom, Random};
pub use secret::{Secret, equal};

/// The bytes do not open with this key: wrong key, or damaged bytes. Which of them is not told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("does not open with this key")]
pub struct NotOpened;

#[cfg(test)]
pub(crate) mod testing {
    /// Bytes from their hexadecimal form; spaces are left out.
    pub(crate) fn hex(text: &str) -> Vec<u8> {
        let digits: Vec<u8> = text.bytes().filter(|byte| *byte != b' ').collect();
        digits.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
    }
}
