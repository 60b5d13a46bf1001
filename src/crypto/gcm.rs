//! AES-128-GCM, in place, with the tag apart.

use aes::Aes128;
use aes::cipher::BlockCipherEncrypt as _;
use aes_gcm::{AeadInOut as _, Aes128Gcm, KeyInit as _};

use super::NotOpened;

/// An AES-128-GCM key, ready to use. The key schedule is wiped on drop.
#[derive(Clone)]
pub struct Gcm {
    gcm: Aes128Gcm,
    block: Aes128,
}

impl Gcm {
    /// The bytes that a sealed piece is longer than the plain one.
    pub const TAG: usize = 16;

    /// Prepares a key.
    pub fn new(key: &[u8; 16]) -> Self {
        Gcm { gcm: Aes128Gcm::new(key.into()), block: Aes128::new(key.into()) }
    }

    /// Encrypts in place; returns the tag. A nonce must never come twice with one key. `None` only for data beyond
    /// GCM's own limit of 64 GiB.
    pub fn encrypt_in_place(&self, nonce: &[u8; 12], associated: &[u8], data: &mut [u8]) -> Option<[u8; Self::TAG]> {
        self.gcm.encrypt_inout_detached(nonce.into(), associated, data.into()).ok().map(Into::into)
    }

    /// Checks the tag, and if it is right decrypts in place; otherwise the data stays as it is.
    pub fn decrypt_in_place(
        &self,
        nonce: &[u8; 12],
        associated: &[u8],
        data: &mut [u8],
        tag: &[u8; Self::TAG],
    ) -> Result<(), NotOpened> {
        self.gcm.decrypt_inout_detached(nonce.into(), associated, data.into(), tag.into()).map_err(|_| NotOpened)
    }

    /// Decrypts the first bytes of a piece of which the rest hasn't come, at most so many as are given. They are
    /// **not** authenticated: only [`decrypt_in_place`](Gcm::decrypt_in_place) of the whole piece tells whether they
    /// are what was sent.
    pub fn peek(&self, nonce: &[u8; 12], data: &mut [u8]) {
        // counter 1 masks the tag, the data begins with 2
        for (chunk, counter) in data.chunks_mut(16).zip(2u32..) {
            let mut mask = [0; 16];
            mask[..12].copy_from_slice(nonce);
            mask[12..].copy_from_slice(&counter.to_be_bytes());
            self.block.encrypt_block((&mut mask).into());
            chunk.iter_mut().zip(mask).for_each(|(byte, mask)| *byte ^= mask);
        }
    }
}

impl std::fmt::Debug for Gcm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Gcm")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::testing::hex;

    // test case 4 of the GCM specification
    #[test]
    fn known_answer() {
        let key = hex("feffe9928665731c6d6a8f9467308308").try_into().unwrap();
        let nonce = hex("cafebabefacedbaddecaf888").try_into().unwrap();
        let aad = hex("feedfacedeadbeeffeedfacedeadbeefabaddad2");
        let plain = hex(
            "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39",
        );
        let gcm = Gcm::new(&key);
        let mut data = plain.clone();
        let tag = gcm.encrypt_in_place(&nonce, &aad, &mut data).unwrap();
        assert_eq!(
            data,
            hex(
                "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e091"
            )
        );
        assert_eq!(tag.as_slice(), hex("5bc94fbc3221a5db94fae95ae7121a47"));

        let sealed = data.clone();
        assert_eq!(gcm.decrypt_in_place(&nonce, &aad[1..], &mut data, &tag), Err(NotOpened));
        assert_eq!(data, sealed, "untouched");
        let mut head = data[..37].to_vec();
        gcm.peek(&nonce, &mut head);
        assert_eq!(head, plain[..37]);
        gcm.decrypt_in_place(&nonce, &aad, &mut data, &tag).unwrap();
        assert_eq!(data, plain);
    }
}
