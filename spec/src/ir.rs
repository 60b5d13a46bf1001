//! The spec resolved: every name looked up, every expression read, every default put in. Lint, generators and
//! documentation print it, and read no word of the spec files again.

use std::ops::{Deref, Index, Range, RangeInclusive};

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Serialize, Serializer};

use crate::expr::{Format, Operator, Scalar};
use crate::load::Problem;
use crate::model;
use crate::model::{Alias, At, Described, Display, Finding, From, Limit, Role, Versioned};
use crate::names::constant;

/// Items by name, each with the place where it stands.
pub type Section<T> = IndexMap<String, Placed<T>>;

/// The whole spec.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub struct Ir {
    /// Fields that no single type owns.
    pub common: Section<Common>,
    /// What decoders are told.
    pub context: Section<Variable>,
    /// Bounds.
    pub limits: Section<Limit>,
    /// What the tracker reports.
    pub findings: Section<Finding>,
    /// Other names for types, which have been replaced wherever they stand.
    pub aliases: Section<Alias>,
    /// Conditions between moves.
    pub guards: Section<Described>,
    /// What is done in moves.
    pub actions: Section<Described>,
    /// Numbers with names: those of the spec, then the tags of each dialect that has its own.
    pub enums: Vec<Enum>,
    /// Words of bits.
    pub flags: Vec<Flags>,
    /// Everything with fields, each once: structures that dialects share, messages, and of each dialect its structures
    /// and frames.
    pub bodies: Vec<Body>,
    /// Dialects, parents before children.
    pub dialects: Vec<Dialect>,
    /// What Wireshark registers, JSON names and errors cite: fields by the name of their constant.
    #[serde(with = "indexmap::map::serde_seq")]
    #[schemars(with = "Vec<(String, FieldInfo)>")]
    pub fields: IndexMap<String, FieldInfo>,
}

macro_rules! ids {
    ($($id:ident: $item:ident in $list:ident,)*) => {$(
        #[doc = concat!("A place in [`Ir::", stringify!($list), "`].")]
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema)]
        pub struct $id(pub usize);

        impl Index<$id> for Ir {
            type Output = $item;
            fn index(&self, id: $id) -> &$item {
                &self.$list[id.0]
            }
        }
    )*};
}

ids! {
    EnumId: Enum in enums, FlagsId: Flags in flags, BodyId: Body in bodies, DialectId: Dialect in dialects,
    FieldId: FieldInfo in fields,
}

/// Where something stands in the spec files.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Site {
    /// The file's path below the spec's folder.
    pub path: String,
    /// The key inside the file, with dots.
    pub key: String,
    /// The line, from 1; 0 if unknown.
    pub line: u64,
}

impl Site {
    /// A part of it: its name, and its line if that is known.
    pub fn part(&self, name: &str, line: u64) -> Self {
        let key = if self.key.is_empty() { name.to_owned() } else { format!("{}.{name}", self.key) };
        Site { path: self.path.clone(), key, line: if line == 0 { self.line } else { line } }
    }

    /// Something wrong there.
    pub fn problem(&self, what: impl Into<String>) -> Problem {
        Problem { path: self.path.clone(), line: self.line, key: self.key.clone(), what: what.into() }
    }
}

/// Something, and where it stands.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Placed<T> {
    /// Where it stands.
    pub site: Site,
    /// What stands there.
    pub item: T,
}

impl<T> Deref for Placed<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.item
    }
}

/// A field that no single type owns.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Common {
    /// Its value.
    pub node: Node,
    /// How it is shown.
    pub display: Display,
}

/// A variable that the decoder is given.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Variable {
    /// An enum, or an unsigned integer.
    pub ty: Type,
    /// One sentence.
    pub doc: String,
}

/// Numbers with names.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Enum {
    /// Where it stands.
    pub site: Site,
    /// Its name.
    pub name: String,
    /// Of an enum of tags the dialect whose they are.
    pub dialect: Option<DialectId>,
    /// The integer on the wire.
    pub base: Scalar,
    /// What the spec says of it.
    pub says: model::Enum,
}

/// Bits with names.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Flags {
    /// Where they stand.
    pub site: Site,
    /// Their name.
    pub name: String,
    /// The integer on the wire.
    pub base: Scalar,
    /// What the spec says of them.
    pub says: model::Flags,
}

