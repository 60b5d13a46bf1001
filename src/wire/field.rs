//! What is known of a field besides its bytes: name, filter, label, kind. The tables are generated.

use std::fmt;

/// A field. Two are the same only if they are the same entry of the table.
#[derive(Clone, Copy)]
pub struct Field(pub &'static FieldInfo);

impl PartialEq for Field {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.0, other.0)
    }
}

impl Eq for Field {}

impl std::ops::Deref for Field {
    type Target = FieldInfo;
    #[inline]
    fn deref(&self) -> &FieldInfo {
        self.0
    }
}

impl fmt::Debug for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.filter)
    }
}

/// What is known of a field.
#[derive(Debug)]
pub struct FieldInfo {
    /// Its place in the table.
    pub index: u16,
    /// Its name, as in the spec file and in JSON.
    pub name: &'static str,
    /// Its filter in Wireshark.
    pub filter: &'static str,
    /// Its label in Wireshark.
    pub label: &'static str,
    /// One sentence.
    pub doc: &'static str,
    /// The form of its value.
    pub kind: Kind,
    /// How a number is shown.
    pub display: Display,
    /// The unit of a number, or nothing.
    pub unit: &'static str,
}

/// How a number is shown: its base, or what it stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Display {
    /// Decimal.
    Dec,
    /// Hexadecimal.
    Hex,
    /// The number of a packet of the capture.
    Packet,
}

/// The form of a field's value. Widths are in bytes.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// An unsigned integer.
    Unsigned(u8),
    /// A signed integer.
    Signed(u8),
    /// A floating point number.
    Float(u8),
    /// True or false.
    Bool,
    /// A number with a name.
    Enum(u8, &'static EnumInfo),
    /// Bits with names.
    Flags(u8, &'static FlagsInfo),
    /// Bytes.
    Bytes,
    /// Text.
    Text,
    /// Bytes that nobody is to see: their number is all that is told.
    Secret,
    /// An IPv4 address.
    Ipv4,
    /// An IPv6 address.
    Ipv6,
    /// 16 bytes in the order of their text.
    Uuid,
    /// A point in time.
    Time,
    /// A span of time.
    Duration,
    /// Fields; `true` if the structure has a text of its own.
    Struct(bool),
    /// What another field decides.
    Switch,
    /// The only field in it: what stands in a blob and is no structure.
    Held,
    /// Whether the value of the same name follows.
    Present,
    /// Items; the value is their number.
    List,
    /// A key and a value.
    Entry,
}

/// An enum.
#[derive(Debug)]
pub struct EnumInfo {
    /// Its name in the spec.
    pub name: &'static str,
    /// Whether its numbers have a sign.
    pub signed: bool,
    /// Its values in ascending order of their numbers.
    pub values: &'static [EnumValue],
}

/// A value of an enum.
#[derive(Debug)]
pub struct EnumValue {
    /// The number.
    pub number: i64,
    /// The last number with this name.
    pub to: i64,
    /// The name.
    pub name: &'static str,
    /// What texts for people show.
    pub text: &'static str,
    /// One sentence.
    pub doc: &'static str,
}

impl EnumInfo {
    /// The value with this number.
    pub fn find(&self, number: i64) -> Option<&'static EnumValue> {
        let values: &'static [EnumValue] = self.values;
        let index = values.partition_point(|v| v.to < number);
        values.get(index).filter(|v| v.number <= number)
    }

    /// The number with this name.
    pub fn number(&self, name: &str) -> Option<i64> {
        self.values.iter().find(|v| v.name == name).map(|v| v.number)
    }
}

/// A word of flags.
#[derive(Debug)]
pub struct FlagsInfo {
    /// Its name in the spec.
    pub name: &'static str,
    /// Whether JSON shows it as one hexadecimal number.
    pub hex: bool,
    /// Its flags in the order of the spec.
    pub flags: &'static [Flag],
}

/// A flag.
#[derive(Debug)]
pub struct Flag {
    /// All its bits; it is set if all of them are.
    pub mask: u64,
    /// The name.
    pub name: &'static str,
    /// Its filter in Wireshark.
    pub filter: &'static str,
    /// The release from which on its bit no longer means this, or nothing.
    pub retired: &'static str,
    /// One sentence.
    pub doc: &'static str,
}

impl FlagsInfo {
    /// The flags that are set, without retired ones.
    pub fn set(&self, word: u64) -> impl Iterator<Item = &'static Flag> {
        let flags: &'static [Flag] = self.flags;
        flags.iter().filter(move |f| f.retired.is_empty() && word & f.mask == f.mask)
    }

    /// The bits that no set flag explains.
    pub fn unknown(&self, word: u64) -> u64 {
        self.set(word).fold(word, |left, flag| left & !flag.mask)
    }

    /// The mask with this name.
    pub fn mask(&self, name: &str) -> Option<u64> {
        self.flags.iter().find(|f| f.name == name).map(|f| f.mask)
    }
}
