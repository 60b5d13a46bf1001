//! What a spec file can say: the serde model, from which the JSON Schema for editors is made too.
//!
//! The model holds the files as they are written. [`crate::Spec`] puts them together, and [`crate::Ir`] is what
//! becomes of it once names and expressions are resolved.

use std::fmt;

use indexmap::IndexMap;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

/// A map that keeps the order of the file; every entry knows the line it stands in.
pub type Named<T> = IndexMap<String, At<T>>;

/// One spec file. Each section may stand in any number of files.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct File {
    /// What holds for all enums, flags, types, tags and messages of the file that don't say otherwise.
    pub defaults: Defaults,
    /// The dialect that the tags, states and blocks of this folder belong to.
    pub dialect: Option<At<Dialect>>,
    /// Fields that belong to no single type: derived ones, and those of every versioned structure.
    pub common: Named<Common>,
    /// What a decoder must have been told to read some unions, because the bytes don't say it.
    pub context: Named<ContextVariable>,
    /// Bounds that a reader sets, and a writer keeps.
    pub limits: Named<Limit>,
    /// What the tracker reports about a connection.
    pub findings: Named<Finding>,
    /// Numbers with names. Always open: an unknown number is kept.
    pub enums: Named<Enum>,
    /// Words of bits with names. Always open: unknown bits are kept.
    pub flags: Named<Flags>,
    /// Structures.
    pub types: Named<Struct>,
    /// Other names for types.
    pub aliases: Named<Alias>,
    /// The bytes that both sides send first: the name of a type.
    pub banner: Option<At<Banner>>,
    /// How frames are put together.
    pub envelope: Option<At<Envelope>>,
    /// The frames of a dialect.
    pub tags: Named<Tag>,
    /// Per role, the states of a connection.
    #[schemars(schema_with = "states_schema")]
    pub states: IndexMap<Role, Named<State>>,
    /// Names of conditions that decide between the moves of a state.
    pub guards: Named<Described>,
    /// Names of what a peer does in a move.
    pub actions: Named<Described>,
    /// Message bodies. The name is that of a value of the enum `message_type`, in small letters.
    pub messages: Named<Message>,
    /// Whole conversations of a dialect, byte for byte.
    pub exchanges: Named<Exchange>,
}

/// Where the items of a file come from.
#[derive(Debug, Default, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Defaults {
    /// The first Ceph release with them.
    pub release: Option<String>,
    /// Where the facts come from.
    pub source: Option<String>,
}

/// A dialect of the protocol.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Dialect {
    /// Its name, as users write and see it, for example `v2.1`.
    pub name: String,
    /// The dialect that it changes. What isn't said here is as there.
    pub extends: Option<String>,
    /// One sentence.
    pub doc: String,
    /// The first Ceph release that speaks it, or `unreleased`; so wherever else a release stands.
    pub release: String,
    /// Where the facts come from.
    pub source: String,
}

/// One sentence about a name.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Described {
    /// One sentence.
    pub doc: String,
}

/// A field that no single type owns.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Common {
    /// The type of its value.
    #[serde(rename = "type")]
    pub ty: TypeRef,
    /// One sentence.
    pub doc: String,
    /// How it is shown.
    #[serde(default)]
    pub display: Display,
}

/// A variable that the decoder is given.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ContextVariable {
    /// The name of an enum, or an unsigned number.
    #[serde(rename = "type")]
    pub ty: String,
    /// One sentence: what it is, and which frame tells it.
    pub doc: String,
}

/// A bound.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Limit {
    /// The largest value allowed.
    pub max: u64,
    /// What is counted: bytes, items, levels.
    pub unit: String,
    /// One sentence.
    pub doc: String,
}

/// Something worth reporting about a connection.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// The kind of trouble, as Wireshark groups it.
    pub group: Group,
    /// A few words for a list.
    pub summary: String,
    /// One sentence.
    pub doc: String,
}

/// Wireshark's severities.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Usual workflow.
    Chat,
    /// Notable.
    Note,
    /// Unusual.
    Warn,
    /// A serious problem.
    Error,
}

/// Wireshark's groups of expert infos.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Group {
    /// A checksum that doesn't match.
    Checksum,
    /// Something out of order.
    Sequence,
    /// Bytes that can't be read.
    Malformed,
    /// A rule of the protocol is broken.
    Protocol,
    /// Encryption and decryption.
    Decryption,
    /// Something that the dissector doesn't know.
    Undecoded,
}

