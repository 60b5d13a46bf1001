//! The inline functions of `epan/proto.h` that set and read an item's flags.
//!
//! An item may be null (no tree is wanted), and so may its `finfo` (the tree is
//! there for a filter only and the item is not wanted): both are checked.

use crate::raw::{self, proto_item, proto_tree};

/// # Safety
///
/// `item` is null or an item of the present dissection.
#[inline]
unsafe fn set(item: *mut proto_item, flag: u32) {
    if item.is_null() {
        return;
    }
    // SAFETY: not null, and an item by the caller's promise.
    let finfo = unsafe { (*item).finfo };
    if !finfo.is_null() {
        // SAFETY: not null, and it lives as long as its item.
        unsafe { (*finfo).flags |= flag };
    }
}

/// # Safety
///
/// `item` is null or an item of the present dissection.
#[inline]
unsafe fn get(item: *const proto_item, flag: u32) -> bool {
    if item.is_null() {
        return false;
    }
    // SAFETY: not null, and an item by the caller's promise.
    let finfo = unsafe { (*item).finfo };
    // SAFETY: read only when not null; it lives as long as its item.
    !finfo.is_null() && unsafe { (*finfo).flags } & flag != 0
}

/// Marks the item as not read from the packet.
///
/// # Safety
///
/// `item` is null or an item of the present dissection.
#[inline]
pub unsafe fn proto_item_set_generated(item: *mut proto_item) {
    // SAFETY: the caller's promise.
    unsafe { set(item, raw::FI_GENERATED) };
}

/// Takes the item out of the display; it still answers filters.
///
/// # Safety
///
/// `item` is null or an item of the present dissection.
#[inline]
pub unsafe fn proto_item_set_hidden(item: *mut proto_item) {
    // SAFETY: the caller's promise.
    unsafe { set(item, raw::FI_HIDDEN) };
}

/// Marks the item as a link that can be opened.
///
/// # Safety
///
/// `item` is null or an item of the present dissection.
#[inline]
pub unsafe fn proto_item_set_url(item: *mut proto_item) {
    // SAFETY: the caller's promise.
    unsafe { set(item, raw::FI_URL) };
}

/// Whether the item is marked as not read from the packet.
///
/// # Safety
///
/// `item` is null or an item of the present dissection.
#[inline]
pub unsafe fn proto_item_is_generated(item: *const proto_item) -> bool {
    // SAFETY: the caller's promise.
    unsafe { get(item, raw::FI_GENERATED) }
}

/// Whether the item is taken out of the display.
///
/// # Safety
///
/// `item` is null or an item of the present dissection.
#[inline]
pub unsafe fn proto_item_is_hidden(item: *const proto_item) -> bool {
    // SAFETY: the caller's promise.
    unsafe { get(item, raw::FI_HIDDEN) }
}

/// Whether somebody will look at the tree's items, and not only filter by them.
///
/// # Safety
///
/// `tree` is null or a tree of the present dissection.
#[inline]
pub unsafe fn is_visible(tree: *const proto_tree) -> bool {
    use crate::compat::Truth as _;
    if tree.is_null() {
        return false;
    }
    // SAFETY: not null, and a tree by the caller's promise.
    let data = unsafe { (*tree).tree_data };
    // SAFETY: read only when not null; it lives as long as the tree.
    !data.is_null() && unsafe { (*data).visible }.is_true()
}
