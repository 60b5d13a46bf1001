//! Shows a page: every call into Wireshark that dissection makes for the tree.
//!
//! Wireshark may leave any of these calls by `longjmp`. So nothing here owns anything: the page is reached through a
//! raw pointer, and all values are `Copy`.

use std::ffi::{CStr, c_char, c_int};
use std::ptr;

use msgr2::field::FIELDS;
use msgr2::wire::{Kind, MOST_VIEWS};
use wireshark_ffi_bindgen as ws;

use crate::ids::{Ids, PROTO, PROTOCOL_SUBTREE, ids};
use crate::page::{Item, Joined, MOST_OPENED, Note, Page, Piece, Value};

/// The deepest tree; the spec's types nest less, and Wireshark has a limit too.
const MOST_DEPTH: usize = 48;

/// The arguments that every call needs.
#[derive(Clone, Copy)]
pub(crate) struct Target {
    /// The bytes.
    pub tvb: *mut ws::tvbuff_t,
    /// The packet.
    pub pinfo: *mut ws::packet_info,
    /// The tree, or null.
    pub tree: *mut ws::proto_tree,
    /// Whether nothing of this packet was shown before.
    pub first: bool,
}

/// A text of the page.
unsafe fn text(page: *const Page, at: u32) -> *const c_char {
    // SAFETY: texts are cut from this buffer, with a zero byte behind each.
    unsafe { (*page).texts.as_ptr().add(at as usize).cast() }
}

/// Shows all units.
///
/// # Safety
///
/// `page` outlives the call and isn't touched meanwhile; its ranges lie within `target.tvb`, those of
/// pieces in opened ones within what was opened, those of joined ones within what was joined, which lasts as long as the
/// packet's dissection.
pub(crate) unsafe fn page(page: *const Page, target: Target) {
    // SAFETY: the caller's promises, and Wireshark's own rules for the calls.
    unsafe {
        let count = (*page).pieces.len();
        let mut infos = 0;
        // where pieces are shown that stand in so many opened ones
        let mut within = [target; MOST_OPENED as usize + 2];
        let mut index = 0;
        while index < count {
            let piece = (*page).pieces.as_ptr().add(index);
            if (*piece).column
                && let Some(info) = (*piece).info
            {
                let (columns, info) = ((*target.pinfo).cinfo, text(page, info));
                if target.first && infos == 0 {
                    ws::col_add_str(columns, ws::column::INFO, info);
                } else {
                    ws::col_append_sep_str(columns, ws::column::INFO, c", ".as_ptr(), info);
                }
                infos += 1;
            }
            let depth = (*piece).depth.min(MOST_OPENED) as usize;
            let mut place = within[depth];
            if let Some(Joined { bytes, length }) = (*piece).joined {
                place.tvb = ws::tvb_new_child_real_data(place.tvb, bytes, length as _, length as _);
                ws::add_new_data_source(place.pinfo, place.tvb, c"Reassembled msgr2 frame".as_ptr());
            }
            let tree = show(page, piece, place);
            within[depth + 1] = Target { tree, ..place };
            if let Some(opened) = &(*piece).opened {
                let (start, length) = (opened.range.start, opened.range.end - opened.range.start);
                within[depth + 1].tvb = view(page, start, length, opened.name.as_ptr(), place);
            }
            index += 1;
        }
    }
}

/// What was in a sealed record or structure, as one more pane of bytes.
unsafe fn view(page: *const Page, start: u32, length: u32, name: *const c_char, target: Target) -> *mut ws::tvbuff_t {
    // SAFETY: as in `page`; the copy lives as long as the packet's dissection, as the buffer over it does.
    unsafe {
        let length = length as usize;
        let copy: *mut u8 = ws::wmem_alloc((*target.pinfo).pool, length.max(1) as _).cast();
        ptr::copy_nonoverlapping((*page).opened.as_ptr().add(start as usize), copy, length);
        let view = ws::tvb_new_child_real_data(target.tvb, copy, length as _, length as _);
        ws::add_new_data_source(target.pinfo, view, name);
        view
    }
}

