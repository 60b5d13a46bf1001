//! `msgr2 serve` and `msgr2 connect`, two processes that speak with each other over the loopback interface.
#![allow(clippy::unwrap_used)]

#[path = "../common/mod.rs"]
mod common;
mod programs;

mod capture;
mod combinations;
mod conf;
mod dialects;
mod faults;
mod mon;
mod refusals;
mod signals;
