//! Fields: their types, conditions, unions, constants, lengths and texts.

use super::types::{Meaning, Place, conditional, plain_type, stored};
use super::{Body, BodyKind, Lint, Site};
use crate::expr::{Condition, Operator, Piece, Scalar, Type, parse_condition, parse_hex, parse_template, parse_type};
use crate::model::*;
use crate::spec::DialectView;

/// What decides over a union or a condition.
struct Decider<'a> {
    /// The numbers that it can be.
    range: (i128, i128),
    /// Their names.
    names: Option<&'a Enum>,
}

impl<'a> Lint<'a> {
    pub(super) fn field(&mut self, body: &Body<'a>, index: usize, field: &'a Field) {
        let line = body.fields.get(index).map_or(0, |f| f.line);
        let site = &body.site.part(&field.name, line);
        let ty = match &field.ty {
            TypeRef::Expr(text) => self.type_of(site, text, Place::Field),
            TypeRef::Switch(switch) => {
                self.switch(body, index, site, switch);
                None
            }
        };
        if body.kind == BodyKind::Segments && (conditional(field) || !stored(field)) {
            self.report(site, "a segment has no condition, and is no constant, length or count");
        }
        self.version_range(body, site, field);
        if let Some(text) = &field.when {
            self.condition(body, index, site, text);
        }
        self.content(body, index, site, field, ty.as_ref());
        if let Some(constant) = &field.equals {
            self.constant(site, field, constant, ty.as_ref());
        }
        self.measuring(body, index, site, field, ty.as_ref());
        self.measured(body, index, site, field, ty.as_ref());
        if let Some(bound) = &field.max {
            self.bound(site, bound, ty.as_ref());
        }
        self.display(site, &field.display, Some(&field.ty));
        if let Some(ty) = &ty {
            self.cheap_items(site, ty, field.max.is_some());
        }
    }

    fn version_range(&mut self, body: &Body<'a>, site: &Site<'a>, field: &Field) {
        let (since, until) = (field.since, field.until);
        if since.or(until).is_none() {
            return;
        }
        if body.versioned.is_none() && body.version.is_none() {
            return self.report(site, "since and until need a version, which the structure hasn't got");
        }
        if since == Some(0) || until == Some(0) {
            self.report(site, "versions count from 1");
        }
        if let (Some(since), Some(until)) = (since, until)
            && since > until
        {
            self.report(site, format!("there since {since} until {until} is there never"));
        }
        for (what, version) in [("since", since), ("until", until)] {
            if let (Some(version), Some(newest)) = (version, body.newest)
                && version > newest
            {
                self.report(site, format!("{what} {version} is beyond the newest version, {newest}"));
            }
        }
    }

    fn condition(&mut self, body: &Body<'a>, index: usize, site: &Site<'a>, text: &str) {
        let (name, operator, number) = match parse_condition(text) {
            Ok(Condition::Compare(name, operator, number)) => (name, operator, number),
            Ok(Condition::More) => return,
            Err(what) => return self.report(site, what),
        };
        match self.decider(body, index, &name) {
            Ok(Decider { range: (low, high), .. }) => {
                if i128::from(number) < low || i128::from(number) > high {
                    self.report(site, format!("`{name}` is never {number}"));
                }
                if operator == Operator::AnyBit && number == 0 {
                    self.report(site, "no bit of 0 is ever set");
                }
            }
            Err(what) => self.report(site, what),
        }
    }

