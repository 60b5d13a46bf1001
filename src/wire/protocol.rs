//! A protocol as data: its tables, and what is known of its fields.

use msgr2_tables::{self as tables, Dialect, LayoutId, Names, Tables};

use super::{Display, EnumInfo, EnumValue, Field, FieldInfo, Flag, FlagsInfo, Kind};

/// What a [`Walker`](super::Walker) reads bytes with.
#[derive(Debug)]
pub struct Protocol {
    /// How values stand on the wire.
    pub tables: Tables,
    /// The fields that the tables name.
    pub fields: &'static [FieldInfo],
}

impl Protocol {
    /// One whose spec is read at run time. Its names are kept until the process ends, as those are that are built in:
    /// to be called once for a spec, not again and again.
    pub fn new(tables: Tables, names: &Names) -> Self {
        Protocol { tables, fields: keep(names) }
    }

    /// A dialect by its name.
    pub fn dialect(&self, name: &str) -> Option<&Dialect> {
        self.tables.dialects.iter().find(|dialect| dialect.name == name)
    }

    /// A field of the tables.
    #[inline]
    pub(super) fn field(&self, id: tables::FieldId) -> Field {
        Field(&self.fields[id])
    }

    /// A layout of the tables.
    #[inline]
    pub(super) fn layout(&self, id: LayoutId) -> &tables::Layout {
        &self.tables.layouts[id]
    }
}

/// What is known of fields, in the form of the generated tables.
fn keep(names: &Names) -> &'static [FieldInfo] {
    let enums: Vec<&'static EnumInfo> = names.enums.iter().map(|names| leak(enum_info(names))).collect();
    let flags: Vec<&'static FlagsInfo> = names.flags.iter().map(|names| leak(flags_info(names))).collect();
    let kind = |kind| match kind {
        tables::Kind::Unsigned(size) => Kind::Unsigned(size),
        tables::Kind::Signed(size) => Kind::Signed(size),
        tables::Kind::Float(size) => Kind::Float(size),
        tables::Kind::Bool => Kind::Bool,
        tables::Kind::Enum(size, at) => Kind::Enum(size, enums[at]),
        tables::Kind::Flags(size, at) => Kind::Flags(size, flags[at]),
        tables::Kind::Bytes => Kind::Bytes,
        tables::Kind::Text => Kind::Text,
        tables::Kind::Secret => Kind::Secret,
        tables::Kind::Ipv4 => Kind::Ipv4,
        tables::Kind::Ipv6 => Kind::Ipv6,
        tables::Kind::Uuid => Kind::Uuid,
        tables::Kind::Time => Kind::Time,
        tables::Kind::Duration => Kind::Duration,
        tables::Kind::Struct(text) => Kind::Struct(text),
        tables::Kind::Switch => Kind::Switch,
        tables::Kind::Held => Kind::Held,
        tables::Kind::Present => Kind::Present,
        tables::Kind::List => Kind::List,
        tables::Kind::Entry => Kind::Entry,
    };
    let infos = names.fields.iter().enumerate().map(|(index, info)| FieldInfo {
        index: index as u16,
        name: text(&info.name),
        filter: text(&info.filter),
        label: text(&info.label),
        doc: text(&info.doc),
        kind: kind(info.kind),
        display: match info.display {
            tables::Display::Dec => Display::Dec,
            tables::Display::Hex => Display::Hex,
            tables::Display::Packet => Display::Packet,
        },
        unit: text(&info.unit),
    });
    list(infos)
}

fn enum_info(names: &tables::EnumNames) -> EnumInfo {
    let values = names.values.iter().map(|value| EnumValue {
        number: value.number,
        to: value.to,
        name: text(&value.name),
        text: text(&value.text),
        doc: text(&value.doc),
    });
    EnumInfo { name: text(&names.name), signed: names.signed, values: list(values) }
}

fn flags_info(names: &tables::FlagNames) -> FlagsInfo {
    let flags = names.flags.iter().map(|flag| Flag {
        mask: flag.mask,
        name: text(&flag.name),
        filter: text(&flag.filter),
        retired: text(&flag.retired),
        doc: text(&flag.doc),
    });
    FlagsInfo { name: text(&names.name), hex: names.hex, flags: list(flags) }
}

fn leak<T>(value: T) -> &'static T {
    Box::leak(Box::new(value))
}

fn list<T>(items: impl Iterator<Item = T>) -> &'static [T] {
    items.collect::<Vec<T>>().leak()
}

fn text(text: &str) -> &'static str {
    text.to_owned().leak()
}
