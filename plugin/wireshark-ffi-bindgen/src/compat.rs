//! Calls that differ between the series, with one signature for all of them.
//!
//! Up to 4.2 Wireshark's boolean is glib's `gboolean`, a C int; since 4.4 it is
//! C's `bool`. The functions here take and return Rust's `bool`. Where C calls
//! back, or holds the address of a boolean, the type is [`WsBool`].
//!
//! The general conditions of the crate's documentation hold for all of them.

use std::ffi::{c_char, c_int, c_uint, c_void};

use crate::raw::{
    self, conversation_t, dissector_t, enum_val_t, expert_field, module_t, packet_info, proto_item, proto_tree,
    protocol_t, range_t, tvbuff_t, wmem_map_t,
};

/// The boolean of the headers: the result of a heuristic dissector, and the
/// variable of a boolean preference.
#[cfg(ws40)]
pub type WsBool = c_int;
/// The boolean of the headers: the result of a heuristic dissector, and the
/// variable of a boolean preference.
#[cfg(not(ws40))]
pub type WsBool = bool;

/// True, as the headers' boolean.
#[cfg(ws40)]
pub const TRUE: WsBool = 1;
/// False, as the headers' boolean.
#[cfg(ws40)]
pub const FALSE: WsBool = 0;
/// True, as the headers' boolean.
#[cfg(not(ws40))]
pub const TRUE: WsBool = true;
/// False, as the headers' boolean.
#[cfg(not(ws40))]
pub const FALSE: WsBool = false;

/// A heuristic dissector: says whether it took the packet.
pub type HeurDissector = unsafe extern "C" fn(
    tvb: *mut tvbuff_t,
    pinfo: *mut packet_info,
    tree: *mut proto_tree,
    data: *mut c_void,
) -> WsBool;

/// A dissector: returns the number of bytes that it took, or 0 to decline.
pub type Dissector = unsafe extern "C" fn(
    tvb: *mut tvbuff_t,
    pinfo: *mut packet_info,
    tree: *mut proto_tree,
    data: *mut c_void,
) -> c_int;

/// Gives the length of the PDU at `offset`, or 0 to ask for more bytes.
pub type PduLength =
    unsafe extern "C" fn(pinfo: *mut packet_info, tvb: *mut tvbuff_t, offset: c_int, data: *mut c_void) -> c_uint;

/// The filter for the stream of the present packet, a text from `g_malloc`; also
/// gives the numbers of stream and sub-stream.
pub type FollowConvFilter = unsafe extern "C" fn(
    edt: *mut raw::epan_dissect_t,
    pinfo: *mut packet_info,
    stream: *mut c_uint,
    sub_stream: *mut c_uint,
) -> *mut c_char;

/// The filter for the stream of that number, a text from `g_malloc`.
pub type FollowIndexFilter = unsafe extern "C" fn(stream: c_uint, sub_stream: c_uint) -> *mut c_char;

/// The filter for a pair of addresses and ports, a text from `g_malloc`.
pub type FollowAddressFilter = unsafe extern "C" fn(
    source: *mut raw::address,
    destination: *mut raw::address,
    source_port: c_int,
    destination_port: c_int,
) -> *mut c_char;

/// The name of a port; `tcp_port_to_display` is one.
pub type FollowPortToDisplay = unsafe extern "C" fn(scope: *mut raw::wmem_allocator_t, port: c_uint) -> *mut c_char;

/// A tap's callback; `follow_tvb_tap_listener` is one.
pub type TapPacket = unsafe extern "C" fn(
    tapdata: *mut c_void,
    pinfo: *mut packet_info,
    edt: *mut raw::epan_dissect_t,
    data: *const c_void,
    flags: raw::tap_flags_t,
) -> raw::tap_packet_status;

/// Reads a C boolean of either kind, and a bit field of one bit.
pub trait Truth: Copy {
    /// Whether it is not false.
    fn is_true(self) -> bool;
}

impl Truth for bool {
    #[inline]
    fn is_true(self) -> bool {
        self
    }
}

impl Truth for c_int {
    #[inline]
    fn is_true(self) -> bool {
        self != 0
    }
}

