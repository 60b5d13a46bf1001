//! The reader that generated code reads from, and the trace that it tells what it reads.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use crate::limits;

use super::{Blob, Composite, Error, ErrorKind, Field, Integer, Scalar, Unseal};

/// The value of a field as the trace gets it.
#[derive(Clone, Copy, Debug)]
pub enum Value<'a> {
    /// Unsigned integers, truth values, enums, flags.
    Unsigned(u64),
    /// Signed integers.
    Signed(i64),
    /// Floating point numbers.
    Float(f64),
    /// Seconds and nanoseconds.
    Time(i64, i32),
    /// Bytes and texts: where their content stands.
    Bytes(&'a [u8]),
    /// An IPv6 address, as it stands.
    Ipv6([u8; 16]),
    /// So many bytes that nobody is to see. They end with the range.
    Secret(usize),
}

/// Hears what is read. Places are byte ranges in the view.
pub trait Trace {
    /// A field with its value; a blob's range includes its length prefix, its value doesn't.
    fn value(&mut self, field: Field, at: Range<usize>, value: Value<'_>);
    /// A field with fields in it begins.
    fn open(&mut self, field: Field, start: usize);
    /// The innermost open field ends. `summary` is its text, formed only if the trace wants it.
    fn close(&mut self, end: usize, summary: Option<&dyn fmt::Display>);
    /// The number of items of the innermost open field, a list.
    fn count(&mut self, items: u64);
    /// How many fields are open.
    fn depth(&self) -> usize;

    /// A sealed blob was read: the field that was told last, and its ciphertext. A trace that opens it tells itself
    /// `opened`, which stands in that field, and calls `read` to be told what is in it. Places in it are those of the
    /// decrypted bytes, a view of their own.
    #[inline(always)]
    fn sealed<R>(&mut self, opened: Field, usage: u32, bytes: &[u8], read: R)
    where
        R: FnOnce(&mut Reader<'_>, &mut Self) -> Result<(), Error>,
        Self: Sized,
    {
        let _ = (opened, usage, bytes, read);
    }

    /// What opens sealed blobs from here on. A trace that doesn't look into them need not keep it.
    #[inline(always)]
    fn unseal_with(&mut self, unseal: Option<Arc<dyn Unseal>>) {
        let _ = unseal;
    }
}

/// The trace of who doesn't want one.
pub type NoTrace = ();

impl Trace for () {
    #[inline(always)]
    fn value(&mut self, _: Field, _: Range<usize>, _: Value<'_>) {}
    #[inline(always)]
    fn open(&mut self, _: Field, _: usize) {}
    #[inline(always)]
    fn close(&mut self, _: usize, _: Option<&dyn fmt::Display>) {}
    #[inline(always)]
    fn count(&mut self, _: u64) {}
    #[inline(always)]
    fn depth(&self) -> usize {
        0
    }
}

/// Bytes, and how far they are read. Offsets count from the beginning of the view that the bytes are part of.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    base: usize,
    /// How many more items of lists are taken.
    items: u64,
}

impl<'a> Reader<'a> {
    /// Reads a whole view.
    pub fn new(bytes: &'a [u8]) -> Self {
        Reader::at(bytes, 0)
    }

    /// Reads a part of a view, which begins at `base`.
    pub fn at(bytes: &'a [u8], base: usize) -> Self {
        Reader { bytes, at: 0, base, items: limits::MAX_ITEMS }
    }

    /// The place of the next byte in the view.
    #[inline]
    pub fn offset(&self) -> usize {
        self.base + self.at
    }

    /// How many bytes are left.
    #[inline]
    pub fn left(&self) -> usize {
        self.bytes.len() - self.at
    }

    /// The same bytes, read from this place of the view.
    #[inline]
    pub(super) fn seek(&self, offset: usize) -> Reader<'a> {
        Reader { at: offset.saturating_sub(self.base).min(self.bytes.len()), ..*self }
    }

    /// The bytes that are left, which stay.
    pub(super) fn peek(&self) -> &'a [u8] {
        &self.bytes[self.at..]
    }