/// Shows one unit, and returns its tree.
unsafe fn show(page: *const Page, piece: *const Piece, target: Target) -> *mut ws::proto_tree {
    // SAFETY: as in `page`.
    unsafe {
        let piece = &*piece;
        if target.tree.is_null() {
            notes(page, piece, target, ptr::null_mut());
            return ptr::null_mut();
        }
        let (start, length) = (piece.start as c_int, piece.length as c_int);
        let top = ws::proto_tree_add_item(target.tree, PROTO.get(), target.tvb, start, length, ws::ENC_NA as _);
        if let Some(info) = piece.info {
            ws::proto_item_append_text(top, c", %s".as_ptr(), text(page, info));
        }
        let ids = ids();
        let tree = ws::proto_item_add_subtree(top, ids.subtree(PROTOCOL_SUBTREE));
        let mut index = piece.generated.start as usize;
        while index < piece.generated.end as usize {
            let item = *(*page).generated.as_ptr().add(index);
            ws::proto_item_set_generated(add(page, item, target, tree, ids));
            index += 1;
        }
        items(page, piece, target, tree, ids);
        notes(page, piece, target, tree);
        tree
    }
}

unsafe fn items(page: *const Page, piece: &Piece, target: Target, tree: *mut ws::proto_tree, ids: &Ids) {
    // SAFETY: as in `page`.
    unsafe {
        let mut trees = [tree; MOST_DEPTH];
        let mut views: [*mut ws::tvbuff_t; MOST_VIEWS] = [ptr::null_mut(); MOST_VIEWS];
        let mut last = ptr::null_mut();
        let mut last_depth = 0;
        let mut last_field = 0;
        let mut index = piece.items.start as usize;
        while index < piece.items.end as usize {
            let item = *(*page).items.as_ptr().add(index);
            let depth = (item.depth as usize).min(MOST_DEPTH - 1);
            if depth > last_depth {
                let below = ws::proto_item_add_subtree(last, ids.subtree(last_field));
                trees[depth] = if below.is_null() { trees[last_depth] } else { below };
            }
            let mut within = target;
            if let Some(number) = (item.view as usize).checked_sub(1) {
                let number = number.min(MOST_VIEWS - 1);
                if views[number].is_null() {
                    let opened = *(*page).views.as_ptr().add(piece.views as usize + number);
                    views[number] = view(page, opened.start, opened.length, text(page, opened.name), target);
                }
                within.tvb = views[number];
            }
            last = add(page, item, within, trees[depth], ids);
            last_depth = depth;
            last_field = item.field as usize;
            index += 1;
        }
    }
}

