//! From TCP's bytes to the tree: parse, then replay.
//!
//! TCP calls the dissector for most segments, but keeps back those that it takes for retransmissions or out of order. So the
//! plugin has a post-dissector as well, which Wireshark calls for every packet, when all else is done. Whichever
//! comes first takes the packet's segment; and shows what there is to say of it.

use std::ffi::{c_int, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;
use std::time::Duration;

use msgr2::capture::{Defragmenter, LINK_TYPES, Packet, Segment};
use msgr2::frame::Check;
use msgr2::tracker::Knowledge;
use wireshark_ffi_bindgen as ws;
use ws::ForC;

use crate::claim;
use crate::flow::Flows;
use crate::ids::PROTO;
use crate::keys;
use crate::page::{Page, Wish};
use crate::register::VERIFY_CRC;
use crate::replay;

/// Everything that lasts from packet to packet. Wireshark dissects on one thread.
struct State {
    defragmenter: Defragmenter,
    flows: Flows,
    /// The packet that was taken last.
    taken: u32,
    page: Page,
}

// SAFETY: Wireshark dissects on one thread.
static STATE: ForC<*mut State> = unsafe { ForC::new(ptr::null_mut()) };
/// Wireshark's number for each of the link types that segments are found in.
// SAFETY: as above.
static ENCAPSULATIONS: ForC<[c_int; LINK_TYPES.len()]> = unsafe { ForC::new([-1; LINK_TYPES.len()]) };

fn flows(knowledge: Knowledge, trouble: Option<Box<str>>) -> Flows {
    let check = if ws::Truth::is_true(VERIFY_CRC.get()) { Check::Crc } else { Check::Nothing };
    Flows::new(check, knowledge, trouble)
}

fn state() -> *mut State {
    if STATE.get().is_null() {
        let state = State {
            defragmenter: Defragmenter::default(),
            flows: flows(Knowledge::default(), None),
            taken: 0,
            page: Page::default(),
        };
        STATE.set(Box::into_raw(Box::new(state)));
    }
    STATE.get()
}

/// Called once, before anything is dissected.
pub(crate) unsafe fn begin() {
    // SAFETY: a function of tables alone.
    ENCAPSULATIONS.set(LINK_TYPES.map(|link| unsafe { ws::wtap_pcap_encap_to_wtap_encap(link.0) }));
}

/// Called by Wireshark when a file is opened or closed, and before everything is dissected anew.
pub(crate) unsafe extern "C" fn forget() {
    // SAFETY: no dissection is under way; the state is this module's own.
    let state = unsafe { &mut *state() };
    state.taken = 0;
    // a panic here would end Wireshark; what a broken record holds is then lost, and no more
    let _ = catch_unwind(AssertUnwindSafe(|| {
        state.page.clear();
        state.defragmenter = Defragmenter::default();
        state.flows = flows(Knowledge::default(), None);
    }));
}

/// Called by Wireshark when a file is opened, and before everything is dissected anew, which it does too when
/// preferences have changed.
pub(crate) unsafe extern "C" fn prepare() {
    // SAFETY: as above.
    let state = unsafe { &mut *state() };
    state.taken = 0;
    // a file that can't be read, or anything worse, must not keep Wireshark from opening a capture
    let _ = catch_unwind(AssertUnwindSafe(|| {
        let found = catch_unwind(keys::given).unwrap_or_default();
        state.page.clear();
        state.defragmenter = Defragmenter::default();
        state.flows = flows(found.knowledge, found.trouble);
    }));
}

/// Called by Wireshark behind the first pass through a file, if there is to be another.
pub(crate) unsafe extern "C" fn passed() {
    // SAFETY: as above.
    let state = unsafe { &mut *state() };
    let _ = catch_unwind(AssertUnwindSafe(|| state.flows.finish()));
}

/// Keys that came with the capture.
pub(crate) fn learn(block: &[u8]) {
    // SAFETY: as above.
    let state = unsafe { &mut *state() };
    let add = |knowledge: &Knowledge| keys::add(knowledge, keys::BLOCK, block);
    let _ = catch_unwind(AssertUnwindSafe(|| state.flows.learn(add)));
}

/// Dissects bytes that TCP hands over. Returns how many were taken; 0 if the connection isn't known to be ours.
///
/// # Safety
///
/// The arguments are those that Wireshark called the dissector with.
pub(crate) unsafe fn dissect(
    tvb: *mut ws::tvbuff_t,
    pinfo: *mut ws::packet_info,
    tree: *mut ws::proto_tree,
    data: *mut c_void,
) -> c_int {
    // SAFETY: the caller's promise.
    unsafe {
        take(pinfo, tvb, data);
        if show(pinfo, tvb, tree, false) { (ws::tvb_captured_length(tvb) as c_int).max(1) } else { 0 }
    }
}

/// Called by Wireshark for every packet when all dissectors are done.
pub(crate) unsafe extern "C" fn after(
    tvb: *mut ws::tvbuff_t,
    pinfo: *mut ws::packet_info,
    tree: *mut ws::proto_tree,
    _data: *mut c_void,
) -> c_int {
    // SAFETY: the arguments are Wireshark's.
    unsafe {
        if (*pinfo).ptype != ws::PT_TCP {
            return 0;
        }
        take(pinfo, ptr::null_mut(), ptr::null_mut());
        if !is_ours(pinfo) || !claim::wanted(pinfo) || !show(pinfo, ptr::null_mut(), tree, true) {
            return 0;
        }
        if !ws::packet::visited(pinfo) {
            claim::claim(pinfo);
        }
        ws::tvb_captured_length(tvb) as c_int
    }
}

/// What was captured in a buffer.
unsafe fn bytes_of<'a>(tvb: *mut ws::tvbuff_t) -> &'a [u8] {
    // SAFETY: the length is what the buffer holds; the slice is used only while the packet is dissected.
    unsafe {
        let captured = if tvb.is_null() { 0 } else { ws::tvb_captured_length(tvb) as usize };
        if captured == 0 {
            &[]
        } else {
            std::slice::from_raw_parts(ws::tvb_get_ptr(tvb, 0, captured as c_int), captured)
        }
    }
}

/// Takes the packet's segment, if this is the first time that it is seen. `handed` is what TCP hands over, or null.
unsafe fn take(pinfo: *mut ws::packet_info, handed: *mut ws::tvbuff_t, data: *mut c_void) {
    // SAFETY: Wireshark's pointers are good for the call.
    unsafe {
        let state = state();
        let number = (*pinfo).num;
        if ws::packet::visited(pinfo) || (*state).taken == number || ws::packet::quoted(pinfo) {
            return;
        }
        let frame = ws::packet::frame(pinfo);
        let bytes = bytes_of(frame);
        let encapsulation = ws::packet::encapsulation(pinfo);
        let link = (ENCAPSULATIONS.get().into_iter()).position(|known| known == encapsulation);
        let packet = link.map(|link| Packet {
            number,
            time: Duration::ZERO,
            link: LINK_TYPES[link],
            data: bytes,
            original_len: if frame.is_null() { 0 } else { ws::tvb_reported_length(frame) as usize },
        });
        let payload = bytes_of(handed);
        let told = if handed.is_null() { None } else { told(pinfo, handed, data, payload) };
        let (defragmenter, flows) = (&raw mut (*state).defragmenter, &raw mut (*state).flows);
        let taken = catch_unwind(AssertUnwindSafe(|| {
            let parsed = packet.as_ref().and_then(|packet| (*defragmenter).parse(packet).ok());
            // in an encapsulation that only Wireshark takes off: what TCP says of it
            match (parsed, told) {
                (Some(segment), _) => (*flows).take(&segment, bytes, false),
                (None, Some(segment)) => (*flows).take(&segment, payload, true),
                (None, None) => return false,
            }
            true
        }));
        match taken {
            Ok(true) => (*state).taken = number,
            Ok(false) => {}
            Err(_) => {
                (*state).taken = number;
                (*state).page.fail(0);
            }
        }
    }
}

/// The segment as TCP tells it that hands its data over; not if TCP has put it together with others.
unsafe fn told<'a>(
    pinfo: *mut ws::packet_info,
    handed: *mut ws::tvbuff_t,
    data: *mut c_void,
    payload: &'a [u8],
) -> Option<Segment<'a>> {
    // SAFETY: as in `take`.
    unsafe {
        let told = ws::packet::tcp_segment(data).filter(|told| !told.is_reassembled)?;
        let (src, dst) = ws::packet::ends(pinfo)?;
        let reported = ws::tvb_reported_length(handed);
        let has = |flag: u16| told.flags & flag != 0;
        Some(Segment {
            packet: (*pinfo).num,
            time: Duration::ZERO,
            src,
            dst,
            // what TCP has cut off at the front came before
            seq: told.nxtseq.wrapping_sub(reported),
            ack: has(ws::TH_ACK as u16).then_some(told.ack),
            // its number was counted already
            syn: false,
            fin: has(ws::TH_FIN as u16),
            rst: has(ws::TH_RST as u16),
            payload,
            missing: (reported as usize).saturating_sub(payload.len()),
        })
    }
}

