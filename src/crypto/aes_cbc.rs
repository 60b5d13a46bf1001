//! Ceph's oldest cipher: AES-128-CBC with a fixed initial vector and PKCS#7 padding. It authenticates nothing.

use aes::Aes128;
use cbc::cipher::block_padding::Pkcs7;
use cbc::cipher::{BlockModeDecrypt as _, BlockModeEncrypt as _, KeyIvInit as _};
use zeroize::Zeroizing;

use super::NotOpened;

const IV: &[u8; 16] = b"cephsageyudagreg";
const BLOCK: usize = 16;

/// How long so many bytes become.
pub fn sealed_len(plain: usize) -> usize {
    (plain / BLOCK + 1) * BLOCK
}

/// Encrypts. There is always padding: the result is 1 to 16 bytes longer, a whole number of blocks.
pub fn encrypt(key: &[u8; 16], plain: &[u8]) -> Vec<u8> {
    let length = sealed_len(plain.len());
    // with its full length from the start, so that no plaintext is left behind by growing
    let mut bytes = vec![0; length];
    bytes[..plain.len()].copy_from_slice(plain);
    let done = cbc::Encryptor::<Aes128>::new(key.into(), IV.into()).encrypt_padded::<Pkcs7>(&mut bytes, plain.len());
    debug_assert!(done.is_ok(), "there is room for the padding");
    bytes
}

/// Decrypts, and takes the padding off.
pub fn decrypt(key: &[u8; 16], bytes: &[u8]) -> Result<Zeroizing<Vec<u8>>, NotOpened> {
    let mut plain = Zeroizing::new(bytes.to_vec());
    let length = cbc::Decryptor::<Aes128>::new(key.into(), IV.into())
        .decrypt_padded::<Pkcs7>(&mut plain)
        .map_err(|_| NotOpened)?
        .len();
    plain.truncate(length);
    Ok(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_length_comes_back() {
        let key = [7; 16];
        let plain: Vec<u8> = (0..50).collect();
        for length in 0..=plain.len() {
            let bytes = encrypt(&key, &plain[..length]);
            assert_eq!(bytes.len(), 16 * (length / 16 + 1));
            assert_eq!(**decrypt(&key, &bytes).unwrap(), plain[..length]);
        }
    }

    #[test]
    fn what_is_no_ciphertext_does_not_open() {
        let key = [7; 16];
        let bytes = encrypt(&key, &[0xee; 40]);
        for length in [0, 1, 15, 16, 32, 47] {
            assert_eq!(decrypt(&key, &bytes[..length]), Err(NotOpened), "{length} bytes");
        }
        assert_eq!(decrypt(&[8; 16], &bytes), Err(NotOpened));
    }
}
