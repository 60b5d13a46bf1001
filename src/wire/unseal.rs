//! What is sealed, what is secret: bytes that a trace sees only if it has the key, or never.

use std::fmt;
use std::ops::Range;

use zeroize::Zeroizing;

use super::{Field, Trace, Value};

/// Opens sealed blobs for a trace.
pub trait Unseal: fmt::Debug + Send + Sync {
    /// The bytes of the sealed structure; `None` if no key fits. They are never more than the ciphertext has.
    fn unseal(&self, usage: u32, bytes: &[u8]) -> Option<Zeroizing<Vec<u8>>>;
}

/// All that is told of a secret of so many bytes.
#[derive(Clone, Copy)]
pub struct Secrecy(pub u32);

impl fmt::Debug for Secrecy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Secrecy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            1 => f.write_str("1 byte, secret"),
            length => write!(f, "{length} bytes, secret"),
        }
    }
}

/// A trace that is told how many bytes a field has, instead of the bytes: for fields that the spec calls secret.
#[derive(Debug)]
pub struct Redacted<'t, T>(pub &'t mut T);

impl<T: Trace> Trace for Redacted<'_, T> {
    #[inline]
    fn value(&mut self, field: Field, at: Range<usize>, value: Value<'_>) {
        let value = match value {
            Value::Bytes(bytes) => Value::Secret(bytes.len()),
            // nothing else can be secret
            _ => Value::Secret(at.len()),
        };
        self.0.value(field, at, value);
    }

    #[inline]
    fn open(&mut self, field: Field, start: usize) {
        self.0.open(field, start);
    }

    #[inline]
    fn close(&mut self, end: usize, summary: Option<&dyn fmt::Display>) {
        self.0.close(end, summary);
    }

    #[inline]
    fn count(&mut self, items: u64) {
        self.0.count(items);
    }

    #[inline]
    fn depth(&self) -> usize {
        self.0.depth()
    }
}
