//! Tells Wireshark what there is: the protocol, its fields, expert infos, preferences, and when to call.

use std::ffi::{CString, c_char, c_int, c_void};
use std::ptr;

use msgr2::FINDINGS;
use msgr2::field::FIELDS;
use msgr2::wire::{Display, EnumInfo, FieldInfo, Group, Kind, Severity};
use wireshark_ffi_bindgen as ws;
use ws::ForC;

use crate::ids::{Ids, PROTO, SUBTREES, ids};
use crate::{claim, dissect};

/// Whether frames are put together from several segments.
// SAFETY: Wireshark calls a plugin on one thread.
pub(crate) static DESEGMENT: ForC<ws::WsBool> = unsafe { ForC::new(ws::TRUE) };
/// Whether the CRCs of segments are checked.
// SAFETY: as above.
pub(crate) static VERIFY_CRC: ForC<ws::WsBool> = unsafe { ForC::new(ws::TRUE) };

/// The mon's port, and those of all other daemons.
const PORTS: &std::ffi::CStr = c"3300,6800-7568";

// SAFETY: Wireshark keeps the pointer for good, and it points to a static.
static PLUGIN: ForC<ws::proto_plugin> =
    unsafe { ForC::new(ws::proto_plugin { register_protoinfo: Some(protocol), register_handoff: Some(hand_off) }) };

/// Called when the plugin is loaded.
pub(crate) fn plugin() {
    let (mut major, mut minor, mut micro) = (0, 0, 0);
    // SAFETY: the three are written to; the plugin's record is a static.
    unsafe {
        ws::epan_get_version_number(&raw mut major, &raw mut minor, &raw mut micro);
        if format!("{major}.{minor}") != ws::HEADERS_SERIES {
            let built = ws::HEADERS_SERIES;
            eprintln!(
                "msgr2: this plugin is for Wireshark {built}, and this is {major}.{minor}.{micro}; build it anew"
            );
            return;
        }
        ws::proto_register_plugin(PLUGIN.as_ptr());
    }
}

/// A text that lasts for good, as Wireshark wants it.
fn text(text: &str) -> *const c_char {
    CString::new(text).unwrap_or_default().into_raw()
}

unsafe extern "C" fn protocol() {
    // SAFETY: the arrays and texts that are handed over last for good.
    unsafe {
        let proto = ws::proto_register_protocol(c"Ceph Messenger v2".as_ptr(), c"MSGR2".as_ptr(), c"msgr2".as_ptr());
        PROTO.set(proto);
        let ids = ids();
        fields(proto, ids);
        let subtrees: Vec<*mut c_int> = (0..SUBTREES).map(|i| ids.subtrees.add(i)).collect();
        ws::proto_register_subtree_array(subtrees.leak().as_ptr().cast(), SUBTREES as c_int);
        experts(proto, ids);
        preferences(proto);
        ws::register_cleanup_routine(Some(dissect::forget));
    }
}

unsafe fn fields(proto: c_int, ids: &Ids) {
    let mut infos: Vec<ws::hf_register_info> = Vec::new();
    let mut named: Vec<(*const EnumInfo, *const c_void)> = Vec::new();
    for (index, field) in FIELDS.iter().enumerate() {
        let (kind, display, strings) = form(field, &mut named);
        // SAFETY: the id's place lasts for good.
        let id = unsafe { ids.fields.add(index) };
        infos.push(info(id, field.label, field.filter, kind, display, strings, field.doc));
    }
    for (word, first) in ids.flag_words() {
        for (index, flag) in word.flags.iter().enumerate() {
            // SAFETY: as above.
            let id = unsafe { ids.flags.add(first + index) };
            infos.push(info(id, flag.name, flag.filter, ws::FT_BOOLEAN, ws::BASE_NONE as u32, ptr::null(), flag.doc));
        }
    }
    let count = infos.len() as c_int;
    // SAFETY: the array lasts for good.
    unsafe { ws::proto_register_field_array(proto, infos.leak().as_mut_ptr(), count) }
}

fn info(
    id: *mut c_int,
    label: &str,
    filter: &str,
    kind: ws::ftenum,
    display: u32,
    strings: *const c_void,
    doc: &str,
) -> ws::hf_register_info {
    let mut info = ws::hf(id, c"", c"", kind, display, strings, 0, None);
    info.hfinfo.name = text(label);
    info.hfinfo.abbrev = text(filter);
    info.hfinfo.blurb = text(doc);
    info
}

