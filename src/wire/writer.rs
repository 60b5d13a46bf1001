//! The writer that generated code writes to.

use std::fmt;
use std::mem;

use zeroize::{Zeroize as _, Zeroizing};

use super::{Error, ErrorKind, Field, Integer, Scalar};

/// Bytes that grow.
#[derive(Clone, Default)]
pub struct Writer {
    bytes: Vec<u8>,
    secret: bool,
}

/// The room that a writer of secrets begins with, in bytes: enough for whatever is sealed in a handshake.
const SECRET_ROOM: usize = 512;

impl Writer {
    /// An empty one.
    pub fn new() -> Self {
        Writer::default()
    }

    /// An empty one with room for so many bytes.
    pub fn with_capacity(bytes: usize) -> Self {
        Writer { bytes: Vec::with_capacity(bytes), secret: false }
    }

    /// An empty one for secrets: no memory that it gives back still holds them.
    pub fn secret() -> Self {
        Writer { bytes: Vec::with_capacity(SECRET_ROOM), secret: true }
    }

    /// What was written.
    pub fn into_vec(mut self) -> Vec<u8> {
        mem::take(&mut self.bytes)
    }

    /// What was written, to be wiped in the end.
    pub fn into_secret(self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(self.into_vec())
    }

    /// What was written.
    pub fn as_slice(&self) -> &[u8] {
        &self.bytes
    }

    /// Appends bytes.
    #[inline]
    pub fn put(&mut self, bytes: &[u8]) {
        if self.secret {
            self.make_room(bytes.len());
        }
        self.bytes.extend_from_slice(bytes);
    }

    /// That what was written since `start` is as long as another field says.
    pub fn expect(&self, field: Field, start: usize, length: u64) -> Result<(), Error> {
        match (self.position() - start) as u64 == length {
            true => Ok(()),
            false => Err(Error::new(ErrorKind::WrongLength, 0).within(field)),
        }
    }

    /// Zeros up to so many bytes since `start`.
    pub fn fill(&mut self, field: Field, start: usize, length: u32) -> Result<(), Error> {
        while self.position() - start < length as usize {
            self.put(&[0]);
        }
        self.expect(field, start, length.into())
    }

    /// Moves what was written to a larger place and wipes the old one: a `Vec` that grows by itself wouldn't.
    #[cold]
    fn make_room(&mut self, more: usize) {
        let needed = self.bytes.len() + more;
        if needed > self.bytes.capacity() {
            let mut larger = Vec::with_capacity(needed.max(self.bytes.capacity() * 2));
            larger.extend_from_slice(&self.bytes);
            self.bytes.zeroize();
            self.bytes = larger;
        }
    }

    /// Appends a plain value.
    #[inline]
    pub fn scalar<'a, S: Scalar<'a>>(&mut self, value: &S) {
        value.write(self);
    }

    /// Appends bytes behind their length.
    #[inline]
    pub(super) fn prefixed<L: Integer>(&mut self, bytes: &[u8]) {
        // a slice of 4 GiB can't be had from a frame, whose segments are smaller
        L::from_u64(bytes.len() as u64).unwrap_or_else(|| L::from_u64(0).expect("0 fits")).write(self);
        self.put(bytes);
    }

    /// Appends bytes behind their length of type `L`, as a field that is allowed `max` of them.
    #[inline]
    pub fn blob<L: Integer>(&mut self, field: Field, max: u64, bytes: &[u8]) -> Result<(), Error> {
        self.length::<L>(field, max, |writer| {
            writer.put(bytes);
            Ok(())
        })
    }

    /// Appends what `write` writes behind its length of type `L`.
    #[inline]
    pub fn length<L: Integer>(
        &mut self,
        field: Field,
        max: u64,
        write: impl FnOnce(&mut Self) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let at = self.bytes.len();
        L::from_u64(0).ok_or_else(|| too_many(field, 0, 0))?.write(self);
        let start = self.bytes.len();
        write(self).map_err(|e| e.within(field))?;
        let length = (self.bytes.len() - start) as u64;
        self.patch::<L>(field, at, length, max)
    }

    /// Overwrites an integer that was written before.
    pub fn patch<L: Integer>(&mut self, field: Field, at: usize, value: u64, max: u64) -> Result<(), Error> {
        let number = L::from_u64(value).filter(|_| value <= max).ok_or_else(|| too_many(field, value, max))?;
        let mut patch = Writer::new();
        number.write(&mut patch);
        self.bytes[at..at + patch.bytes.len()].copy_from_slice(&patch.bytes);
        Ok(())
    }

    /// Where the next byte will stand.
    #[inline]
    pub fn position(&self) -> usize {
        self.bytes.len()
    }

    /// Appends items behind their number.
    #[inline]
    pub fn list<V>(
        &mut self,
        field: Field,
        max: u64,
        items: &[V],
        mut write: impl FnMut(&mut Self, &V) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let count = items.len() as u64;
        let number = u32::try_from(count).ok().filter(|_| count <= max).ok_or_else(|| too_many(field, count, max))?;
        number.write(self);
        self.counted(field, items, &mut write)
    }

    /// Appends items whose number stands elsewhere.
    #[inline]
    pub fn counted<V>(
        &mut self,
        field: Field,
        items: &[V],
        mut write: impl FnMut(&mut Self, &V) -> Result<(), Error>,
    ) -> Result<(), Error> {
        for (index, item) in items.iter().enumerate() {
            write(self, item).map_err(|e| e.in_item(index).within(field))?;
        }
        Ok(())
    }

    /// Fails if bytes are more than allowed.
    #[inline]
    pub fn at_most(field: Field, found: usize, max: u64) -> Result<(), Error> {
        if found as u64 > max { Err(too_many(field, found as u64, max)) } else { Ok(()) }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        if self.secret {
            self.bytes.zeroize();
        }
    }
}

impl fmt::Debug for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Writer({} bytes)", self.bytes.len())
    }
}

#[cold]
fn too_many(field: Field, found: u64, limit: u64) -> Error {
    Error::new(ErrorKind::TooMany { found, limit }, 0).within(field)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_outgrow_their_room() {
        let (mut plain, mut secret) = (Writer::new(), Writer::secret());
        for byte in 0..=255u8 {
            for writer in [&mut plain, &mut secret] {
                writer.put(&[byte; 7]);
            }
            assert!(secret.bytes.len() <= secret.bytes.capacity());
        }
        assert!(secret.as_slice().len() > SECRET_ROOM);
        assert_eq!(plain.as_slice(), secret.as_slice());
        assert_eq!(format!("{secret:?}"), "Writer(1792 bytes)");
        assert_eq!(plain.into_vec(), *secret.into_secret());
    }

    #[test]
    fn room_is_never_made_by_the_vec_itself() {
        let mut secret = Writer::secret();
        secret.put(&[1; SECRET_ROOM]);
        let before = secret.bytes.capacity();
        secret.make_room(1);
        assert!(secret.bytes.capacity() > before, "the move happens ahead of the write");
        assert_eq!(secret.as_slice(), [1; SECRET_ROOM]);
    }
}
