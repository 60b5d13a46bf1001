//! Sealed records: AES-128-GCM around whole frames.

use std::fmt;

use zeroize::Zeroizing;

use super::ConnectionKey;
use crate::Context;
use crate::crypto::Gcm;
use crate::proposal::{RecordHeader, RecordTag};
use crate::wire::{Composite, Role};

/// The bytes of a record's header.
const HEADER_LEN: usize = <RecordHeader as Composite<'_, Context>>::MIN_SIZE;
/// The bytes of a GCM tag.
const TAG_LEN: usize = <RecordTag as Composite<'_, Context>>::MIN_SIZE;
/// The bytes that a record adds to its frames.
pub const RECORD_OVERHEAD: usize = HEADER_LEN + TAG_LEN;
/// The bytes by which `sealed_len` may exceed the limit on frame_len: a frame's length, and the tag.
const OVER_FRAME: u32 = 4 + TAG_LEN as u32;
/// A direction ends before this record.
const MOST_RECORDS: u64 = 1 << 32;

/// The length of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordHead {
    /// The bytes behind it: ciphertext and tag.
    pub sealed_len: u32,
}

/// Why a record is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RecordError {
    /// Too short to hold a frame.
    TooShort {
        /// The sealed_len, in bytes.
        sealed_len: u32,
    },
    /// Longer than allowed.
    TooLarge {
        /// The sealed_len, in bytes.
        sealed_len: u32,
        /// The limit, in bytes.
        limit: u32,
    },
    /// Its tag doesn't authenticate it: another key, or bytes that were changed, moved or repeated.
    Unauthentic {
        /// The record's number in its direction.
        record: u64,
    },
    /// The direction has had as many records as a key may seal.
    Exhausted,
}

impl fmt::Display for RecordError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RecordError::TooShort { sealed_len } => write!(f, "a sealed_len of {sealed_len} holds no frame"),
            RecordError::TooLarge { sealed_len, limit } => {
                write!(f, "a sealed_len of {sealed_len}, the limit is {limit}")
            }
            RecordError::Unauthentic { record } => write!(f, "record {record} doesn't authenticate"),
            RecordError::Exhausted => write!(f, "a direction has no more than {MOST_RECORDS} records"),
        }
    }
}

impl std::error::Error for RecordError {}

impl RecordHead {
    /// Reads the length of a record, while frames of at most `max_frame` bytes (frame_len) are taken. `None` asks
    /// for four bytes.
    pub fn parse(bytes: &[u8], max_frame: u32) -> Result<Option<RecordHead>, RecordError> {
        let Some(length) = bytes.first_chunk::<HEADER_LEN>() else { return Ok(None) };
        let sealed_len = u32::from_le_bytes(*length);
        let limit = max_frame.saturating_add(OVER_FRAME);
        if sealed_len as usize <= TAG_LEN {
            return Err(RecordError::TooShort { sealed_len });
        }
        if sealed_len > limit {
            return Err(RecordError::TooLarge { sealed_len, limit });
        }
        Ok(Some(RecordHead { sealed_len }))
    }

    /// The bytes of the whole record.
    pub fn total_len(&self) -> usize {
        HEADER_LEN + self.sealed_len as usize
    }
}

/// The cipher of one direction.
#[derive(Clone)]
struct Cipher {
    gcm: Gcm,
    base: [u8; 12],
}

impl Cipher {
    fn new(key: &ConnectionKey, sender: Role, salt: &[u8; 16]) -> Self {
        let expanded = key.expand::<{ 16 + 12 }>("msgr2 proposal seal ", sender, salt);
        let (mut key, mut base) = (Zeroizing::new([0; 16]), [0; 12]);
        key.copy_from_slice(&expanded[..16]);
        base.copy_from_slice(&expanded[16..]);
        Cipher { gcm: Gcm::new(&key), base }
    }

    fn nonce(&self, record: u64) -> [u8; 12] {
        let mut nonce = self.base;
        nonce.iter_mut().zip(record.to_le_bytes()).for_each(|(byte, n)| *byte ^= n);
        nonce
    }
}

/// Seals what one side sends.
pub struct Sealer {
    cipher: Cipher,
    next: u64,
}

/// Opens what the other side sends.
#[derive(Clone)]
pub struct Opener {
    cipher: Cipher,
    next: u64,
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sealer at record {}", self.next)
    }
}

impl fmt::Debug for Opener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Opener at record {}", self.next)
    }
}

impl Sealer {
    /// For what `sender` sends behind its ENCRYPT_BEGIN with this salt.
    pub fn new(key: &ConnectionKey, sender: Role, salt: &[u8; 16]) -> Self {
        Sealer { cipher: Cipher::new(key, sender, salt), next: 0 }
    }

    /// Appends a record with these frames.
    pub fn seal(&mut self, frames: &[u8], out: &mut Vec<u8>) -> Result<(), RecordError> {
        if self.next >= MOST_RECORDS {
            return Err(RecordError::Exhausted);
        }
        let header = ((frames.len() + TAG_LEN) as u32).to_le_bytes();
        out.reserve(frames.len() + RECORD_OVERHEAD);
        out.extend_from_slice(&header);
        let at = out.len();
        out.extend_from_slice(frames);
        let nonce = self.cipher.nonce(self.next);
        let tag = self.cipher.gcm.encrypt_in_place(&nonce, &header, &mut out[at..]).ok_or(RecordError::Exhausted)?;
        out.extend_from_slice(&tag);
        self.next += 1;
        Ok(())
    }
}

impl Opener {
    /// For what `sender` sends behind its ENCRYPT_BEGIN with this salt.
    pub fn new(key: &ConnectionKey, sender: Role, salt: &[u8; 16]) -> Self {
        Opener { cipher: Cipher::new(key, sender, salt), next: 0 }
    }

    /// The number of the record that comes next.
    pub fn next(&self) -> u64 {
        self.next
    }

    /// Opens the next record, given whole, and appends the frames in it.
    pub fn open(&mut self, record: &[u8], out: &mut Vec<u8>) -> Result<(), RecordError> {
        self.open_at(self.next, record, out)?;
        self.next += 1;
        Ok(())
    }

    /// Opens the record with this number, given whole, and appends the frames in it.
    pub fn open_at(&self, number: u64, record: &[u8], out: &mut Vec<u8>) -> Result<(), RecordError> {
        if number >= MOST_RECORDS {
            return Err(RecordError::Exhausted);
        }
        let unauthentic = RecordError::Unauthentic { record: number };
        let (header, sealed) = record.split_at_checked(HEADER_LEN).ok_or(unauthentic)?;
        let split = sealed.len().checked_sub(TAG_LEN).ok_or(unauthentic)?;
        let (ciphertext, tag) = sealed.split_at(split);
        let tag: [u8; TAG_LEN] = tag.try_into().map_err(|_| unauthentic)?;
        let at = out.len();
        out.extend_from_slice(ciphertext);
        let nonce = self.cipher.nonce(number);
        if self.cipher.gcm.decrypt_in_place(&nonce, header, &mut out[at..], &tag).is_err() {
            out.truncate(at);
            return Err(unauthentic);
        }
        Ok(())
    }
}
