//! Types: what can stand in what.

use super::Lint;
use crate::expr::Scalar;
use crate::ir::*;

/// The most items of an array, and bytes of a fixed field.
const MOST_FIXED: u32 = 0x10000;

impl Lint<'_> {
    /// Judges a type; whether another of its kind `follows` decides over what it may be.
    pub(super) fn check_type(&mut self, site: &Site, ty: &Type, follows: bool) {
        match ty {
            Type::Struct(id) if follows && self.ir.greedy(ty) => {
                let what = format!("`{}` takes all bytes that are left, so no other can follow it", self.ir[*id].name);
                self.report(site, what);
            }
            Type::Rest if follows => {
                self.report(site, "`rest` takes all bytes that are left, so no other can follow it");
            }
            Type::Scalar(Scalar::Bytes(n)) if *n == 0 || *n > MOST_FIXED => {
                self.report(site, format!("bytes<{n}>: a fixed field has 1 to {MOST_FIXED} bytes"));
            }
            Type::Array(_, n) if *n == 0 || *n > MOST_FIXED => {
                self.report(site, format!("an array has 1 to {MOST_FIXED} items, not {n}"));
            }
            _ => {}
        }
        let follows = follows || !matches!(ty, Type::Optional(_) | Type::Union(_));
        for inner in ty.inner() {
            self.check_type(site, inner, follows);
        }
    }
}
