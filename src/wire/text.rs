//! Structures that are text: words that are fixed, and between them numbers in lower-case hex.

use nom::bytes::streaming::{tag, take_while_m_n};
use nom::{Err, IResult, Needed, Parser};

use super::{Error, ErrorKind, Field, Integer, Reader, Trace, Value, Writer};

/// Reads a structure that is text, piece by piece, from the bytes that a [`Reader`] has left.
#[derive(Debug)]
pub struct TextReader<'r, 'a> {
    reader: &'r mut Reader<'a>,
    /// The most bytes that the text may have.
    max: u64,
    /// How many of these are left.
    left: usize,
}

impl<'r, 'a> TextReader<'r, 'a> {
    /// A text that begins at the reader's next byte and has at most `max` bytes.
    pub fn new(reader: &'r mut Reader<'a>, max: u64) -> Self {
        TextReader { reader, max, left: usize::try_from(max).unwrap_or(usize::MAX) }
    }

    /// The place of the next byte in the view.
    pub(super) fn offset(&self) -> usize {
        self.reader.offset()
    }

    /// Words that must stand here. Errors name the field beside them, and the first byte that differs.
    pub fn words(&mut self, beside: Field, words: &str) -> Result<(), Error> {
        let seen = self.seen();
        let read = self.piece(beside, tag(words.as_bytes())).map(|_| ());
        read.map_err(|mut error| {
            if error.kind == ErrorKind::NotText {
                error.offset += seen.iter().zip(words.as_bytes()).take_while(|(found, wanted)| found == wanted).count();
            }
            error
        })
    }

    /// A number of 1 to `digits` lower-case hex digits, which may begin with zeros. It ends where something else
    /// stands, so the bytes must go on behind it.
    pub fn hex<I: Integer, T: Trace>(&mut self, trace: &mut T, field: Field, digits: usize) -> Result<I, Error> {
        let start = self.reader.offset();
        let text = self.piece(field, take_while_m_n(1, digits, is_digit))?;
        if self.seen().first().is_some_and(|byte| is_digit(*byte)) {
            return Err(Error::new(ErrorKind::NotText, self.reader.offset()).within(field));
        }
        let number = text.iter().fold(0, |number: u64, byte| number << 4 | u64::from(digit(*byte)));
        // more digits than the field has room for would be the generator's mistake
        let value = I::from_u64(number).ok_or_else(|| Error::new(ErrorKind::NotText, start).within(field))?;
        trace.value(field, start..self.reader.offset(), Value::Unsigned(number));
        Ok(value)
    }

    /// The bytes that may belong to the text.
    fn seen(&self) -> &'a [u8] {
        let bytes = self.reader.peek();
        &bytes[..bytes.len().min(self.left)]
    }

    fn piece<P>(&mut self, field: Field, mut parser: P) -> Result<&'a [u8], Error>
    where
        P: Parser<&'a [u8], Output = &'a [u8], Error = nom::error::Error<&'a [u8]>>,
    {
        let (seen, at) = (self.seen(), self.reader.offset());
        let read: IResult<&[u8], &[u8]> = parser.parse(seen);
        let kind = match read {
            Ok((_, piece)) => {
                self.left -= piece.len();
                return self.reader.take(piece.len());
            }
            Err(Err::Incomplete(_)) if seen.len() == self.left => {
                ErrorKind::TooMany { found: self.max.saturating_add(1), limit: self.max }
            }
            Err(Err::Incomplete(needed)) => ErrorKind::Incomplete {
                missing: match needed {
                    Needed::Size(missing) => missing.get(),
                    Needed::Unknown => 1,
                },
            },
            Err(_) => ErrorKind::NotText,
        };
        Err(Error::new(kind, at).within(field))
    }
}

impl Writer {
    /// Appends a number as lower-case hex digits, without leading zeros.
    pub fn hex<I: Integer>(&mut self, value: I) {
        self.put(format!("{:x}", value.to_u64()).as_bytes());
    }
}

fn is_digit(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'a'..=b'f')
}

/// The value of a digit that is one.
fn digit(byte: u8) -> u8 {
    if byte.is_ascii_digit() { byte - b'0' } else { byte - b'a' + 10 }
}