impl Truth for c_uint {
    #[inline]
    fn is_true(self) -> bool {
        self != 0
    }
}

/// Rust's boolean as the headers' one.
#[inline]
#[allow(clippy::useless_conversion, reason = "an int in one series, a bool in the others")]
pub fn ws_bool(value: bool) -> WsBool {
    value.into()
}

/// Adds an `FT_BOOLEAN`; the value is that of the whole integer, before the
/// field's bitmask. The 4.0 series takes its lower 32 bits only.
///
/// # Safety
///
/// `hf` is of the type `FT_BOOLEAN`. May throw.
#[inline]
pub unsafe fn proto_tree_add_boolean(
    tree: *mut proto_tree,
    hf: c_int,
    tvb: *mut tvbuff_t,
    start: c_int,
    length: c_int,
    value: u64,
) -> *mut proto_item {
    #[cfg(ws40)]
    let value = value as u32;
    // SAFETY: the caller's promise.
    unsafe { raw::proto_tree_add_boolean(tree, hf, tvb, start, length, value) }
}

/// Whether a filter, column or tap wants fields of the protocol.
///
/// # Safety
///
/// `tree` is null or a tree of the present dissection.
#[inline]
pub unsafe fn proto_field_is_referenced(tree: *mut proto_tree, proto: c_int) -> bool {
    // SAFETY: the caller's promise.
    unsafe { raw::proto_field_is_referenced(tree, proto) }.is_true()
}

/// Whether the user has the protocol enabled.
///
/// # Safety
///
/// `protocol` comes from `find_protocol_by_id`.
#[inline]
pub unsafe fn proto_is_protocol_enabled(protocol: *const protocol_t) -> bool {
    // SAFETY: the caller's promise.
    unsafe { raw::proto_is_protocol_enabled(protocol) }.is_true()
}

/// Adds expert information to the item; the item that 4.4 and later return is
/// dropped.
///
/// # Safety
///
/// `field` is registered. May throw.
#[inline]
pub unsafe fn expert_add_info(pinfo: *mut packet_info, item: *mut proto_item, field: *mut expert_field) {
    // SAFETY: the caller's promise.
    unsafe { raw::expert_add_info(pinfo, item, field) };
}

/// Shows the buffer as one more pane of bytes; what 4.6 returns is dropped.
///
/// # Safety
///
/// `tvb` and `name` live as long as the packet.
#[inline]
pub unsafe fn add_new_data_source(pinfo: *mut packet_info, tvb: *mut tvbuff_t, name: *const c_char) {
    // SAFETY: the caller's promise.
    unsafe { raw::add_new_data_source(pinfo, tvb, name) };
}

/// Whether the bytes were captured; false for a negative length.
///
/// # Safety
///
/// `tvb` is a buffer of the present dissection.
#[inline]
pub unsafe fn tvb_bytes_exist(tvb: *const tvbuff_t, offset: c_int, length: c_int) -> bool {
    // SAFETY: the caller's promise.
    unsafe { raw::tvb_bytes_exist(tvb, offset, length) }.is_true()
}

/// The packet's conversation, made if there is none yet.
///
/// # Safety
///
/// `pinfo` is the present packet.
#[inline]
pub unsafe fn find_or_create_conversation(pinfo: *mut packet_info) -> *mut conversation_t {
    // SAFETY: the caller's promise.
    unsafe { raw::find_or_create_conversation(pinfo) }
}

/// The packet's conversation, or null.
///
/// # Safety
///
/// `pinfo` is the present packet.
#[inline]
pub unsafe fn find_conversation_pinfo(pinfo: *mut packet_info, options: c_uint) -> *mut conversation_t {
    // SAFETY: the caller's promise.
    unsafe { raw::find_conversation_pinfo(pinfo, options) }
}

/// Says that this packet needs the other frame, so that both are saved.
///
/// # Safety
///
/// `pinfo` is the present packet.
#[inline]
pub unsafe fn mark_frame_as_depended_upon(pinfo: *mut packet_info, frame: u32) {
    #[cfg(ws40)]
    let of = pinfo;
    #[cfg(not(ws40))]
    // SAFETY: a packet under dissection has its frame.
    let of = unsafe { (*pinfo).fd };
    // SAFETY: the caller's promise.
    unsafe { raw::mark_frame_as_depended_upon(of, frame) };
}

