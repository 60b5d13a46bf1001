//! The decryption secrets blocks of a capture.
//!
//! `secrets_register_type` is in the headers of all series, but the 4.0 library
//! keeps it to itself: a plugin that names it would be refused at load. So it is
//! looked up when the plugin runs.

use std::ffi::{CStr, c_char, c_uint, c_void};
use std::mem;

/// Receives the content of a block.
pub type SecretsBlock = unsafe extern "C" fn(secrets: *const c_void, size: c_uint);

const SYMBOL: &CStr = c"secrets_register_type";

/// glibc's and musl's `RTLD_DEFAULT`: all that the program has loaded.
#[cfg(not(target_vendor = "apple"))]
const EVERYWHERE: *mut c_void = std::ptr::null_mut();
/// Apple's `RTLD_DEFAULT`.
#[cfg(target_vendor = "apple")]
const EVERYWHERE: *mut c_void = std::ptr::without_provenance_mut(-2_isize as usize);

unsafe extern "C" {
    fn dlsym(handle: *mut c_void, symbol: *const c_char) -> *mut c_void;
}

/// Has `callback` called with each secrets block of this type; false if this
/// Wireshark offers that to no plugin.
///
/// # Safety
///
/// Nobody else has registered the type.
pub unsafe fn secrets_register_type(kind: u32, callback: SecretsBlock) -> bool {
    // SAFETY: the symbol's name ends with a zero byte.
    let found = unsafe { dlsym(EVERYWHERE, SYMBOL.as_ptr()) };
    if found.is_null() {
        return false;
    }
    // SAFETY: this is the function's type in every series that exports it.
    unsafe {
        let register: unsafe extern "C" fn(u32, SecretsBlock) = mem::transmute(found);
        register(kind, callback);
    }
    true
}
