//! Keys of cephx: what they look like, how they seal, how they prove.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use crate::Context;
use crate::crypto::{NotOpened, Random, Secret, aes_cbc, hmac_sha256, krb5};
use crate::types::{CryptoKey, CryptoType};
use crate::wire::{Blob, Composite as _, Encode as _, Error, Reader, Utime};

/// A key with the cipher that it is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    kind: CryptoType,
    created: Utime,
    secret: Secret,
}

/// Why bytes are no key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The type is none that can seal.
    #[error("a key of type {0} can't be used")]
    Type(CryptoType),
    /// The secret is too short or too long for its type.
    #[error("the secret of a key of type {kind} has {found} byte(s), it needs {least} to {LONGEST}")]
    Length {
        /// The type.
        kind: CryptoType,
        /// How many bytes there are.
        found: usize,
        /// How many it takes.
        least: usize,
    },
    /// The text is no base64.
    #[error("not base64")]
    Base64,
    /// The bytes are no encoded key.
    #[error("not an encoded key: {0}")]
    Encoding(Error),
}

/// Why sealed bytes do not open.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// Wrong key or damaged bytes: padding or MAC are wrong.
    #[error(transparent)]
    NotOpened(#[from] NotOpened),
    /// What came out doesn't begin as a sealed structure does: wrong key or damaged bytes.
    #[error("no magic number in what was sealed")]
    Magic,
    /// It did open, but what it holds can't be read.
    #[error("it opens, but can't be read: {0}")]
    Unreadable(#[from] Error),
}

/// The longest secret that the spec allows, in bytes.
const LONGEST: usize = 256;

/// What stands before every sealed structure: version 1 and a magic number.
const HEADER: [u8; 9] = [1, 0x55, 0xaa, 0x26, 0x88, 0xad, 0x9c, 0x00, 0xff];

/// The length of the key that AES-128 takes from the front of the secret.
const AES: usize = 16;

fn least(kind: CryptoType) -> Result<usize, KeyError> {
    match kind {
        CryptoType::AES => Ok(AES),
        CryptoType::AES256KRB5 => Ok(32),
        other => Err(KeyError::Type(other)),
    }
}

impl Key {
    /// A key of its parts. As in Ceph a longer secret is allowed.
    pub fn new(kind: CryptoType, created: Utime, secret: Secret) -> Result<Self, KeyError> {
        let (found, least) = (secret.len(), least(kind)?);
        if !(least..=LONGEST).contains(&found) {
            return Err(KeyError::Length { kind, found, least });
        }
        Ok(Key { kind, created, secret })
    }

    /// A new key of the usual length.
    pub fn generate(kind: CryptoType, created: Utime, random: &mut dyn Random) -> Result<Self, KeyError> {
        let length = least(kind)?;
        Ok(Key { kind, created, secret: Secret::random(length, random) })
    }

    /// From the wire. The structure's own bytes are the caller's to wipe.
    pub fn from_wire(key: &CryptoKey<'_>) -> Result<Self, KeyError> {
        Key::new(key.r#type, key.created, Secret::from(&*key.secret))
    }

    /// As it stands on the wire; the secret is borrowed.
    pub fn to_wire(&self) -> CryptoKey<'_> {
        let secret = Blob(Cow::Borrowed(self.secret.expose()));
        CryptoKey { r#type: self.kind, created: self.created, secret }
    }

    /// From the form that keyrings have: base64 of the encoded key.
    pub fn from_base64(text: &str) -> Result<Self, KeyError> {
        let bytes = Zeroizing::new(STANDARD.decode(text).map_err(|_| KeyError::Base64)?);
        let mut reader = Reader::new(&bytes);
        let key = CryptoKey::decode(&mut reader, &Context::default(), &mut ())
            .and_then(|key| reader.end().map(|()| key))
            .map_err(KeyError::Encoding)?;
        Key::from_wire(&key)
    }

    /// The form that keyrings have.
    pub fn to_base64(&self) -> Zeroizing<String> {
        // the length was checked when the key was made, and nothing else can go wrong
        let bytes = self.to_wire().to_secret_bytes().unwrap_or_default();
        Zeroizing::new(STANDARD.encode(&*bytes))
    }

    /// What it is for.
    pub fn kind(&self) -> CryptoType {
        self.kind
    }

    /// When it was made.
    pub fn created(&self) -> Utime {
        self.created
    }

    /// The secret.
    pub fn secret(&self) -> &Secret {
        &self.secret
    }

    /// Encrypts a structure with the header that all sealed structures have. The usage (of the spec's `sealed`) and the
    /// random bytes matter for AES256KRB5 only.
    pub fn seal(&self, usage: u32, plain: &[u8], random: &mut dyn Random) -> Vec<u8> {
        let mut whole = Zeroizing::new(Vec::with_capacity(HEADER.len() + plain.len()));
        whole.extend(HEADER);
        whole.extend(plain);
        self.encrypt(usage, &whole, random)
    }

    /// How long a structure of so many bytes becomes when a key of this type seals it; `None` for a type that can't.
    pub fn sealed_len(kind: CryptoType, plain: usize) -> Option<usize> {
        let whole = HEADER.len() + plain;
        match kind {
            CryptoType::AES => Some(aes_cbc::sealed_len(whole)),
            CryptoType::AES256KRB5 => Some(whole + krb5::OVERHEAD),
            _ => None,
        }
    }

    /// Whether a key of this type may have sealed to so many bytes.
    pub fn may_seal_to(kind: CryptoType, sealed: usize) -> bool {
        let least = Key::sealed_len(kind, 0).unwrap_or(usize::MAX);
        sealed >= least && (kind != CryptoType::AES || sealed == aes_cbc::sealed_len(sealed - 1))
    }

    /// The bytes of a new key's secret.
    pub fn usual_len(kind: CryptoType) -> Option<usize> {
        least(kind).ok()
    }

    /// Decrypts a sealed structure and takes the header off.
    pub fn open(&self, usage: u32, bytes: &[u8]) -> Result<Zeroizing<Vec<u8>>, OpenError> {
        let mut plain = self.decrypt(usage, bytes)?;
        if !plain.starts_with(&HEADER) {
            return Err(OpenError::Magic);
        }
        plain.drain(..HEADER.len());
        Ok(plain)
    }

    /// What a client answers to a monitor's challenge to prove that it has this key.
    pub fn proof(&self, server_challenge: u64, client_challenge: u64) -> u64 {
        let mut challenges = [0; 16];
        challenges[..8].copy_from_slice(&server_challenge.to_le_bytes());
        challenges[8..].copy_from_slice(&client_challenge.to_le_bytes());
        if self.kind == CryptoType::AES256KRB5 {
            return fold(&hmac_sha256(self.secret.expose(), &[&challenges]));
        }
        // what is folded is the sealed structure behind its length
        let mut plain = HEADER.to_vec();
        plain.extend(challenges);
        let sealed = aes_cbc::encrypt(&self.aes(), &plain);
        let mut behind_length = (sealed.len() as u32).to_le_bytes().to_vec();
        behind_length.extend(sealed);
        fold(&behind_length)
    }

    fn encrypt(&self, usage: u32, plain: &[u8], random: &mut dyn Random) -> Vec<u8> {
        match self.kind {
            CryptoType::AES256KRB5 => krb5::encrypt(self.secret.expose(), usage, plain, random),
            // no third kind can be made
            _ => aes_cbc::encrypt(&self.aes(), plain),
        }
    }

    fn decrypt(&self, usage: u32, bytes: &[u8]) -> Result<Zeroizing<Vec<u8>>, NotOpened> {
        match self.kind {
            CryptoType::AES256KRB5 => krb5::decrypt(self.secret.expose(), usage, bytes),
            _ => aes_cbc::decrypt(&self.aes(), bytes),
        }
    }

    /// The front of the secret.
    fn aes(&self) -> Zeroizing<[u8; AES]> {
        Zeroizing::new(self.secret.expose().first_chunk().copied().unwrap_or_default())
    }
}

/// XOR of all whole words of 64 bits.
fn fold(bytes: &[u8]) -> u64 {
    let (words, _) = bytes.as_chunks();
    words.iter().fold(0, |folded, word| folded ^ u64::from_le_bytes(*word))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::FixedRandom;
    use crate::crypto::testing::hex;

    const SERVER: u64 = 0x1122_3344_5566_7788;
    const CLIENT: u64 = 0x99aa_bbcc_ddee_ff00;

    fn key(kind: CryptoType) -> Key {
        let length = least(kind).unwrap() as u8;
        Key::new(kind, Utime { sec: 1_700_000_000, nsec: 0 }, (0..length).collect::<Vec<u8>>().into()).unwrap()
    }

    // made with another implementation
    #[test]
    fn proofs() {
        let aes = key(CryptoType::AES);
        let mut challenges = SERVER.to_le_bytes().to_vec();
        challenges.extend(CLIENT.to_le_bytes());
        let sealed = aes.seal(0, &challenges, &mut FixedRandom::new(&[]));
        assert_eq!(sealed, hex("5e4c58eba0ea931c02ef662853edc6c29f2f6fbccbaae9ce9354fc30c472810b"));
        assert_eq!(aes.proof(SERVER, CLIENT), 0x4fad_d850_10bc_ad18);

        let krb5 = key(CryptoType::AES256KRB5);
        assert_eq!(
            hmac_sha256(krb5.secret().expose(), &[&challenges]).as_slice(),
            hex("9eb5cb6e3a8babbb603fb056b3f15106693ceac67f24f015dda26e6f46514cfa")
        );
        assert_eq!(krb5.proof(SERVER, CLIENT), 0x5246_0fb0_91ff_144a);
    }

    #[test]
    fn the_form_of_keyrings() {
        let text = "AQAA8VNlAAAAABAAAAECAwQFBgcICQoLDA0ODw==";
        assert_eq!(*key(CryptoType::AES).to_base64(), text);
        assert_eq!(Key::from_base64(text), Ok(key(CryptoType::AES)));

        let text = key(CryptoType::AES256KRB5).to_base64();
        assert!(text.starts_with("Ag") && text.len() == 60);
        assert_eq!(Key::from_base64(&text), Ok(key(CryptoType::AES256KRB5)));
    }

    #[test]
    fn what_is_no_key() {
        let of = |kind: u16, length: usize| {
            let secret = vec![1; length];
            Key::from_wire(&CryptoKey { r#type: CryptoType(kind), created: Utime::default(), secret: secret.into() })
        };
        assert_eq!(of(0, 0), Err(KeyError::Type(CryptoType::NONE)));
        assert_eq!(of(3, 32), Err(KeyError::Type(CryptoType(3))));
        let (kind, least) = (CryptoType::AES, 16);
        assert_eq!(of(1, 15), Err(KeyError::Length { kind, found: 15, least }));
        assert_eq!(of(2, 31), Err(KeyError::Length { kind: CryptoType::AES256KRB5, found: 31, least: 32 }));
        assert_eq!(of(1, 257), Err(KeyError::Length { kind, found: 257, least }));
        assert!(of(1, 17).is_ok() && of(2, 256).is_ok());
        assert_eq!(Key::from_base64("AQ!="), Err(KeyError::Base64));
        // one byte less, one more
        assert!(matches!(Key::from_base64("AQAA8VNlAAAAABAAAAECAwQFBgcICQoLDA0O"), Err(KeyError::Encoding(_))));
        assert!(matches!(Key::from_base64("AQAA8VNlAAAAABAAAAECAwQFBgcICQoLDA0ODxA="), Err(KeyError::Encoding(_))));
        assert!(Key::generate(CryptoType::NONE, Utime::default(), &mut FixedRandom::new(&[])).is_err());
    }

    #[test]
    fn seals_open_with_key_and_usage_only() {
        let mut random = FixedRandom::new(b"seals");
        for kind in [CryptoType::AES, CryptoType::AES256KRB5] {
            let key = Key::generate(kind, Utime::default(), &mut random).unwrap();
            let other = Key::generate(kind, Utime::default(), &mut random).unwrap();
            let sealed = key.seal(4, b"what it holds", &mut random);
            assert_eq!(**key.open(4, &sealed).unwrap(), *b"what it holds");
            assert!(matches!(other.open(4, &sealed), Err(OpenError::NotOpened(_) | OpenError::Magic)));
            for length in 0..sealed.len() {
                assert!(key.open(4, &sealed[..length]).is_err(), "{length} bytes");
            }
            if kind == CryptoType::AES256KRB5 {
                assert_eq!(key.open(5, &sealed), Err(OpenError::NotOpened(NotOpened)));
            }
            // encrypted, but not a sealed structure
            let bare = key.encrypt(4, b"what it holds", &mut random);
            assert_eq!(key.open(4, &bare), Err(OpenError::Magic));
        }
    }

    #[test]
    fn debug_shows_no_secret() {
        let shown = format!("{:?}", key(CryptoType::AES));
        assert!(shown.contains("Secret(16 bytes)") && !shown.contains("15"), "{shown}");
    }
}
