//! aes256-cts-hmac-sha384-192 of RFC 8009: what Ceph 20 encrypts with under keys of type AES256KRB5.

use aes::Aes256;
use cbc::cipher::block_padding::NoPadding;
use cbc::cipher::{BlockModeDecrypt as _, BlockModeEncrypt as _, KeyIvInit as _};
use zeroize::{Zeroize as _, Zeroizing};

use super::{NotOpened, Random, equal, hmac_sha384};

const BLOCK: usize = 16;
const MAC: usize = 24;
const IV: &[u8; BLOCK] = &[0; BLOCK];

/// The bytes that the ciphertext is longer: the confounder in front and the MAC behind.
pub const OVERHEAD: usize = BLOCK + MAC;

/// Encrypts for a usage. The secret has 32 bytes or more; the confounder is random.
pub fn encrypt(secret: &[u8], usage: u32, plain: &[u8], random: &mut dyn Random) -> Vec<u8> {
    let keys = Keys::derive(secret, usage);
    let length = BLOCK + plain.len();
    let padded = length.next_multiple_of(BLOCK);
    // room for all of it from the start, so that no plaintext is left behind by growing
    let mut bytes = Vec::with_capacity(padded + MAC);
    bytes.resize(padded, 0);
    random.fill(&mut bytes[..BLOCK]);
    bytes[BLOCK..length].copy_from_slice(plain);

    let done = cbc::Encryptor::<Aes256>::new((&*keys.encryption).into(), IV.into())
        .encrypt_padded::<NoPadding>(&mut bytes, padded);
    debug_assert!(done.is_ok(), "whole blocks");
    swap_last(&mut bytes);
    bytes.truncate(length);

    let mac = keys.mac(&bytes);
    bytes.extend(mac);
    bytes
}

/// Checks the MAC, and if it is right decrypts.
pub fn decrypt(secret: &[u8], usage: u32, bytes: &[u8]) -> Result<Zeroizing<Vec<u8>>, NotOpened> {
    let length = bytes.len().checked_sub(MAC).filter(|&length| length >= BLOCK).ok_or(NotOpened)?;
    let (ciphertext, mac) = bytes.split_at(length);
    let keys = Keys::derive(secret, usage);
    if !equal(&keys.mac(ciphertext), mac) {
        return Err(NotOpened);
    }
    let padded = length.next_multiple_of(BLOCK);
    let mut plain = Zeroizing::new(vec![0; padded]);
    plain[..length].copy_from_slice(ciphertext);
    if padded > BLOCK {
        complete(&keys, &mut plain, length);
        swap_last(&mut plain);
    }
    cbc::Decryptor::<Aes256>::new((&*keys.encryption).into(), IV.into())
        .decrypt_padded::<NoPadding>(&mut plain)
        .map_err(|_| NotOpened)?;
    plain.truncate(length);
    plain.drain(..BLOCK);
    Ok(plain)
}

/// Ciphertext stealing: the bytes missing behind the last block are the end of the block before it, decrypted alone.
fn complete(keys: &Keys, bytes: &mut [u8], length: usize) {
    let last = bytes.len() - BLOCK;
    let mut stolen = [0; BLOCK];
    stolen.copy_from_slice(&bytes[last - BLOCK..last]);
    // one block with an initial vector of zeros is the bare cipher
    let done = cbc::Decryptor::<Aes256>::new((&*keys.encryption).into(), IV.into())
        .decrypt_padded::<NoPadding>(&mut stolen)
        .is_ok();
    debug_assert!(done, "a whole block");
    bytes[length..].copy_from_slice(&stolen[length - last..]);
    stolen.zeroize();
}

/// The third form of ciphertext stealing swaps the last two blocks always.
fn swap_last(bytes: &mut [u8]) {
    if let Some(last) = bytes.len().checked_sub(BLOCK).filter(|&last| last >= BLOCK) {
        let (front, back) = bytes.split_at_mut(last);
        front[last - BLOCK..].swap_with_slice(back);
    }
}

/// What is derived from the secret for a usage.
struct Keys {
    encryption: Zeroizing<[u8; 32]>,
    integrity: Zeroizing<[u8; 24]>,
}

impl Keys {
    fn derive(secret: &[u8], usage: u32) -> Self {
        Keys { encryption: derive(secret, usage, 0xaa), integrity: derive(secret, usage, 0x55) }
    }