/// Wireshark's type, base and names for a field.
fn form(field: &FieldInfo, named: &mut Vec<(*const EnumInfo, *const c_void)>) -> (ws::ftenum, u32, *const c_void) {
    let base = match field.display {
        Display::Dec => ws::BASE_DEC,
        Display::Hex => ws::BASE_HEX,
    } as u32;
    let none = ws::BASE_NONE as u32;
    let unsigned = |width| match width {
        1 => ws::FT_UINT8,
        2 => ws::FT_UINT16,
        4 => ws::FT_UINT32,
        _ => ws::FT_UINT64,
    };
    let signed = |width| match width {
        1 => ws::FT_INT8,
        2 => ws::FT_INT16,
        4 => ws::FT_INT32,
        _ => ws::FT_INT64,
    };
    match field.kind {
        Kind::Unsigned(width) => (unsigned(width), base, ptr::null()),
        Kind::Signed(width) => (signed(width), ws::BASE_DEC as u32, ptr::null()),
        Kind::Enum(width, info) => {
            let negative = info.values.iter().any(|v| v.number < 0);
            let (kind, base) = if negative { (signed(width), ws::BASE_DEC as u32) } else { (unsigned(width), base) };
            (kind, base, names(info, named))
        }
        Kind::Flags(width, _) => (unsigned(width), ws::BASE_HEX as u32, ptr::null()),
        Kind::Float(4) => (ws::FT_FLOAT, none, ptr::null()),
        Kind::Float(_) => (ws::FT_DOUBLE, none, ptr::null()),
        Kind::Bool | Kind::Present => (ws::FT_BOOLEAN, none, ptr::null()),
        Kind::Bytes => (ws::FT_BYTES, none, ptr::null()),
        Kind::Text | Kind::Struct(true) => (ws::FT_STRING, none, ptr::null()),
        Kind::Ipv4 => (ws::FT_IPv4, none, ptr::null()),
        Kind::Ipv6 => (ws::FT_IPv6, none, ptr::null()),
        Kind::Uuid => (ws::FT_GUID, none, ptr::null()),
        Kind::Time => (ws::FT_ABSOLUTE_TIME, ws::ABSOLUTE_TIME_UTC as u32, ptr::null()),
        Kind::Duration => (ws::FT_RELATIVE_TIME, none, ptr::null()),
        Kind::List => (ws::FT_UINT32, ws::BASE_DEC as u32, ptr::null()),
        Kind::Struct(false) | Kind::Held | Kind::Switch | Kind::Entry => (ws::FT_NONE, none, ptr::null()),
    }
}

/// An enum's names as Wireshark's array; each enum has one.
fn names(info: &'static EnumInfo, named: &mut Vec<(*const EnumInfo, *const c_void)>) -> *const c_void {
    if let Some((_, strings)) = named.iter().find(|(known, _)| ptr::eq(*known, info)) {
        return *strings;
    }
    let values = info.values.iter().flat_map(|value| {
        let name = text(value.name);
        (value.number..=value.to).map(move |number| ws::value_string { value: number as u32, strptr: name })
    });
    let end = ws::value_string { value: 0, strptr: ptr::null() };
    let strings = values.chain([end]).collect::<Vec<_>>().leak().as_ptr().cast();
    named.push((info, strings));
    strings
}

unsafe fn experts(proto: c_int, ids: &Ids) {
    let mut infos: Vec<ws::ei_register_info> = FINDINGS
        .iter()
        .enumerate()
        .map(|(index, finding)| {
            let severity = match finding.severity {
                Severity::Chat => ws::PI_CHAT,
                Severity::Note => ws::PI_NOTE,
                Severity::Warn => ws::PI_WARN,
                Severity::Error => ws::PI_ERROR,
            };
            let group = match finding.group {
                Group::Checksum => ws::PI_CHECKSUM,
                Group::Sequence => ws::PI_SEQUENCE,
                Group::Malformed => ws::PI_MALFORMED,
                Group::Protocol => ws::PI_PROTOCOL,
                Group::Decryption => ws::PI_DECRYPTION,
                Group::Undecoded => ws::PI_UNDECODED,
            };
            let mut info = ws::ei(ids.expert(index), c"", group as u32, severity as u32, c"");
            info.eiinfo.name = text(finding.filter);
            info.eiinfo.summary = text(finding.summary);
            info
        })
        .collect();
    infos.push(ws::ei(
        ids.expert(FINDINGS.len()),
        c"msgr2.finding.not_shown",
        ws::PI_UNDECODED as u32,
        ws::PI_WARN as u32,
        c"Not shown in full",
    ));
    let count = infos.len() as c_int;
    // SAFETY: the array lasts for good.
    unsafe {
        let module = ws::expert_register_protocol(proto);
        ws::expert_register_field_array(module, infos.leak().as_mut_ptr(), count);
    }
}

unsafe fn preferences(proto: c_int) {
    // SAFETY: the variables and texts last for good.
    unsafe {
        let module = ws::prefs_register_protocol(proto, None);
        ws::prefs_register_bool_preference(
            module,
            c"desegment".as_ptr(),
            c"Reassemble frames spanning multiple TCP segments".as_ptr(),
            c"To use this, \"Allow subdissectors to reassemble TCP streams\" must be on in the TCP protocol settings."
                .as_ptr(),
            DESEGMENT.as_ptr(),
        );
        ws::prefs_register_bool_preference(
            module,
            c"verify_crc".as_ptr(),
            c"Check the CRCs of segments".as_ptr(),
            c"The CRC of a frame's preamble is always checked, because the frame's length is in it.".as_ptr(),
            VERIFY_CRC.as_ptr(),
        );
    }
}

unsafe extern "C" fn hand_off() {
    // SAFETY: the handle, table and texts last for good.
    unsafe {
        let proto = PROTO.get();
        let handle = ws::create_dissector_handle(Some(claim::dissector), proto);
        claim::HANDLE.set(handle);
        claim::LEGACY.set(ws::find_heur_dissector_by_unique_short_name(c"ceph_tcp".as_ptr()));
        let table = ws::find_dissector_table(c"tcp.port".as_ptr());
        let former: Vec<_> = (0..=u32::from(u16::MAX)).map(|port| ws::dissector_get_uint_handle(table, port)).collect();
        claim::FORMER.set(former.leak().as_ptr());
        ws::dissector_add_uint_range_with_preference(c"tcp.port".as_ptr(), PORTS.as_ptr(), handle);
        ws::heur_dissector_add(
            c"tcp".as_ptr(),
            claim::heuristic,
            c"Ceph Messenger v2 over TCP".as_ptr(),
            c"msgr2_tcp".as_ptr(),
            proto,
            true,
        );
    }
}