/// A value on the wire, and the field as which a reader shows it.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Node {
    /// The field; of a list its count, of an optional value whether there is one.
    pub field: FieldId,
    /// What it is.
    pub ty: Type,
    /// The alias that the spec writes for it: its name, and all of it.
    pub alias: Option<(String, String)>,
}

impl Node {
    /// A value for which no alias is written.
    pub fn new(field: FieldId, ty: Type) -> Self {
        Node { field, ty, alias: None }
    }
}

/// A type.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Type {
    /// A type that the wire layer knows by itself.
    Scalar(Scalar),
    /// A number with a name.
    Enum(EnumId),
    /// Bits with names.
    Flags(FlagsId),
    /// A structure.
    Struct(BodyId),
    /// Bytes behind their length, which is such an integer.
    Blob(Scalar),
    /// All bytes that are left.
    Rest,
    /// Bytes whose length another field gives.
    Sized,
    /// No bytes.
    Empty,
    /// Items behind their number.
    List(Box<Node>),
    /// Items whose number another field gives.
    Counted(Box<Node>),
    /// Items up to the end of the bytes.
    Items(Box<Node>),
    /// A fixed number of items.
    Array(Box<Node>, u32),
    /// Keys and values behind their number; the field is that around both.
    Map(FieldId, Box<Node>, Box<Node>),
    /// A byte 0, or a byte 1 and a value.
    Optional(Box<Node>),
    /// Values one behind the other.
    Tuple(Vec<Node>),
    /// What a number decides.
    Union(Box<Union>),
}

impl Type {
    /// The types directly in it.
    pub fn inner(&self) -> Vec<&Type> {
        match self {
            Type::List(item)
            | Type::Counted(item)
            | Type::Items(item)
            | Type::Array(item, _)
            | Type::Optional(item) => vec![&item.ty],
            Type::Map(_, key, value) => vec![&key.ty, &value.ty],
            Type::Tuple(items) => items.iter().map(|item| &item.ty).collect(),
            Type::Union(union) => union.cases.iter().map(|case| &case.node.ty).collect(),
            _ => Vec::new(),
        }
    }

    /// The structures in it, but for those inside structures.
    pub fn structures(&self) -> Vec<BodyId> {
        match self {
            Type::Struct(id) => vec![*id],
            _ => self.inner().into_iter().flat_map(Type::structures).collect(),
        }
    }

    /// The integer, if it is one, or a number or bits with names.
    pub fn integer(&self, ir: &Ir) -> Option<Scalar> {
        match self {
            Type::Scalar(scalar) if scalar.is_integer() => Some(*scalar),
            Type::Enum(id) => Some(ir[*id].base),
            Type::Flags(id) => Some(ir[*id].base),
            _ => None,
        }
    }
}

/// A union: a number says which type follows; if no case holds, the rest of the bytes is kept.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Union {
    /// The number.
    pub by: Operand,
    /// What it may say.
    pub cases: Vec<Case>,
    /// The field for bytes that no case lays out.
    pub other: FieldId,
}

/// A case of a union: numbers, and what follows then.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Case {
    /// What the spec calls it: the name of an enum's value, a number, or a name for several of these.
    pub name: String,
    /// The numbers, in ranges.
    pub numbers: Vec<RangeInclusive<i64>>,
    /// What follows.
    pub node: Node,
}

impl Case {
    /// Whether it is the case for this number.
    pub fn covers(&self, number: i64) -> bool {
        self.numbers.iter().any(|range| range.contains(&number))
    }
}

/// A number that decides over a union or whether a field is there.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Operand {
    /// As the spec writes it.
    pub name: String,
    /// Where it is found.
    pub origin: Origin,
    /// What it is.
    pub ty: Type,
}

/// Where a number is found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// In a context variable.
    Context(String),
    /// In the bytes.
    Path(Path),
}

/// The way from a body to something in it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Path {
    /// A field of the body, a field of the structure that this one is, and so on; behind a union, which of its cases.
    pub fields: Vec<usize>,
    /// The version in the header of what they lead to is meant.
    pub struct_v: bool,
}

/// When a field is there.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Condition {
    /// As the spec writes it.
    pub text: String,
    /// What must hold.
    pub test: Test,
}

/// What must hold.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Test {
    /// Bytes are left.
    More,
    /// A number compared with another. It doesn't hold if there is no such number.
    Compare(Operand, Operator, i64),
    /// All of these.
    All(Vec<Test>),
    /// Any of these.
    Any(Vec<Test>),
}

