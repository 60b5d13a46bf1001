//! Tells Wireshark what there is: the protocol, its fields, expert infos, preferences, and when to call.

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::io::Write as _;
use std::ops::RangeInclusive;
use std::ptr;

use msgr2::FINDINGS;
use msgr2::field::FIELDS;
use msgr2::wire::{Display, EnumInfo, FieldInfo, Group, Kind, Severity};
use wireshark_ffi_bindgen as ws;
use ws::ForC;

use crate::ids::{Ids, PROTO, SUBTREES, ids};
use crate::page::{BAD_KEYRING, NOT_SHOWN};
use crate::{claim, dissect, keys};

// SAFETY: Wireshark calls a plugin on one thread.
/// Whether the CRCs of segments are checked.
// SAFETY: as above.
pub(crate) static VERIFY_CRC: ForC<ws::WsBool> = unsafe { ForC::new(ws::TRUE) };
/// The name of the file with keys, or nothing.
// SAFETY: as above.
pub(crate) static KEYRING: ForC<*const c_char> = unsafe { ForC::new(c"".as_ptr()) };

/// The mon's port, and those of all other daemons.
const PORTS: [RangeInclusive<u16>; 2] = [3300..=3300, 6800..=7568];

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
            // where nobody listens there is nothing to be done about it
            let _ = writeln!(
                std::io::stderr(),
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
        ws::register_init_routine(Some(dissect::prepare));
        ws::register_cleanup_routine(Some(dissect::forget));
        ws::register_postseq_cleanup_routine(Some(dissect::passed));
    }
}

unsafe fn fields(proto: c_int, ids: &Ids) {
    let mut infos = common_names();
    let mut named: Vec<(*const EnumInfo, *const c_void)> = Vec::new();
    for (index, field) in FIELDS.iter().enumerate() {
        let (kind, display, strings) = form(field, &mut named);
        // SAFETY: the id's place lasts for good.
        let id = unsafe { ids.fields.add(index) };
        infos.push(info(id, field.label, field.filter, kind, display, strings, field.doc));
        if has_twin(field) {
            // SAFETY: as above.
            let id = unsafe { ids.twins.add(index) };
            let hex = ws::BASE_HEX as u32;
            infos.push(info(id, field.label, field.filter, ws::FT_UINT32, hex, ptr::null(), field.doc));
        }
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

/// Whether negative numbers of the field have names. Wireshark makes an unsigned number of a name in a filter, which no
/// signed field is equal to. So packets with a negative number get a hidden field beside the shown one, with the same bits
/// as an unsigned number: `== "eacces"` finds that one, `== -13` the other.
fn has_twin(field: &FieldInfo) -> bool {
    matches!(field.kind, Kind::Enum(1 | 2 | 4, info) if info.signed && info.values.iter().any(|value| value.number < 0))
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
        Display::Packet => return (ws::FT_FRAMENUM, ws::BASE_NONE as u32, ptr::null()),
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
            let (kind, base) = if info.signed { (signed(width), ws::BASE_DEC as u32) } else { (unsigned(width), base) };
            // Wireshark has another kind of table for names of eight bytes, and ends with an exception without it
            (kind, base, if width > 4 { ptr::null() } else { names(info, named) })
        }
        Kind::Flags(width, _) => (unsigned(width), ws::BASE_HEX as u32, ptr::null()),
        Kind::Float(4) => (ws::FT_FLOAT, none, ptr::null()),
        Kind::Float(_) => (ws::FT_DOUBLE, none, ptr::null()),
        Kind::Bool | Kind::Present => (ws::FT_BOOLEAN, none, ptr::null()),
        Kind::Bytes => (ws::FT_BYTES, none, ptr::null()),
        Kind::Text | Kind::Secret | Kind::Struct(true) => (ws::FT_STRING, none, ptr::null()),
        Kind::Ipv4 => (ws::FT_IPv4, none, ptr::null()),
        Kind::Ipv6 => (ws::FT_IPv6, none, ptr::null()),
        Kind::Uuid => (ws::FT_GUID, none, ptr::null()),
        Kind::Time => (ws::FT_ABSOLUTE_TIME, ws::ABSOLUTE_TIME_UTC as u32, ptr::null()),
        Kind::Duration => (ws::FT_RELATIVE_TIME, none, ptr::null()),
        Kind::List => (ws::FT_UINT32, ws::BASE_DEC as u32, ptr::null()),
        Kind::Struct(false) | Kind::Held | Kind::Switch | Kind::Entry => (ws::FT_NONE, none, ptr::null()),
    }
}

