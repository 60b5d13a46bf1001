//! The plugin under real tshark and sharkd, on captures of real Ceph and on what can happen to them on the way.
//!
//! The plugin is taken from `$MSGR2_PLUGIN`; `make test` builds it and says so.
#![allow(clippy::unwrap_used)]

#[path = "../common/mod.rs"]
mod common;
#[allow(dead_code)]
#[path = "../loopback/programs.rs"]
mod programs;

mod again;
mod damage;
mod fields;
mod load;
mod others;
mod pdml;
mod peers;
mod proposal;
mod recordings;
mod seals;
mod segments;
mod table;
mod traffic;
