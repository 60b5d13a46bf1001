//! Bytes that nobody is to see.

use std::fmt;

use subtle::ConstantTimeEq as _;
use zeroize::{Zeroize as _, Zeroizing};

use super::Random;

/// Bytes that are wiped when dropped, shown as their length only, and compared in constant time.
#[derive(Clone, Default)]
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// So many random bytes.
    pub fn random(length: usize, random: &mut dyn Random) -> Self {
        let mut bytes = Zeroizing::new(vec![0; length]);
        random.fill(&mut bytes);
        Secret(bytes)
    }

    /// The bytes, for who computes with them.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// How many bytes there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<Vec<u8>> for Secret {
    /// Takes the bytes over; they are not copied, so they are wiped too.
    fn from(bytes: Vec<u8>) -> Self {
        Secret(Zeroizing::new(bytes))
    }
}

impl From<&[u8]> for Secret {
    /// Copies the bytes; who has the original must wipe it.
    fn from(bytes: &[u8]) -> Self {
        Secret(Zeroizing::new(bytes.to_vec()))
    }
}

impl<const N: usize> From<[u8; N]> for Secret {
    /// Takes the bytes over, and wipes the array that was given.
    fn from(mut bytes: [u8; N]) -> Self {
        let secret = Secret::from(bytes.as_slice());
        bytes.zeroize();
        secret
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        equal(&self.0, &other.0)
    }
}

impl Eq for Secret {}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret({} bytes)", self.len())
    }
}

/// Whether bytes are the same. The time depends on the lengths only.
pub fn equal(a: &[u8], b: &[u8]) -> bool {
    a.ct_eq(b).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shown_by_length_and_compared_by_content() {
        let secret = Secret::from([0xab; 16]);
        assert_eq!(format!("{secret:?}"), "Secret(16 bytes)");
        assert_eq!(secret, Secret::from(vec![0xab; 16]));
        assert_ne!(secret, Secret::from(vec![0xab; 15]));
        assert_ne!(secret, Secret::from(vec![0xaa; 16]));
        assert!(Secret::default().is_empty());
    }
}