/// Registers a heuristic dissector, in front of those there are.
///
/// # Safety
///
/// `internal_name` is used by no other heuristic dissector; the texts live for
/// ever.
#[inline]
pub unsafe fn heur_dissector_add(
    list: *const c_char,
    dissector: HeurDissector,
    display_name: *const c_char,
    internal_name: *const c_char,
    proto: c_int,
    enabled: bool,
) {
    let enable = if enabled { raw::HEURISTIC_ENABLE } else { raw::HEURISTIC_DISABLE };
    // SAFETY: the caller's promise.
    unsafe {
        raw::heur_dissector_add(list, Some(dissector), display_name, internal_name, proto, enable);
    }
}

/// Says that disabling the parent concerns the dependent; false if it was known
/// already.
///
/// # Safety
///
/// Only the general conditions.
#[inline]
pub unsafe fn register_depend_dissector(parent: *const c_char, dependent: *const c_char) -> bool {
    // SAFETY: the caller's promise.
    unsafe { raw::register_depend_dissector(parent, dependent) }.is_true()
}

/// Cuts TCP's bytes into PDUs, and calls `dissect` for each.
///
/// # Safety
///
/// The arguments are those of the present dissector. May throw, `length` and
/// `dissect` too.
#[inline]
#[allow(clippy::too_many_arguments, reason = "the arguments of the C function")]
pub unsafe fn tcp_dissect_pdus(
    tvb: *mut tvbuff_t,
    pinfo: *mut packet_info,
    tree: *mut proto_tree,
    desegment: bool,
    fixed_len: c_uint,
    length: PduLength,
    dissect: Dissector,
    data: *mut c_void,
) {
    let dissect: dissector_t = Some(dissect);
    // SAFETY: the caller's promise.
    unsafe {
        raw::tcp_dissect_pdus(tvb, pinfo, tree, ws_bool(desegment), fixed_len, Some(length), dissect, data);
    }
}

/// Registers a boolean preference.
///
/// # Safety
///
/// `variable` lives for ever, and holds the default.
#[inline]
pub unsafe fn prefs_register_bool_preference(
    module: *mut module_t,
    name: *const c_char,
    title: *const c_char,
    description: *const c_char,
    variable: *mut WsBool,
) {
    // SAFETY: the caller's promise.
    unsafe { raw::prefs_register_bool_preference(module, name, title, description, variable) };
}

/// Registers a preference that is one of several values.
///
/// # Safety
///
/// `variable` and `values` live for ever; `values` ends with a null name.
#[inline]
pub unsafe fn prefs_register_enum_preference(
    module: *mut module_t,
    name: *const c_char,
    title: *const c_char,
    description: *const c_char,
    variable: *mut c_int,
    values: *const enum_val_t,
    radio_buttons: bool,
) {
    // SAFETY: the caller's promise.
    unsafe {
        raw::prefs_register_enum_preference(module, name, title, description, variable, values, ws_bool(radio_buttons));
    }
}

/// Registers a preference that is the name of a file.
///
/// # Safety
///
/// `variable` lives for ever, and is null or holds the default, of which
/// Wireshark takes a copy.
#[inline]
pub unsafe fn prefs_register_filename_preference(
    module: *mut module_t,
    name: *const c_char,
    title: *const c_char,
    description: *const c_char,
    variable: *mut *const c_char,
    for_writing: bool,
) {
    // SAFETY: the caller's promise.
    unsafe {
        raw::prefs_register_filename_preference(module, name, title, description, variable, ws_bool(for_writing));
    }
}

