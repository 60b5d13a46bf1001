//! How fields stand on the wire: the floor under the generated code.
//!
//! Generated types read themselves from a [`Reader`] and write themselves to a [`Writer`]. Reading is generic
//! over a [`Trace`]: with `()` it costs nothing, with a [`Recorder`] every field leaves its place and value,
//! also those read before an error. All integers are little-endian unless their type says otherwise.

mod blob;
mod end;
mod error;
mod field;
mod finding;
#[cfg(feature = "serde")]
pub mod json;
mod named;
mod protocol;
mod reader;
mod record;
mod role;
mod scalar;
mod segments;
mod show;
mod states;
mod text;
#[cfg(feature = "json")]
pub mod tree;
mod unseal;
mod walk;
mod writer;

pub use blob::{Blob, Sealed, Text};
pub use end::End;
pub use error::{Error, ErrorKind, PathPart};
pub use field::{Display, EnumInfo, EnumValue, Field, FieldInfo, Flag, FlagsInfo, Kind};
pub use finding::{FindingInfo, Group, Severity};
pub use named::{flag_word, open_enum};
pub use protocol::Protocol;
pub use reader::{Bound, NoTrace, Reader, Trace, Value};
pub use record::{MOST_VIEWS, Node, Recorded, Recorder, View};
pub use role::Role;
pub use scalar::{Be, Bool, Duration, FixedBytes, Integer, Scalar, Utime, Uuid};
pub use segments::Segments;
pub use show::{Brief, Join, JoinEach, JoinMap, Maybe, show_flags, show_other};
pub use states::{Move, On, State};
pub use text::TextReader;
pub use unseal::{Redacted, Secrecy, Unseal};
pub use walk::{Info, MOST_DEPTH, Walker};
pub use writer::Writer;

/// A structure, which reads itself field by field. `C` is the context that the spec declares.
pub trait Composite<'a, C>: Sized {
    /// The fewest bytes that it takes.
    const MIN_SIZE: usize;
    /// Its layout in the tables of its protocol.
    const LAYOUT: usize;

    /// Reads it, and tells the trace each field.
    fn decode<T: Trace>(reader: &mut Reader<'a>, context: &C, trace: &mut T) -> Result<Self, Error>;

    /// Its text in one line, if it has one.
    fn summary(&self) -> Option<&dyn std::fmt::Display> {
        None
    }
}

/// A structure that can write itself.
pub trait Encode {
    /// Appends its bytes. What a reader would have to refuse is an error here too.
    fn encode(&self, writer: &mut Writer) -> Result<(), Error>;

    /// Its bytes.
    fn to_bytes(&self) -> Result<Vec<u8>, Error> {
        let mut writer = Writer::new();
        self.encode(&mut writer)?;
        Ok(writer.into_vec())
    }

    /// Its bytes, if they hold secrets: they are wiped on drop, and nothing is left in memory that was outgrown.
    fn to_secret_bytes(&self) -> Result<zeroize::Zeroizing<Vec<u8>>, Error> {
        let mut writer = Writer::secret();
        self.encode(&mut writer)?;
        Ok(writer.into_secret())
    }
}
