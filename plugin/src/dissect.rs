//! From TCP's bytes to the tree: parse, then replay.

use std::ffi::{c_int, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;

use msgr2::tracker::{Direction, Knowledge};
use wireshark_ffi_bindgen as ws;
use ws::ForC;

use crate::flow::{Call, Connection, Verdict, Wanted};
use crate::ids::PROTO;
use crate::keys;
use crate::page::{Page, Wish};
use crate::register::{DESEGMENT, VERIFY_CRC};
use crate::replay;

/// Everything that lasts from packet to packet. Wireshark dissects on one thread.
struct State {
    /// The connections of the open file; a conversation holds its place here, counted from 1.
    connections: Vec<Connection>,
    /// What is known of their keys.
    knowledge: Knowledge,
    /// What is wrong with the keys that the user gave, until it has been said.
    trouble: Option<Box<str>>,
    page: Page,
}

// SAFETY: Wireshark dissects on one thread.
static STATE: ForC<*mut State> = unsafe { ForC::new(ptr::null_mut()) };

fn state() -> *mut State {
    if STATE.get().is_null() {
        let state =
            State { connections: Vec::new(), knowledge: Knowledge::default(), trouble: None, page: Page::default() };
        STATE.set(Box::into_raw(Box::new(state)));
    }
    STATE.get()
}

/// Called by Wireshark when a file is opened or closed, and before everything is dissected anew.
pub(crate) unsafe extern "C" fn forget() {
    // SAFETY: no dissection is under way; the state is this module's own.
    let state = unsafe { &mut *state() };
    state.connections.clear();
    state.knowledge = Knowledge::default();
    state.trouble = None;
}

/// Called by Wireshark when a file is opened, and before everything is dissected anew, which it does too when
/// preferences have changed.
pub(crate) unsafe extern "C" fn prepare() {
    // SAFETY: as above.
    let state = unsafe { &mut *state() };
    // a file that can't be read, or anything worse, must not keep Wireshark from opening a capture
    let found = catch_unwind(keys::given).unwrap_or_default();
    state.knowledge = found.knowledge;
    state.trouble = found.trouble;
}

/// Keys that came with the capture.
pub(crate) fn learn(block: &[u8]) {
    // SAFETY: as above.
    let state = unsafe { &mut *state() };
    let learnt = catch_unwind(AssertUnwindSafe(|| keys::add(&state.knowledge, keys::BLOCK, block)));
    if let Ok(Err(trouble)) = learnt {
        state.trouble.get_or_insert(trouble);
    }
}

/// Whether the conversation was taken on before.
pub(crate) unsafe fn known(conversation: *mut ws::conversation_t) -> bool {
    // SAFETY: the conversation is Wireshark's.
    unsafe { !ws::conversation_get_proto_data(conversation, PROTO.get()).is_null() }
}

/// What came of a call.
pub(crate) enum Outcome {
    /// This many bytes were shown or asked for.
    Taken(c_int),
    /// The connection isn't ours.
    Foreign,
}

/// Dissects the bytes of a conversation that is ours, or takes it on.
///
/// # Safety
///
/// The arguments are those that Wireshark called the dissector with.
pub(crate) unsafe fn dissect(
    conversation: *mut ws::conversation_t,
    tvb: *mut ws::tvbuff_t,
    pinfo: *mut ws::packet_info,
    tree: *mut ws::proto_tree,
    data: *mut c_void,
) -> Outcome {
    // SAFETY: Wireshark's pointers are good for the call. What is kept across calls into Wireshark that may not
    // return is reached through raw pointers into `State`, which is never freed.
    unsafe {
        let state = state();
        let place = place_of(state, conversation);
        let captured = ws::tvb_captured_length(tvb) as usize;
        let reported = ws::tvb_reported_length(tvb) as usize;
        let bytes: &[u8] = if captured == 0 {
            &[]
        } else {
            std::slice::from_raw_parts(ws::tvb_get_ptr(tvb, 0, captured as c_int), captured)
        };
        let ordinal = next_ordinal(pinfo);
        let call = Call {
            key: ((*pinfo).num, ordinal),
            direction: direction(conversation, pinfo),
            bytes,
            reported,
            desegment: (*pinfo).can_desegment > 0 && ws::Truth::is_true(DESEGMENT.get()),
            sequence: ws::packet::tcp_segment(data).map(|s| (s.seq, s.nxtseq)),
            reassembled: ws::packet::tcp_segment(data).is_some_and(|s| s.is_reassembled),
        };
        let looked_at = !tree.is_null() && ws::proto_field_is_referenced(tree, PROTO.get());
        let wish =
            Wish { tree: looked_at, info: ws::Truth::is_true(ws::col_get_writable((*pinfo).cinfo, ws::column::INFO)) };
        let first = !ws::packet::visited(pinfo);

        let connections: &mut Vec<Connection> = &mut (*state).connections;
        let connection = connections.as_mut_ptr().add(place);
        let page = &raw mut (*state).page;
        let trouble = &raw mut (*state).trouble;
        let parsed = catch_unwind(AssertUnwindSafe(|| parse(connection, page, &call, wish, first, trouble)));
        let wanted = match parsed {
            Ok(Some(wanted)) => wanted,
            Ok(None) => return Outcome::Foreign,
            Err(_) => {
                (*page).fail(captured);
                None
            }
        };

        if ordinal == 0 && !(*page).pieces.is_empty() {
            ws::col_set_str((*pinfo).cinfo, ws::column::PROTOCOL, replay::COLUMN.as_ptr());
            ws::col_clear((*pinfo).cinfo, ws::column::INFO);
        }
        if let Some(Wanted { offset, more }) = wanted
            && (*pinfo).can_desegment > 0
        {
            (*pinfo).desegment_offset = offset as c_int;
            (*pinfo).desegment_len = more.map_or(ws::DESEGMENT_ONE_MORE_SEGMENT as u32, |n| n as u32);
        }
        let shown = looked_at || notable(page);
        let target =
            replay::Target { tvb, pinfo, tree: if shown { tree } else { ptr::null_mut() }, first: ordinal == 0 };
        replay::page(page, target);
        Outcome::Taken(captured.max(1) as c_int)
    }
}

/// Whether there is something that must be seen even if nobody looks at fields.
unsafe fn notable(page: *const Page) -> bool {
    // SAFETY: the page is this module's own.
    unsafe { !(*page).notes.is_empty() }
}

/// The first step: no call into Wireshark.
unsafe fn parse(
    connection: *mut Connection,
    page: *mut Page,
    call: &Call<'_>,
    wish: Wish,
    first: bool,
    trouble: *mut Option<Box<str>>,
) -> Option<Option<Wanted>> {
    // SAFETY: all point into `State`, and nobody else uses them meanwhile.
    let (connection, page, trouble) = unsafe { (&mut *connection, &mut *page, &mut *trouble) };
    let found = if first {
        match connection.first(call, trouble) {
            Verdict::Ours(found) => found,
            Verdict::Foreign => return None,
        }
    } else {
        match connection.again(call) {
            Some(found) => found,
            // never seen in the first pass: TCP has put the segments together in another way
            None => {
                page.clear();
                return Some(None);
            }
        }
    };
    page.fill(found, call.bytes, wish);
    Some(found.wanted)
}

/// The conversation's place among the connections; a new one if it has none.
unsafe fn place_of(state: *mut State, conversation: *mut ws::conversation_t) -> usize {
    // SAFETY: the conversation is Wireshark's, the state this module's own.
    unsafe {
        let held = ws::conversation_get_proto_data(conversation, PROTO.get()) as usize;
        let connections = &mut (*state).connections;
        if (1..=connections.len()).contains(&held) {
            return held - 1;
        }
        let knowledge = (*state).knowledge.clone();
        connections.push(Connection::new(ws::Truth::is_true(VERIFY_CRC.get()), knowledge));
        let place = connections.len();
        ws::conversation_add_proto_data(conversation, PROTO.get(), place as *mut c_void);
        place - 1
    }
}

/// Which way the packet goes. TCP keeps a record of each direction; which is which stays the same.
unsafe fn direction(conversation: *mut ws::conversation_t, pinfo: *mut ws::packet_info) -> Direction {
    // SAFETY: the pointers are Wireshark's.
    unsafe {
        let analysis = ws::get_tcp_conversation_data(conversation, pinfo);
        if analysis.is_null() || ptr::eq((*analysis).fwd, &raw const (*analysis).flow1) {
            Direction::Forward
        } else {
            Direction::Backward
        }
    }
}

/// How many calls there were in this dissection of the packet.
unsafe fn next_ordinal(pinfo: *mut ws::packet_info) -> u32 {
    // SAFETY: the packet's own memory lasts as long as its dissection, which is what makes the count start anew.
    unsafe {
        let proto = PROTO.get();
        let count = ws::p_get_proto_data((*pinfo).pool, pinfo, proto, 0) as usize;
        if count > 0 {
            ws::p_remove_proto_data((*pinfo).pool, pinfo, proto, 0);
        }
        ws::p_add_proto_data((*pinfo).pool, pinfo, proto, 0, (count + 1) as *mut c_void);
        count as u32
    }
}