impl Test {
    /// The comparisons in it.
    pub fn comparisons(&self) -> Vec<(&Operand, Operator, i64)> {
        match self {
            Test::More => Vec::new(),
            Test::Compare(operand, operator, number) => vec![(operand, *operator, *number)],
            Test::All(tests) | Test::Any(tests) => tests.iter().flat_map(Test::comparisons).collect(),
        }
    }

    /// Whether it holds, of numbers that a function gives, where there are any.
    pub fn holds(&self, number_of: &impl Fn(&Operand) -> Option<i64>) -> bool {
        match self {
            Test::More => false,
            Test::Compare(operand, operator, number) => number_of(operand).is_some_and(|v| operator.holds(v, *number)),
            Test::All(tests) => tests.iter().all(|test| test.holds(number_of)),
            Test::Any(tests) => tests.iter().any(|test| test.holds(number_of)),
        }
    }
}

/// A piece of a text.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Piece {
    /// As it stands.
    Text(String),
    /// The text of a field.
    Field(Path, Format),
    /// The text of the value itself, in a text for each item of a list.
    Value,
    /// Pieces that are there only if a field is: neither missing, nor 0, nor empty.
    If(Path, Vec<Piece>),
}

/// Everything with fields: a structure, the payload of a frame, the body of a message.
#[derive(Debug, Clone, Default, Serialize, JsonSchema)]
pub struct Body {
    /// Where it stands.
    pub site: Site,
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: BodyKind,
    /// The dialect that declares it; none if dialects share it.
    pub dialect: Option<DialectId>,
    /// The structure or frame of this name that the dialect has no longer.
    pub replaces: Option<BodyId>,
    /// One sentence.
    pub doc: String,
    /// The first release with it.
    pub release: Option<String>,
    /// Where the facts come from.
    pub source: Option<String>,
    /// What Ceph's sources call it.
    pub ceph: Option<String>,
    /// Its version header.
    pub versioned: Option<Versioned>,
    /// The number that `since` and `until` are held against.
    pub version: Option<Operand>,
    /// Bytes behind the last field belong to a newer sender and are kept.
    pub open: bool,
    /// The words and numbers of a structure that is text.
    pub text: Option<Text>,
    /// It in one line.
    pub summary: Option<Vec<Piece>>,
    /// How it is shown.
    pub display: Display,
    /// The first part of its fields' filter names.
    pub filter: String,
    /// The field around the whole of a frame or message.
    pub around: Option<FieldId>,
    /// In the order of the wire.
    pub fields: Vec<Field>,
    /// The fields of each segment that it takes.
    pub segments: Vec<Range<usize>>,
    /// The fewest bytes that it takes.
    pub min_size: usize,
    /// It takes all bytes that are left.
    pub greedy: bool,
    /// Bytes and values.
    pub examples: Vec<Example>,
    /// Bytes that a reader must refuse.
    pub refused: Vec<Refused>,
}

/// What a body is.
#[derive(Debug, Clone, Default, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum BodyKind {
    /// A structure.
    #[default]
    Struct,
    /// The payload of a frame.
    Frame {
        /// Its number on the wire.
        number: u8,
        /// Who sends it.
        from: From,
        /// It belongs to the envelope.
        envelope: bool,
        /// It has several segments, of which each field is one.
        segmented: bool,
    },
    /// The body of a message: front, middle and data.
    Message {
        /// The name of its type.
        called: String,
        /// The number of its type.
        number: u16,
        /// The newest version, and the oldest reader that understands it.
        versions: model::MessageVersions,
    },
}

impl Body {
    /// Whether it is a structure.
    pub fn is_struct(&self) -> bool {
        matches!(self.kind, BodyKind::Struct)
    }

    /// Whether it is a frame.
    pub fn is_frame(&self) -> bool {
        matches!(self.kind, BodyKind::Frame { .. })
    }

    /// Whether it is a message.
    pub fn is_message(&self) -> bool {
        matches!(self.kind, BodyKind::Message { .. })
    }

    /// Whether it is a frame of several segments.
    pub fn is_segmented(&self) -> bool {
        matches!(self.kind, BodyKind::Frame { segmented: true, .. })
    }