/// Numbers with names.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Enum {
    /// The integer on the wire, for example `u32`.
    pub base: String,
    /// One sentence.
    pub doc: String,
    /// The first Ceph release with it; holds for each value that doesn't say otherwise.
    pub release: Option<String>,
    /// Where the facts come from.
    pub source: Option<String>,
    /// How the number is shown.
    #[serde(default)]
    pub display: Display,
    /// An enum whose values this one shares, over an integer of another size.
    pub like: Option<String>,
    /// Name to number.
    #[serde(default)]
    pub values: Named<EnumValue>,
}

/// A named number.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EnumValue {
    /// The number.
    pub number: i64,
    /// The last number of a range that shares the name.
    pub to: Option<i64>,
    /// One sentence.
    pub doc: String,
    /// The first release with it, if later than the enum's.
    pub release: Option<String>,
    /// What texts made for people show instead of the name, for example `v2` for `msgr2`.
    pub text: Option<String>,
}

/// Bits with names.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Flags {
    /// The integer on the wire.
    pub base: String,
    /// One sentence.
    pub doc: String,
    /// The first Ceph release with it; holds for each bit that doesn't say otherwise.
    pub release: Option<String>,
    /// Where the facts come from.
    pub source: Option<String>,
    /// How the word is shown.
    #[serde(default)]
    pub display: Display,
    /// Name to bit or bits.
    pub values: Named<Flag>,
}

/// A named bit.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Flag {
    /// The bit, counted from the lowest, 0.
    pub bit: Option<u8>,
    /// Several bits that must all be set; the first is the flag's own, the others say which meaning it has.
    #[serde(default)]
    pub bits: Vec<u8>,
    /// One sentence.
    pub doc: String,
    /// The first release with it, if later than the word's.
    pub release: Option<String>,
    /// The release from which on the bit no longer means this.
    pub retired: Option<String>,
    /// The bit must stay clear.
    #[serde(default)]
    pub reserved: bool,
    /// Another flag with the same bits: who sets them means both.
    pub with: Option<String>,
}

impl Flag {
    /// All its bits as a mask.
    pub fn mask(&self) -> u64 {
        self.bit.iter().chain(&self.bits).fold(0, |mask, &bit| mask | 1u64.checked_shl(bit.into()).unwrap_or(0))
    }
}

/// Another name for a type.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Alias {
    /// The type that it stands for.
    #[serde(rename = "type")]
    pub ty: String,
    /// Names in it for which others stand where the alias is used, between angle brackets and in this order.
    #[serde(default)]
    pub parameters: Vec<String>,
    /// One sentence.
    pub doc: String,
}

/// A structure: fields one after the other.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Struct {
    /// One sentence.
    pub doc: String,
    /// The first Ceph release with it.
    pub release: Option<String>,
    /// Where the facts come from.
    pub source: Option<String>,
    /// What Ceph's sources call it, for example `HelloFrame`.
    pub ceph: Option<String>,
    /// The version header in front of the fields.
    pub versioned: Option<Versioned>,
    /// The number that `since` and `until` are held against, where it isn't in a header of the structure's own:
    /// a context variable, with its `$`.
    pub version: Option<String>,
    /// Bytes behind the last field belong to a newer sender and are kept; otherwise they are an error.
    #[serde(default)]
    pub open: bool,
    /// The structure is text: these words, where `{field}` stands for a field's number in lower-case hex digits. A
    /// reader takes as many digits as fit into the field, also with leading zeros, which a writer leaves out.
    pub text: Option<String>,
    /// The most bytes of a structure that is text.
    pub max: Option<u64>,
    /// The structure in one line; `{field}` stands for a field's text.
    pub summary: Option<String>,
    /// How it is shown.
    #[serde(default)]
    pub display: Display,
    /// In the order of the wire.
    #[serde(default)]
    pub fields: Vec<At<Field>>,
    /// Bytes and values.
    #[serde(default)]
    pub examples: Vec<At<Example>>,
    /// Bytes that a reader must refuse.
    #[serde(default)]
    pub refused: Vec<At<Refused>>,
}

/// The header of a versioned structure.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Versioned {
    /// The newest version that the spec describes; a writer sends it.
    pub version: u8,
    /// The oldest reader that understands it. With it the header is struct_v, struct_compat and a u32 length;
    /// without it struct_v alone.
    pub compat: Option<u8>,
    /// A byte before the header.
    pub marker: Option<u8>,
}

