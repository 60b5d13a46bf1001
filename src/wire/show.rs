//! Texts for people: lists, optional values, flags.

use std::fmt;

use super::FlagsInfo;

/// Takes the beginning of what is written to it: so many bytes, and `…` in the place of the rest, which is not formed.
pub struct Brief<'t> {
    text: &'t mut String,
    left: usize,
}

impl<'t> Brief<'t> {
    /// Puts at most so many bytes behind what is in a text.
    pub fn new(text: &'t mut String, most: usize) -> Self {
        Brief { text, left: most }
    }
}

impl fmt::Write for Brief<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if text.len() <= self.left {
            self.left -= text.len();
            self.text.push_str(text);
            return Ok(());
        }
        // no character is cut in two
        let end = (0..=self.left).rev().find(|end| text.is_char_boundary(*end)).unwrap_or_default();
        self.text.push_str(&text[..end]);
        self.text.push('…');
        self.left = 0;
        Err(fmt::Error)
    }
}

/// Items with commas between them, in brackets.
pub struct Join<'a, T>(pub &'a [T]);

impl<T: fmt::Display> fmt::Display for Join<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[")?;
        for (index, item) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str(",")?;
            }
            item.fmt(f)?;
        }
        f.write_str("]")
    }
}

/// Keys and values with commas between them, in braces.
pub struct JoinMap<'a, K, V>(pub &'a [(K, V)]);

impl<K: fmt::Display, V: fmt::Display> fmt::Display for JoinMap<'_, K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("{")?;
        for (index, (key, value)) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str(",")?;
            }
            write!(f, "{key}={value}")?;
        }
        f.write_str("}")
    }
}

/// Items of two lists of the same length, each pair as a function writes it, with commas between them, in brackets.
pub struct JoinEach<'a, A, B, F>(&'a [A], &'a [B], F);

impl<'a, A, B, F> JoinEach<'a, A, B, F>
where
    F: Fn(&A, &B, &mut fmt::Formatter<'_>) -> fmt::Result,
{
    /// Both lists, and what writes a pair.
    pub fn new(items: &'a [A], others: &'a [B], show: F) -> Self {
        JoinEach(items, others, show)
    }
}

impl<A, B, F> fmt::Display for JoinEach<'_, A, B, F>
where
    F: Fn(&A, &B, &mut fmt::Formatter<'_>) -> fmt::Result,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[")?;
        for (index, (one, other)) in self.0.iter().zip(self.1).enumerate() {
            if index > 0 {
                f.write_str(",")?;
            }
            (self.2)(one, other, f)?;
        }
        f.write_str("]")
    }
}

/// A value, or nothing.
pub struct Maybe<'a, T>(pub &'a Option<T>);

impl<T: fmt::Display> fmt::Display for Maybe<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_ref().map_or(Ok(()), |value| value.fmt(f))
    }
}

/// The most bytes that a text shows of what no case of a union lays out.
const MOST_OTHER: usize = 64;

/// Bytes that no case of a union lays out.
pub fn show_other(bytes: &[u8], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match bytes.len() {
        0 => f.write_str("-"),
        1..=MOST_OTHER => fmt::Display::fmt(&super::Blob::from(bytes), f),
        more => write!(f, "{more} bytes"),
    }
}

/// The names of the flags that are set, and what is left as a number. With a plus in the format one stands between them.
pub fn show_flags(word: u64, info: &FlagsInfo, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let mut separator = "";
    for flag in info.set(word) {
        write!(f, "{separator}{}", flag.name)?;
        separator = if f.sign_plus() { "+" } else { "|" };
    }
    match info.unknown(word) {
        0 if separator.is_empty() => f.write_str("0"),
        0 => Ok(()),
        unknown => write!(f, "{separator}{unknown:#x}"),
    }
}
