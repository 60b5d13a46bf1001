//! Declarations of the installed libwireshark, for a dissector plugin.
//!
//! [`raw`] is what bindgen makes of the headers of this machine; nothing of it
//! is checked in. The other modules hold what bindgen cannot see (macros and
//! inline functions) and [`compat`] the calls whose arguments or results
//! differ between Wireshark 4.0, 4.4 and 4.6. Everything is found at the root
//! too: there a name of [`compat`] hides the name of [`raw`], so that a source
//! which uses the root only serves all three series.
//!
//! Nothing is linked: a plugin's undefined symbols are resolved by the program
//! that loads it. A plugin is for one major.minor, [`HEADERS_SERIES`].
//!
//! # Exceptions
//!
//! Wireshark's exceptions are `longjmp`. A function that may throw (most
//! `proto_tree_add_*`, `tvb_get_ptr`, `call_*`, `tcp_dissect_pdus`) cuts off the
//! Rust frames above it, without running destructors: call them only from
//! frames that hold nothing to be dropped.
//!
//! # Safety
//!
//! The general conditions of every unsafe function here: it is called on
//! Wireshark's own thread, in the phase (registration, hand-off, dissection)
//! that Wireshark's documentation allows, pointers come from Wireshark or
//! satisfy its documentation, and texts end with a zero byte. The functions'
//! own sections name only what is added to these.
#![cfg(unix)]

pub mod column;
pub mod compat;
pub mod item;
pub mod packet;
pub mod register;
pub mod secrets;
pub mod strings;

/// The declarations as bindgen made them, one series only.
#[allow(
    missing_docs,
    non_camel_case_types,
    non_snake_case,
    non_upper_case_globals,
    unsafe_op_in_unsafe_fn,
    clippy::all,
    reason = "generated"
)]
pub mod raw {
    include!(concat!(env!("OUT_DIR"), "/bindings.rs"));
}

pub use raw::*;

pub use compat::{
    Dissector, FALSE, HeurDissector, PduLength, TRUE, Truth, WsBool, add_new_data_source, expert_add_info,
    find_conversation_pinfo, find_or_create_conversation, have_tap_listener, heur_dissector_add,
    mark_frame_as_depended_upon, prefs_register_bool_preference, prefs_register_enum_preference,
    prefs_register_filename_preference, proto_field_is_referenced, proto_is_protocol_enabled, proto_tree_add_boolean,
    register_depend_dissector, register_follow_stream, stats_tree_create_node, stats_tree_manip_node_int,
    stats_tree_register_plugin, tcp_dissect_pdus, tvb_bytes_exist, uat_new, value_is_in_range, wmem_map_contains,
    ws_bool,
};
pub use item::{
    proto_item_is_generated, proto_item_is_hidden, proto_item_set_generated, proto_item_set_hidden, proto_item_set_url,
};
pub use register::{EI_INIT, ForC, ei, header_field, hf};
pub use secrets::secrets_register_type;

/// The series (major.minor) of the headers, as in "4.0".
pub const HEADERS_SERIES: &str = env!("WIRESHARK_HEADERS_SERIES");

/// What `plugin_describe` returns for a dissector plugin. The 4.0 package does
/// not install the header (wsutil/plugins.h) that holds it.
pub const WS_PLUGIN_DESC_DISSECTOR: u32 = 1;