/// Makes a table that users edit.
///
/// # Safety
///
/// Everything it points to lives for ever; `size` is that of a record, which
/// `fields` describes; `fields` ends with a null name.
#[inline]
#[allow(clippy::too_many_arguments, reason = "the arguments of the C function")]
pub unsafe fn uat_new(
    name: *const c_char,
    size: usize,
    filename: *const c_char,
    from_profile: bool,
    records: *mut c_void,
    count: *mut c_uint,
    flags: c_uint,
    help: *const c_char,
    copy: raw::uat_copy_cb_t,
    update: raw::uat_update_cb_t,
    free: raw::uat_free_cb_t,
    post_update: raw::uat_post_update_cb_t,
    reset: raw::uat_reset_cb_t,
    fields: *mut raw::uat_field_t,
) -> *mut raw::uat_t {
    // SAFETY: the caller's promise.
    unsafe {
        raw::uat_new(
            name,
            size,
            filename,
            ws_bool(from_profile),
            records,
            count,
            flags,
            help,
            copy,
            update,
            free,
            post_update,
            reset,
            fields,
        )
    }
}

/// Whether the range holds the value.
///
/// # Safety
///
/// `range` is null or a range.
#[inline]
pub unsafe fn value_is_in_range(range: *const range_t, value: u32) -> bool {
    // SAFETY: the caller's promise; null is an empty range to the C function.
    unsafe { raw::value_is_in_range(range, value) }.is_true()
}

/// Whether the map holds the key.
///
/// # Safety
///
/// `map` is a map, `key` what its hash function takes.
#[inline]
pub unsafe fn wmem_map_contains(map: *mut wmem_map_t, key: *const c_void) -> bool {
    // SAFETY: the caller's promise.
    unsafe { raw::wmem_map_contains(map, key) }.is_true()
}

/// Whether somebody listens to the tap.
///
/// # Safety
///
/// `tap` comes from `register_tap`.
#[inline]
pub unsafe fn have_tap_listener(tap: c_int) -> bool {
    // SAFETY: the caller's promise.
    unsafe { raw::have_tap_listener(tap) }.is_true()
}

/// Registers a kind of stream that can be followed. It does not count streams
/// and has no sub-streams, which only 4.4 and later ask for. The callbacks are
/// not optional: C asserts that they are there, and ends the program.
///
/// # Safety
///
/// The tap's name lives for ever.
#[inline]
pub unsafe fn register_follow_stream(
    proto: c_int,
    tap: *const c_char,
    conv_filter: FollowConvFilter,
    index_filter: FollowIndexFilter,
    address_filter: FollowAddressFilter,
    port_to_display: FollowPortToDisplay,
    tap_handler: TapPacket,
) {
    // SAFETY: the caller's promise.
    unsafe {
        raw::register_follow_stream(
            proto,
            tap,
            Some(conv_filter),
            Some(index_filter),
            Some(address_filter),
            Some(port_to_display),
            Some(tap_handler),
            #[cfg(not(ws40))]
            None,
            #[cfg(not(ws40))]
            None,
        );
    }
}

/// Registers a tree of counters of a plugin; what 4.4 and later return is
/// dropped.
///
/// # Safety
///
/// The texts live for ever.
#[inline]
pub unsafe fn stats_tree_register_plugin(
    tap: *const c_char,
    abbreviation: *const c_char,
    name: *const c_char,
    flags: c_uint,
    packet: raw::stat_tree_packet_cb,
    init: raw::stat_tree_init_cb,
    cleanup: raw::stat_tree_cleanup_cb,
) {
    // SAFETY: the caller's promise.
    unsafe {
        raw::stats_tree_register_plugin(tap, abbreviation, name, flags, packet, init, cleanup);
    }
}

/// Adds a node to a tree of counters, and returns its number.
///
/// # Safety
///
/// `tree` is the argument of the present callback.
#[inline]
pub unsafe fn stats_tree_create_node(
    tree: *mut raw::stats_tree,
    name: *const c_char,
    parent: c_int,
    kind: raw::stat_node_datatype,
    with_children: bool,
) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { raw::stats_tree_create_node(tree, name, parent, kind, ws_bool(with_children)) }
}

/// Changes the node of that name, and makes it if need be; returns its number.
///
/// # Safety
///
/// `tree` is the argument of the present callback.
#[inline]
pub unsafe fn stats_tree_manip_node_int(
    mode: raw::manip_node_mode,
    tree: *mut raw::stats_tree,
    name: *const c_char,
    parent: c_int,
    with_children: bool,
    value: c_int,
) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { raw::stats_tree_manip_node_int(mode, tree, name, parent, ws_bool(with_children), value) }
}
