//! Which connections are ours.
//!
//! Wireshark's own `ceph` heuristic takes whatever begins with `ceph v`, msgr2 included, and a heuristic that accepts
//! moves to the front of the list. So ours accepts both banners, and hands the legacy messenger's connections to the
//! built-in dissector, exactly as if Wireshark had called it.

use std::ffi::{c_int, c_void};
use std::ptr;

use msgr2::foreign::{Foreign, recognise};
use msgr2::tracker::{Begins, begins};
use wireshark_ffi_bindgen as ws;
use ws::ForC;

use crate::dissect;
use crate::ids::PROTO;
use crate::register::TCP_PORT;

/// Our own handle.
// SAFETY: Wireshark calls a plugin on one thread.
pub(crate) static HANDLE: ForC<ws::dissector_handle_t> = unsafe { ForC::new(ptr::null_mut()) };
/// The built-in heuristic for the legacy messenger.
// SAFETY: as above.
pub(crate) static LEGACY: ForC<*mut ws::heur_dtbl_entry_t> = unsafe { ForC::new(ptr::null_mut()) };
/// Our own heuristic.
// SAFETY: as above.
pub(crate) static OWN: ForC<*mut ws::heur_dtbl_entry_t> = unsafe { ForC::new(ptr::null_mut()) };
/// Who had the TCP ports before us: an array with a handle, or null, for each.
// SAFETY: as above.
pub(crate) static FORMER: ForC<*mut ws::dissector_handle_t> = unsafe { ForC::new(ptr::null_mut()) };

/// Bytes enough to tell what a connection is.
const LOOK: usize = 64;

unsafe fn first_bytes<'a>(tvb: *mut ws::tvbuff_t) -> &'a [u8] {
    // SAFETY: the length is what the buffer holds; the slice is used only within the call.
    unsafe {
        let length = (ws::tvb_captured_length(tvb) as usize).min(LOOK);
        if length == 0 { &[] } else { std::slice::from_raw_parts(ws::tvb_get_ptr(tvb, 0, length as c_int), length) }
    }
}

/// Called for the packets of any TCP connection that nobody owns.
pub(crate) unsafe extern "C" fn heuristic(
    tvb: *mut ws::tvbuff_t,
    pinfo: *mut ws::packet_info,
    tree: *mut ws::proto_tree,
    data: *mut c_void,
) -> ws::WsBool {
    // SAFETY: the arguments are Wireshark's.
    unsafe {
        if dissect::dissect(tvb, pinfo, tree, data) > 0 {
            claim(pinfo);
            ws::TRUE
        } else if recognise(first_bytes(tvb)) == Some(Foreign::Msgr1) {
            ws::ws_bool(hand_over(tvb, pinfo, tree, data))
        } else {
            // without the whole banner anybody could be speaking
            ws::FALSE
        }
    }
}

/// Called for connections that are ours, for those on our ports, and where the user says so.
pub(crate) unsafe extern "C" fn dissector(
    tvb: *mut ws::tvbuff_t,
    pinfo: *mut ws::packet_info,
    tree: *mut ws::proto_tree,
    data: *mut c_void,
) -> c_int {
    // SAFETY: the arguments are Wireshark's.
    unsafe {
        let taken = dissect::dissect(tvb, pinfo, tree, data);
        if taken > 0 {
            claim(pinfo);
            return taken;
        }
        if claimed(pinfo) {
            return 0;
        }
        let first = first_bytes(tvb);
        if recognise(first) == Some(Foreign::Msgr1) {
            // the heuristics come next, ours among them, which hands it over
            0
        } else if begins(first) == Begins::Perhaps {
            ws::tvb_captured_length(tvb) as c_int
        } else {
            former(tvb, pinfo, tree, data)
        }
    }
}

/// Whether the packet's connection is ours by Wireshark's books.
unsafe fn claimed(pinfo: *mut ws::packet_info) -> bool {
    // SAFETY: the packet is Wireshark's.
    unsafe {
        let conversation = ws::find_or_create_conversation(pinfo);
        ptr::eq(ws::conversation_get_dissector(conversation, (*pinfo).num), HANDLE.get())
    }
}

