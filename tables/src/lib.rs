//! What a reader must know of a protocol, as plain data: which fields stand in what, in which order, under which
//! conditions.
//!
//! The spec is turned into such tables (`msgr2_spec::tables`), when the library is built or when a program is told to read
//! another spec; `msgr2::wire::Walker` reads bytes with them. Nothing in them is left to be looked up: a field, a variable
//! or a layout is named by its place in a list. They are small, and made to be taken over by readers in other languages.

#![forbid(unsafe_code)]

mod names;

pub use names::{Display, EnumNames, EnumValue, FieldInfo, FlagNames, FlagValue, Kind, Names};

use serde::{Deserialize, Serialize};

/// The place of a field in [`Names::fields`].
pub type FieldId = usize;
/// The place of a layout in [`Tables::layouts`].
pub type LayoutId = usize;

/// All layouts of a protocol.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Tables {
    /// The names of the context variables: numbers that the reader must have been told.
    pub variables: Vec<String>,
    /// Everything with fields, each once: structures, payloads of frames, bodies of messages.
    pub layouts: Vec<Layout>,
    /// The dialects: what is sent first, and which frames there are.
    pub dialects: Vec<Dialect>,
    /// The bodies of messages: the number of the message's type, and the layout. In the order of the numbers.
    pub messages: Vec<(u16, LayoutId)>,
    /// Fields that no layout owns.
    pub common: Common,
}

/// A dialect.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Dialect {
    /// Its name.
    pub name: String,
    /// What both sides send first.
    pub banner: Option<Banner>,
    /// All its frames: the tag's number, and the layout of the payload. In the order of the numbers.
    pub frames: Vec<(u8, LayoutId)>,
}

/// The banner of a dialect.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Banner {
    /// The field around it.
    pub around: FieldId,
    /// Its bytes.
    pub layout: LayoutId,
    /// It in one line.
    pub info: Option<Vec<Piece>>,
}

/// Fields that no layout owns; those that a spec lacks are field 0, and never read.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Common {
    /// The byte in front of a version header.
    pub marker: FieldId,
    /// The version that the sender knew.
    pub struct_v: FieldId,
    /// The oldest reader that understands it.
    pub struct_compat: FieldId,
    /// How many bytes follow the header.
    pub struct_len: FieldId,
    /// The payload of a frame that the dialect doesn't know.
    pub unknown: FieldId,
}

/// What stands behind each other on the wire.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Layout {
    /// Its name in the spec.
    pub name: String,
    /// The field around a whole frame or message.
    pub around: Option<FieldId>,
    /// The version header, with which it begins.
    pub header: Option<Header>,
    /// The number that `since` and `until` of its fields are held against.
    pub version: Option<Operand>,
    /// The fields in their order.
    pub fields: Vec<Field>,
    /// Which fields stand in which segment: one part for a structure, three for a message (front, middle, data), one for
    /// each field of a frame that has several segments.
    pub parts: Vec<Part>,
    /// It is a frame that has several segments.
    pub segmented: bool,
    /// It is text, not binary.
    pub text: Option<Text>,
    /// It in one line.
    pub summary: Option<Vec<Piece>>,
    /// How many places a reader must remember while it reads this; see [`Field::place`].
    pub places: usize,
}

/// The version header of a structure: a version, or a version, the oldest reader, and the u32 length of what follows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Header {
    /// The byte that must stand in front of it.
    pub marker: Option<u8>,
    /// The version that the spec describes, if there is an oldest reader: one that must be newer can't read it.
    pub known: Option<u8>,
}

/// The fields of a segment, or of all there is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Part {
    /// The first field.
    pub first: usize,
    /// The field behind the last.
    pub end: usize,
    /// What keeps the bytes behind them, from a newer sender.
    pub extra: Option<FieldId>,
}

/// The form of a structure that is text: words, and between them numbers of its fields in lower-case hex.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Text {
    /// The pieces, and the field that errors in them name: of words the one beside them.
    pub pieces: Vec<(TextPiece, FieldId)>,
    /// The most bytes.
    pub max: u64,
}

/// A piece of a structure that is text.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum TextPiece {
    /// These words.
    Words(String),
    /// The number of this field.
    Number(usize),
}

/// A field of a layout.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Field {
    /// What stands on the wire.
    pub node: Node,
    /// What the bytes are, if it is a blob, `sized` or `rest`. No bytes hold nothing.
    pub content: Option<Node>,
    /// What they are once they have been decrypted.
    pub sealed: Option<Sealed>,
    /// Nobody is to see its bytes.
    pub secret: bool,
    /// It is always this.
    pub constant: Option<Constant>,
    /// The field of the same layout that is its length, or the number of its items.
    pub measured_by: Option<usize>,
    /// There is one of it for each item of an earlier list.
    pub each: Option<Each>,
    /// What its length is in, if that is no field for this alone; with `each` in the item.
    pub length: Option<Operand>,
    /// What its reader is told; with `each` from the item.
    pub given: Vec<Given>,
    /// The first version with it.
    pub since: Option<u16>,
    /// The last version with it.
    pub until: Option<u16>,
    /// It is there only if this holds.
    pub when: Option<Condition>,
    /// The most items or bytes.
    pub max: u64,
    /// Texts show its number in hexadecimal.
    pub hex: bool,
    /// Something asks again for what stands here: where it stood is remembered as this one of [`Layout::places`].
    pub place: Option<usize>,
}

