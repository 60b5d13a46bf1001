//! Wireshark's view of Ceph's messenger v2.
//!
//! The dissection of a packet has two steps that are kept strictly apart:
//!
//! 1. *Parse* ([`flow`], [`page`]): safe Rust, no call into Wireshark. The tracker takes the bytes; what it says is
//!    laid out as plain records in a buffer that is reused.
//! 2. *Replay* ([`replay`]): walks the records and calls Wireshark. Wireshark leaves functions by `longjmp`, so
//!    nothing here may need to be dropped, and no panic can come from here.
//!
//! [`claim`] says which connections are ours, [`keys`] has what opens those that are sealed, [`register`] tells Wireshark what there is, [`dissect`] ties it together.

#![allow(rustdoc::private_intra_doc_links)] // these pages are for who works on it

mod claim;
mod dissect;
#[forbid(unsafe_code)]
mod flow;
mod ids;
mod keys;
#[forbid(unsafe_code)]
mod page;
mod register;
mod replay;

use std::ffi::c_int;

use wireshark_ffi_bindgen as ws;

const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), "\0");
const VERSION_BYTES: [u8; VERSION.len()] = {
    let mut bytes = [0; VERSION.len()];
    bytes.copy_from_slice(VERSION.as_bytes());
    bytes
};

/// The plugin's version; Wireshark reads the text where the symbol is.
#[unsafe(no_mangle)]
#[allow(non_upper_case_globals)]
pub static plugin_version: [u8; VERSION.len()] = VERSION_BYTES;

/// The Wireshark series that this was built for. Any other refuses to load it, and says so.
#[unsafe(no_mangle)]
#[allow(non_upper_case_globals)]
pub static plugin_want_major: c_int = ws::WIRESHARK_VERSION_MAJOR as c_int;

/// The second number of the series.
#[unsafe(no_mangle)]
#[allow(non_upper_case_globals)]
pub static plugin_want_minor: c_int = ws::WIRESHARK_VERSION_MINOR as c_int;

/// What kind of plugin it is: a dissector.
#[unsafe(no_mangle)]
pub extern "C" fn plugin_describe() -> u32 {
    ws::WS_PLUGIN_DESC_DISSECTOR
}

/// Called once, when Wireshark has loaded the plugin.
#[unsafe(no_mangle)]
pub extern "C" fn plugin_register() {
    // a panic is caught and shown as an expert info; the terminal is not its place
    std::panic::set_hook(Box::new(|_| {}));
    register::plugin();
}
