//! What people see of fields, numbers and bits.

use msgr2_tables as to;

use crate::ir::*;
use crate::model;

/// The names of all fields, and of the numbers and bits that they hold.
pub fn names(ir: &Ir) -> to::Names {
    to::Names {
        fields: ir.fields.values().map(field).collect(),
        enums: ir.enums.iter().map(enum_names).collect(),
        flags: ir.flags.iter().map(flag_names).collect(),
    }
}

fn field(info: &FieldInfo) -> to::FieldInfo {
    to::FieldInfo {
        name: info.name.clone(),
        filter: info.filter.clone(),
        label: info.label.clone(),
        doc: info.doc.clone(),
        kind: kind(info.kind),
        display: match info.notation {
            Notation::Dec => to::Display::Dec,
            Notation::Hex => to::Display::Hex,
            Notation::Packet => to::Display::Packet,
        },
        unit: info.unit.clone(),
    }
}

fn kind(kind: Kind) -> to::Kind {
    match kind {
        Kind::Unsigned(size) => to::Kind::Unsigned(size),
        Kind::Signed(size) => to::Kind::Signed(size),
        Kind::Float(size) => to::Kind::Float(size),
        Kind::Bool => to::Kind::Bool,
        Kind::Enum(size, id) => to::Kind::Enum(size, id.0),
        Kind::Flags(size, id) => to::Kind::Flags(size, id.0),
        Kind::Bytes => to::Kind::Bytes,
        Kind::Text => to::Kind::Text,
        Kind::Secret => to::Kind::Secret,
        Kind::Ipv4 => to::Kind::Ipv4,
        Kind::Ipv6 => to::Kind::Ipv6,
        Kind::Uuid => to::Kind::Uuid,
        Kind::Time => to::Kind::Time,
        Kind::Duration => to::Kind::Duration,
        Kind::Struct(text) => to::Kind::Struct(text),
        Kind::Switch => to::Kind::Switch,
        Kind::Held => to::Kind::Held,
        Kind::Present => to::Kind::Present,
        Kind::List => to::Kind::List,
        Kind::Entry => to::Kind::Entry,
    }
}

fn enum_names(from: &Enum) -> to::EnumNames {
    let values = from.says.values.iter().map(|(name, value)| to::EnumValue {
        number: value.number,
        to: value.to.unwrap_or(value.number),
        name: name.clone(),
        text: value.text.as_ref().unwrap_or(name).clone(),
        doc: value.doc.clone(),
    });
    let mut values: Vec<_> = values.collect();
    values.sort_by_key(|value| value.number);
    to::EnumNames { name: from.name.clone(), signed: from.base.is_signed(), values }
}

fn flag_names(from: &Flags) -> to::FlagNames {
    let flags = from.says.values.iter().map(|(name, flag)| to::FlagValue {
        mask: flag.mask(),
        name: name.clone(),
        filter: format!("msgr2.{}.{}", from.name, name.to_lowercase()),
        retired: flag.retired.clone().unwrap_or_default(),
        doc: flag.doc.clone(),
    });
    let hex = from.says.display.notation == Some(model::Notation::Hex);
    to::FlagNames { name: from.name.clone(), hex, flags: flags.collect() }
}
