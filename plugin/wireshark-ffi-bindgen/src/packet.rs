//! What a dissector reads from the structures it is handed.

use std::ffi::c_void;

use crate::compat::Truth;
use crate::raw;

/// What TCP says of the bytes that it hands to a dissector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// The sequence number of the first byte.
    pub seq: u32,
    /// The sequence number after the last byte.
    pub nxtseq: u32,
    /// The bytes were put together from several segments.
    pub is_reassembled: bool,
    /// The number of the TCP stream; the 4.0 series does not tell it here, see
    /// [`tcp_stream`].
    pub stream: Option<u32>,
}

/// Reads the `data` argument of a dissector which TCP calls.
///
/// It is null when the dissector was called by another one ("Decode As" over
/// another transport, for instance).
///
/// # Safety
///
/// `data` is null or the argument that the TCP dissector handed over.
#[inline]
pub unsafe fn tcp_segment(data: *const c_void) -> Option<Segment> {
    if data.is_null() {
        return None;
    }
    let info = data.cast::<raw::tcpinfo>();
    // SAFETY: not null, and TCP's structure by the caller's promise.
    unsafe {
        Some(Segment {
            seq: (*info).seq,
            nxtseq: (*info).nxtseq,
            is_reassembled: (*info).is_reassembled.is_true(),
            #[cfg(ws40)]
            stream: None,
            #[cfg(not(ws40))]
            stream: Some((*info).stream),
        })
    }
}

/// The number of the conversation's TCP stream, as in the field `tcp.stream`.
///
/// Calls into Wireshark, which makes the record if there is none: ask once for
/// a connection.
///
/// # Safety
///
/// `conversation` is a conversation over TCP, `pinfo` the present packet of it.
#[inline]
pub unsafe fn tcp_stream(conversation: *mut raw::conversation_t, pinfo: *mut raw::packet_info) -> Option<u32> {
    // SAFETY: the caller's promise; the record is read only when there is one.
    unsafe {
        let analysis = raw::get_tcp_conversation_data(conversation, pinfo);
        if analysis.is_null() { None } else { Some((*analysis).stream) }
    }
}

/// Whether the frame was dissected before: false in the first pass, in which
/// the frames come in order.
///
/// # Safety
///
/// `pinfo` is the present packet.
#[inline]
pub unsafe fn visited(pinfo: *const raw::packet_info) -> bool {
    // SAFETY: a packet under dissection has its frame.
    unsafe { (*(*pinfo).fd).visited().is_true() }
}

/// Whether the user has the heuristic dissector enabled.
///
/// # Safety
///
/// `entry` is an entry of Wireshark's table.
#[inline]
pub unsafe fn heuristic_enabled(entry: *const raw::heur_dtbl_entry_t) -> bool {
    // SAFETY: the caller's promise.
    unsafe { (*entry).enabled.is_true() }
}

/// Calls the function of a heuristic dissector itself, and says whether it took
/// the packet.
///
/// Unlike `call_heur_dissector_direct` it does not ask whether the entry is
/// enabled, and leaves `pinfo.can_desegment` as it is.
///
/// # Safety
///
/// `entry` is an entry of Wireshark's table, the others are the arguments of
/// the present dissector. The callee may throw.
#[inline]
pub unsafe fn call_heuristic(
    entry: *const raw::heur_dtbl_entry_t,
    tvb: *mut raw::tvbuff_t,
    pinfo: *mut raw::packet_info,
    tree: *mut raw::proto_tree,
    data: *mut c_void,
) -> bool {
    // SAFETY: the caller's promise.
    unsafe {
        match (*entry).dissector {
            Some(dissector) => dissector(tvb, pinfo, tree, data).is_true(),
            None => false,
        }
    }
}