/// A field.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Field {
    /// Its name.
    pub name: String,
    /// What stands on the wire.
    #[serde(rename = "type")]
    pub ty: TypeRef,
    /// One sentence.
    pub doc: String,
    /// The first Ceph release with it, if later than that of what it stands in.
    pub release: Option<String>,
    /// Where the fact comes from, if from elsewhere than that of what it stands in.
    pub source: Option<String>,
    /// The first version of the structure that has it.
    pub since: Option<u16>,
    /// The last version of the structure that has it.
    pub until: Option<u16>,
    /// It is there only if this holds: `FIELD == NUMBER` or the name of an enum's value, `!=`, `<`, `<=`, `>`, `>=`, `&`
    /// (any of these bits), several with `and` and `or` (`and` binds closer), or `more` (bytes are left).
    pub when: Option<String>,
    /// The only value allowed: a number, or bytes in hex. The field is then no part of the decoded value.
    pub equals: Option<Constant>,
    /// The field of which this one is the length in bytes.
    pub length_of: Option<String>,
    /// The lists of which this one is the number of items.
    #[serde(default)]
    pub count_of: Vec<String>,
    /// What the bytes of a blob are. Of `bytes<n>` it must take all; what a value doesn't fill a writer fills with zeros.
    pub holds: Option<TypeRef>,
    /// There is one of it for each item of this earlier list, whose items are structures; `length`, `given` and `text`
    /// name fields of the item.
    pub each: Option<String>,
    /// How long a `sized` or a `string` without a length of its own is, in bytes, where that isn't said by a field for
    /// this alone: an earlier field, which is part of the value, or a context variable (with its `$`).
    pub length: Option<String>,
    /// What is told to the decoder of this field: context variable to field.
    #[serde(default)]
    pub given: IndexMap<String, String>,
    /// Of a field that is there for `each` item, the text of item and field together; `{}` stands for that of the field.
    pub text: Option<String>,
    /// What the bytes of a blob are once they have been decrypted.
    pub sealed: Option<Sealed>,
    /// Nobody is to see its bytes: who traces the reading is told their number only.
    #[serde(default)]
    pub secret: bool,
    /// The most items or bytes allowed: a number, or the name of a limit.
    pub max: Option<Bound>,
    /// How it is shown.
    #[serde(default)]
    pub display: Display,
}

/// A constant.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Constant {
    /// An integer.
    Number(i64),
    /// Bytes, in hex.
    Hex(String),
}

/// A bound.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Bound {
    /// A number.
    Number(u64),
    /// The name of a limit.
    Limit(String),
}

/// How a blob is encrypted, and what it holds.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Sealed {
    /// Whose key opens it.
    pub key: String,
    /// The usage number that goes into the derivation of AES256KRB5 keys.
    pub usage: u32,
    /// The name of the structure inside.
    pub holds: String,
    /// What a reader calls it who has opened it; the structure's name if nothing is said.
    pub label: Option<String>,
}

/// A type: an expression such as `list<u32>`, or a union.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema)]
#[schemars(untagged)]
pub enum TypeRef {
    /// An expression.
    Expr(String),
    /// A union.
    Switch(Switch),
}

/// A union: an earlier field, or a context variable (with its `$`), says which type follows.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema)]
pub struct Switch {
    /// The field or variable.
    pub switch: String,
    /// Value to type: the name of an enum's value, or a number; or a name for several of them. Anything else is kept as
    /// bytes.
    #[schemars(flatten)]
    pub cases: IndexMap<String, SwitchCase>,
}

/// What follows in a case of a union.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum SwitchCase {
    /// For one value.
    One(String),
    /// For several values.
    Group(SwitchGroup),
}

impl SwitchCase {
    /// Its type.
    pub fn ty(&self) -> &str {
        match self {
            SwitchCase::One(ty) => ty,
            SwitchCase::Group(group) => &group.ty,
        }
    }
}

/// Several values of a union's number with the same type.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SwitchGroup {
    /// The values.
    pub of: Vec<CaseKey>,
    /// The type.
    #[serde(rename = "type")]
    pub ty: String,
}

impl<'de> Deserialize<'de> for TypeRef {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TypeRefVisitor)
    }
}

struct TypeRefVisitor;