    /// The MAC covers the state that the cipher begins with, zeros.
    fn mac(&self, ciphertext: &[u8]) -> [u8; MAC] {
        let whole = hmac_sha384(self.integrity.as_slice(), &[IV, ciphertext]);
        std::array::from_fn(|index| whole[index])
    }
}

/// KDF-HMAC-SHA2 of RFC 8009 for up to 48 bytes.
fn derive<const N: usize>(secret: &[u8], usage: u32, purpose: u8) -> Zeroizing<[u8; N]> {
    const { assert!(N <= 48, "one block is all there is") };
    let bits = (N as u32) * 8;
    let parts: [&[u8]; 4] = [&1_u32.to_be_bytes(), &usage.to_be_bytes(), &[purpose, 0], &bits.to_be_bytes()];
    let whole = Zeroizing::new(hmac_sha384(secret, &parts));
    Zeroizing::new(std::array::from_fn(|index| whole[index]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::FixedRandom;
    use crate::crypto::testing::hex;

    const SECRET: &str = "6D404D37FAF79F9DF0D33568D320669800EB4836472EA8A026D16B7182460C52";

    // RFC 8009, appendix A
    #[test]
    fn derived_keys() {
        let keys = Keys::derive(&hex(SECRET), 2);
        assert_eq!(keys.encryption.as_slice(), hex("56ab22bee63d82d7bc5227f6773f8ea7a5eb1c825160c38312980c442e5c7e49"));
        assert_eq!(keys.integrity.as_slice(), hex("69b16514e3cd8e56b82010d5c73012b622c4d00ffc23ed1f"));
    }

    // RFC 8009, appendix A: nothing, less than a block, a block, more
    #[test]
    fn known_answers() {
        let answers = [
            (
                0,
                "F764E9FA15C276478B2C7D0C4E5F58E4",
                "41F53FA5BFE7026D91FAF9BE959195A058707273A96A40F0A01960621AC612748B9BBFBE7EB4CE3C",
            ),
            (
                6,
                "B80D3251C1F6471494256FFE712D0B9A",
                "4ED7B37C2BCAC8F74F23C1CF07E62BC7B75FB3F637B9F559C7F664F69EAB7B6092237526EA0D1F61CB20D69D10F2",
            ),
            (
                16,
                "53BF8A0D105265D4E276428624CE5E63",
                "BC47FFEC7998EB91E8115CF8D19DAC4BBBE2E163E87DD37F49BECA92027764F68CF51F14D798C2273F35DF574D1F932E40C4FF255B36A266",
            ),
            (
                21,
                "763E65367E864F02F55153C7E3B58AF1",
                "40013E2DF58E8751957D2878BCD2D6FE101CCFD556CB1EAE79DB3C3EE86429F2B2A602AC86FEF6ECB647D6295FAE077A1FEB517508D2C16B4192E01F62",
            ),
        ];
        let secret = hex(SECRET);
        for (length, confounder, expected) in answers {
            let plain: Vec<u8> = (0..length).collect();
            let bytes = encrypt(&secret, 2, &plain, &mut FixedRandom::new(&hex(confounder)));
            assert_eq!(bytes, hex(expected), "{length} bytes");
            assert_eq!(**decrypt(&secret, 2, &bytes).unwrap(), plain);
        }
    }

    #[test]
    fn every_length_comes_back() {
        let secret = [3; 32];
        let plain: Vec<u8> = (0..70).collect();
        let mut random = FixedRandom::new(&[]);
        for length in 0..=plain.len() {
            let bytes = encrypt(&secret, 0x30, &plain[..length], &mut random);
            assert_eq!(bytes.len(), length + OVERHEAD);
            assert_eq!(**decrypt(&secret, 0x30, &bytes).unwrap(), plain[..length]);
        }
    }

    #[test]
    fn what_was_touched_does_not_open() {
        let secret = [3; 32];
        let bytes = encrypt(&secret, 4, b"something to keep", &mut FixedRandom::new(&[]));
        assert_eq!(decrypt(&secret, 5, &bytes), Err(NotOpened));
        assert_eq!(decrypt(&[4; 32], 4, &bytes), Err(NotOpened));
        for length in 0..bytes.len() {
            assert_eq!(decrypt(&secret, 4, &bytes[..length]), Err(NotOpened));
        }
        for at in 0..bytes.len() {
            let mut touched = bytes.clone();
            touched[at] ^= 1;
            assert_eq!(decrypt(&secret, 4, &touched), Err(NotOpened));
        }
    }
}
