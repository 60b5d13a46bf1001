//! Ceph's messenger v2 protocol as data.
//!
//! The YAML files beside this library say what is on the wire, who may send it when, and how it is shown.
//! This library reads them ([`load`]), puts them together ([`Spec`]), resolves every name and expression in them
//! ([`Ir`]), judges the result ([`lint`]), and writes Rust ([`rust`]), documentation ([`doc`]) and the JSON Schema for
//! editors ([`schema`]).

#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod doc;
pub mod expr;
pub mod ir;
pub mod lint;
pub mod load;
pub mod model;
mod names;
mod resolve;
pub mod rust;
mod spec;

pub use ir::Ir;
pub use load::Problem;
pub use spec::{DialectView, Spec};

/// The JSON Schema of the spec files, for editors.
pub fn schema() -> String {
    pretty(&schemars::schema_for!(model::File))
}

/// The resolved spec as JSON, for programs in any language.
pub fn json(ir: &Ir) -> String {
    pretty(ir)
}

/// The JSON Schema of [`json`], which says what all of it means.
pub fn json_schema() -> String {
    pretty(&schemars::schema_for!(Ir))
}

fn pretty(value: &impl serde::Serialize) -> String {
    let mut text = serde_json::to_string_pretty(value).unwrap_or_default();
    text.push('\n');
    text
}
