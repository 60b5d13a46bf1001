//! SHA-256 and HMAC.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Digest as _;

/// A running SHA-256, for example over a transcript. A clone goes on from the same bytes.
#[derive(Clone, Debug, Default)]
pub struct Sha256(sha2::Sha256);

impl Sha256 {
    /// One that has seen nothing.
    pub fn new() -> Self {
        Sha256::default()
    }

    /// Takes more bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The hash of all bytes.
    pub fn finish(self) -> [u8; 32] {
        self.0.finalize().into()
    }
}

/// SHA-256 of the parts, one behind the other.
pub fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    let mut hash = Sha256::new();
    parts.iter().for_each(|part| hash.update(part));
    hash.finish()
}

/// HMAC-SHA256 of the parts, one behind the other. The key may have any length.
pub fn hmac_sha256(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    // an HMAC takes keys of every length
    let Ok(mut mac) = Hmac::<sha2::Sha256>::new_from_slice(key) else { return [0; 32] };
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().into()
}

/// HMAC-SHA384 of the parts, one behind the other. The key may have any length.
pub fn hmac_sha384(key: &[u8], parts: &[&[u8]]) -> [u8; 48] {
    // as above
    let Ok(mut mac) = Hmac::<sha2::Sha384>::new_from_slice(key) else { return [0; 48] };
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::testing::hex;

    #[test]
    fn sha256_of_abc() {
        let abc = hex("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!(sha256(&[b"a", b"", b"bc"]).as_slice(), abc);
        let mut running = Sha256::new();
        running.update(b"ab");
        let mut branch = running.clone();
        branch.update(b"c");
        assert_eq!(branch.finish().as_slice(), abc);
        assert_eq!(running.finish(), sha256(&[b"ab"]));
    }

    // RFC 4231, test cases 2 and 6
    #[test]
    fn hmac_of_rfc_4231() {
        let parts: [&[u8]; 2] = [b"what do ya want ", b"for nothing?"];
        assert_eq!(
            hmac_sha256(b"Jefe", &parts).as_slice(),
            hex("5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843")
        );
        assert_eq!(
            hmac_sha384(b"Jefe", &parts).as_slice(),
            hex("af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e8e2240ca5e69e2c78b3239ecfab21649")
        );
        let long: &[u8] = b"Test Using Larger Than Block-Size Key - Hash Key First";
        assert_eq!(
            hmac_sha256(&[0xaa; 131], &[long]).as_slice(),
            hex("60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54")
        );
    }
}
