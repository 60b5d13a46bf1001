//! The numbers of the columns, as the `col_*` functions want them.
//!
//! They differ in every series, so they come from the headers.

use std::ffi::c_int;

use crate::raw;

/// `COL_PROTOCOL`, the protocol's short name.
pub const PROTOCOL: c_int = raw::COL_PROTOCOL as c_int;
/// `COL_INFO`, the summary line.
pub const INFO: c_int = raw::COL_INFO as c_int;
