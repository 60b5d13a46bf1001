//! Fields: their conditions, unions, bounds, and how they are shown.

use std::ops::RangeInclusive;

use super::Lint;
use crate::expr::{Operator, Scalar};
use crate::ir::*;
use crate::model::{self, Display};

/// The most items of an array, and bytes of a fixed field.
const MOST_FIXED: u32 = 0x10000;

impl Lint<'_> {
    pub(super) fn field(&mut self, body: &Body, field: &Field) {
        let (site, ty) = (&body.site.part(&field.name, field.line), &field.node.ty);
        if body.is_segmented() && (field.conditional() || field.derived.is_some()) {
            self.report(site, "a segment has no condition, and is no constant, length or count");
        }
        self.version_range(body, site, field);
        for (operand, operator, number) in field.when.iter().flat_map(|when| when.test.comparisons()) {
            let (low, high) = self.numbers_of(operand);
            if i128::from(number) < low || i128::from(number) > high {
                self.report(site, format!("`{}` is never {number}", operand.name));
            }
            if operator == Operator::AnyBit && number == 0 {
                self.report(site, "no bit of 0 is ever set");
            }
        }
        self.measured_elsewhere(site, field);
        for node in std::iter::once(&field.node).chain(&field.content) {
            self.check_type(site, &node.ty, false);
            if let Type::Union(union) = &node.ty {
                self.union(site, union);
            }
        }
        if field.sealed.as_ref().is_some_and(|sealed| sealed.key.is_empty()) {
            self.report(site, "sealed.key names no key");
        }
        if field.max.is_some() && !bounds(ty) {
            let what = "max bounds nothing here: only lists, maps, blobs and strings have a length of their own";
            self.report(site, what);
        }
        self.display(site, &field.display, Some(ty));
        self.cheap_items(site, ty, field.max.is_some());
    }

    /// Judges a type; whether another of its kind `follows` decides over what it may be.
    pub(super) fn check_type(&mut self, site: &Site, ty: &Type, follows: bool) {
        match ty {
            Type::Struct(id) if follows && self.ir.greedy(ty) => {
                let what = format!("`{}` takes all bytes that are left, so no other can follow it", self.ir[*id].name);
                self.report(site, what);
            }
            Type::Rest | Type::Items(_) if follows => {
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

    fn version_range(&mut self, body: &Body, site: &Site, field: &Field) {
        let (since, until) = (field.since, field.until);
        if since == Some(0) || until == Some(0) {
            self.report(site, "versions count from 1");
        }
        if let (Some(since), Some(until)) = (since, until)
            && since > until
        {
            self.report(site, format!("there since {since} until {until} is there never"));
        }
        for (what, version) in [("since", since), ("until", until)] {
            if let (Some(version), Some((newest, _))) = (version, body.versions())
                && version > newest
            {
                self.report(site, format!("{what} {version} is beyond the newest version, {newest}"));
            }
        }
    }

    /// The numbers that can decide.
    fn numbers_of(&self, operand: &Operand) -> (i128, i128) {
        self.ir.range(&operand.ty).unwrap_or((0, 1))
    }

    fn union(&mut self, site: &Site, union: &Union) {
        if union.cases.is_empty() {
            self.report(site, "a union needs a case");
        }
        let (low, high) = self.numbers_of(&union.by);
        let mut known: Vec<(&RangeInclusive<i64>, &str)> = Vec::new();
        for Case { name, numbers, .. } in &union.cases {
            if numbers.is_empty() {
                self.report(site, format!("case `{name}` is of no value"));
            }
            for range in numbers {
                if i128::from(*range.start()) < low || i128::from(*range.end()) > high {
                    self.report(site, format!("`{}` is never {name}", union.by.name));
                }
                let covers = |other: &RangeInclusive<i64>| other.start() <= range.end() && range.start() <= other.end();
                if let Some((_, other)) = known.iter().find(|(other, _)| covers(other)) {
                    self.report(site, format!("case `{name}` is covered by `{other}` already"));
                }
                known.push((range, name));
            }
        }
    }

    /// What has its length, its number or what it is told from elsewhere.
    fn measured_elsewhere(&mut self, site: &Site, field: &Field) {
        if let Some(length) = &field.length
            && self.numbers_of(length).0 < 0
        {
            self.report(site, format!("length: `{}` may be negative", length.name));
        }
        for (variable, operand) in &field.given {
            let Some(told) = self.ir.context.get(variable) else { continue };
            let wanted = self.ir.range(&told.ty);
            let named = |ty: &Type| matches!(ty, Type::Enum(_)).then(|| self.ir.name(ty).to_owned());
            if wanted != Some(self.numbers_of(operand)) || named(&told.ty) != named(&operand.ty) {
                let (is, wants) = (self.ir.written(&operand.ty), self.ir.written(&told.ty));
                self.report(site, format!("given: `{}` is {is}, and `{variable}` {wants}", operand.name));
            }
        }
        if let (Type::Scalar(Scalar::Bytes(n)), Some(content)) = (&field.node.ty, &field.content) {
            let parts: Vec<&Type> = match &content.ty {
                Type::Union(union) => union.cases.iter().map(|case| &case.node.ty).collect(),
                ty => vec![ty],
            };
            for ty in parts {
                let (name, least, n) = (self.ir.written(ty), self.ir.min_size(ty), *n as usize);
                if least > n {
                    self.report(site, format!("`{name}` has no room in {n} bytes"));
                } else if least < n && !self.ir.greedy(ty) {
                    self.report(site, format!("`{name}` leaves bytes of {n}; `rest` would take them"));
                }
            }
        }
    }

    pub(super) fn display(&mut self, site: &Site, display: &Display, ty: Option<&Type>) {
        if let Some(filter) = &display.filter {
            let mut parts = filter.split('.');
            let good = |part: &str| {
                !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
            };
            if parts.next() != Some("msgr2") || filter == "msgr2" || !parts.all(good) {
                self.report(site, format!("`{filter}`: a filter name is msgr2, a dot, and small letters"));
            }
        }
        let packet = display.notation == Some(model::Notation::Packet);
        let Some(ty) = ty else {
            if packet {
                self.report(site, "`as: packet` is for fields");
            }
            return;
        };
        if display.notation.is_some() && !packet {
            self.report(site, "display.as is for the declaration of flags, except `packet`");
        }
        if packet && !matches!(ty, Type::Scalar(Scalar::U32)) {
            self.report(site, "`as: packet` is for a u32");
        }
        let number = |ty: &Type| self.ir.range(ty).is_some();
        let shown = match ty {
            Type::List(item)
            | Type::Counted(item)
            | Type::Items(item)
            | Type::Array(item, _)
            | Type::Optional(item) => number(&item.ty),
            Type::Scalar(Scalar::F32 | Scalar::F64) => display.base.is_none(),
            ty => number(ty),
        };
        if (display.base.is_some() || display.unit.is_some()) && !shown {
            self.report(site, "base and unit are for numbers");
        }
    }

    /// A count in front of items without bytes would let a few bytes ask for endless work.
    fn cheap_items(&mut self, site: &Site, ty: &Type, bounded: bool) {
        match ty {
            Type::List(item) | Type::Counted(item) if !bounded && self.ir.min_size(&item.ty) == 0 => {
                self.report(site, "its items may take no bytes, so their number needs a max");
            }
            Type::Items(item) if self.ir.min_size(&item.ty) == 0 => {
                self.report(site, "its items may take no bytes, so they would never come to the end");
            }
            Type::Map(_, key, value)
                if !bounded && self.ir.min_size(&key.ty) == 0 && self.ir.min_size(&value.ty) == 0 =>
            {
                self.report(site, "its entries may take no bytes, so their number needs a max");
            }
            _ => {}
        }
        for inner in ty.inner() {
            self.cheap_items(site, inner, bounded && matches!(ty, Type::Optional(_)));
        }
    }
}

/// Whether a type has a length of its own.
fn bounds(ty: &Type) -> bool {
    match ty {
        Type::Optional(item) => bounds(&item.ty),
        Type::Scalar(scalar) => *scalar == Scalar::Text,
        Type::List(_) | Type::Counted(_) | Type::Items(_) | Type::Map(..) => true,
        Type::Blob(_) | Type::Sized | Type::Rest | Type::Union(_) => true,
        _ => false,
    }
}