    /// Whether it is a frame that a role may send.
    pub fn may_come_from(&self, role: Role) -> bool {
        match self.kind {
            BodyKind::Frame { from: From::Both, .. } => true,
            BodyKind::Frame { from: From::Client, .. } => role == Role::Client,
            BodyKind::Frame { from: From::Server, .. } => role == Role::Server,
            _ => false,
        }
    }

    /// The newest version, and the oldest reader that understands it, where readers skip what is appended.
    pub fn versions(&self) -> Option<(u16, Option<u16>)> {
        match &self.kind {
            BodyKind::Message { versions, .. } => Some((versions.head, Some(versions.compat))),
            _ => self.versioned.as_ref().map(|v| (v.version.into(), v.compat.map(u16::from))),
        }
    }

    /// What a newer sender appended is kept.
    pub fn keeps_extra(&self) -> bool {
        self.open && !self.is_segmented() || self.versioned.as_ref().is_some_and(|v| v.compat.is_some())
    }

    /// Whether bytes left or the context say if a field is there: a writer writes it if it is set.
    pub fn decided_outside(&self, field: &Field) -> bool {
        let outside = |operand: &Operand| matches!(operand.origin, Origin::Context(_));
        let versioned = field.since.or(field.until).is_some() && self.version.as_ref().is_some_and(outside);
        let when = field.when.as_ref().is_some_and(|condition| match &condition.test {
            Test::More => true,
            test => test.comparisons().into_iter().any(|(operand, ..)| outside(operand)),
        });
        versioned || when
    }

    /// The name that generated types and constants begin with: Ceph's classes of messages begin with an M.
    pub fn type_name(&self) -> String {
        if self.is_message() { format!("m_{}", self.name) } else { self.name.clone() }
    }
}

/// The layout of a structure that is text.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Text {
    /// As the spec writes it.
    pub text: String,
    /// Words, and the fields whose numbers stand between them.
    pub pieces: Vec<Piece>,
    /// The most bytes.
    pub max: Option<u64>,
}

/// A field.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Field {
    /// The line where it stands.
    pub line: u64,
    /// Its name.
    pub name: String,
    /// One sentence.
    pub doc: String,
    /// The first release with it, if later than that of what it stands in.
    pub release: Option<String>,
    /// Where the fact comes from, if from elsewhere than that of what it stands in.
    pub source: Option<String>,
    /// What stands on the wire.
    pub node: Node,
    /// What the bytes of a blob are.
    pub content: Option<Node>,
    /// What the bytes of a blob are once they have been decrypted.
    pub sealed: Option<Sealed>,
    /// Nobody is to see its bytes.
    pub secret: bool,
    /// What it is made of when writing; such a field is no part of the decoded value.
    pub derived: Option<Derived>,
    /// The field that is its length, or the number of its items.
    pub measured_by: Option<usize>,
    /// There is one of it for each item of an earlier list.
    pub each: Option<Each>,
    /// What its length is in, if that is no field for this alone; with `each` in an item.
    pub length: Option<Operand>,
    /// What its decoder is told: context variables, and what they get; with `each` from an item.
    pub given: Vec<(String, Operand)>,
    /// The first version that has it.
    pub since: Option<u16>,
    /// The last version that has it.
    pub until: Option<u16>,
    /// It is there only if this holds.
    pub when: Option<Condition>,
    /// The most items or bytes.
    pub max: Option<Bound>,
    /// How it is shown.
    pub display: Display,
    /// Its filter name, with which those of its parts begin.
    pub filter: String,
}

impl Field {
    /// Whether it holds something, or nothing if it has no bytes.
    pub fn may_be_void(&self) -> bool {
        self.content.is_some() && !matches!(self.node.ty, Type::Scalar(Scalar::Bytes(_)))
    }

    /// Whether it may be missing.
    pub fn conditional(&self) -> bool {
        self.when.is_some() || self.since.is_some() || self.until.is_some()
    }

    /// Whether it is there only if bytes are left.
    pub fn asks_for_more(&self) -> bool {
        matches!(self.when, Some(Condition { test: Test::More, .. }))
    }

    /// Whether texts show its number in hexadecimal.
    pub fn shown_in_hex(&self) -> bool {
        let optional = self.conditional() || self.content.is_some();
        self.display.base == Some(model::Base::Hex) && matches!(self.node.ty, Type::Scalar(_)) && !optional
    }

    /// The most items or bytes.
    pub fn most(&self) -> u64 {
        self.max.as_ref().map_or(u64::MAX, |bound| bound.value)
    }

