//! What a dissector reads from the structures it is handed.

use std::ffi::{c_int, c_void};
use std::net::{IpAddr, SocketAddr};

use crate::compat::Truth;
use crate::raw;

/// What TCP says of the bytes that it hands to a dissector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// The sequence number of the first byte.
    pub seq: u32,
    /// The sequence number after the last byte.
    pub nxtseq: u32,
    /// The sequence number that the sender expects next; of meaning only with the flag ACK.
    pub ack: u32,
    /// The flags of the header, as TCP has them.
    pub flags: u16,
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
            ack: (*info).lastackseq,
            flags: (*info).flags,
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

/// The buffer that holds the whole packet, as the file has it; null if there is none.
///
/// # Safety
///
/// `pinfo` is the present packet.
#[inline]
pub unsafe fn frame(pinfo: *const raw::packet_info) -> *mut raw::tvbuff_t {
    // SAFETY: the first data source is the packet's own, and sources live as long as its dissection.
    unsafe {
        let sources = (*pinfo).data_src;
        if sources.is_null() { std::ptr::null_mut() } else { raw::get_data_source_tvb((*sources).data.cast()) }
    }
}

/// What the packet's first byte belongs to: a `WTAP_ENCAP_` value.
///
/// # Safety
///
/// `pinfo` is the present packet.
#[inline]
pub unsafe fn encapsulation(pinfo: *const raw::packet_info) -> c_int {
    // SAFETY: a packet under dissection has its record, which is that of a packet.
    unsafe { (*(*pinfo).rec).rec_header.packet_header.pkt_encap }
}

/// The ends of the innermost connection over IP, sender first.
///
/// # Safety
///
/// `pinfo` is the present packet.
pub unsafe fn ends(pinfo: *const raw::packet_info) -> Option<(SocketAddr, SocketAddr)> {
    // SAFETY: addresses of these types have so many bytes, which live as long as the dissection.
    unsafe {
        let address = |address: &raw::address| -> Option<IpAddr> {
            match address.type_ as raw::address_type {
                kind if kind == raw::AT_IPv4 && !address.data.is_null() => {
                    Some(address.data.cast::<[u8; 4]>().read_unaligned().into())
                }
                kind if kind == raw::AT_IPv6 && !address.data.is_null() => {
                    Some(address.data.cast::<[u8; 16]>().read_unaligned().into())
                }
                _ => None,
            }
        };
        let source = SocketAddr::new(address(&(*pinfo).src)?, u16::try_from((*pinfo).srcport).ok()?);
        let destination = SocketAddr::new(address(&(*pinfo).dst)?, u16::try_from((*pinfo).destport).ok()?);
        Some((source, destination))
    }
}

/// Whether the packet is one that an error report quotes, as ICMP does.
///
/// # Safety
///
/// `pinfo` is the present packet.
#[inline]
pub unsafe fn quoted(pinfo: *const raw::packet_info) -> bool {
    // SAFETY: the caller's promise.
    unsafe { (*pinfo).flags.in_error_pkt().is_true() }
}
