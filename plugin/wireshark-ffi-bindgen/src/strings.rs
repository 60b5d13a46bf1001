//! Tables of texts for values, which fields refer to.
//!
//! A table ends with a record whose text is null. Wireshark reads on until it
//! finds one, so the static tables check at compile time that it is there, and
//! the leaked ones add it.

use std::{
    ffi::{CStr, c_void},
    ptr,
};

use crate::raw::{range_string, true_false_string, val64_string, value_string};

/// The last record of a table of 32-bit values.
pub const VALUE_STRING_END: value_string = value_string { value: 0, strptr: ptr::null() };

/// The last record of a table of 64-bit values.
pub const VAL64_STRING_END: val64_string = val64_string { value: 0, strptr: ptr::null() };

/// The last record of a table of ranges.
pub const RANGE_STRING_END: range_string = range_string { value_min: 0, value_max: 0, strptr: ptr::null() };

/// A record of a table of 32-bit values.
pub const fn value(value: u32, text: &'static CStr) -> value_string {
    value_string { value, strptr: text.as_ptr() }
}

/// A record of a table of 64-bit values.
pub const fn value64(value: u64, text: &'static CStr) -> val64_string {
    val64_string { value, strptr: text.as_ptr() }
}

/// A record of a table of ranges, both ends included.
pub const fn range(min: u64, max: u64, text: &'static CStr) -> range_string {
    range_string { value_min: min, value_max: max, strptr: text.as_ptr() }
}

macro_rules! table {
    ($(#[$doc:meta])* $name:ident, $record:ident, $end:ident, $leak:ident, $make:ident, $key:ty) => {
        $(#[$doc])*
        #[repr(transparent)]
        pub struct $name<const N: usize>([$record; N]);

        // SAFETY: nobody writes to it, and its pointers are to static texts.
        unsafe impl<const N: usize> Sync for $name<N> {}

        impl<const N: usize> $name<N> {
            /// Takes the records.
            ///
            /// # Panics
            ///
            /// At compile time in a static, if the last record has a text.
            pub const fn new(records: [$record; N]) -> Self {
                assert!(
                    N > 0 && records[N - 1].strptr.is_null(),
                    "the last record of a table must have no text"
                );
                Self(records)
            }

            /// The pointer for a field's description.
            pub const fn as_ptr(&'static self) -> *const c_void {
                ptr::from_ref(&self.0).cast()
            }
        }

        /// Makes a table that lives for ever, and adds its last record.
        pub fn $leak(
            records: impl IntoIterator<Item = ($key, &'static CStr)>,
        ) -> *const c_void {
            let mut table: Vec<$record> = records
                .into_iter()
                .map(|(key, text)| $make(key, text))
                .collect();
            table.push($end);
            table.leak().as_ptr().cast()
        }
    };
}

table!(
    /// A static table of 32-bit values.
    ValueStrings, value_string, VALUE_STRING_END, leak_values, value, u32
);
table!(
    /// A static table of 64-bit values; the field's display has
    /// `BASE_VAL64_STRING`.
    Value64Strings, val64_string, VAL64_STRING_END, leak_values64, value64, u64
);
table!(
    /// A static table of ranges; the field's display has `BASE_RANGE_STRING`.
    RangeStrings, range_string, RANGE_STRING_END, leak_ranges, range_of, (u64, u64)
);

fn range_of((min, max): (u64, u64), text: &'static CStr) -> range_string {
    range(min, max, text)
}

/// The two texts of an `FT_BOOLEAN`.
#[repr(transparent)]
pub struct TrueFalse(true_false_string);

// SAFETY: nobody writes to it, and its pointers are to static texts.
unsafe impl Sync for TrueFalse {}

impl TrueFalse {
    /// Takes the texts for true and for false.
    pub const fn new(yes: &'static CStr, no: &'static CStr) -> Self {
        Self(true_false_string { true_string: yes.as_ptr(), false_string: no.as_ptr() })
    }

    /// The pointer for a field's description.
    pub const fn as_ptr(&'static self) -> *const c_void {
        ptr::from_ref(&self.0).cast()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    static TABLE: ValueStrings<3> = ValueStrings::new([value(1, c"one"), value(7, c"seven"), VALUE_STRING_END]);

    #[test]
    fn static_table_is_an_array() {
        let first = TABLE.as_ptr().cast::<value_string>();
        // SAFETY: the table has three records.
        unsafe {
            assert_eq!((*first).value, 1);
            assert_eq!(CStr::from_ptr((*first.add(1)).strptr), c"seven");
            assert!((*first.add(2)).strptr.is_null());
        }
    }

    #[test]
    fn leaked_table_ends() {
        let first = leak_ranges([((3, 9), c"some")]).cast::<range_string>();
        // SAFETY: the table has two records.
        unsafe {
            assert_eq!(((*first).value_min, (*first).value_max), (3, 9));
            assert!((*first.add(1)).strptr.is_null());
        }
    }
}