    /// What its value is: the content of a blob, if it is known.
    pub fn value(&self) -> &Type {
        &self.content.as_ref().unwrap_or(&self.node).ty
    }
}

/// One value for each item of an earlier list.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Each {
    /// The list, by its place in the body.
    pub list: usize,
    /// The structure that its items are.
    pub item: BodyId,
    /// The field around all values.
    pub around: FieldId,
    /// The text of item and value together.
    pub text: Option<Vec<Piece>>,
}

/// What a field is made of when writing.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Derived {
    /// Always this number.
    Number(i64),
    /// Always these bytes, which the spec writes so.
    Bytes(Bytes<String>),
    /// The length of this field.
    Length(usize),
    /// The number of items of each of these fields.
    Count(Vec<usize>),
}

/// A bound.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Bound {
    /// Its value.
    pub value: u64,
    /// The limit whose it is.
    pub limit: Option<String>,
}

/// How a blob is encrypted, and what it holds.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Sealed {
    /// Whose key opens it.
    pub key: String,
    /// The usage number that goes into the derivation of AES256KRB5 keys.
    pub usage: u32,
    /// The structure inside.
    pub holds: BodyId,
    /// The field around it once it is opened.
    pub opened: FieldId,
}

/// What is known of a field: a row of the table that Wireshark registers.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct FieldInfo {
    /// Where it comes from.
    pub site: Site,
    /// Its name in JSON.
    pub name: String,
    /// Its filter name.
    pub filter: String,
    /// Its label.
    pub label: String,
    /// One sentence.
    pub doc: String,
    /// What kind of value it has.
    pub kind: Kind,
    /// How the number is shown.
    pub notation: Notation,
    /// The unit of the number, or empty.
    pub unit: String,
}

/// What kind of value a field has. The number is that of its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)] // the names say it, and `msgr2::wire::Kind` says more
pub enum Kind {
    Unsigned(u8),
    Signed(u8),
    Float(u8),
    Bool,
    Enum(u8, EnumId),
    Flags(u8, FlagsId),
    Bytes,
    Text,
    Secret,
    Ipv4,
    Ipv6,
    Uuid,
    Time,
    Duration,
    /// With a text of its own, or without.
    Struct(bool),
    Switch,
    Held,
    Present,
    List,
    Entry,
}

/// How a number is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Notation {
    /// In decimal.
    Dec,
    /// In hexadecimal.
    Hex,
    /// As the number of a packet of the capture.
    Packet,
}

/// A dialect with all that it inherits.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Dialect {
    /// Where it stands.
    pub site: Site,
    /// The name of the folder of its files.
    pub folder: String,
    /// What its own file says of it.
    pub info: model::Dialect,
    /// The dialect that it extends.
    pub parent: Option<DialectId>,
    /// What both sides send first.
    pub banner: Option<Placed<Banner>>,
    /// How frames are put together.
    pub envelope: Option<Placed<Envelope>>,
    /// All its frames.
    pub tags: IndexMap<String, BodyId>,
    /// The enum of their numbers.
    pub tag_enum: Option<EnumId>,
    /// All its states, by role.
    pub states: IndexMap<Role, Vec<State>>,
    /// Whether states are its own.
    pub own_states: bool,
    /// Conversations of its own.
    pub exchanges: Section<Exchange>,
}

impl Dialect {
    /// Its name as a Rust module: `v2.1` is `v2_1`.
    pub fn module(&self) -> String {
        self.info.name.replace(['.', '-'], "_")
    }
}

/// The banner of a dialect.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Banner {
    /// Whether it is the dialect's own.
    pub own: bool,
    /// Its bytes.
    pub body: BodyId,
    /// The field around it.
    pub around: FieldId,
    /// It in one line.
    pub info: Option<Vec<Piece>>,
}

/// How frames are put together.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Envelope {
    /// Whether it is the dialect's own.
    pub own: bool,
    /// One sentence.
    pub doc: String,
    /// Per mode of protection, the parts of a frame in the order of the wire.
    pub modes: IndexMap<String, Vec<Part>>,
    /// Whole frames: bytes and values, and the frame whose they are.
    pub examples: Vec<(BodyId, Bytes<At<model::FrameExample>>)>,
}

/// A part of a frame.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Part {
    /// The block that it is.
    pub block: Option<BodyId>,
    /// The segments that it holds: the first of them, and whether all behind it.
    pub segments: Option<(u8, bool)>,
    /// What the spec says of it.
    pub says: model::Part,
}

