//! What is known of fields besides their bytes: names, labels, kinds, and the names of numbers and bits.

use serde::{Deserialize, Serialize};

/// What people see of fields.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Names {
    /// The fields, in the order of [`FieldId`](crate::FieldId).
    pub fields: Vec<FieldInfo>,
    /// The enums.
    pub enums: Vec<EnumNames>,
    /// The words of flags.
    pub flags: Vec<FlagNames>,
}

/// A field.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FieldInfo {
    /// Its name in the spec, and in JSON.
    pub name: String,
    /// Its filter in Wireshark.
    pub filter: String,
    /// Its label in Wireshark.
    pub label: String,
    /// One sentence.
    pub doc: String,
    /// The form of its value.
    pub kind: Kind,
    /// How a number is shown.
    pub display: Display,
    /// The unit of a number, or nothing.
    pub unit: String,
}

/// The form of a field's value, as `msgr2::wire::Kind` says. Widths are in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)] // said there
pub enum Kind {
    Unsigned(u8),
    Signed(u8),
    Float(u8),
    Bool,
    /// Its place in [`Names::enums`].
    Enum(u8, usize),
    /// Its place in [`Names::flags`].
    Flags(u8, usize),
    Bytes,
    Text,
    Secret,
    Ipv4,
    Ipv6,
    Uuid,
    Time,
    Duration,
    Struct(bool),
    Switch,
    Held,
    Present,
    List,
    Entry,
}

/// How a number is shown.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Display {
    /// In decimal.
    Dec,
    /// In hexadecimal.
    Hex,
    /// As the number of a packet of the capture.
    Packet,
}

/// The names of an enum's values.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EnumNames {
    /// Its name in the spec.
    pub name: String,
    /// Whether its numbers have a sign.
    pub signed: bool,
    /// Its values in ascending order of their numbers.
    pub values: Vec<EnumValue>,
}

/// A value of an enum.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EnumValue {
    /// The number.
    pub number: i64,
    /// The last number with this name.
    pub to: i64,
    /// The name.
    pub name: String,
    /// What texts for people show.
    pub text: String,
    /// One sentence.
    pub doc: String,
}

/// The names of a word's bits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FlagNames {
    /// The word's name in the spec.
    pub name: String,
    /// Whether JSON shows it as one hexadecimal number.
    pub hex: bool,
    /// Its flags in the order of the spec.
    pub flags: Vec<FlagValue>,
}

/// A flag.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FlagValue {
    /// All its bits.
    pub mask: u64,
    /// The name.
    pub name: String,
    /// Its filter in Wireshark.
    pub filter: String,
    /// The release from which on its bit no longer means this, or nothing.
    pub retired: String,
    /// One sentence.
    pub doc: String,
}