unsafe fn add(
    page: *const Page,
    item: Item,
    target: Target,
    tree: *mut ws::proto_tree,
    ids: &Ids,
) -> *mut ws::proto_item {
    // SAFETY: as in `page`.
    unsafe {
        let hf = ids.field_at(item.field);
        let (tvb, start, length) = (target.tvb, item.start as c_int, item.length as c_int);
        match item.value {
            Value::Nothing(None) => ws::proto_tree_add_item(tree, hf, tvb, start, length, ws::ENC_NA as _),
            Value::Nothing(Some(at)) => {
                let added = ws::proto_tree_add_item(tree, hf, tvb, start, length, ws::ENC_NA as _);
                ws::proto_item_append_text(added, c": %s".as_ptr(), text(page, at));
                added
            }
            Value::U32(n) => ws::proto_tree_add_uint(tree, hf, tvb, start, length, n),
            Value::U64(n) => ws::proto_tree_add_uint64(tree, hf, tvb, start, length, n),
            Value::I32(n) => {
                let twin = ids.twin_at(item.field);
                if n < 0 && twin != -1 {
                    ws::proto_item_set_hidden(ws::proto_tree_add_uint(tree, twin, tvb, start, length, n as u32));
                }
                ws::proto_tree_add_int(tree, hf, tvb, start, length, n)
            }
            Value::I64(n) => ws::proto_tree_add_int64(tree, hf, tvb, start, length, n),
            Value::Bool(truth) => ws::proto_tree_add_boolean(tree, hf, tvb, start, length, truth.into()),
            Value::F32(x) => ws::proto_tree_add_float(tree, hf, tvb, start, length, x),
            Value::F64(x) => ws::proto_tree_add_double(tree, hf, tvb, start, length, x),
            Value::Ipv4(address) => ws::proto_tree_add_ipv4(tree, hf, tvb, start, length, address),
            Value::Time(secs, nsecs) => {
                let time = ws::nstime_t { secs: secs as _, nsecs };
                ws::proto_tree_add_time(tree, hf, tvb, start, length, &raw const time)
            }
            Value::Text(at) => ws::proto_tree_add_string(tree, hf, tvb, start, length, text(page, at)),
            Value::Bytes(0) => {
                ws::proto_tree_add_bytes_with_length(tree, hf, tvb, start, length, c"".as_ptr().cast(), 0)
            }
            Value::Bytes(content) => {
                let from = start + length - content as c_int;
                let bytes = ws::tvb_get_ptr(tvb, from, content as c_int);
                ws::proto_tree_add_bytes_with_length(tree, hf, tvb, start, length, bytes, content as c_int)
            }
            Value::Range => ws::proto_tree_add_item(tree, hf, tvb, start, length, ws::ENC_BIG_ENDIAN as _),
            Value::Flags(word) => flags(item, word, target, tree, ids),
        }
    }
}

/// Words with more flags than this show only those that are set.
const MOST_UNSET_FLAGS: usize = 16;

unsafe fn flags(item: Item, word: u64, target: Target, tree: *mut ws::proto_tree, ids: &Ids) -> *mut ws::proto_item {
    // SAFETY: as in `page`.
    unsafe {
        let hf = ids.field_at(item.field);
        let (tvb, start, length) = (target.tvb, item.start as c_int, item.length as c_int);
        let Kind::Flags(width, info) = FIELDS[item.field as usize].kind else { return ptr::null_mut() };
        let added = if width <= 4 {
            ws::proto_tree_add_uint(tree, hf, tvb, start, length, word as u32)
        } else {
            ws::proto_tree_add_uint64(tree, hf, tvb, start, length, word)
        };
        let below = ws::proto_item_add_subtree(added, ids.subtree(item.field as usize));
        let first = ids.flags_at(item.field);
        let mut index = 0;
        while index < info.flags.len() {
            let flag = &info.flags[index];
            let set = word & flag.mask == flag.mask;
            if flag.retired.is_empty() && (set || info.flags.len() <= MOST_UNSET_FLAGS) {
                ws::proto_tree_add_boolean(below, ids.flag(first + index), tvb, start, length, set.into());
            }
            index += 1;
        }
        added
    }
}

unsafe fn notes(page: *const Page, piece: &Piece, target: Target, tree: *mut ws::proto_tree) {
    // SAFETY: as in `page`; the format has one text and gets one.
    unsafe {
        let mut index = piece.notes.start as usize;
        while index < piece.notes.end as usize {
            let Note { kind, start, length, text: at } = *(*page).notes.as_ptr().add(index);
            let (start, length) = (start.min(piece.start + piece.length) as c_int, length as c_int);
            let length = length.min((piece.start + piece.length) as c_int - start).max(0);
            let said = text(page, at);
            let expert = ids().expert(kind);
            if tree.is_null() {
                ws::expert_add_info_format(target.pinfo, ptr::null_mut(), expert, c"%s".as_ptr(), said);
            } else {
                ws::proto_tree_add_expert_format(
                    tree,
                    target.pinfo,
                    expert,
                    target.tvb,
                    start,
                    length,
                    c"%s".as_ptr(),
                    said,
                );
            }
            index += 1;
        }
    }
}

/// The name in the protocol column.
pub(crate) const COLUMN: &CStr = c"MSGR2";