/// Whether the packet's connection may be ours as far as the user is concerned: it is claimed, on one of our ports, or
/// connections are to be found anywhere.
pub(crate) unsafe fn wanted(pinfo: *mut ws::packet_info) -> bool {
    // SAFETY: as above; the entry and the table last for good.
    unsafe {
        let anywhere = !OWN.get().is_null() && ws::packet::heuristic_enabled(OWN.get());
        anywhere || claimed(pinfo) || {
            let table = ws::find_dissector_table(TCP_PORT.as_ptr());
            let own = |port| ptr::eq(ws::dissector_get_uint_handle(table, port), HANDLE.get());
            own((*pinfo).srcport) || own((*pinfo).destport)
        }
    }
}

/// Takes the packet's connection on.
pub(crate) unsafe fn claim(pinfo: *mut ws::packet_info) {
    // SAFETY: as above.
    unsafe {
        if !ws::packet::visited(pinfo) && !claimed(pinfo) {
            ws::conversation_set_dissector(ws::find_or_create_conversation(pinfo), HANDLE.get());
        }
    }
}

/// Hands a connection of the legacy messenger to the built-in dissector.
unsafe fn hand_over(
    tvb: *mut ws::tvbuff_t,
    pinfo: *mut ws::packet_info,
    tree: *mut ws::proto_tree,
    data: *mut c_void,
) -> bool {
    // SAFETY: the arguments are Wireshark's.
    unsafe {
        let entry = LEGACY.get();
        if entry.is_null() || !ws::packet::heuristic_enabled(entry) || !ws::proto_is_protocol_enabled((*entry).protocol)
        {
            return false;
        }
        step_aside(pinfo, ws::proto_get_id((*entry).protocol));
        (*pinfo).current_proto = ws::proto_get_protocol_short_name((*entry).protocol);
        ws::packet::call_heuristic(entry, tvb, pinfo, tree, data)
    }
}

/// Who had the port before us, if it isn't Ceph that is spoken there.
unsafe fn former(
    tvb: *mut ws::tvbuff_t,
    pinfo: *mut ws::packet_info,
    tree: *mut ws::proto_tree,
    data: *mut c_void,
) -> c_int {
    // SAFETY: the arguments are Wireshark's; the array has an entry for each 16-bit number.
    unsafe {
        let table = FORMER.get();
        let port = (*pinfo).match_uint;
        if table.is_null() || port > u32::from(u16::MAX) {
            return 0;
        }
        let handle = *table.add(port as usize);
        if handle.is_null() || ptr::eq(handle, HANDLE.get()) {
            return 0;
        }
        // the name of our protocol would otherwise stand before theirs
        remove_layer(pinfo);
        // each call of a dissector takes from this count, and theirs is to find what ours found
        (*pinfo).can_desegment = (*pinfo).saved_can_desegment;
        ws::call_dissector_only(handle, tvb, pinfo, tree, data)
    }
}

/// Puts another protocol where Wireshark has noted ours for this packet: in its list of protocols, and among the
/// counts of how often each has come.
unsafe fn step_aside(pinfo: *mut ws::packet_info, proto: c_int) {
    // SAFETY: list and counts are the packet's own, and live in its memory.
    unsafe {
        if !remove_layer(pinfo) {
            return;
        }
        (*pinfo).curr_layer_num += 1;
        ws::wmem_list_append((*pinfo).layers, proto as usize as *mut c_void);
        let mut count = ws::wmem_map_lookup((*pinfo).proto_layers, proto as usize as *const c_void).cast::<c_int>();
        if count.is_null() {
            count = ws::wmem_alloc((*pinfo).pool, size_of::<c_int>() as _).cast();
            *count = 0;
            ws::wmem_map_insert((*pinfo).proto_layers, proto as usize as *const c_void, count.cast());
        }
        *count += 1;
        (*pinfo).curr_proto_layer_num = *count as _;
    }
}

/// Takes our protocol from the end of the packet's list, and says whether it stood there.
unsafe fn remove_layer(pinfo: *mut ws::packet_info) -> bool {
    // SAFETY: as above.
    unsafe {
        let tail = ws::wmem_list_tail((*pinfo).layers);
        if tail.is_null() || ws::wmem_list_frame_data(tail) as usize != PROTO.get() as usize {
            return false;
        }
        ws::wmem_list_remove_frame((*pinfo).layers, tail);
        (*pinfo).curr_layer_num -= 1;
        let count = ws::wmem_map_lookup((*pinfo).proto_layers, PROTO.get() as usize as *const c_void).cast::<c_int>();
        if !count.is_null() {
            *count -= 1;
        }
        true
    }
}