    /// What an earlier field or a context variable can be, if it can decide over a field.
    fn decider(&self, body: &Body<'a>, index: usize, name: &str) -> Result<Decider<'a>, String> {
        let spec = self.spec;
        if let Some(variable) = name.strip_prefix('$') {
            let info = spec.context.get(variable).ok_or_else(|| format!("no context variable `{variable}`"))?;
            return self.number(None, &parse_type(&info.ty)?).ok_or_else(|| format!("`{name}` is no integer"));
        }
        if name == "struct_v" && body.versioned.is_some() {
            return Ok(Decider { range: (0, 255), names: None });
        }
        let (mut fields, mut before) = (body.fields, index);
        let mut path = name.split('.').peekable();
        let mut outermost = true;
        while let Some(step) = path.next() {
            let found = fields.iter().position(|f| f.name == step);
            let field = match found {
                Some(at) if at < before => &fields[at],
                Some(_) => return Err(format!("`{name}` doesn't come before it")),
                None => return Err(format!("`{name}` names no earlier field")),
            };
            if !stored(field) {
                return Err(format!("`{name}` is derived when writing, so it can't decide"));
            }
            if field.holds.is_some() || field.sealed.is_some() {
                return Err(format!("`{name}` is inside a blob, which may be empty"));
            }
            let last = path.peek().is_none();
            if conditional(field) && !(outermost && last) {
                return Err(format!("`{name}` stands in something that may be missing"));
            }
            let ty = plain_type(field).ok_or_else(|| format!("`{name}` is no integer"))?;
            if last {
                return self.number(body.site.dialect, &ty).ok_or_else(|| format!("`{name}` is no integer"));
            }
            match ty {
                Type::Named(inner) => match self.meaning(body.site.dialect, &inner) {
                    Some(Meaning::Struct(s)) => (fields, before) = (&s.fields, s.fields.len()),
                    _ => return Err(format!("`{name}`: `{step}` has no fields")),
                },
                _ => return Err(format!("`{name}`: `{step}` has no fields")),
            }
            outermost = false;
        }
        Err(format!("`{name}` names no earlier field"))
    }

    fn number(&self, dialect: Option<&'a DialectView>, ty: &Type) -> Option<Decider<'a>> {
        let range = self.range(dialect, ty)?;
        let names = match ty {
            Type::Named(name) => match self.meaning(dialect, name) {
                Some(Meaning::Enum(e)) => Some(e),
                _ => None,
            },
            _ => None,
        };
        Some(Decider { range, names })
    }

    fn switch(&mut self, body: &Body<'a>, index: usize, site: &Site<'a>, switch: &'a Switch) {
        let decider = match self.decider(body, index, &switch.switch) {
            Ok(decider) => Some(decider),
            Err(what) => {
                self.report(site, format!("switch: {what}"));
                None
            }
        };
        if switch.cases.is_empty() {
            self.report(site, "a union needs a case");
        }
        let mut ranges: Vec<(i64, i64, &str)> = Vec::new();
        for (case, text) in &switch.cases {
            if case.eq_ignore_ascii_case("other") {
                self.report(site, "`other` is what a union calls the cases that it lacks");
            }
            self.type_of(site, text, Place::Held);
            let Some(decider) = &decider else { continue };
            let (first, last) = match case_numbers(case, decider.names) {
                Ok(range) => range,
                Err(what) => {
                    self.report(site, what);
                    continue;
                }
            };
            if i128::from(first) < decider.range.0 || i128::from(last) > decider.range.1 {
                self.report(site, format!("`{}` is never {case}", switch.switch));
            }
            if let Some((_, _, other)) = ranges.iter().find(|(low, high, _)| *low <= last && first <= *high) {
                self.report(site, format!("case `{case}` is covered by `{other}` already"));
            }
            ranges.push((first, last, case));
        }
    }

    /// What a blob holds, in the clear or sealed.
    fn content(&mut self, body: &Body<'a>, index: usize, site: &Site<'a>, field: &'a Field, ty: Option<&Type>) {
        let (holds, sealed) = (field.holds.as_ref(), field.sealed.as_ref());
        if holds.is_some() && sealed.is_some() {
            self.report(site, "holds something in the clear or sealed, not both");
        }
        let bytes = matches!(ty, Some(Type::Blob(_) | Type::Sized | Type::Rest));
        if (holds.is_some() || sealed.is_some()) && !bytes && (ty.is_some() || matches!(field.ty, TypeRef::Switch(_))) {
            self.report(site, "only a blob, `sized` or `rest` can hold something");
        }
        match holds {
            Some(TypeRef::Expr(text)) => {
                self.type_of(site, text, Place::Held);
            }
            Some(TypeRef::Switch(switch)) => self.switch(body, index, site, switch),
            None => {}
        }
        if let Some(sealed) = sealed {
            if !matches!(self.meaning(site.dialect, &sealed.holds), Some(Meaning::Struct(_))) {
                self.report(site, format!("sealed.holds: `{}` names no structure", sealed.holds));
            }
            if sealed.key.is_empty() {
                self.report(site, "sealed.key names no key");
            }
        }
        let text = matches!(ty, Some(Type::Scalar(Scalar::Text | Scalar::Bytes(_))));
        if field.secret && (!(bytes || text) || holds.is_some() || sealed.is_some() || field.equals.is_some()) {
            self.report(site, "only bytes and texts can be secret, and neither constants nor what holds something");
        }
    }

    fn constant(&mut self, site: &Site<'a>, field: &Field, constant: &Constant, ty: Option<&Type>) {
        if field.holds.is_some() || field.sealed.is_some() {
            self.report(site, "a constant holds nothing");
        }
        match (constant, ty) {
            (Constant::Number(number), Some(ty)) => match self.range(site.dialect, ty) {
                Some((low, high)) if (low..=high).contains(&i128::from(*number)) => {}
                Some(_) => self.report(site, format!("the constant {number} doesn't fit into its type")),
                None => self.report(site, "a number is the constant of an integer only"),
            },
            (Constant::Hex(text), Some(ty)) => match (parse_hex(text), ty) {
                (Err(what), _) => self.report(site, format!("equals: {what}")),
                (Ok(bytes), Type::Scalar(Scalar::Bytes(n))) => {
                    let found = bytes.concat().len();
                    if found != *n as usize {
                        self.report(site, format!("the constant has {found} bytes, its type {n}"));
                    }
                }
                (Ok(_), _) => self.report(site, "hex is the constant of bytes<n> only"),
            },
            (_, None) => {}
        }
    }

    /// A field that is another's length or count.
    fn measuring(&mut self, body: &Body<'a>, index: usize, site: &Site<'a>, field: &Field, ty: Option<&Type>) {
        let targets = field.length_of.iter().map(|name| ("length_of", name));
        let targets: Vec<_> = targets.chain(field.count_of.iter().map(|name| ("count_of", name))).collect();
        if targets.is_empty() {
            return;
        }
        if field.length_of.is_some() && !field.count_of.is_empty() || field.equals.is_some() {
            self.report(site, "is a length, a count or a constant, not two of them");
        }
        if conditional(field) {
            self.report(site, "a length or count must always be there");
        }
        if ty.is_some_and(|ty| !matches!(ty, Type::Scalar(scalar) if scalar.is_integer())) {
            self.report(site, "a length or count is a plain integer");
        }
        for (key, name) in targets {
            let found = body.fields.iter().position(|f| f.name == *name);
            let Some(at) = found.filter(|at| *at > index && body.together(index, *at)) else {
                self.report(site, format!("{key}: `{name}` names no later field"));
                continue;
            };
            let fits = match plain_type(&body.fields[at]) {
                Some(Type::Sized) => key == "length_of",
                Some(Type::Counted(_)) => key == "count_of",
                _ => false,
            };
            if !fits {
                let wanted = if key == "length_of" { "sized" } else { "counted<T>" };
                self.report(site, format!("measures nothing: `{name}` isn't {wanted}"));
            }
        }
    }

    /// A field that another measures.
    fn measured(&mut self, body: &Body<'a>, index: usize, site: &Site<'a>, field: &Field, ty: Option<&Type>) {
        let by = body.fields[..index]
            .iter()
            .filter(|f| f.length_of.as_ref() == Some(&field.name) || f.count_of.contains(&field.name))
            .count();
        if matches!(ty, Some(Type::Sized | Type::Counted(_))) {
            match by {
                0 => self.report(site, "nothing before it says how long it is"),
                1 => {}
                _ => self.report(site, "several fields say how long it is"),
            }
        }
        if matches!(ty, Some(Type::Sized | Type::Counted(_))) && conditional(field) {
            self.report(site, "what another field measures must always be there");
        }
    }

    fn bound(&mut self, site: &Site<'a>, bound: &Bound, ty: Option<&Type>) {
        if let Bound::Limit(name) = bound
            && !self.spec.limits.contains_key(name)
        {
            self.report(site, format!("max: `{name}` names no limit"));
        }
        let mut ty = ty;
        while let Some(Type::Optional(item)) = ty {
            ty = Some(item);
        }
        let bounds = match ty {
            Some(Type::List(_) | Type::Counted(_) | Type::Map(..) | Type::Blob(_) | Type::Sized | Type::Rest)
            | None => true,
            Some(ty) => *ty == Type::Scalar(Scalar::Text),
        };
        if !bounds {
            self.report(
                site,
                "max bounds nothing here: only lists, maps, blobs and strings have a length of their own",
            );
        }
    }

    pub(super) fn display(&mut self, site: &Site<'a>, display: &Display, ty: Option<&TypeRef>) {
        if let Some(filter) = &display.filter {
            let mut parts = filter.split('.');
            let good = |part: &str| {
                !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
            };
            if parts.next() != Some("msgr2") || filter == "msgr2" || !parts.all(good) {
                self.report(site, format!("`{filter}`: a filter name is msgr2, a dot, and small letters"));
            }
        }
        let packet = display.notation == Some(Notation::Packet);
        let Some(ty) = ty else {
            if packet {
                self.report(site, "`as: packet` is for fields");
            }
            return;
        };
        let ty = match ty {
            TypeRef::Expr(text) => parse_type(text).ok(),
            TypeRef::Switch(_) => Some(Type::Empty),
        };
        if display.notation.is_some() && !packet {
            self.report(site, "display.as is for the declaration of flags, except `packet`");
        }
        if packet && ty != Some(Type::Scalar(Scalar::U32)) {
            self.report(site, "`as: packet` is for a u32");
        }
        let number = |ty: &Type| self.range(site.dialect, ty).is_some();
        let shown = match &ty {
            Some(Type::List(item) | Type::Counted(item) | Type::Array(item, _) | Type::Optional(item)) => number(item),
            Some(Type::Scalar(Scalar::F32 | Scalar::F64)) => display.base.is_none(),
            Some(ty) => number(ty),
            None => true,
        };
        if (display.base.is_some() || display.unit.is_some()) && !shown {
            self.report(site, "base and unit are for numbers");
        }
    }

    /// A count in front of items without bytes would let a few bytes ask for endless work.
    fn cheap_items(&mut self, site: &Site<'a>, ty: &Type, bounded: bool) {
        let empty = |lint: &Self, ty: &Type| lint.may_be_empty(site.dialect, ty);
        match ty {
            Type::List(item) | Type::Counted(item) => {
                if !bounded && empty(self, item) {
                    self.report(site, "its items may take no bytes, so their number needs a max");
                }
                self.cheap_items(site, item, false);
            }
            Type::Map(key, value) => {
                if !bounded && empty(self, key) && empty(self, value) {
                    self.report(site, "its entries may take no bytes, so their number needs a max");
                }
                self.cheap_items(site, value, false);
            }
            Type::Optional(item) => self.cheap_items(site, item, bounded),
            Type::Array(item, _) => self.cheap_items(site, item, false),
            _ => {}
        }
    }

    pub(super) fn template(&mut self, body: &Body<'a>, key: &str, text: &str) {
        match parse_template(text) {
            Ok(pieces) => {
                for piece in pieces {
                    if let Piece::Field(path) = piece
                        && let Err(what) = self.shown(body, &path)
                    {
                        self.report(&body.site, format!("{key}: `{{{}}}` {what}", path.join(".")));
                    }
                }
            }
            Err(what) => self.report(&body.site, format!("{key}: {what}")),
        }
    }

    /// Whether a text can name a field.
    fn shown(&self, body: &Body<'a>, path: &[String]) -> Result<(), &'static str> {
        let (mut fields, mut versioned) = (body.fields, body.versioned.is_some());
        for (depth, name) in path.iter().enumerate() {
            if name == "struct_v" && versioned {
                return if depth + 1 == path.len() { Ok(()) } else { Err("has no fields") };
            }
            let field = fields.iter().find(|f| f.name == *name).ok_or("names no field")?;
            if !stored(field) {
                return Err("names a field that is no part of the value");
            }
            if field.sealed.is_some() {
                return Err("names something sealed");
            }
            if field.secret {
                return Err("names a secret");
            }
            let ty = match field.holds.as_ref().unwrap_or(&field.ty) {
                TypeRef::Expr(text) => Some(parse_type(text).map_err(|_| "has no type")?),
                TypeRef::Switch(_) => None,
            };
            let optional = conditional(field) || field.holds.is_some();
            let dialect = body.site.dialect;
            if depth + 1 == path.len() {
                let has_text = match &ty {
                    None => true,
                    Some(Type::List(item) | Type::Counted(item) | Type::Array(item, _)) => self.has_text(dialect, item),
                    Some(Type::Map(key, value)) => self.has_text(dialect, key) && self.has_text(dialect, value),
                    Some(ty) => self.has_text(dialect, ty),
                };
                return if has_text { Ok(()) } else { Err("has no text; does its type lack a summary?") };
            }
            match ty {
                Some(Type::Named(inner)) if !optional => match self.meaning(dialect, &inner) {
                    Some(Meaning::Struct(s)) => (fields, versioned) = (&s.fields, s.versioned.is_some()),
                    _ => return Err("looks for a field in a number"),
                },
                _ => return Err("looks for a field in what has none, or may be missing"),
            }
        }
        Err("names nothing")
    }
}

/// The numbers of a union's case.
fn case_numbers(case: &str, names: Option<&Enum>) -> Result<(i64, i64), String> {
    let number = case.strip_prefix("0x").map_or_else(|| case.parse(), |hex| i64::from_str_radix(hex, 16));
    if let Ok(number) = number {
        return Ok((number, number));
    }
    let names = names.ok_or_else(|| format!("case `{case}` is a name, but what decides is no enum"))?;
    let value = names.values.get(case).ok_or_else(|| format!("case `{case}` is no value of the enum"))?;
    Ok((value.number, value.to.unwrap_or(value.number)))
}
