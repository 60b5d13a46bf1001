//! A read buffer that grows to the largest block asked for.

use std::io::{self, Read};

const STEP: usize = 256 << 10;

/// Bytes of a reader, from the place up to which they were consumed.
pub(super) struct Buffer<R> {
    reader: R,
    bytes: Vec<u8>,
    start: usize,
    end: usize,
    position: u64,
}

impl<R: Read> Buffer<R> {
    /// Nothing is read yet.
    pub(super) fn new(reader: R) -> Self {
        Self { reader, bytes: Vec::new(), start: 0, end: 0, position: 0 }
    }

    /// Reads until `len` bytes are there; false if the reader ends before. Memory grows with what was read, not with
    /// `len`, so that a length that lies costs nothing.
    pub(super) fn fill(&mut self, len: usize) -> io::Result<bool> {
        while self.data().len() < len {
            if self.end == self.bytes.len() {
                if self.start > 0 {
                    self.bytes.copy_within(self.start..self.end, 0);
                    (self.start, self.end) = (0, self.end - self.start);
                } else {
                    self.bytes.resize(self.bytes.len().saturating_mul(2).max(STEP), 0);
                }
            }
            match self.reader.read(&mut self.bytes[self.end..]) {
                Ok(0) => return Ok(false),
                Ok(n) => self.end += n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        Ok(true)
    }

    /// What was read and not yet consumed.
    pub(super) fn data(&self) -> &[u8] {
        &self.bytes[self.start..self.end]
    }

    /// Consumes `len` bytes, or what is there.
    pub(super) fn consume(&mut self, len: usize) {
        let len = len.min(self.end - self.start);
        self.start += len;
        self.position += len as u64;
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        }
    }

    /// The memory that it takes.
    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        self.bytes.capacity()
    }

    /// How many bytes were consumed.
    pub(super) fn position(&self) -> u64 {
        self.position
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives one byte at a time.
    struct Slow(Vec<u8>);

    impl Read for Slow {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            if self.0.is_empty() {
                return Ok(0);
            }
            into[0] = self.0.remove(0);
            Ok(1)
        }
    }

    #[test]
    fn short_reads_add_up() {
        let mut buffer = Buffer::new(Slow(b"abcdef".to_vec()));
        assert!(buffer.fill(2).expect("read"));
        assert_eq!(buffer.data(), b"ab");
        buffer.consume(1);
        assert!(buffer.fill(5).expect("read"));
        assert_eq!((buffer.data(), buffer.position()), (&b"bcdef"[..], 1));
        assert!(!buffer.fill(6).expect("read"));
        assert_eq!(buffer.data(), b"bcdef");
    }

    #[test]
    fn it_moves_what_is_left_before_it_grows() {
        let bytes: Vec<u8> = (0..2 * STEP).map(|i| (i / 1000) as u8).collect();
        let mut buffer = Buffer::new(&bytes[..]);
        assert!(buffer.fill(STEP).expect("read"));
        buffer.consume(STEP / 2 + 1);
        assert!(buffer.fill(STEP).expect("read"));
        assert_eq!((buffer.bytes.len(), buffer.position()), (STEP, STEP as u64 / 2 + 1));
        assert!(buffer.data() == &bytes[STEP / 2 + 1..][..STEP]);
    }

    #[test]
    fn it_grows_with_what_is_there_only() {
        let mut buffer = Buffer::new(&[7u8; 3 * STEP][..]);
        assert!(!buffer.fill(1 << 40).expect("read"));
        assert_eq!(buffer.data().len(), 3 * STEP);
        assert!(buffer.bytes.len() <= 4 * STEP);
        buffer.consume(usize::MAX);
        assert_eq!(buffer.position(), 3 * STEP as u64);
    }
}
