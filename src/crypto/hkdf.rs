//! HKDF with SHA-256 (RFC 5869).

use hkdf::{GenericHkdf, HkdfExtract};
use hmac::Hmac;
use zeroize::{Zeroize as _, Zeroizing};

/// HKDF-Extract; salt and input key material are given in parts.
pub fn hkdf_extract_sha256(salt: &[&[u8]], ikm: &[&[u8]]) -> Zeroizing<[u8; 32]> {
    let salt = Zeroizing::new(salt.concat());
    let mut extract = HkdfExtract::<sha2::Sha256>::new(Some(&salt));
    ikm.iter().for_each(|part| extract.input_ikm(part));
    let (mut prk, _) = extract.finalize();
    let key = Zeroizing::new(prk.into());
    prk.zeroize();
    key
}

/// HKDF-Expand: `N` bytes for a purpose that `info` names, given in parts. `N` may be 8,160 at most, which the compiler
/// checks.
pub fn hkdf_expand_sha256<const N: usize>(key: &[u8; 32], info: &[&[u8]]) -> Zeroizing<[u8; N]> {
    const { assert!(N <= 255 * 32, "HKDF can't make more") };
    let mut out = Zeroizing::new([0; N]);
    // the key has the least length and the output at most the greatest, so neither can fail
    if let Ok(hkdf) = GenericHkdf::<Hmac<sha2::Sha256>>::from_prk(key) {
        let made = hkdf.expand_multi_info(info, out.as_mut_slice());
        debug_assert!(made.is_ok());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::testing::hex;

    // RFC 5869, test cases 1 and 3
    #[test]
    fn rfc_5869() {
        let ikm = [0x0b; 22];
        let key = hkdf_extract_sha256(&[&hex("000102030405"), &hex("060708090a0b0c")], &[&ikm[..3], &ikm[3..]]);
        assert_eq!(key.as_slice(), hex("077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5"));
        assert_eq!(
            hkdf_expand_sha256::<42>(&key, &[&hex("f0f1f2f3f4"), &hex("f5f6f7f8f9")]).as_slice(),
            hex("3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865")
        );
        let key = hkdf_extract_sha256(&[], &[&ikm]);
        assert_eq!(
            hkdf_expand_sha256::<42>(&key, &[]).as_slice(),
            hex("8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8")
        );
    }
}