/// One value for each item of an earlier list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Each {
    /// The list, a field of the same layout.
    pub list: usize,
    /// The structure that its items are.
    pub item: LayoutId,
    /// The field around all values.
    pub around: FieldId,
    /// The text of item and value together.
    pub text: Option<Vec<Piece>>,
}

/// A context variable that what stands in a field is told.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Given {
    /// The variable.
    pub variable: usize,
    /// The integer that it is: a larger number loses its upper bytes.
    pub ty: Type,
    /// Its number.
    pub number: Operand,
}

/// What a field always is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Constant {
    /// This number.
    Number(i64),
    /// These bytes.
    Bytes(Vec<u8>),
}

/// What encrypted bytes hold.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sealed {
    /// The number that goes into the derivation of keys of some kinds.
    pub usage: u32,
    /// The structure.
    pub layout: LayoutId,
    /// The field around it.
    pub opened: FieldId,
}

/// A value, and the field as which it is told.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Node {
    /// The field; of a list its count, of an optional value whether there is one.
    pub field: FieldId,
    /// What it is.
    pub ty: Type,
}

/// What a value is. Widths are in bytes; integers are little-endian unless they say otherwise.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Type {
    /// An integer without a sign of 1, 2, 4 or 8 bytes: a number, an enum, flags.
    Unsigned(u8),
    /// An integer with a sign.
    Signed(u8),
    /// An integer without a sign, most significant byte first.
    BigEndian(u8),
    /// A floating point number of 4 or 8 bytes.
    Float(u8),
    /// A byte; 0 is false.
    Bool,
    /// Text behind its u32 length, or as long as its field says.
    Text,
    /// So many bytes.
    Bytes(u32),
    /// An IPv4 address: 4 bytes in the order of its text.
    Ipv4,
    /// An IPv6 address: 16 bytes in the order of its text.
    Ipv6,
    /// 16 bytes in the order of their text.
    Uuid,
    /// u32 seconds and u32 nanoseconds since 1970.
    Time,
    /// s32 seconds and s32 nanoseconds.
    Duration,
    /// A structure.
    Struct(LayoutId),
    /// Bytes behind a length of 1, 2 or 4 bytes.
    Blob(u8),
    /// All bytes that are left.
    Rest,
    /// As many bytes as another field says.
    Sized,
    /// No bytes.
    Empty,
    /// Items.
    Items(Box<Items>),
    /// Values behind each other.
    Tuple(Vec<Node>),
    /// A byte 0, or a byte 1 and a value.
    Optional(Box<Node>),
    /// What a number decides.
    Union(Box<Union>),
}

/// Items behind each other.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Items {
    /// How many there are.
    pub count: Count,
    /// What each of them is.
    pub item: Node,
    /// The fewest bytes that one takes.
    pub min_size: usize,
    /// They are pairs of a key and a value, which texts show as such.
    pub map: bool,
}

/// How many items there are.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Count {
    /// As many as the u32 in front of them says.
    Prefix,
    /// As many as another field says.
    Measured,
    /// Always so many.
    Fixed(u32),
    /// Until no bytes are left.
    Left,
}

/// What a number decides; if no case has the number, all bytes that are left are kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Union {
    /// The number.
    pub by: Operand,
    /// What it may say; the first that fits is taken.
    pub cases: Vec<Case>,
    /// The field of the bytes that no case lays out.
    pub other: FieldId,
}

/// A case of a union.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Case {
    /// Its name.
    pub name: String,
    /// Its numbers: the first and the last of each range.
    pub numbers: Vec<(i64, i64)>,
    /// What follows then.
    pub node: Node,
}

/// A number that decides.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Operand {
    /// That of a context variable, if the reader was told one.
    Variable(usize),
    /// One that was read.
    Path(Path),
}

/// The way from a layout to something in it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Path {
    /// A field of the layout, a field of the structure that this one is, and so on; behind a union, which of its cases.
    pub fields: Vec<usize>,
    /// The version in the header of what they lead to is meant.
    pub version: bool,
}

/// When a field is there.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Condition {
    /// If bytes are left.
    More,
    /// If the number compares so; one that is missing does never.
    Compare(Operand, Operator, i64),
    /// If all of these hold.
    All(Vec<Condition>),
    /// If any of these holds.
    Any(Vec<Condition>),
}

/// A comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Operator {
    /// Equal.
    Equal,
    /// Not equal.
    NotEqual,
    /// At least.
    AtLeast,
    /// At most.
    AtMost,
    /// More than.
    Above,
    /// Less than.
    Below,
    /// Any of these bits is set.
    AnyBit,
}

/// A piece of a text for people.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Piece {
    /// As it stands.
    Text(String),
    /// The text of a field; of one that is missing nothing.
    Field(Path, Format),
    /// The text of the value itself, in a text for each item of a list.
    Value,
    /// Pieces that are there only if a field is: neither missing, nor 0, nor empty.
    If(Path, Vec<Piece>),
}

/// How a field stands in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Format {
    /// As it stands elsewhere.
    Plain,
    /// A number in hex digits, without 0x.
    Hex,
    /// A number of four bytes in eight hex digits, its bits in reverse order.
    Reversed,
    /// Names of flags with `+` between them.
    Plus,
    /// The number of bytes, or of items.
    Length,
}

/// Why tables can't be stored or read.
pub type Error = postcard::Error;

impl Tables {
    /// As bytes.
    pub fn to_bytes(&self) -> Result<Vec<u8>, Error> {
        postcard::to_allocvec(self)
    }

    /// From such bytes.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        postcard::from_bytes(bytes)
    }
}
