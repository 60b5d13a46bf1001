//! Bytes and texts that are borrowed where possible.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use super::{Error, Reader};

/// Bytes. Decoding borrows them; a value that is to be encoded may own them.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct Blob<'a>(pub Cow<'a, [u8]>);

/// Text. Ceph doesn't promise UTF-8, so it is bytes, shown with replacement characters where they are something else.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct Text<'a>(pub Cow<'a, [u8]>);

macro_rules! bytes_like {
    ($name:ident) => {
        impl $name<'_> {
            /// The same, with bytes of its own.
            pub fn into_owned(self) -> $name<'static> {
                $name(Cow::Owned(self.0.into_owned()))
            }

            /// Whether there are none (serde asks by reference).
            pub fn is_empty(&self) -> bool {
                self.0.is_empty()
            }
        }

        impl<'a> From<&'a [u8]> for $name<'a> {
            #[inline]
            fn from(bytes: &'a [u8]) -> Self {
                $name(Cow::Borrowed(bytes))
            }
        }

        impl From<Vec<u8>> for $name<'_> {
            fn from(bytes: Vec<u8>) -> Self {
                $name(Cow::Owned(bytes))
            }
        }

        impl std::ops::Deref for $name<'_> {
            type Target = [u8];
            #[inline]
            fn deref(&self) -> &[u8] {
                &self.0
            }
        }
    };
}

bytes_like!(Blob);
bytes_like!(Text);

impl<'a> From<&'a str> for Text<'a> {
    fn from(text: &'a str) -> Self {
        Text(Cow::Borrowed(text.as_bytes()))
    }
}

impl fmt::Display for Blob<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Blob<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{self}]")
    }
}

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.0))
    }
}

impl fmt::Debug for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&String::from_utf8_lossy(&self.0), f)
    }
}

/// Encrypted bytes that hold a `T` once somebody has opened them. Decoding never decrypts. `USAGE` is the spec's usage
/// number, from which keys of some kinds are derived.
pub struct Sealed<'a, T, const USAGE: u32> {
    /// The ciphertext.
    pub bytes: Blob<'a>,
    holds: PhantomData<fn() -> T>,
}

impl<'a, T, const USAGE: u32> Sealed<'a, T, USAGE> {
    /// The usage number that goes into the derivation of AES256KRB5 keys.
    pub const USAGE: u32 = USAGE;

    /// Ciphertext that is said to hold a `T`.
    pub fn new(bytes: Blob<'a>) -> Self {
        Sealed { bytes, holds: PhantomData }
    }

    /// Reads the structure from the decrypted bytes, which are a view of their own.
    pub fn read_plaintext<'p, P, C, Tr: super::Trace>(plain: &'p [u8], context: &C, trace: &mut Tr) -> Result<P, Error>
    where
        P: super::Composite<'p, C>,
    {
        let mut reader = Reader::new(plain);
        let value = P::decode(&mut reader, context, trace)?;
        reader.end()?;
        Ok(value)
    }
}

impl<T, const USAGE: u32> Clone for Sealed<'_, T, USAGE> {
    fn clone(&self) -> Self {
        Sealed::new(self.bytes.clone())
    }
}

impl<T, const USAGE: u32> Default for Sealed<'_, T, USAGE> {
    fn default() -> Self {
        Sealed::new(Blob::default())
    }
}

impl<T, const USAGE: u32> PartialEq for Sealed<'_, T, USAGE> {
    fn eq(&self, other: &Self) -> bool {
        self.bytes == other.bytes
    }
}

impl<T, const USAGE: u32> Eq for Sealed<'_, T, USAGE> {}

impl<T, const USAGE: u32> fmt::Debug for Sealed<'_, T, USAGE> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sealed{:?}", self.bytes)
    }
}
