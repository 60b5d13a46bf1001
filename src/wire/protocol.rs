//! A protocol as data: its tables, and what is known of its fields.

use std::collections::HashMap;

use msgr2_tables::{self as tables, Dialect, LayoutId, Names, Tables};

use super::{Display, EnumInfo, EnumValue, Field, FieldInfo, Flag, FlagsInfo, Kind};

/// What a [`Walker`](super::Walker) reads bytes with.
#[derive(Debug)]
pub struct Protocol {
    /// How values stand on the wire.
    pub tables: Tables,
    /// The fields that the tables name.
    pub fields: Vec<Field>,
    /// Which of the numbers that a walker is told belongs to each variable of the tables.
    variables: Vec<Option<usize>>,
}

impl Protocol {
    /// The protocol whose fields these are.
    pub fn new(tables: Tables, fields: &'static [FieldInfo]) -> Self {
        let variables = (0..tables.variables.len()).map(Some).collect();
        Protocol { tables, fields: fields.iter().map(Field).collect(), variables }
    }

    /// One whose spec is read at run time. Fields that it has in common with the one that is built in are the same; others
    /// follow these by their index, and are kept until the process ends: to be called once for a spec, not again and
    /// again. `variables` are the names of the numbers that a walker will be told.
    pub fn at_run_time(tables: Tables, names: &Names, built_in: &'static [FieldInfo], variables: &[&str]) -> Self {
        let place = |name: &String| variables.iter().position(|variable| variable == name);
        let variables = tables.variables.iter().map(place).collect();
        Protocol { fields: fields(names, built_in), variables, tables }
    }

    /// The place of a variable among the numbers that a walker is told.
    #[inline]
    pub(super) fn variable(&self, at: usize) -> Option<usize> {
        self.variables.get(at).copied().flatten()
    }

    /// A dialect by its name.
    pub fn dialect(&self, name: &str) -> Option<&Dialect> {
        self.tables.dialects.iter().find(|dialect| dialect.name == name)
    }

    /// A field of the tables.
    #[inline]
    pub(super) fn field(&self, id: tables::FieldId) -> Field {
        self.fields[id]
    }

    /// A layout of the tables.
    #[inline]
    pub(super) fn layout(&self, id: LayoutId) -> &tables::Layout {
        &self.tables.layouts[id]
    }
}

/// The fields of these names: those that are built in, and new ones.
fn fields<'n>(names: &'n Names, built_in: &'static [FieldInfo]) -> Vec<Field> {
    let enums: Vec<&'static EnumInfo> = names
        .enums
        .iter()
        .map(|names| {
            let mut known = built_in.iter().filter_map(|field| match field.kind {
                Kind::Enum(_, info) => Some(info),
                _ => None,
            });
            known.find(|info| same_enum(info, names)).unwrap_or_else(|| leak(enum_info(names)))
        })
        .collect();
    let flags: Vec<&'static FlagsInfo> = names
        .flags
        .iter()
        .map(|names| {
            let mut known = built_in.iter().filter_map(|field| match field.kind {
                Kind::Flags(_, info) => Some(info),
                _ => None,
            });
            known.find(|info| same_flags(info, names)).unwrap_or_else(|| leak(flags_info(names)))
        })
        .collect();
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
    let display = |display| match display {
        tables::Display::Dec => Display::Dec,
        tables::Display::Hex => Display::Hex,
        tables::Display::Packet => Display::Packet,
    };
    // of those that look alike the first stands for the first
    let mut known: HashMap<[&'n str; 5], Vec<&'static FieldInfo>> = HashMap::new();
    for info in built_in.iter().rev() {
        known.entry([info.filter, info.name, info.label, info.doc, info.unit]).or_default().push(info);
    }
    let mut next = built_in.len();
    let field = |info: &'n tables::FieldInfo| {
        let (kind, display) = (kind(info.kind), display(info.display));
        let alike = known.get_mut(&[&info.filter[..], &info.name, &info.label, &info.doc, &info.unit]);
        let same = alike.and_then(|list| {
            let at = list.iter().rposition(|known| known.display == display && same_kind(known.kind, kind))?;
            Some(list.remove(at))
        });
        Field(same.unwrap_or_else(|| {
            next += 1;
            leak(FieldInfo {
                index: (next - 1) as u16,
                name: text(&info.name),
                filter: text(&info.filter),
                label: text(&info.label),
                doc: text(&info.doc),
                kind,
                display,
                unit: text(&info.unit),
            })
        }))
    };
    names.fields.iter().map(field).collect()
}

fn same_kind(one: Kind, other: Kind) -> bool {
    match (one, other) {
        (Kind::Enum(size, info), Kind::Enum(other, of)) => size == other && std::ptr::eq(info, of),
        (Kind::Flags(size, info), Kind::Flags(other, of)) => size == other && std::ptr::eq(info, of),
        (Kind::Enum(..) | Kind::Flags(..), _) | (_, Kind::Enum(..) | Kind::Flags(..)) => false,
        // what is left are names and numbers
        _ => format!("{one:?}") == format!("{other:?}"),
    }
}

fn same_enum(info: &EnumInfo, names: &tables::EnumNames) -> bool {
    let same = |(info, value): (&EnumValue, &tables::EnumValue)| {
        (info.number, info.to) == (value.number, value.to)
            && [info.name, info.text, info.doc] == [&value.name[..], &value.text, &value.doc]
    };
    (info.name, info.signed, info.values.len()) == (&names.name, names.signed, names.values.len())
        && info.values.iter().zip(&names.values).all(same)
}

fn same_flags(info: &FlagsInfo, names: &tables::FlagNames) -> bool {
    let same = |(info, flag): (&Flag, &tables::FlagValue)| {
        info.mask == flag.mask
            && [info.name, info.filter, info.retired, info.doc]
                == [&flag.name[..], &flag.filter, &flag.retired, &flag.doc]
    };
    (info.name, info.hex, info.flags.len()) == (&names.name, names.hex, names.flags.len())
        && info.flags.iter().zip(&names.flags).all(same)
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