/// For each filter under which there are fields with different names, one more field that has all names of them.
///
/// Wireshark looks a name in a filter up in the field that was registered first. No packet has that one, so what is
/// shown stays as each dialect names it. A name that two dialects have stands for the number in the one that comes
/// later in the table; each frame's payload has a filter of its own, which finds it in all dialects.
fn common_names() -> Vec<ws::hf_register_info> {
    let mut filters: Vec<(&str, Vec<(&'static FieldInfo, &'static EnumInfo)>)> = Vec::new();
    for field in FIELDS.iter() {
        let Kind::Enum(_, info) = field.kind else { continue };
        match filters.iter_mut().find(|(filter, _)| *filter == field.filter) {
            Some((_, fields)) if fields.iter().any(|(_, known)| ptr::eq(*known, info)) => {}
            Some((_, fields)) => fields.push((field, info)),
            None => filters.push((field.filter, vec![(field, info)])),
        }
    }
    let several = filters.into_iter().filter(|(_, fields)| fields.len() > 1);
    several
        .map(|(_, fields)| {
            let values = fields.iter().rev().flat_map(|(_, info)| info.values);
            let strings: Vec<ws::value_string> = values
                .map(|value| ws::value_string { value: value.number as u32, strptr: text(value.name) })
                .chain([ws::strings::VALUE_STRING_END])
                .collect();
            let (field, _) = fields[0];
            let (kind, display, _) = form(field, &mut Vec::new());
            let id = Box::leak(Box::new(-1));
            info(id, field.label, field.filter, kind, display, strings.leak().as_ptr().cast(), field.doc)
        })
        .collect()
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
    let strings = values.chain([ws::strings::VALUE_STRING_END]).collect::<Vec<_>>().leak().as_ptr().cast();
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
    let own = [
        (NOT_SHOWN, c"msgr2.finding.not_shown", ws::PI_UNDECODED as u32, c"Not shown in full"),
        (BAD_KEYRING, c"msgr2.finding.bad_keyring", ws::PI_DECRYPTION as u32, c"The keyring can't be used"),
    ];
    infos.extend(own.map(|(kind, name, group, text)| ws::ei(ids.expert(kind), name, group, ws::PI_WARN as u32, text)));
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
            c"verify_crc".as_ptr(),
            c"Check the CRCs of segments".as_ptr(),
            c"The CRC of a frame's preamble is always checked, because the frame's length is in it.".as_ptr(),
            VERIFY_CRC.as_ptr(),
        );
        ws::prefs_register_filename_preference(
            module,
            c"keyring".as_ptr(),
            c"Keyring".as_ptr(),
            c"A keyring file of the cluster, as Ceph's own tools write it, a folder with such files, or several of \
              them with a colon between: what is sealed with these keys, or with keys that can be learnt by them, is \
              shown in the clear."
                .as_ptr(),
            KEYRING.as_ptr(),
            false,
        );
    }
}

/// Wireshark's table of who dissects which TCP port.
pub(crate) const TCP_PORT: &CStr = c"tcp.port";

unsafe extern "C" fn hand_off() {
    // SAFETY: the handle, table and texts last for good.
    unsafe {
        let proto = PROTO.get();
        let handle = ws::create_dissector_handle(Some(claim::dissector), proto);
        claim::HANDLE.set(handle);
        dissect::begin();
        ws::register_postdissector(ws::create_dissector_handle(Some(dissect::after), proto));
        claim::LEGACY.set(ws::find_heur_dissector_by_unique_short_name(c"ceph_tcp".as_ptr()));
        let table = ws::find_dissector_table(TCP_PORT.as_ptr());
        let former: Vec<_> = (0..=u32::from(u16::MAX)).map(|port| ws::dissector_get_uint_handle(table, port)).collect();
        claim::FORMER.set(former.leak().as_mut_ptr());
        let ports = PORTS.map(|ports| format!("{}-{}", ports.start(), ports.end())).join(",");
        ws::dissector_add_uint_range_with_preference(TCP_PORT.as_ptr(), text(&ports), handle);
        ws::register_final_registration_routine(Some(come_last));
        keys::listen();
        ws::heur_dissector_add(
            c"tcp".as_ptr(),
            claim::heuristic,
            c"Ceph Messenger v2 over TCP".as_ptr(),
            c"msgr2_tcp".as_ptr(),
            proto,
            true,
        );
        claim::OWN.set(ws::find_heur_dissector_by_unique_short_name(c"msgr2_tcp".as_ptr()));
    }
}

/// Takes back the ports that other plugins have got since (Wireshark's own gryphon is one), before preferences are read.
/// What isn't ours there they still get.
unsafe extern "C" fn come_last() {
    // SAFETY: the handle lasts for good; the array has an entry for each 16-bit number.
    unsafe {
        let (handle, former) = (claim::HANDLE.get(), claim::FORMER.get());
        let table = ws::find_dissector_table(TCP_PORT.as_ptr());
        for port in PORTS.into_iter().flatten() {
            let holder = ws::dissector_get_uint_handle(table, port.into());
            if !ptr::eq(holder, handle) {
                *former.add(port.into()) = holder;
                ws::dissector_add_uint(TCP_PORT.as_ptr(), port.into(), handle);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_negative_number_with_a_name_has_a_twin() {
        let signed = |field: &&FieldInfo| match field.kind {
            // of eight bytes Wireshark knows no names
            Kind::Enum(width, info) => width < 8 && info.values.iter().any(|value| value.number < 0),
            _ => false,
        };
        let all: Vec<&FieldInfo> = FIELDS.iter().filter(signed).collect();
        assert!(!all.is_empty());
        assert!(all.iter().all(|field| has_twin(field)));
    }
}