impl<'de> Visitor<'de> for TypeRefVisitor {
    type Value = TypeRef;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a type such as list<u32>, or a union such as {switch: field, value: type}")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<TypeRef, E> {
        Ok(TypeRef::Expr(text.to_owned()))
    }

    fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<TypeRef, A::Error> {
        let mut cases = IndexMap::new();
        while let Some((key, value)) = map.next_entry::<CaseKey, SwitchCase>()? {
            let key = key.to_string();
            if cases.insert(key.clone(), value).is_some() {
                return Err(de::Error::custom(format!("`{key}` stands twice")));
            }
        }
        match cases.shift_remove("switch") {
            Some(SwitchCase::One(switch)) => Ok(TypeRef::Switch(Switch { switch, cases })),
            Some(SwitchCase::Group(_)) => Err(de::Error::custom("switch: is the name of a field or variable")),
            None => Err(de::Error::missing_field("switch")),
        }
    }
}

/// A case is a name, or a number, which YAML doesn't read as text.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "a name or a number")]
pub enum CaseKey {
    /// The name of an enum's value.
    Name(String),
    /// A number.
    Number(i64),
}

impl fmt::Display for CaseKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CaseKey::Name(name) => f.write_str(name),
            CaseKey::Number(number) => write!(f, "{number}"),
        }
    }
}

/// How something is shown, where that isn't obvious.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Display {
    /// Decimal or hexadecimal.
    pub base: Option<Base>,
    /// How a word of flags stands in JSON, or what a number of another kind is.
    #[serde(rename = "as")]
    pub notation: Option<Notation>,
    /// The unit of the number.
    pub unit: Option<String>,
    /// The label, if it isn't the name in other letters.
    pub label: Option<String>,
    /// The filter name, or of a structure the first part of its fields' filter names.
    pub filter: Option<String>,
}

/// The base of a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Base {
    /// Decimal.
    Dec,
    /// Hexadecimal.
    Hex,
}

/// How a word of flags stands in JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Notation {
    /// A list of names.
    Names,
    /// One hexadecimal number.
    Hex,
    /// Of a `u32`: the number of a packet of the capture.
    Packet,
}

/// The banner of a dialect.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Banner {
    /// The type of its bytes.
    #[serde(rename = "type")]
    pub ty: String,
    /// The banner in one line, for the info column.
    pub info: Option<String>,
}

/// How frames are put together.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Envelope {
    /// One sentence.
    pub doc: String,
    /// Per mode of protection, the parts of a frame in the order of the wire.
    pub modes: IndexMap<String, Vec<Part>>,
    /// Whole frames: bytes and values.
    #[serde(default)]
    pub examples: Vec<At<FrameExample>>,
}

/// A part of a frame.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Part {
    /// A fixed block: the name of its type, or of a tag of the envelope, whose payload it is.
    pub block: Option<String>,
    /// The bytes of a segment, or of several: `0`, `1..`.
    pub segments: Option<String>,
    /// The bytes of a cryptographic tag.
    pub seal: Option<u32>,
    /// Of a segment, only what begins at this byte.
    pub from: Option<u32>,
    /// Of a segment, only what ends before this byte.
    pub to: Option<u32>,
    /// Each segment is padded with zeros to a multiple of so many bytes, at least one multiple where it is cut to them.
    pub padded: Option<u32>,
    /// It is there only if this holds.
    pub when: Option<String>,
    /// The bytes that a CRC or a cryptographic tag in this part covers.
    pub covers: Option<String>,
    /// The initial value of that CRC; a cryptographic tag has none.
    pub seed: Option<u32>,
    /// One sentence.
    pub doc: String,
}

/// A whole frame.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FrameExample {
    /// One sentence.
    pub doc: String,
    /// Its bytes.
    #[schemars(schema_with = "hex_schema")]
    pub hex: String,
    /// The mode of its protection.
    pub mode: String,
    /// What opens a sealed frame.
    pub seal: Option<Seal>,
    /// Its tag.
    pub tag: String,
    /// What the decoder is told.
    #[serde(default)]
    pub context: IndexMap<String, serde_json::Value>,
    /// Its decoded form.
    pub value: serde_json::Value,
}

/// What opens the sealed frame of an example.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Seal {
    /// The connection secret.
    #[schemars(schema_with = "hex_schema")]
    pub connection_secret: String,
    /// Who sends the frame.
    pub sender: Role,
    /// The number of the cipher's operations before it in its direction.
    pub operations: u64,
}

