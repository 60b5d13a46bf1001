//! What decides: numbers that were read before, or that the reader was told.

use std::borrow::Cow;

use msgr2_tables::{Case, Condition, Count, Each, Field, LayoutId, Operand, Operator, Type, Union};

use super::{Scope, Walker, value};
use crate::wire::{Error, Reader, Scalar as _};

impl<'p> Walker<'p> {
    /// Whether a field is there. Who doesn't know the version takes it to be the newest.
    pub(super) fn is_there(&self, r: &Reader<'_>, scope: Scope<'_, '_>, field: &Field) -> bool {
        if let (Some(version), true) = (&scope.layout.version, field.since.is_some() || field.until.is_some()) {
            let version = self.number(scope, version);
            let since = field.since.is_none_or(|since| version.is_none_or(|version| version >= since.into()));
            let until = field.until.is_none_or(|until| version.is_some_and(|version| version <= until.into()));
            if !(since && until) {
                return false;
            }
        }
        field.when.as_ref().is_none_or(|when| self.holds_now(r, scope, when))
    }

    fn holds_now(&self, r: &Reader<'_>, scope: Scope<'_, '_>, condition: &Condition) -> bool {
        match condition {
            Condition::More => r.left() > 0,
            Condition::Compare(operand, operator, number) => {
                self.number(scope, operand).is_some_and(|found| match operator {
                    Operator::Equal => found == *number,
                    Operator::NotEqual => found != *number,
                    Operator::AtLeast => found >= *number,
                    Operator::AtMost => found <= *number,
                    Operator::Above => found > *number,
                    Operator::Below => found < *number,
                    Operator::AnyBit => found & number != 0,
                })
            }
            Condition::All(parts) => parts.iter().all(|part| self.holds_now(r, scope, part)),
            Condition::Any(parts) => parts.iter().any(|part| self.holds_now(r, scope, part)),
        }
    }

    /// The case of a union, if the number has one.
    pub(super) fn case<'u>(&self, scope: Scope<'_, '_>, union: &'u Union) -> Option<&'u Case> {
        let number = self.number(scope, &union.by)?;
        union.cases.iter().find(|case| case.numbers.iter().any(|(first, last)| (*first..=*last).contains(&number)))
    }

    /// The length of a field, or the number of its items, as another field says. A negative one is very large.
    pub(super) fn measure(&self, scope: Scope<'_, '_>, field: &Field) -> u64 {
        if let Some(length) = scope.length {
            return length;
        }
        if let Some(length) = &field.length {
            return self.number(scope, length).unwrap_or_default() as u64;
        }
        let by = field.measured_by.and_then(|by| self.find(scope, &[by], Walker::read_number));
        by.flatten().unwrap_or_default() as u64
    }

    /// A number that decides; none if its field is missing, or nobody told it.
    fn number(&self, scope: Scope<'_, '_>, operand: &Operand) -> Option<i64> {
        match operand {
            Operand::Variable(at) => self.variables.get(self.protocol.variable(*at)?).copied().flatten(),
            Operand::Path(path) if path.fields.is_empty() => Some(scope.struct_v.into()),
            Operand::Path(path) => self.find(scope, &path.fields, Walker::read_number)?,
        }
    }

    fn read_number(&self, _: Scope<'_, '_>, r: &mut Reader<'_>, field: &Field) -> Option<i64> {
        value::scalar(r, self.protocol.field(field.node.field), &field.node.ty, &mut ()).ok()
    }

    /// The context variables as what stands in a field is told them. `scope` is where their numbers stand.
    pub(super) fn told(&self, scope: Scope<'_, '_>, field: &Field) -> Cow<'p, [Option<i64>]> {
        let mut variables = self.variables.clone();
        for given in &field.given {
            let number = self.number(scope, &given.number).map(|number| value::fit(&given.ty, number));
            if let Some(variable) = self.protocol.variable(given.variable)
                && let Some(variable) = variables.to_mut().get_mut(variable)
            {
                *variable = number;
            }
        }
        variables
    }

    /// The list that a field has a value for each item of: where its items begin, and how many there are.
    pub(super) fn list<'b>(&self, scope: Scope<'_, 'b>, each: &Each) -> Option<(Reader<'b>, u64)> {
        // the length that an item says is none of the list's
        let scope = Scope { length: None, ..scope };
        self.find(scope, &[each.list], |walker, scope, r, field| {
            let Type::Items(items) = &field.node.ty else { return None };
            let count = match items.count {
                Count::Prefix => u32::read(r).ok()?.into(),
                Count::Measured => walker.measure(scope, field),
                Count::Fixed(count) => count.into(),
                Count::Left => walker.count_left(r.clone(), each.item),
            };
            Some((r.clone(), count))
        })?
    }

    fn count_left(&self, mut r: Reader<'_>, item: LayoutId) -> u64 {
        let (mut walker, mut count) = (self.silent(), 0);
        while r.left() > 0 && walker.read(&mut r, item, &mut ()).is_ok() {
            count += 1;
        }
        count
    }

    /// Goes to the next item of a list: `look` gets the item.
    pub(super) fn next_item<R>(
        &self,
        items: &mut Reader<'_>,
        item: LayoutId,
        look: impl FnOnce(&Self, Scope<'_, '_>) -> R,
    ) -> Result<R, Error> {
        let mut walker = self.silent();
        let opened = walker.opened(items, item, &mut ())?;
        let parts = [opened.bytes];
        let scope = walker.scope(self.protocol.layout(item), &parts, opened.base, opened.struct_v);
        Ok(look(&walker, scope))
    }

    /// Goes back to a field that was read, or to one in a structure that was: `look` gets a reader that stands there.
    pub(super) fn find<'b, R>(
        &self,
        scope: Scope<'_, 'b>,
        path: &[usize],
        look: impl FnOnce(&Self, Scope<'_, 'b>, &mut Reader<'b>, &Field) -> R,
    ) -> Option<R> {
        let (first, inside) = path.split_first()?;
        let field = &scope.layout.fields[*first];
        let place = self.places[scope.base + field.place?]?;
        let r = &mut scope.parts[place.part].seek(place.at);
        if inside.is_empty() {
            return Some(look(self, scope, r, field));
        }
        let (mut content, node) = match &field.content {
            None => (r.clone(), &field.node),
            Some(content) => (self.content(r, scope, field).ok()?, content),
        };
        let (id, inside) = match &node.ty {
            Type::Struct(id) => (*id, inside),
            Type::Union(union) => {
                let (case, inside) = inside.split_first()?;
                let found = self.case(scope, union)?;
                match found.node.ty {
                    Type::Struct(id) if std::ptr::eq(found, union.cases.get(*case)?) => (id, inside),
                    _ => return None,
                }
            }
            _ => return None,
        };
        let mut walker = self.silent();
        walker.variables = self.told(scope, field);
        let opened = walker.opened(&mut content, id, &mut ()).ok()?;
        let parts = [opened.bytes];
        let scope = walker.scope(self.protocol.layout(id), &parts, opened.base, opened.struct_v);
        walker.find(scope, inside, look)
    }
}