/// What the spec says of bytes, and the bytes themselves by segment.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Bytes<T> {
    /// The bytes, in hex for JSON.
    #[serde(serialize_with = "hex")]
    #[schemars(with = "Vec<String>")]
    pub segments: Vec<Vec<u8>>,
    /// What is said of them.
    pub says: T,
}

impl<T> Deref for Bytes<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.says
    }
}

fn hex<S: Serializer>(segments: &[Vec<u8>], serializer: S) -> Result<S::Ok, S::Error> {
    let hex = |bytes: &Vec<u8>| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    serializer.collect_seq(segments.iter().map(hex))
}

/// Bytes, and what they mean.
pub type Example = Bytes<At<model::Example>>;

/// Bytes that a reader must refuse.
pub type Refused = Bytes<At<model::Refused>>;

/// A state of one end of a connection.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct State {
    /// Where it stands.
    pub site: Site,
    /// Whether it is the dialect's own.
    pub own: bool,
    /// Its name.
    pub name: String,
    /// One sentence.
    pub doc: String,
    /// A connection begins here.
    pub start: bool,
    /// No way leads out of it.
    pub end: bool,
    /// The state from which it took over what it doesn't say itself.
    pub like: Option<String>,
    /// What may be sent at any time.
    pub sends: Vec<Event>,
    /// What this side may send on its own initiative, and where that leads.
    pub acts: Vec<On>,
    /// What may be received, and where that leads.
    pub on: Vec<On>,
}

impl State {
    /// All ways out of it and back into it.
    pub fn moves(&self) -> impl Iterator<Item = &Move> {
        self.on.iter().chain(&self.acts).flat_map(|on| &on.moves)
    }

    /// Whether something may be sent in it, or on leaving it.
    pub fn may_send(&self, event: Event) -> bool {
        let acts = self.acts.iter().map(|on| &on.event);
        self.sends.iter().chain(acts).chain(self.moves().flat_map(|way| &way.sends)).any(|sent| *sent == event)
    }

    /// Whether something is awaited in it.
    pub fn awaits(&self, event: Event) -> bool {
        self.on.iter().any(|on| on.event == event)
    }
}

/// What is sent or received.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// The banner.
    Banner,
    /// A frame.
    Frame(BodyId),
}

/// What happens, and where it leads.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct On {
    /// What is sent or received.
    pub event: Event,
    /// The ways, of which the first is taken whose guard holds.
    pub moves: Vec<Move>,
}

/// One way out of a state.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Move {
    /// The next state, by its place.
    pub to: usize,
    /// What is sent on the way.
    pub sends: Vec<Event>,
    /// The guard that must hold.
    pub when: Option<String>,
    /// What is done on the way.
    pub actions: Vec<String>,
}

/// A whole conversation.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Exchange {
    /// What is said of it.
    pub says: model::Exchange,
    /// Of each flight its bytes, and what is in it.
    pub flights: Vec<Bytes<Vec<Event>>>,
}

impl Ir {
    /// The bodies with their places.
    pub fn bodies(&self) -> impl Iterator<Item = (BodyId, &Body)> {
        self.bodies.iter().enumerate().map(|(index, body)| (BodyId(index), body))
    }

    /// The dialects with their places.
    pub fn dialects(&self) -> impl Iterator<Item = (DialectId, &Dialect)> {
        self.dialects.iter().enumerate().map(|(index, dialect)| (DialectId(index), dialect))
    }

    /// The structures that a dialect declares, or those that all share.
    pub fn types(&self, dialect: Option<DialectId>) -> impl Iterator<Item = (BodyId, &Body)> {
        self.bodies().filter(move |(_, body)| body.is_struct() && body.dialect == dialect)
    }

    /// The frames that a dialect adds to those of its parent, or changes.
    pub fn own_frames(&self, dialect: DialectId) -> impl Iterator<Item = (BodyId, &Body)> {
        self.bodies().filter(move |(_, body)| body.is_frame() && body.dialect == Some(dialect))
    }

    /// The bodies of messages.
    pub fn messages(&self) -> impl Iterator<Item = (BodyId, &Body)> {
        self.bodies().filter(|(_, body)| body.is_message())
    }

