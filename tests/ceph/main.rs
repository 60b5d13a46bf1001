//! Our peers against real Ceph. `scripts/check-ceph` starts clusters and says in environment variables where they are;
//! by themselves these tests don't run.
#![allow(clippy::unwrap_used)]

mod client;
mod cluster;
mod lossless;
mod program;
mod server;
