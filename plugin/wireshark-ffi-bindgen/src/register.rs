//! The records of registration: fields, expert information, plugin.
//!
//! Wireshark keeps the pointers and writes into the records: they must live for
//! ever. Build a `Vec` at registration and leak it, or use a static [`ForC`].

use std::{
    cell::UnsafeCell,
    ffi::{CStr, c_char, c_int, c_void},
    ptr,
};

use crate::raw::{self, ei_register_info, expert_field, header_field_info, hf_register_info};

/// The initial value of an expert field (`EI_INIT`).
#[allow(clippy::unnecessary_cast, reason = "the headers' -1 is an i32, their 0 (4.6) a u32")]
pub const EI_INIT: expert_field = expert_field { ei: raw::EI_INIT_EI as c_int, hf: raw::EI_INIT_HF as c_int };

const fn text(text: Option<&'static CStr>) -> *const c_char {
    match text {
        Some(text) => text.as_ptr(),
        None => ptr::null(),
    }
}

/// The description of a field, with the rest filled in as `HFILL` does.
///
/// `display` is one of `BASE_*`, with modifiers; for an `FT_BOOLEAN` with a
/// bitmask it is the width in bits. `strings` is null or one of the tables of
/// [`strings`](crate::strings), which `display` must announce where it is not a
/// table of 32-bit values.
pub const fn header_field(
    name: &'static CStr,
    abbrev: &'static CStr,
    type_: raw::ftenum,
    display: u32,
    strings: *const c_void,
    bitmask: u64,
    blurb: Option<&'static CStr>,
) -> header_field_info {
    header_field_info {
        name: name.as_ptr(),
        abbrev: abbrev.as_ptr(),
        type_,
        display: display as c_int,
        strings,
        bitmask,
        blurb: text(blurb),
        id: -1,
        parent: 0,
        ref_type: raw::HF_REF_TYPE_NONE,
        same_name_prev_id: -1,
        same_name_next: ptr::null_mut(),
    }
}

/// A record for `proto_register_field_array`; `id` receives the field's number
/// and must hold -1.
#[allow(clippy::too_many_arguments, reason = "the members of the record, in order")]
pub const fn hf(
    id: *mut c_int,
    name: &'static CStr,
    abbrev: &'static CStr,
    type_: raw::ftenum,
    display: u32,
    strings: *const c_void,
    bitmask: u64,
    blurb: Option<&'static CStr>,
) -> hf_register_info {
    hf_register_info { p_id: id, hfinfo: header_field(name, abbrev, type_, display, strings, bitmask, blurb) }
}

/// A record for `expert_register_field_array`, with the rest filled in as
/// `EXPFILL` does; `field` must hold [`EI_INIT`].
///
/// `group` and `severity` are two of `PI_*`: first for example `PI_MALFORMED`,
/// then for example `PI_ERROR`.
pub const fn ei(
    field: *mut expert_field,
    name: &'static CStr,
    group: u32,
    severity: u32,
    summary: &'static CStr,
) -> ei_register_info {
    ei_register_info {
        ids: field,
        eiinfo: raw::expert_field_info {
            name: name.as_ptr(),
            group: group as c_int,
            severity: severity as c_int,
            summary: summary.as_ptr(),
            id: 0,
            protocol: ptr::null(),
            orig_severity: 0,
            hf_info: hf_register_info {
                p_id: ptr::null_mut(),
                hfinfo: header_field_info {
                    name: ptr::null(),
                    abbrev: ptr::null(),
                    type_: raw::FT_NONE,
                    display: raw::BASE_NONE as c_int,
                    strings: ptr::null(),
                    bitmask: 0,
                    blurb: ptr::null(),
                    id: -1,
                    parent: 0,
                    ref_type: raw::HF_REF_TYPE_NONE,
                    same_name_prev_id: -1,
                    same_name_next: ptr::null_mut(),
                },
            },
        },
    }
}

/// A static that Wireshark keeps a pointer to and may write into: the
/// `proto_plugin`, the number of a field, the variable of a preference.
#[repr(transparent)]
pub struct ForC<T>(UnsafeCell<T>);

// SAFETY: the value is reached through a raw pointer only, and `new` has the
// promise that this happens on Wireshark's thread.
unsafe impl<T> Sync for ForC<T> {}

impl<T> ForC<T> {
    /// Wraps the value.
    ///
    /// # Safety
    ///
    /// The value is used on Wireshark's thread only.
    pub const unsafe fn new(value: T) -> Self {
        Self(UnsafeCell::new(value))
    }

    /// The pointer for Wireshark.
    #[inline]
    pub const fn as_ptr(&self) -> *mut T {
        self.0.get()
    }
}

impl<T: Copy> ForC<T> {
    /// The present value.
    #[inline]
    pub fn get(&self) -> T {
        // SAFETY: one thread by the promise given to `new`, and no reference
        // to the value exists.
        unsafe { *self.0.get() }
    }

    /// Replaces the value.
    #[inline]
    pub fn set(&self, value: T) {
        // SAFETY: as in `get`.
        unsafe { *self.0.get() = value };
    }
}
