//! Names of the spec as names of Rust and labels of Wireshark.

use heck::{ToPascalCase, ToShoutySnakeCase, ToSnakeCase};
use proc_macro2::Ident;
use quote::format_ident;

/// A field or function.
pub(crate) fn ident(name: &str) -> Ident {
    let name = name.to_snake_case();
    if syn::parse_str::<Ident>(&name).is_ok() { format_ident!("{name}") } else { format_ident!("r#{name}") }
}

/// A type or variant.
pub(crate) fn pascal(name: &str) -> String {
    spelt(if name.starts_with('-') { "Minus" } else { "" }, name.to_pascal_case())
}

/// A constant.
pub(crate) fn constant(name: &str) -> String {
    spelt(if name.starts_with('-') { "MINUS_" } else { "" }, name.to_shouty_snake_case())
}

fn spelt(minus: &str, name: String) -> String {
    let digit = if minus.is_empty() && name.starts_with(|c: char| c.is_ascii_digit()) { "N" } else { minus };
    format!("{digit}{name}")
}

/// Words that are written in capitals in a label.
const CAPITALS: &[&str] =
    &["crc", "id", "v1", "v2", "cephx", "gid", "tid", "ip", "ipv4", "ipv6", "mon", "osd", "mds", "mgr", "hmac"];

/// A label: the words of the name, the first letter large.
pub(crate) fn label(name: &str) -> String {
    let mut words = name.split('_').map(|word| match word {
        "cephx" => "cephx".to_owned(),
        word if CAPITALS.contains(&word) => word.to_uppercase(),
        word => word.to_owned(),
    });
    let first = words.next().map(|word| {
        let mut chars = word.chars();
        chars.next().map(|c| c.to_uppercase().chain(chars).collect::<String>()).unwrap_or_default()
    });
    first.into_iter().chain(words).collect::<Vec<_>>().join(" ")
}
