//! Ceph's messenger v2.

#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod frame;
pub mod tracker;
pub mod wire;

#[allow(clippy::all, unused_imports, unused_variables, unreachable_patterns)]
mod generated {
    use crate::wire;
    include!(concat!(env!("OUT_DIR"), "/generated.rs"));
}

pub use generated::*;