/// A frame.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Tag {
    /// Its number on the wire.
    pub number: u8,
    /// Who sends it.
    pub from: From,
    /// One sentence.
    pub doc: String,
    /// The first Ceph release with it.
    pub release: Option<String>,
    /// Where the facts come from.
    pub source: Option<String>,
    /// What Ceph's sources call it, for example `HelloFrame`.
    pub ceph: Option<String>,
    /// It belongs to the envelope: no state awaits it, the rules of the envelope say where it stands.
    #[serde(default)]
    pub envelope: bool,
    /// The facts that matter, in one line for the info column; `{field}` stands for a field's text.
    pub info: Option<String>,
    /// Bytes behind the last field belong to a newer sender and are kept; otherwise they are an error.
    #[serde(default)]
    pub open: bool,
    /// The fields of its only segment.
    #[serde(default)]
    pub fields: Vec<At<Field>>,
    /// Where a frame has several segments: one field each.
    #[serde(default)]
    pub segments: Vec<At<Field>>,
    /// Bytes and values; `|` stands between segments.
    #[serde(default)]
    pub examples: Vec<At<Example>>,
    /// Bytes that a reader must refuse.
    #[serde(default)]
    pub refused: Vec<At<Refused>>,
}

/// Who sends a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum From {
    /// The side that connected.
    Client,
    /// The side that accepted.
    Server,
    /// Either.
    Both,
}

/// Bytes, and what they mean.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Example {
    /// One sentence.
    pub doc: String,
    /// The bytes, in hex; white space is free, `|` stands between segments.
    #[schemars(schema_with = "hex_schema")]
    pub hex: String,
    /// What the decoder is told.
    #[serde(default)]
    pub context: IndexMap<String, serde_json::Value>,
    /// The decoded form.
    pub value: serde_json::Value,
}

/// Bytes that a reader must refuse.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Refused {
    /// One sentence.
    pub doc: String,
    /// The bytes, in hex.
    #[schemars(schema_with = "hex_schema")]
    pub hex: String,
    /// What the decoder is told.
    #[serde(default)]
    pub context: IndexMap<String, serde_json::Value>,
    /// The name of the error.
    pub error: String,
    /// The path of the field that it names.
    pub at: String,
}

/// One end of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// The side that connected.
    Client,
    /// The side that accepted.
    Server,
}

/// A state of one end of a connection.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct State {
    /// One sentence.
    pub doc: String,
    /// A connection begins here.
    #[serde(default)]
    pub start: bool,
    /// No way leads out of it.
    #[serde(default)]
    pub end: bool,
    /// Another state of the same role, of which this one takes over what it may send and receive, but for the tags
    /// that it says something of itself: in `sends` and `acts` together, and in `on`.
    pub like: Option<String>,
    /// What may be sent at any time in this state, without leaving it.
    #[serde(default)]
    pub sends: Vec<String>,
    /// What this side may send on its own initiative (a tag, or `banner`), and where that leads.
    #[serde(default)]
    pub acts: IndexMap<String, Moves>,
    /// What may be received (a tag, or `banner`), and where that leads.
    #[serde(default)]
    pub on: IndexMap<String, Moves>,
}

/// Where something leads.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Moves {
    /// Always to the same place.
    One(Move),
    /// To one of several. They are tried in their order, and the first whose guard holds is taken; the last may do
    /// without a guard. If none holds, what was received or was to be sent is not allowed.
    Several(Vec<Move>),
}

impl Moves {
    /// All of them.
    pub fn all(&self) -> &[Move] {
        match self {
            Moves::One(one) => std::slice::from_ref(one),
            Moves::Several(moves) => moves,
        }
    }
}

/// One way out of a state.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Move {
    /// The next state.
    pub to: String,
    /// What is sent on the way, in this order; behind what this side acted with.
    #[serde(default)]
    pub sends: Vec<String>,
    /// The guard that must hold.
    pub when: Option<String>,
    /// What is done on the way, in this order.
    #[serde(default, rename = "do")]
    pub actions: Vec<String>,
}

