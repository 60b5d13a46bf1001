//! Sealed structures with their types: how they are read from what opens.

use std::fmt;
use std::marker::PhantomData;

use zeroize::Zeroizing;

use super::{Key, OpenError};
use crate::Context;
use crate::crypto::Random;
use crate::types::{
    CephxAuthorize, CephxAuthorizeChallenge, CephxAuthorizeReply, CephxConnectionSecret, CephxHeldTicket,
    CephxRotatingSecrets, CephxServiceTicket, CephxServiceTicketInfo,
};
use crate::wire::{Blob, Composite, Encode, Error, Reader, Sealed};

/// A structure that goes sealed.
pub trait Held {
    /// The structure, read from bytes that live as long as `'p`.
    type From<'p>: Composite<'p, Context> + Encode;
}

macro_rules! held {
    ($($structure:ident $(<$lifetime:lifetime>)?;)*) => {$(
        impl$(<$lifetime>)? Held for $structure$(<$lifetime>)? {
            type From<'p> = held!(@ 'p $structure $($lifetime)?);
        }
    )*};
    (@ $p:lifetime $structure:ident $lifetime:lifetime) => { $structure<$p> };
    (@ $p:lifetime $structure:ident) => { $structure };
}

held! {
    CephxConnectionSecret<'a>;
    CephxServiceTicket<'a>;
    CephxHeldTicket<'a>;
    CephxAuthorize;
    CephxAuthorizeChallenge;
    CephxAuthorizeReply<'a>;
    CephxServiceTicketInfo<'a>;
    CephxRotatingSecrets<'a>;
}

/// The plaintext of a sealed structure, wiped on drop.
pub struct Opened<T> {
    plain: Zeroizing<Vec<u8>>,
    holds: PhantomData<fn() -> T>,
}

impl<T: Held> Opened<T> {
    /// The structure, which borrows from here.
    pub fn read(&self) -> Result<T::From<'_>, Error> {
        let mut reader = Reader::new(&self.plain);
        let value = <T::From<'_>>::decode(&mut reader, &Context::default(), &mut ())?;
        reader.end()?;
        Ok(value)
    }

    /// The bytes, without the header of sealed structures: a view of their own for a trace.
    pub fn bytes(&self) -> &[u8] {
        &self.plain
    }
}

impl<T> fmt::Debug for Opened<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Opened({} bytes)", self.plain.len())
    }
}

/// A structure that can't be written, and so not be sealed: it breaks a limit of the spec.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("can't be written: {0}")]
pub struct SealError(#[from] pub Error);

impl<T: Held, const USAGE: u32> Sealed<'_, T, USAGE> {
    /// Opens it.
    pub fn open(&self, key: &Key) -> Result<Opened<T>, OpenError> {
        Ok(Opened { plain: key.open(USAGE, &self.bytes)?, holds: PhantomData })
    }

    /// Opens it, and takes out of the structure what is wanted of it while its plaintext lives.
    pub fn take<V>(&self, key: &Key, take: impl for<'p> FnOnce(T::From<'p>) -> V) -> Result<V, OpenError> {
        let opened = self.open(key)?;
        let value = take(opened.read()?);
        Ok(value)
    }

    /// Seals a structure.
    pub fn seal(
        key: &Key,
        value: &T::From<'_>,
        random: &mut dyn Random,
    ) -> Result<Sealed<'static, T, USAGE>, SealError> {
        let plain = value.to_secret_bytes()?;
        Ok(Sealed::new(Blob::from(key.seal(USAGE, &plain, random))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::FixedRandom;
    use crate::types::{CephxSealedConnectionSecret, CephxTicket, CryptoType};
    use crate::wire::Utime;

    #[test]
    fn a_structure_comes_back() {
        let mut random = FixedRandom::new(b"sealed");
        for kind in [CryptoType::AES, CryptoType::AES256KRB5] {
            let key = Key::generate(kind, Utime::default(), &mut random).unwrap();
            let secret = CephxConnectionSecret { secret: "abc".into() };
            let CephxSealedConnectionSecret { sealed } =
                CephxSealedConnectionSecret { sealed: Sealed::seal(&key, &secret, &mut random).unwrap() };
            let opened = sealed.open(&key).unwrap();
            assert_eq!(opened.read().unwrap(), secret);
            assert_eq!(opened.bytes(), b"\x03\0\0\0abc");
            assert_eq!(format!("{opened:?}"), "Opened(7 bytes)");

            // the same bytes, said to hold something else
            let wrong = CephxTicket { service_ticket: Sealed::new(sealed.bytes.clone()), ..Default::default() };
            match wrong.service_ticket.open(&key) {
                Ok(opened) => assert!(kind == CryptoType::AES && opened.read().is_err()),
                Err(error) => {
                    assert!(kind == CryptoType::AES256KRB5 && matches!(error, OpenError::NotOpened(_)));
                }
            }
        }
    }

    #[test]
    fn what_no_reader_takes_is_not_sealed() {
        let mut random = FixedRandom::new(&[]);
        let key = Key::generate(CryptoType::AES, Utime::default(), &mut random).unwrap();
        let secret = CephxConnectionSecret { secret: vec![0; 257].into() };
        let sealed = Sealed::seal(&key, &secret, &mut random).map(|sealed| CephxSealedConnectionSecret { sealed });
        assert!(sealed.is_err());
    }
}
