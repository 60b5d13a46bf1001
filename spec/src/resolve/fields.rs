//! One field: its type, what it holds, what it is made of, when it is there.

use std::ops::RangeInclusive;

use super::paths::{conditional, derived};
use super::types::{Naming, PLAIN};
use super::{Resolver, WrittenField};
use crate::expr::{Argument, Expression, Scalar, parse_hex};
use crate::ir::*;
use crate::model::{self, Constant, Display, Switch, SwitchCase, TypeRef};

/// Of a secret that can't be one.
const SECRET: &str = "only bytes and texts can be secret, and neither constants nor what holds something";

impl Resolver<'_> {
    pub(super) fn field(&mut self, id: BodyId, index: usize, body: &Naming<'_>) -> Option<Field> {
        let WrittenField { field, ty, holds } = self.written[id.0].fields[index].clone();
        let site = &self.ir[id].site.part(&field.name, field.line);
        let naming = Naming { name: &field.name, doc: &field.doc, display: &field.display, site, ..body.clone() };
        let (node, content) = match (&field.holds, &field.ty) {
            (None, TypeRef::Expr(_)) if field.secret => (self.secret(&naming, ty.as_ref()?)?, None),
            (None, TypeRef::Expr(_)) => (self.node(&naming, ty.as_ref()?)?, None),
            (None, TypeRef::Switch(switch)) => (self.union(id, index, &naming, switch)?, None),
            (Some(reference), _) => {
                let (around, content) = match reference {
                    TypeRef::Switch(switch) => {
                        let union = self.union(id, index, &naming, switch)?;
                        (union.field, union)
                    }
                    TypeRef::Expr(_) => self.held(&naming, holds.as_ref()?)?,
                };
                let plain = ty.map_or(Ok(None), |ty| self.plain(body.dialect, &ty));
                let ty = self.good(site, plain)?.unwrap_or(Type::Empty);
                (Node::new(around, ty), Some(content))
            }
        };
        self.exclusive(site, field, &node);
        let each = field.each.as_ref().and_then(|list| self.each(id, index, &naming, list, field.text.as_deref()));
        if field.each.is_none() && field.text.is_some() {
            self.report(site, "text is for a field that is there for each item");
        }
        // with `each` an item says what otherwise earlier fields do
        let (scope, before) = match &each {
            Some(each) => (each.item, self.written[each.item.0].fields.len()),
            None => (id, index),
        };
        let length = field.length.as_ref().and_then(|name| {
            let operand = self.operand(scope, before, name).map_err(|what| format!("length: {what}"));
            self.good(site, operand)
        });
        let mut given = Vec::new();
        for (variable, name) in &field.given {
            let operand = self.operand(scope, before, name).map_err(|what| format!("given: {what}"));
            let operand = self.good(site, operand);
            match self.ir.context.contains_key(variable) {
                true => given.extend(operand.map(|operand| (variable.clone(), operand))),
                false => self.report(site, format!("given: no context variable `{variable}`")),
            }
        }
        let sealed = field.sealed.as_ref().and_then(|sealed| self.sealed(&naming, sealed));
        let derived = self.derived(id, index, site, field, &node);
        let measured_by = self.measured_by(id, index, site, field, &node);
        if field.since.or(field.until).is_some() && self.ir[id].version.is_none() {
            self.report(site, "since and until need a version, which the structure hasn't got");
        }
        let when = field.when.as_ref().and_then(|text| {
            let condition = self.condition(id, index, text);
            self.good(site, condition)
        });
        let max = field.max.as_ref().and_then(|bound| match bound {
            model::Bound::Number(value) => Some(Bound { value: *value, limit: None }),
            model::Bound::Limit(name) => {
                let limit = self.ir.limits.get(name).map(|l| Bound { value: l.max, limit: Some(name.clone()) });
                self.good(site, limit.ok_or_else(|| format!("max: `{name}` names no limit")))
            }
        });
        let model::Field { name, doc, release, source, secret, since, until, display, .. } = (**field).clone();
        let (filter, line) = (naming.own_filter(), field.line);
        let field = Field {
            line,
            name,
            doc,
            release,
            source,
            node,
            content,
            sealed,
            secret,
            derived,
            measured_by,
            each,
            length,
            given,
            since,
            until,
            when,
            max,
            display,
            filter,
        };
        if matches!(field.derived, Some(Derived::Number(_) | Derived::Bytes(_))) && self.ir[id].decided_outside(&field)
        {
            self.report(site, "a writer can't know whether the constant is there");
        }
        Some(field)
    }

    /// A union: the field around it, and a node for each case.
    fn union(&mut self, id: BodyId, index: usize, naming: &Naming<'_>, switch: &Switch) -> Option<Node> {
        let field = self.add(naming.own_constant(), naming.row(Kind::Switch));
        let by = self.operand(id, index, &switch.switch).map_err(|what| format!("switch: {what}"));
        let by = self.good(naming.site, by);
        let mut cases = Vec::new();
        for (name, case) in &switch.cases {
            if name.eq_ignore_ascii_case("other") {
                self.report(naming.site, "`other` is what a union calls the cases that it lacks");
                continue;
            }
            let node = self.read_type(naming.site, case.ty()).and_then(|ty| self.part(&naming.inside(name), &ty));
            let Some(by) = &by else { continue };
            let numbers: Result<Vec<_>, _> = match case {
                SwitchCase::One(_) => self.case_numbers(name, &by.ty).map(|range| vec![range]),
                SwitchCase::Group(group) => {
                    group.of.iter().map(|key| self.case_numbers(&key.to_string(), &by.ty)).collect()
                }
            };
            if let (Some(numbers), Some(node)) = (self.good(naming.site, numbers), node) {
                cases.push(Case { name: name.clone(), numbers, node });
            }
        }
        let other = Naming { doc: "Bytes that the spec doesn't lay out.", ..naming.inside("other") };
        let other = self.add(other.own_constant(), other.row(Kind::Bytes));
        Some(Node::new(field, Type::Union(Box::new(Union { by: by?, cases, other }))))
    }

    /// The numbers of a union's case.
    pub(super) fn case_numbers(&self, case: &str, ty: &Type) -> Result<RangeInclusive<i64>, String> {
        let number = case.strip_prefix("0x").map_or_else(|| case.parse(), |hex| i64::from_str_radix(hex, 16));
        if let Ok(number) = number {
            return Ok(number..=number);
        }
        let Type::Enum(id) = ty else {
            return Err(format!("`{case}` is a name, but what decides is no enum"));
        };
        let value = self.ir[*id].says.values.get(case).ok_or_else(|| format!("`{case}` is no value of the enum"))?;
        Ok(value.number..=value.to.unwrap_or(value.number))
    }

    /// What a blob holds, behind the field of the blob: a structure stands for it, anything else is a field in it.
    fn held(&mut self, naming: &Naming<'_>, ty: &Expression) -> Option<(FieldId, Node)> {
        if let Ok(Some(Type::Struct(id))) = self.plain(naming.dialect, ty) {
            let field = self.leaf(naming, &Type::Empty);
            return Some((field, Node::new(field, Type::Struct(id))));
        }
        let field = self.add(naming.own_constant(), naming.row(Kind::Held));
        Some((field, self.part(&naming.inside("content"), ty)?))
    }

    /// That there is one of a field for each item of a list.
    fn each(&mut self, id: BodyId, index: usize, naming: &Naming<'_>, list: &str, text: Option<&str>) -> Option<Each> {
        let fields = &self.written[id.0].fields[..index];
        let at = fields.iter().position(|f| f.field.name == list && !conditional(f.field));
        let item =
            at.and_then(|at| fields[at].ty.as_ref()).and_then(|ty| match (ty.name.as_str(), &ty.arguments[..]) {
                ("list" | "counted" | "array" | "rest", [Argument::Type(item), ..]) => {
                    self.structure(naming.dialect, &item.name)
                }
                _ => None,
            });
        let (Some(list), Some(item)) = (at, item) else {
            self.report(naming.site, format!("each: `{list}` names no earlier list of structures"));
            return None;
        };
        let around = self.list(naming);
        let text = text.and_then(|text| self.template(naming.site, item, "text", text));
        Some(Each { list, item, around, text })
    }

    /// A field whose bytes nobody is to see.
    fn secret(&mut self, naming: &Naming<'_>, ty: &Expression) -> Option<Node> {
        let plain = self.plain(naming.dialect, ty);
        let ty = self.good(naming.site, plain)?.unwrap_or(Type::Empty);
        if !matches!(ty, Type::Blob(_) | Type::Sized | Type::Rest | Type::Scalar(Scalar::Text | Scalar::Bytes(_))) {
            self.report(naming.site, SECRET);
        }
        Some(Node::new(self.add(naming.own_constant(), naming.row(Kind::Secret)), ty))
    }

    /// What a field can't be at once.
    fn exclusive(&mut self, site: &Site, field: &model::Field, node: &Node) {
        let (holds, constant) = (field.holds.is_some() || field.sealed.is_some(), field.equals.is_some());
        let fixed = matches!(node.ty, Type::Scalar(Scalar::Bytes(_)));
        let bytes = matches!(node.ty, Type::Blob(_) | Type::Sized | Type::Rest) || fixed && field.sealed.is_none();
        let measured = matches!(node.ty, Type::Sized | Type::Scalar(Scalar::Text));
        let ways = [constant, field.length_of.is_some(), !field.count_of.is_empty()];
        for (wrong, what) in [
            (field.holds.is_some() && field.sealed.is_some(), "holds something in the clear or sealed, not both"),
            (holds && !bytes, "only a blob, bytes<n>, `sized` or `rest` can hold something"),
            (field.length.is_some() && !measured, "length is for `sized` and `string`"),
            (
                field.length.is_some() && (constant || field.sealed.is_some() || field.secret),
                "length is for what is plain",
            ),
            (field.each.is_some() && (field.length.is_none() || field.holds.is_none()), "each takes length and holds"),
            (field.each.is_some() && (conditional(field) || field.max.is_some()), "what each item has is always there"),
            (!field.given.is_empty() && derived(field), "who is a constant, a length or a count is told nothing"),
            (field.secret && (holds || constant), SECRET),
            (constant && holds, "a constant holds nothing"),
            (ways.iter().filter(|is| **is).count() > 1, "is a length, a count or a constant, not two of them"),
        ] {
            if wrong {
                self.report(site, what);
            }
        }
    }

    fn sealed(&mut self, naming: &Naming<'_>, sealed: &model::Sealed) -> Option<Sealed> {
        let Some(holds) = self.structure(naming.dialect, &sealed.holds) else {
            self.report(naming.site, format!("sealed.holds: `{}` names no structure", sealed.holds));
            return None;
        };
        let what = sealed.label.clone().unwrap_or_else(|| sealed.holds.replace('_', " "));
        let display = Display { label: Some(format!("Decrypted {what}")), ..PLAIN.clone() };
        let doc = self.ir[holds].doc.clone();
        let opened = Naming { doc: &doc, display: &display, ..naming.inside("opened") };
        let opened = self.leaf(&opened, &Type::Struct(holds));
        Some(Sealed { key: sealed.key.clone(), usage: sealed.usage, holds, opened })
    }

    /// What a field is made of when writing.
    fn derived(&mut self, id: BodyId, index: usize, site: &Site, field: &model::Field, node: &Node) -> Option<Derived> {
        if let Some(constant) = &field.equals {
            let constant = self.constant(constant, &node.ty);
            return self.good(site, constant);
        }
        let (key, names) = match &field.length_of {
            Some(name) => ("length_of", std::slice::from_ref(name)),
            None if field.count_of.is_empty() => return None,
            None => ("count_of", field.count_of.as_slice()),
        };
        if conditional(field) {
            self.report(site, "a length or count must always be there");
        }
        if !matches!(node.ty, Type::Scalar(scalar) if scalar.is_integer()) {
            self.report(site, "a length or count is a plain integer");
        }
        let mut targets = Vec::new();
        for name in names {
            let fields = &self.written[id.0].fields;
            let found = fields.iter().position(|f| f.field.name == *name);
            let together = |at| self.ir[id].segments.iter().any(|part| part.contains(&index) && part.contains(&at));
            let Some(at) = found.filter(|at| *at > index && together(*at)) else {
                self.report(site, format!("{key}: `{name}` names no later field"));
                continue;
            };
            let (wanted, form) = if key == "length_of" { ("sized", "sized") } else { ("counted", "counted<T>") };
            if fields[at].ty.as_ref().is_none_or(|ty| ty.name != wanted) {
                self.report(site, format!("measures nothing: `{name}` isn't {form}"));
            }
            targets.push(at);
        }
        match key {
            "length_of" => targets.first().map(|at| Derived::Length(*at)),
            _ => Some(Derived::Count(targets)),
        }
    }

    fn constant(&self, constant: &Constant, ty: &Type) -> Result<Derived, String> {
        match (constant, ty) {
            (Constant::Number(number), ty) => match self.ir.range(ty) {
                Some((low, high)) if (low..=high).contains(&i128::from(*number)) => Ok(Derived::Number(*number)),
                Some(_) => Err(format!("the constant {number} doesn't fit into its type")),
                None => Err("a number is the constant of an integer only".into()),
            },
            (Constant::Hex(text), Type::Scalar(Scalar::Bytes(n))) => {
                let segments = parse_hex(text).map_err(|what| format!("equals: {what}"))?;
                let found: usize = segments.iter().map(Vec::len).sum();
                if found != *n as usize {
                    return Err(format!("the constant has {found} bytes, its type {n}"));
                }
                Ok(Derived::Bytes(Bytes { segments, says: text.clone() }))
            }
            (Constant::Hex(_), _) => Err("hex is the constant of bytes<n> only".into()),
        }
    }

    /// The field that measures this one.
    fn measured_by(
        &mut self,
        id: BodyId,
        index: usize,
        site: &Site,
        field: &model::Field,
        node: &Node,
    ) -> Option<usize> {
        if !matches!(node.ty, Type::Sized | Type::Counted(_)) || field.length.is_some() {
            return None;
        }
        let measures = |f: &model::Field| f.length_of.as_ref() == Some(&field.name) || f.count_of.contains(&field.name);
        let before = self.written[id.0].fields[..index].iter().enumerate();
        let by: Vec<usize> = before.filter(|(_, f)| measures(f.field)).map(|(at, _)| at).collect();
        if conditional(field) {
            self.report(site, "what another field measures must always be there");
        }
        match by[..] {
            [] => self.report(site, "nothing before it says how long it is"),
            [_] => {}
            _ => self.report(site, "several fields say how long it is"),
        }
        by.first().copied()
    }
}