    /// A dialect and its ancestors, youngest first.
    pub fn ancestry(&self, dialect: Option<DialectId>) -> impl Iterator<Item = DialectId> {
        std::iter::successors(dialect, |id| self[*id].parent)
    }

    /// The fields on a path through a body.
    pub fn walk<'a>(&'a self, body: &'a Body, path: &Path) -> Vec<&'a Field> {
        let mut fields = Vec::new();
        let mut current = Some(body);
        for index in &path.fields {
            let Some(field) = current.and_then(|body| body.fields.get(*index)) else { break };
            fields.push(field);
            current = if let Type::Struct(id) = field.node.ty { Some(&self[id]) } else { None };
        }
        fields
    }

    /// The constant that holds the names of an enum's values.
    pub fn enum_constant(&self, id: EnumId) -> String {
        let module = self[id].dialect.map(|dialect| format!("{}_", self[dialect].module())).unwrap_or_default();
        constant(&format!("{module}{}", self[id].name))
    }

    /// The numbers that an integer, an enum or a word of flags can hold.
    pub fn range(&self, ty: &Type) -> Option<(i128, i128)> {
        ty.integer(self).map(Scalar::range)
    }

    /// The fewest bytes that a type takes.
    pub fn min_size(&self, ty: &Type) -> usize {
        match ty {
            Type::Scalar(scalar) => scalar.min_size(),
            Type::Enum(_) | Type::Flags(_) => ty.integer(self).map_or(0, Scalar::min_size),
            Type::Struct(id) => self[*id].min_size,
            Type::Blob(length) => length.min_size(),
            Type::Rest | Type::Sized | Type::Empty | Type::Counted(_) | Type::Items(_) | Type::Union(_) => 0,
            Type::List(_) | Type::Map(..) => Scalar::U32.min_size(),
            Type::Optional(_) => 1,
            Type::Tuple(_) => ty.inner().into_iter().map(|ty| self.min_size(ty)).fold(0, usize::saturating_add),
            Type::Array(item, n) => self.min_size(&item.ty).saturating_mul(*n as usize),
        }
    }

    /// Whether a type takes all bytes that are left. A union does, when none of its cases holds.
    pub fn greedy(&self, ty: &Type) -> bool {
        match ty {
            Type::Rest | Type::Items(_) | Type::Union(_) => true,
            Type::Struct(id) => self[*id].greedy,
            Type::Optional(item) => self.greedy(&item.ty),
            _ => false,
        }
    }

    /// The name of a type that has one.
    pub fn name(&self, ty: &Type) -> &str {
        match ty {
            Type::Enum(id) => &self[*id].name,
            Type::Flags(id) => &self[*id].name,
            Type::Struct(id) => &self[*id].name,
            _ => "",
        }
    }

    /// The type of a value as the spec writes it.
    pub fn said(&self, node: &Node) -> String {
        node.alias.as_ref().map_or_else(|| self.written(&node.ty), |(_, written)| written.clone())
    }

    /// A type as the spec writes it.
    pub fn written(&self, ty: &Type) -> String {
        self.spelt(ty, &|node| self.said(node))
    }

    /// A type in words, with what stands for the types in it.
    pub fn spelt(&self, ty: &Type, part: &dyn Fn(&Node) -> String) -> String {
        let of = |name: &str, parts: &[&Node]| {
            format!("{name}<{}>", parts.iter().map(|node| part(node)).collect::<Vec<_>>().join(", "))
        };
        match ty {
            Type::Scalar(scalar) => scalar.to_string(),
            Type::Enum(_) | Type::Flags(_) | Type::Struct(_) => self.name(ty).to_owned(),
            Type::Blob(Scalar::U32) => "blob".to_owned(),
            Type::Blob(length) => format!("blob<{length}>"),
            Type::Rest => "rest".to_owned(),
            Type::Sized => "sized".to_owned(),
            Type::Empty => "empty".to_owned(),
            Type::List(item) => of("list", &[item]),
            Type::Counted(item) => of("counted", &[item]),
            Type::Items(item) => of("rest", &[item]),
            Type::Array(item, n) => format!("array<{}, {n}>", part(item)),
            Type::Map(_, key, value) => of("map", &[key, value]),
            Type::Optional(item) => of("optional", &[item]),
            Type::Tuple(items) => of("tuple", &items.iter().collect::<Vec<_>>()),
            Type::Union(union) => format!("{{switch: {}}}", union.by.name),
        }
    }
}
