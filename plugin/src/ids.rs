//! The numbers that Wireshark gives to fields, subtrees and expert infos.

use std::ffi::c_int;
use std::sync::OnceLock;

use msgr2::field::FIELDS;
use msgr2::wire::{FlagsInfo, Kind};
use wireshark_ffi_bindgen as ws;
use ws::ForC;

use crate::page::NOTE_KINDS;

/// The protocol.
// SAFETY: Wireshark calls a plugin on one thread.
pub(crate) static PROTO: ForC<c_int> = unsafe { ForC::new(-1) };

/// Everything else, in the order of the tables that it belongs to.
pub(crate) struct Ids {
    /// A field for each entry of the spec's table.
    pub fields: *mut c_int,
    /// A subtree for each entry of the spec's table, and one for the protocol behind them.
    pub subtrees: *mut c_int,
    /// A field for each flag; [`Ids::flags_at`] says where a word's flags begin.
    pub flags: *mut c_int,
    flag_words: Vec<(&'static FlagsInfo, usize)>,
    flags_of: Vec<usize>,
    /// For each entry of the spec's table whose numbers may be negative and have names: another field under the same filter,
    /// see [`crate::register`].
    pub twins: *mut c_int,
    /// An expert info for each kind of note.
    pub experts: *mut ws::expert_field,
}

// SAFETY: made once at registration; Wireshark writes through the pointers then, on the only thread there is.
unsafe impl Sync for Ids {}
// SAFETY: as above.
unsafe impl Send for Ids {}

/// The place of the protocol's own subtree.
pub(crate) const PROTOCOL_SUBTREE: usize = FIELDS.len();
/// The number of subtrees.
pub(crate) const SUBTREES: usize = FIELDS.len() + 1;

static IDS: OnceLock<Ids> = OnceLock::new();

/// The ids; all are -1 until Wireshark has registered them.
pub(crate) fn ids() -> &'static Ids {
    IDS.get_or_init(|| {
        let mut flag_words: Vec<(&'static FlagsInfo, usize)> = Vec::new();
        let mut count = 0;
        let flags_of = FIELDS
            .iter()
            .map(|field| {
                let Kind::Flags(_, info) = field.kind else { return usize::MAX };
                if let Some((_, at)) = flag_words.iter().find(|(known, _)| std::ptr::eq(*known, info)) {
                    return *at;
                }
                flag_words.push((info, count));
                count += info.flags.len();
                count - info.flags.len()
            })
            .collect();
        Ids {
            fields: leak(FIELDS.len()),
            subtrees: leak(SUBTREES),
            twins: leak(FIELDS.len()),
            flags: leak(count.max(1)),
            flag_words,
            flags_of,
            experts: Vec::leak(vec![ws::EI_INIT; NOTE_KINDS]).as_mut_ptr(),
        }
    })
}

fn leak(count: usize) -> *mut c_int {
    Vec::leak(vec![-1; count]).as_mut_ptr()
}

impl Ids {
    /// The id of the field at a place of the table.
    #[inline]
    pub(crate) fn field_at(&self, index: u16) -> c_int {
        // SAFETY: the table's own indices are below its length.
        unsafe { *self.fields.add(usize::from(index)) }
    }

    /// The id of the field by which negative numbers are found by name; -1 if the field has none.
    #[inline]
    pub(crate) fn twin_at(&self, index: u16) -> c_int {
        // SAFETY: as above.
        unsafe { *self.twins.add(usize::from(index)) }
    }

    /// The id of the subtree below a field, or of the protocol's.
    #[inline]
    pub(crate) fn subtree(&self, index: usize) -> c_int {
        debug_assert!(index < SUBTREES);
        // SAFETY: as above.
        unsafe { *self.subtrees.add(index) }
    }

    /// Where the flags of a field's word begin.
    #[inline]
    pub(crate) fn flags_at(&self, index: u16) -> usize {
        self.flags_of[usize::from(index)]
    }

    /// All words of flags, each once.
    pub(crate) fn flag_words(&self) -> &[(&'static FlagsInfo, usize)] {
        &self.flag_words
    }

    /// The id of a flag.
    #[inline]
    pub(crate) fn flag(&self, at: usize) -> c_int {
        // SAFETY: `at` comes from `flags_at` plus a place in that word.
        unsafe { *self.flags.add(at) }
    }

    /// The expert info of a kind of note.
    #[inline]
    pub(crate) fn expert(&self, kind: usize) -> *mut ws::expert_field {
        debug_assert!(kind < NOTE_KINDS);
        // SAFETY: the array has one for each kind.
        unsafe { self.experts.add(kind) }
    }
}
