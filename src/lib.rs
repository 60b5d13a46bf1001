//! Ceph's messenger v2: codec, tracker and peers, generated from the spec in `spec/` or driven by it.
//!
//! - [`types`] and the dialects' modules ([`proposal`], [`v2_0`], [`v2_1`]) hold everything that is on the wire, as types
//!   that read and write themselves. What v2.1 doesn't say anew is v2.0's.
//! - [`frame`] turns bytes into frames and back; signatures and sealed records of the proposal are there too.
//! - [`auth`] is who one is: cephx for clients, servers and listeners, keyrings. [`crypto`] is what it is made of.
//! - [`tracker`] listens to both directions of a connection. [`foreign`] tells what speaks there that isn't msgr2.
//! - [`peer`] speaks one side of connections, with [`session`]s that outlive them.
//! - [`mon`] is what clients and monitors tell each other first, above that.
//! - [`wire`] is the floor below: reading with a trace, writing, errors with field and offset.
//!
//! None of these does I/O. Decoding borrows from the bytes that it is given. The feature `net` adds `net`, a client and
//! a server on TCP; the feature `capture` adds `capture`, which reads capture files and puts TCP
//! connections together out of their packets, and `pcapng`, a writer of capture files.
//!
//! ```
//! use msgr2::frame::{self, Check, Head, Revision};
//! use msgr2::types::EntityType;
//! use msgr2::v2_1::{Frame, Hello, Tag};
//! use msgr2::Context;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // a frame from values
//! let hello = Frame::Hello(Hello { entity_type: EntityType::CLIENT, ..Default::default() });
//! let bytes = frame::encode(Revision::V2_1, &hello)?;
//!
//! // and values from a frame
//! let preamble = bytes.first_chunk().ok_or("a preamble has 32 bytes")?;
//! let head = Head::parse(preamble, Revision::V2_1)?;
//! assert_eq!(head.frame_len(Revision::V2_1), bytes.len());
//! let opened = frame::open(&head, Revision::V2_1, &bytes, Check::Crc);
//! assert_eq!(opened.bad_crc, None);
//! assert_eq!(Frame::decode(Tag(head.tag), &opened.segments, &Context::default(), &mut ())?, hello);
//! # Ok(())
//! # }
//! ```

#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

use std::sync::{LazyLock, OnceLock};

pub mod auth;
#[cfg(feature = "capture")]
pub mod capture;
pub mod crypto;
pub mod foreign;
pub mod frame;
pub mod mon;
#[cfg(feature = "net")]
pub mod net;
#[cfg(feature = "capture")]
pub mod pcapng;
pub mod peer;
pub mod session;
pub mod tracker;
pub mod wire;

#[allow(clippy::all, unused_imports, unused_variables, unreachable_patterns)]
mod generated {
    use crate::wire;
    include!(concat!(env!("OUT_DIR"), "/generated.rs"));
}

pub use generated::*;

static READ: OnceLock<wire::Protocol> = OnceLock::new();

/// The protocol as data, with which units are shown: what was built in, unless a spec was read at run time.
pub fn protocol() -> &'static wire::Protocol {
    READ.get().unwrap_or_else(|| built_in())
}

/// The protocol that is built in, as data.
pub fn built_in() -> &'static wire::Protocol {
    static BUILT_IN: LazyLock<wire::Protocol> = LazyLock::new(|| {
        let stored = include_bytes!(concat!(env!("OUT_DIR"), "/generated.tables"));
        // they were stored when this library was built, by the same code that reads them
        let tables = msgr2_tables::Tables::from_bytes(stored).unwrap_or_default();
        wire::Protocol::new(tables, &field::FIELDS)
    });
    &BUILT_IN
}

/// Shows units from now on as another spec says, which was read at run time. What the tracker and the peers do stays as it
/// was built. To be called before anything is shown, and once: `false` if it was called before.
pub fn show_with(tables: msgr2_tables::Tables, names: &msgr2_tables::Names) -> bool {
    READ.set(wire::Protocol::at_run_time(tables, names, &field::FIELDS, &Context::VARIABLES)).is_ok()
}
