//! The segments of a frame, before anything is known of what they hold.

use super::{Blob, Error, ErrorKind, Field, Reader, Trace, Value};

/// Up to four ranges of bytes, each with its place in the view.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Segments<'a> {
    parts: [(usize, &'a [u8]); 4],
}

impl<'a> Segments<'a> {
    /// Segments at these offsets of the view; those that are missing are empty.
    pub fn new(parts: [(usize, &'a [u8]); 4]) -> Self {
        Segments { parts }
    }

    /// One segment at the beginning of a view.
    pub fn one(bytes: &'a [u8]) -> Self {
        let end = bytes.len();
        Segments { parts: [(0, bytes), (end, &[]), (end, &[]), (end, &[])] }
    }

    /// The bytes of a segment.
    #[inline]
    pub fn bytes(&self, index: usize) -> &'a [u8] {
        self.parts.get(index).map_or(&[], |part| part.1)
    }

    /// A reader of a segment.
    #[inline]
    pub fn reader(&self, index: usize) -> Reader<'a> {
        let (base, bytes) = self.parts.get(index).copied().unwrap_or_default();
        Reader::at(bytes, base)
    }

    /// Where the first begins.
    pub fn start(&self) -> usize {
        self.parts[0].0
    }

    /// Where the last that isn't empty ends.
    pub fn end(&self) -> usize {
        let last = self.parts.iter().rev().find(|(_, bytes)| !bytes.is_empty());
        last.map_or(self.parts[0].0, |(start, bytes)| start + bytes.len())
    }

    /// Reads a structure that is all there is in a frame.
    #[inline]
    pub fn single<S, C, T>(&self, trace: &mut T, field: Field, context: &C) -> Result<S, Error>
    where
        S: super::Composite<'a, C>,
        T: Trace,
    {
        let mut reader = self.reader(0);
        trace.open(field, reader.offset());
        let value = S::decode(&mut reader, context, trace)?;
        reader.end()?;
        self.end_after(1)?;
        trace.close(reader.offset(), None);
        Ok(value)
    }

    /// Fails if there are bytes behind so many segments.
    #[inline]
    pub fn end_after(&self, segments: usize) -> Result<(), Error> {
        match self.parts.iter().skip(segments).find(|(_, bytes)| !bytes.is_empty()) {
            Some((start, bytes)) => Err(Error::new(ErrorKind::Trailing { left: bytes.len() }, *start)),
            None => Ok(()),
        }
    }

    /// Tells the trace the bytes alone.
    pub fn opaque<T: Trace>(&self, trace: &mut T, field: Field) {
        for (start, bytes) in self.parts.iter().filter(|(_, bytes)| !bytes.is_empty()) {
            trace.value(field, *start..start + bytes.len(), Value::Bytes(bytes));
        }
    }

    /// Copies of the bytes.
    pub fn to_vecs(&self) -> [Vec<u8>; 4] {
        self.parts.map(|(_, bytes)| bytes.to_vec())
    }

    /// The bytes as blobs.
    pub fn blobs(&self) -> [Blob<'a>; 4] {
        self.parts.map(|(_, bytes)| Blob::from(bytes))
    }
}
