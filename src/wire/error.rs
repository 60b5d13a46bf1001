//! Errors of reading and writing: what, in which field, at which byte.

use std::fmt;

use super::Field;

/// Why bytes can't be read, or a value can't be written.
#[derive(Clone, PartialEq, Eq)]
pub struct Error {
    /// What is wrong.
    pub kind: ErrorKind,
    /// The place, in bytes from the beginning of the view that was read (0 for a value that can't be written).
    pub offset: usize,
    /// The field, from the innermost outwards. Filled only when an error is on its way up.
    path: Vec<PathPart>,
}

/// A step of a path.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum PathPart {
    /// A field.
    Field(Field),
    /// An item of a list, from 0.
    Item(usize),
}

/// What is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The bytes end before the field does.
    Incomplete {
        /// How many more bytes it takes, as far as one can tell.
        missing: usize,
    },
    /// Bytes are left over after the last field.
    Trailing {
        /// How many.
        left: usize,
    },
    /// More items or bytes than the spec allows.
    TooMany {
        /// How many there are.
        found: u64,
        /// How many are allowed.
        limit: u64,
    },
    /// More items in all lists of a segment than a reader takes.
    TooManyItems {
        /// How many are allowed.
        limit: u64,
    },
    /// A constant field has another value.
    NotConstant,
    /// Only a newer reader understands the structure.
    Incompatible {
        /// The version that a reader must know.
        compat: u8,
        /// The version that the spec describes.
        known: u8,
    },
    /// A byte that says whether something follows is neither 0 nor 1.
    NotBoolean {
        /// The byte.
        found: u8,
    },
    /// A structure that is text reads otherwise here: other words, or something that is no lower-case hex digit.
    NotText,
    /// Structures stand deeper in each other than a reader follows.
    TooDeep {
        /// How deep it does.
        limit: usize,
    },
    /// A union holds something else than the field says that decides over it. Only when writing.
    WrongCase,
    /// A field is set that the structure's version or condition excludes, or the other way round. Only when writing.
    WrongPresence,
    /// Lists that share one number of items differ in length. Only when writing.
    UnequalCounts,
    /// A field is longer or shorter than another field says, or than it may be. Only when writing.
    WrongLength,
}

impl ErrorKind {
    /// The name that spec files use.
    pub fn name(&self) -> &'static str {
        match self {
            ErrorKind::Incomplete { .. } => "incomplete",
            ErrorKind::Trailing { .. } => "trailing",
            ErrorKind::TooMany { .. } => "too_many",
            ErrorKind::TooManyItems { .. } => "too_many_items",
            ErrorKind::NotConstant => "not_constant",
            ErrorKind::Incompatible { .. } => "incompatible",
            ErrorKind::NotBoolean { .. } => "not_boolean",
            ErrorKind::NotText => "not_text",
            ErrorKind::TooDeep { .. } => "too_deep",
            ErrorKind::WrongCase => "wrong_case",
            ErrorKind::WrongPresence => "wrong_presence",
            ErrorKind::UnequalCounts => "unequal_counts",
            ErrorKind::WrongLength => "wrong_length",
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ErrorKind::Incomplete { missing } => write!(f, "ends {missing} byte(s) early"),
            ErrorKind::Trailing { left } => write!(f, "{left} byte(s) left over"),
            ErrorKind::TooMany { found, limit } => write!(f, "{found} where {limit} are allowed"),
            ErrorKind::TooManyItems { limit } => write!(f, "more than {limit} items in the lists of one segment"),
            ErrorKind::NotConstant => write!(f, "not the value that the protocol fixes"),
            ErrorKind::Incompatible { compat, known } => {
                write!(f, "takes a reader of version {compat}, this one knows {known}")
            }
            ErrorKind::NotBoolean { found } => write!(f, "neither 0 nor 1 but {found}"),
            ErrorKind::NotText => write!(f, "not the text that stands here"),
            ErrorKind::TooDeep { limit } => write!(f, "stands in more than {limit} structures"),
            ErrorKind::WrongCase => write!(f, "not what the field says that decides over it"),
            ErrorKind::WrongPresence => write!(f, "set or missing against version or condition"),
            ErrorKind::UnequalCounts => write!(f, "differs in length from a list with the same count"),
            ErrorKind::WrongLength => write!(f, "not as long as it must be"),
        }
    }
}

impl Error {
    /// An error at a place.
    #[cold]
    pub fn new(kind: ErrorKind, offset: usize) -> Self {
        Error { kind, offset, path: Vec::new() }
    }

    /// The same error, seen from the structure around the field.
    #[cold]
    #[must_use]
    pub fn within(mut self, field: Field) -> Self {
        self.path.push(PathPart::Field(field));
        self
    }

    /// The same error, seen from the list around the item.
    #[cold]
    #[must_use]
    pub fn in_item(mut self, index: usize) -> Self {
        self.path.push(PathPart::Item(index));
        self
    }

    /// The field's path, for example `peer_addr.sockaddr.family` or `addrs[2].type`.
    pub fn path(&self) -> String {
        let mut text = String::new();
        let (mut list, mut in_item) = (None, false);
        for part in self.path.iter().rev() {
            match part {
                // an item goes by the name of its list, which stands there already
                PathPart::Field(field) if in_item && list == Some(field.name) => in_item = false,
                PathPart::Field(field) => {
                    if !text.is_empty() {
                        text.push('.');
                    }
                    text.push_str(field.name);
                    (list, in_item) = (Some(field.name), false);
                }
                PathPart::Item(index) => {
                    text.push_str(&format!("[{index}]"));
                    in_item = true;
                }
            }
        }
        text
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at byte {}: {}", self.path(), self.offset, self.kind)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Error({self})")
    }
}

impl std::error::Error for Error {}
