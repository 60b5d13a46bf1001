//! What decides: numbers that were read before, or that the reader was told.

use msgr2_tables::{Case, Condition, Field, Operand, Operator, Type, Union};

use super::{Scope, Walker, value};
use crate::wire::Reader;

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
        match &field.when {
            None => true,
            Some(Condition::More) => r.left() > 0,
            Some(Condition::Compare(operand, operator, number)) => {
                self.number(scope, operand).is_some_and(|found| match operator {
                    Operator::Equal => found == *number,
                    Operator::NotEqual => found != *number,
                    Operator::AtLeast => found >= *number,
                    Operator::AnyBit => found & number != 0,
                })
            }
        }
    }

    /// The case of a union, if the number has one.
    pub(super) fn case<'u>(&self, scope: Scope<'_, '_>, union: &'u Union) -> Option<&'u Case> {
        let number = self.number(scope, &union.by)?;
        union.cases.iter().find(|case| (case.first..=case.last).contains(&number))
    }

    /// The length of a field, or the number of its items, as another field says. A negative one is very large.
    pub(super) fn measure(&self, scope: Scope<'_, '_>, field: &Field) -> u64 {
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
        let Type::Struct(id) = field.node.ty else { return None };
        let mut walker = self.silent();
        let opened = walker.opened(r, id, &mut ()).ok()?;
        let parts = [opened.bytes];
        let scope = walker.scope(self.protocol.layout(id), &parts, opened.base, opened.struct_v);
        walker.find(scope, inside, look)
    }
}