    /// Takes bytes.
    #[inline]
    pub fn take(&mut self, n: usize) -> Result<&'a [u8], Error> {
        match self.bytes.get(self.at..self.at.saturating_add(n)) {
            Some(taken) => {
                self.at += n;
                Ok(taken)
            }
            None => Err(self.incomplete(n)),
        }
    }

    /// Takes a fixed number of bytes.
    #[inline]
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        match self.bytes[self.at..].first_chunk::<N>() {
            Some(taken) => {
                self.at += N;
                Ok(*taken)
            }
            None => Err(self.incomplete(N)),
        }
    }

    #[cold]
    fn incomplete(&self, wanted: usize) -> Error {
        Error::new(ErrorKind::Incomplete { missing: wanted - self.left() }, self.offset())
    }

    /// Takes a part as a reader of its own; [`Reader::join`] is to be told of it when it was read.
    #[inline]
    pub fn part(&mut self, n: usize) -> Result<Reader<'a>, Error> {
        let base = self.offset();
        Ok(Reader { bytes: self.take(n)?, at: 0, base, items: self.items })
    }

    /// A part was read: the items in it count for the whole.
    #[inline]
    pub fn join(&mut self, part: &Reader<'_>) {
        self.items = part.items;
    }

    /// A plain value.
    #[inline]
    pub fn scalar<S: Scalar<'a>, T: Trace>(&mut self, trace: &mut T, field: Field) -> Result<S, Error> {
        let start = self.offset();
        match S::read(self) {
            Ok(value) => {
                trace.value(field, start..self.offset(), value.value());
                Ok(value)
            }
            Err(error) => Err(error.within(field)),
        }
    }

    /// A value that must be this one. It is part of the trace, not of what is decoded.
    #[inline]
    pub fn constant<S: Scalar<'a> + PartialEq, T: Trace>(
        &mut self,
        trace: &mut T,
        field: Field,
        expected: &S,
    ) -> Result<(), Error> {
        let start = self.offset();
        let found: S = self.scalar(trace, field)?;
        if found == *expected { Ok(()) } else { Err(Error::new(ErrorKind::NotConstant, start).within(field)) }
    }

    /// Bytes that must be these.
    #[inline]
    pub fn constant_bytes<T: Trace>(&mut self, trace: &mut T, field: Field, expected: &[u8]) -> Result<(), Error> {
        let start = self.offset();
        let found = self.take(expected.len()).map_err(|e| e.within(field))?;
        trace.value(field, start..self.offset(), Value::Bytes(found));
        if found == expected { Ok(()) } else { Err(Error::new(ErrorKind::NotConstant, start).within(field)) }
    }

    /// A structure in a field.
    #[inline]
    pub fn composite<S: Composite<'a, C>, C, T: Trace>(
        &mut self,
        trace: &mut T,
        field: Field,
        context: &C,
    ) -> Result<S, Error> {
        trace.open(field, self.offset());
        let value = S::decode(self, context, trace).map_err(|e| e.within(field))?;
        trace.close(self.offset(), value.summary());
        Ok(value)
    }

    /// A field with fields in it that is no structure of its own: a union or an entry of a map.
    #[inline]
    pub fn group<V, T: Trace>(
        &mut self,
        trace: &mut T,
        field: Field,
        read: impl FnOnce(&mut Self, &mut T) -> Result<V, Error>,
    ) -> Result<V, Error> {
        trace.open(field, self.offset());
        let value = read(self, trace).map_err(|e| e.within(field))?;
        trace.close(self.offset(), None);
        Ok(value)
    }

    /// Items behind their number.
    #[inline]
    pub fn list<V, T: Trace>(
        &mut self,
        trace: &mut T,
        field: Field,
        bound: Bound,
        item: impl FnMut(&mut Self, &mut T) -> Result<V, Error>,
    ) -> Result<Vec<V>, Error> {
        let start = self.offset();
        let count = u32::read(self).map_err(|e| e.within(field))?;
        self.items(trace, field, start, u64::from(count), bound, item)
    }

    /// Items whose number is known already.
    #[inline]
    pub fn counted<V, T: Trace>(
        &mut self,
        trace: &mut T,
        field: Field,
        count: u64,
        bound: Bound,
        item: impl FnMut(&mut Self, &mut T) -> Result<V, Error>,
    ) -> Result<Vec<V>, Error> {
        let start = self.offset();
        self.items(trace, field, start, count, bound, item)
    }

    /// Items up to the end of the bytes.
    #[inline]
    pub fn items_left<V, T: Trace>(
        &mut self,
        trace: &mut T,
        field: Field,
        max: u64,
        mut item: impl FnMut(&mut Self, &mut T) -> Result<V, Error>,
    ) -> Result<Vec<V>, Error> {
        let start = self.offset();
        trace.open(field, start);
        let mut items = Vec::new();
        while self.left() > 0 {
            let (found, left) = (items.len() as u64 + 1, self.left());
            items.push(item(self, trace).map_err(|e| e.in_item(items.len()).within(field))?);
            // items without bytes would never come to the end
            if found > max || self.left() == left {
                let limit = max.min(found - 1);
                return Err(Error::new(ErrorKind::TooMany { found, limit }, start).within(field));
            }
        }
        trace.count(items.len() as u64);
        trace.close(self.offset(), None);
        Ok(items)
    }

    fn items<V, T: Trace>(
        &mut self,
        trace: &mut T,
        field: Field,
        start: usize,
        count: u64,
        bound: Bound,
        mut item: impl FnMut(&mut Self, &mut T) -> Result<V, Error>,
    ) -> Result<Vec<V>, Error> {
        trace.open(field, start);
        trace.count(count);
        if count > bound.max {
            return Err(Error::new(ErrorKind::TooMany { found: count, limit: bound.max }, start).within(field));
        }
        // room only for items whose bytes are there
        let room = self.items.min((self.left() / bound.min_size.max(1)) as u64);
        let mut items = Vec::with_capacity(count.min(room) as usize);
        for index in 0..count {
            if bound.min_size == 0 && items.len() > MOST_EMPTY_ITEMS {
                let kind = ErrorKind::TooMany { found: count, limit: MOST_EMPTY_ITEMS as u64 };
                return Err(Error::new(kind, start).within(field));
            }
            let Some(left) = self.items.checked_sub(1) else {
                let error = Error::new(ErrorKind::TooManyItems { limit: limits::MAX_ITEMS }, self.offset());
                return Err(error.in_item(index as usize).within(field));
            };
            self.items = left;
            items.push(item(self, trace).map_err(|e| e.in_item(index as usize).within(field))?);
        }
        trace.close(self.offset(), None);
        Ok(items)
    }

    /// A byte 0, or a byte 1 and a value.
    #[inline]
    pub fn optional<V, T: Trace>(
        &mut self,
        trace: &mut T,
        field: Field,
        read: impl FnOnce(&mut Self, &mut T) -> Result<V, Error>,
    ) -> Result<Option<V>, Error> {
        let start = self.offset();
        match self.scalar::<u8, T>(trace, field)? {
            0 => Ok(None),
            1 => read(self, trace).map(Some),
            found => Err(Error::new(ErrorKind::NotBoolean { found }, start).within(field)),
        }
    }

    /// Bytes behind a length of type `L`.
    #[inline]
    pub fn blob<L: Integer, T: Trace>(&mut self, trace: &mut T, field: Field, max: u64) -> Result<Blob<'a>, Error> {
        let start = self.offset();
        let content = self.prefixed::<L>(max).map_err(|e| e.within(field))?;
        trace.value(field, start..self.offset(), Value::Bytes(content.bytes));
        Ok(Blob::from(content.bytes))
    }

    /// Bytes of a length that is known already.
    #[inline]
    pub fn sized<T: Trace>(&mut self, trace: &mut T, field: Field, length: u64, max: u64) -> Result<Blob<'a>, Error> {
        let start = self.offset();
        let bytes = self.exactly(length, max).map_err(|e| e.within(field))?.bytes;
        trace.value(field, start..self.offset(), Value::Bytes(bytes));
        Ok(Blob::from(bytes))
    }

    /// All bytes that are left.
    #[inline]
    pub fn rest<T: Trace>(&mut self, trace: &mut T, field: Field) -> Blob<'a> {
        let start = self.offset();
        let bytes = &self.bytes[self.at..];
        self.at = self.bytes.len();
        trace.value(field, start..self.offset(), Value::Bytes(bytes));
        Blob::from(bytes)
    }

    /// What a newer sender appended; nothing is traced if it is empty.
    #[inline]
    pub fn extra<T: Trace>(&mut self, trace: &mut T, field: Field) -> Blob<'a> {
        if self.left() == 0 { Blob::default() } else { self.rest(trace, field) }
    }

    /// A field without bytes.
    #[inline]
    pub fn empty<T: Trace>(&mut self, trace: &mut T, field: Field) {
        trace.value(field, self.offset()..self.offset(), Value::Bytes(&[]));
    }

    /// The end of a structure behind which nothing may follow.
    #[inline]
    pub fn end(&self) -> Result<(), Error> {
        match self.left() {
            0 => Ok(()),
            left => Err(Error::new(ErrorKind::Trailing { left }, self.offset())),
        }
    }

    /// What stands in a blob behind a length of type `L`. An empty blob holds nothing.
    #[inline]
    pub fn holds<L: Integer, V, T: Trace>(
        &mut self,
        trace: &mut T,
        field: Field,
        max: u64,
        read: impl FnOnce(&mut Reader<'a>, &mut T) -> Result<V, Error>,
    ) -> Result<Option<V>, Error> {
        let start = self.offset();
        let content = self.prefixed::<L>(max).map_err(|e| e.within(field))?;
        self.content(trace, field, start, content, read)
    }

    /// What stands in bytes whose length is known already. Nothing, if it is 0.
    #[inline]
    pub fn sized_holds<V, T: Trace>(
        &mut self,
        trace: &mut T,
        field: Field,
        length: u64,
        max: u64,
        read: impl FnOnce(&mut Reader<'a>, &mut T) -> Result<V, Error>,
    ) -> Result<Option<V>, Error> {
        let start = self.offset();
        let content = self.exactly(length, max).map_err(|e| e.within(field))?;
        self.content(trace, field, start, content, read)
    }

    /// What stands in a fixed number of bytes.
    #[inline]
    pub fn fixed_holds<V, T: Trace>(
        &mut self,
        trace: &mut T,
        field: Field,
        length: u32,
        read: impl FnOnce(&mut Reader<'a>, &mut T) -> Result<V, Error>,
    ) -> Result<V, Error> {
        let start = self.offset();
        let mut content = self.part(length as usize).map_err(|e| e.within(field))?;
        trace.open(field, start);
        let value = read(&mut content, trace).map_err(|e| e.within(field))?;
        content.end().map_err(|e| e.within(field))?;
        trace.close(content.offset(), None);
        Ok(value)
    }

    /// What stands in all bytes that are left. Nothing, if there are none.
    #[inline]
    pub fn rest_holds<V, T: Trace>(
        &mut self,
        trace: &mut T,
        field: Field,
        read: impl FnOnce(&mut Reader<'a>, &mut T) -> Result<V, Error>,
    ) -> Result<Option<V>, Error> {
        let start = self.offset();
        let content = self.part(self.left())?;
        self.content(trace, field, start, content, read)
    }

    #[inline]
    pub(super) fn content<V, T: Trace>(
        &mut self,
        trace: &mut T,
        field: Field,
        start: usize,
        mut content: Reader<'a>,
        read: impl FnOnce(&mut Reader<'a>, &mut T) -> Result<V, Error>,
    ) -> Result<Option<V>, Error> {
        if content.left() == 0 {
            trace.value(field, start..content.offset(), Value::Bytes(&[]));
            return Ok(None);
        }
        trace.open(field, start);
        let value = read(&mut content, trace).map_err(|e| e.within(field))?;
        content.end().map_err(|e| e.within(field))?;
        self.join(&content);
        trace.close(content.offset(), None);
        Ok(Some(value))
    }

    /// The content behind a length prefix.
    pub(super) fn prefixed<L: Integer>(&mut self, max: u64) -> Result<Reader<'a>, Error> {
        let length = L::read(self)?.to_u64();
        self.exactly(length, max)
    }

    pub(super) fn exactly(&mut self, length: u64, max: u64) -> Result<Reader<'a>, Error> {
        if length > max {
            return Err(Error::new(ErrorKind::TooMany { found: length, limit: max }, self.offset()));
        }
        self.part(usize::try_from(length).unwrap_or(usize::MAX))
    }
}

/// Items without bytes could make a list of any length out of nothing.
const MOST_EMPTY_ITEMS: usize = 1024;

/// What limits a list.
#[derive(Clone, Copy, Debug)]
pub struct Bound {
    /// The most items that the spec allows.
    pub max: u64,
    /// The fewest bytes that an item takes.
    pub min_size: usize,
}