/// The body of a message.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Message {
    /// One sentence.
    pub doc: String,
    /// The first Ceph release with it.
    pub release: Option<String>,
    /// Where the facts come from.
    pub source: Option<String>,
    /// What Ceph's sources call it, for example `HelloFrame`.
    pub ceph: Option<String>,
    /// The newest header version described, and the oldest reader that understands it.
    pub versions: MessageVersions,
    /// How it is shown.
    #[serde(default)]
    pub display: Display,
    /// The facts that matter, in one line for the info column; `{field}` stands for a field's text.
    pub info: Option<String>,
    /// The fields of the front; `since` and `until` are held against the header's version.
    #[serde(default)]
    pub front: Vec<At<Field>>,
    /// The fields of the middle. Without any its bytes are kept as they are.
    #[serde(default)]
    pub middle: Vec<At<Field>>,
    /// The fields of the data. Without any its bytes are kept as they are.
    #[serde(default)]
    pub data: Vec<At<Field>>,
    /// Bytes, with `|` between front, middle and data, and values.
    #[serde(default)]
    pub examples: Vec<At<Example>>,
    /// Bytes that a reader must refuse.
    #[serde(default)]
    pub refused: Vec<At<Refused>>,
}

/// The versions of a message, as its senders write them into the header.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MessageVersions {
    /// The newest header version.
    pub head: u16,
    /// The oldest reader that understands it.
    pub compat: u16,
    /// The last version whose new fields don't all stand at the end: senders choose it by what the receiver is known to
    /// understand, whatever `compat` says.
    pub rearranged: Option<u16>,
}

/// A whole conversation: every byte of both sides, and what it means.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Exchange {
    /// One sentence.
    pub doc: String,
    /// Where the facts come from.
    pub source: String,
    /// The keys that it takes to follow it, and all that was random: by name, in hex or as text.
    #[serde(default)]
    #[schemars(schema_with = "texts_schema")]
    pub secrets: IndexMap<String, String>,
    /// What one side sends after the other, in the order in which it is sent.
    pub flights: Vec<At<Flight>>,
}

/// What one side sends at once.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Flight {
    /// Who sends it.
    pub from: Role,
    /// One sentence.
    pub doc: String,
    /// All its bytes, in hex; white space is free.
    #[schemars(schema_with = "hex_schema")]
    pub hex: String,
    /// What is in it, in this order: a banner, if there is one, and frames.
    pub frames: Vec<ExchangeFrame>,
}

/// A frame of a flight, or its banner.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExchangeFrame {
    /// Its tag, or `banner`.
    pub tag: String,
    /// It is encrypted.
    #[serde(default)]
    pub sealed: bool,
    /// A signature stands behind it.
    #[serde(default)]
    pub signed: bool,
    /// What the decoder is told.
    #[serde(default)]
    pub context: IndexMap<String, serde_json::Value>,
    /// Its decoded form.
    pub value: serde_json::Value,
}

/// A value and the line where it begins (from 1).
#[derive(Debug, Clone, Serialize)]
#[serde(transparent)]
pub struct At<T> {
    /// The line; 0 if unknown.
    #[serde(skip)]
    pub line: u64,
    value: T,
}

impl<T> std::ops::Deref for At<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T> std::ops::DerefMut for At<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.value
    }
}

impl<T> std::convert::From<T> for At<T> {
    fn from(value: T) -> Self {
        At { line: 0, value }
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for At<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = serde_saphyr::Spanned::<T>::deserialize(deserializer)?;
        Ok(At { line: spanned.referenced.line(), value: spanned.value })
    }
}

impl<T: JsonSchema> JsonSchema for At<T> {
    fn inline_schema() -> bool {
        T::inline_schema()
    }
    fn schema_name() -> std::borrow::Cow<'static, str> {
        T::schema_name()
    }
    fn schema_id() -> std::borrow::Cow<'static, str> {
        T::schema_id()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}

/// Hex that has no letters is a number for YAML; the loader takes it as text all the same.
fn hex_schema(_: &mut SchemaGenerator) -> Schema {
    schemars::json_schema!({"type": ["string", "number"]})
}

/// Texts by name, of which some have no letters.
fn texts_schema(_: &mut SchemaGenerator) -> Schema {
    schemars::json_schema!({"type": "object", "additionalProperties": {"type": ["string", "number"]}})
}

/// The keys are roles, which schemars can't say by itself.
fn states_schema(generator: &mut SchemaGenerator) -> Schema {
    let states = generator.subschema_for::<Named<State>>();
    schemars::json_schema!({
        "type": "object",
        "properties": {"client": states, "server": states},
        "additionalProperties": false
    })
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Role::Client => "client",
            Role::Server => "server",
        })
    }
}