/// The key under which a packet's own data says that it was shown.
const SHOWN: u32 = 0;

/// Shows what there is to say of a packet, once in each dissection of it. `handed` is what TCP has handed over, or null.
/// Whether the packet is ours.
unsafe fn show(pinfo: *mut ws::packet_info, handed: *mut ws::tvbuff_t, tree: *mut ws::proto_tree, after: bool) -> bool {
    // SAFETY: Wireshark's pointers are good for the call. What is kept across calls into Wireshark that may not
    // return is reached through raw pointers into `State`, which is never freed.
    unsafe {
        let state = state();
        let flows = &raw const (*state).flows;
        if !is_ours(pinfo) {
            return false;
        }
        // the packet's own memory lasts as long as its dissection, which is what makes this begin anew
        let (pool, proto) = ((*pinfo).pool, PROTO.get());
        if !ws::p_get_proto_data(pool, pinfo, proto, SHOWN).is_null() {
            return !after;
        }
        ws::p_add_proto_data(pool, pinfo, proto, SHOWN, ptr::dangling_mut::<c_void>());

        let looked_at = !tree.is_null() && ws::proto_field_is_referenced(tree, proto);
        let wish =
            Wish { tree: looked_at, info: ws::Truth::is_true(ws::col_get_writable((*pinfo).cinfo, ws::column::INFO)) };
        let page = &raw mut (*state).page;
        let frame = ws::packet::frame(pinfo);
        let source = fill(flows, page, (*pinfo).num, bytes_of(frame), bytes_of(handed), wish);
        let tvb = if matches!(source, Source::Handed) { handed } else { frame };
        if tvb.is_null() {
            return false;
        }
        let units = (*page).has_units();
        if units {
            ws::col_set_str((*pinfo).cinfo, ws::column::PROTOCOL, replay::COLUMN.as_ptr());
            if !after {
                ws::col_clear((*pinfo).cinfo, ws::column::INFO);
            }
        }
        replay::page(page, replay::Target { tvb, pinfo, tree, first: units && !after });
        true
    }
}

/// Whether there is anything to say of a packet that was taken.
unsafe fn is_ours(pinfo: *const ws::packet_info) -> bool {
    // SAFETY: as in `show`.
    unsafe { (*state()).flows.packet((*pinfo).num).is_some() }
}

/// In which bytes a packet's segment was found.
enum Source {
    Frame,
    Handed,
}

/// The first step: no call into Wireshark.
unsafe fn fill(flows: *const Flows, page: *mut Page, number: u32, frame: &[u8], handed: &[u8], wish: Wish) -> Source {
    // SAFETY: both point into `State`, and nobody else uses them meanwhile.
    let (flows, page) = unsafe { (&*flows, &mut *page) };
    let filled = catch_unwind(AssertUnwindSafe(|| {
        let Some(packet) = flows.packet(number) else { return Source::Frame };
        let (source, bytes) = if packet.handed { (Source::Handed, handed) } else { (Source::Frame, frame) };
        page.fill(flows, packet, bytes, wish);
        source
    }));
    filled.unwrap_or_else(|_| {
        page.fail(frame.len());
        Source::Frame
    })
}
