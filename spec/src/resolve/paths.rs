//! What texts, conditions and unions name: fields, fields in fields, versions, and context variables.

use super::Resolver;
use crate::expr::{self, Argument, Expression, Format, Number, Scalar, parse_condition, parse_template, parse_type};
use crate::ir::*;
use crate::model;

impl<'a> Resolver<'a> {
    /// A number that decides over the field at `index`: in an earlier field or a context variable.
    pub(super) fn operand(&self, id: BodyId, index: usize, name: &str) -> Result<Operand, String> {
        let operand = |origin, ty| Operand { name: name.to_owned(), origin, ty };
        if let Some(variable) = name.strip_prefix('$') {
            let info = self.ir.context.get(variable).ok_or_else(|| format!("no context variable `{variable}`"))?;
            return Ok(operand(Origin::Context(variable.to_owned()), info.ty.clone()));
        }
        if name == "struct_v" && self.ir[id].versioned.is_some() {
            let path = Path { fields: Vec::new(), struct_v: true };
            return Ok(operand(Origin::Path(path), Type::Scalar(Scalar::U8)));
        }
        let (mut current, mut before, mut path) = (id, index, Vec::new());
        let mut steps = name.split('.').peekable();
        while let Some(step) = steps.next() {
            let fields = &self.written[current.0].fields;
            let at = match fields.iter().position(|f| f.field.name == step) {
                Some(at) if at < before => at,
                Some(_) => return Err(format!("`{name}` doesn't come before it")),
                None => return Err(format!("`{name}` names no earlier field")),
            };
            let (field, ty) = (fields[at].field, &fields[at].ty);
            if derived(field) {
                return Err(format!("`{name}` is derived when writing, so it can't decide"));
            }
            let last = steps.peek().is_none();
            if conditional(field) && !(path.is_empty() && last) {
                return Err(format!("`{name}` stands in something that may be missing"));
            }
            // a union has fields in each of its cases; the number is missing if another case holds
            if let (model::TypeRef::Switch(switch), false) = (field.holds.as_ref().unwrap_or(&field.ty), last) {
                let case = steps.next().unwrap_or_default();
                let found = switch.cases.get_full(case).filter(|_| steps.peek().is_some());
                let (which, _, case) = found.ok_or_else(|| format!("`{name}`: `{case}` is no case with fields"))?;
                let ty = parse_type(case.ty()).and_then(|ty| self.expand(&ty, 0)).ok();
                let Some(Type::Struct(inner)) = self.plain_or_none(self.ir[current].dialect, ty.as_ref()) else {
                    return Err(format!("`{name}` names no field of a case"));
                };
                path.extend([at, which]);
                (current, before) = (inner, self.written[inner.0].fields.len());
                continue;
            }
            if field.holds.is_some() || field.sealed.is_some() {
                return Err(format!("`{name}` is inside a blob, which may be empty"));
            }
            path.push(at);
            let ty = self.plain_or_none(self.ir[current].dialect, ty.as_ref());
            match ty {
                Some(Type::Struct(_)) if last => break,
                Some(ty) if last && (ty.integer(&self.ir).is_some() || matches!(ty, Type::Scalar(Scalar::Bool))) => {
                    return Ok(operand(Origin::Path(Path { fields: path, struct_v: false }), ty));
                }
                _ if last => break,
                Some(Type::Struct(inner)) => (current, before) = (inner, self.written[inner.0].fields.len()),
                _ => return Err(format!("`{name}`: `{step}` has no fields")),
            }
        }
        Err(format!("`{name}` is no integer"))
    }

    pub(super) fn condition(&self, id: BodyId, index: usize, text: &str) -> Result<Condition, String> {
        let test = self.test(id, index, parse_condition(text)?)?;
        Ok(Condition { text: text.to_owned(), test })
    }

    fn test(&self, id: BodyId, index: usize, condition: expr::Condition) -> Result<Test, String> {
        let tests = |parts: Vec<expr::Condition>| -> Result<_, String> {
            parts.into_iter().map(|part| self.test(id, index, part)).collect()
        };
        Ok(match condition {
            expr::Condition::More => Test::More,
            expr::Condition::All(parts) => Test::All(tests(parts)?),
            expr::Condition::Any(parts) => Test::Any(tests(parts)?),
            expr::Condition::Compare(name, operator, number) => {
                let operand = self.operand(id, index, &name)?;
                let number = match number {
                    Number::Plain(number) => number,
                    Number::Named(value) => *self.case_numbers(&value, &operand.ty)?.start(),
                };
                Test::Compare(operand, operator, number)
            }
        })
    }

    /// A text with fields in it.
    pub(super) fn template(&mut self, site: &Site, id: BodyId, key: &str, text: &str) -> Option<Vec<Piece>> {
        let pieces = self.good(site, parse_template(text).map_err(|what| format!("{key}: {what}")))?;
        Some(self.pieces(site, id, key, pieces))
    }

    fn pieces(&mut self, site: &Site, id: BodyId, key: &str, pieces: Vec<expr::Piece>) -> Vec<Piece> {
        let mut resolved = Vec::new();
        for piece in pieces {
            let (path, format, inner) = match piece {
                expr::Piece::Text(text) => {
                    resolved.push(Piece::Text(text));
                    continue;
                }
                expr::Piece::Value if key == "text" => {
                    resolved.push(Piece::Value);
                    continue;
                }
                expr::Piece::Value => {
                    self.report(site, format!("{key}: `{{}}` is for the text of a field that is there for each item"));
                    continue;
                }
                expr::Piece::Field(path, format) => (path, format, None),
                expr::Piece::If(path, inner) => (path, Format::Plain, Some(inner)),
            };
            let shown = self.shown(id, &path, format, inner.is_some());
            let shown = shown.map_err(|what| format!("{key}: `{{{}}}` {what}", path.join(".")));
            let inner = inner.map(|inner| self.pieces(site, id, key, inner));
            let Some(path) = self.good(site, shown) else { continue };
            resolved.push(match inner {
                Some(inner) => Piece::If(path, inner),
                None => Piece::Field(path, format),
            });
        }
        resolved
    }

    /// Whether a text can show a type in a form.
    fn fits(&self, ty: Option<&Type>, format: Format) -> bool {
        match (format, ty) {
            (Format::Plain, _) => true,
            (Format::Hex, Some(ty)) => ty.integer(&self.ir).is_some_and(|scalar| !scalar.is_big_endian()),
            (Format::Reversed, Some(Type::Scalar(scalar))) => *scalar == Scalar::U32,
            (Format::Plus, Some(ty)) => matches!(ty, Type::Flags(_)),
            (Format::Length, Some(ty)) => matches!(ty, Type::Blob(_) | Type::Sized | Type::Rest),
            // only lists have no plain type
            (Format::Length, None) => true,
            _ => false,
        }
    }

    /// A field that has a text.
    fn shown(&self, id: BodyId, names: &[String], format: Format, asked: bool) -> Result<Path, &'static str> {
        let (mut current, mut path) = (id, Path::default());
        for (depth, name) in names.iter().enumerate() {
            let last = depth + 1 == names.len();
            if name == "struct_v" && self.ir[current].versioned.is_some() {
                path.struct_v = true;
                return if last { Ok(path) } else { Err("has no fields") };
            }
            let fields = &self.written[current.0].fields;
            let at = fields.iter().position(|f| f.field.name == *name).ok_or("names no field")?;
            let field = fields[at].field;
            if derived(field) {
                return Err("names a field that is no part of the value");
            }
            if field.sealed.is_some() {
                return Err("names something sealed");
            }
            if field.secret {
                return Err("names a secret");
            }
            path.fields.push(at);
            let (reference, ty) = match &field.holds {
                Some(holds) => (holds, &fields[at].holds),
                None => (&field.ty, &fields[at].ty),
            };
            let dialect = self.ir[current].dialect;
            if last {
                let plain = self.plain_or_none(dialect, ty.as_ref());
                let optional = conditional(field) || field.holds.is_some();
                if format != Format::Plain && (optional || !self.fits(plain.as_ref(), format)) {
                    return Err("can't be shown in this form");
                }
                let numbered = plain.as_ref().is_some_and(|ty| ty.integer(&self.ir).is_some());
                let counts = matches!(plain, Some(Type::Blob(_) | Type::Sized | Type::Rest))
                    || matches!(plain, Some(Type::Scalar(Scalar::Text | Scalar::Bool)));
                let listed = plain.is_none() && ty.as_ref().is_some_and(|ty| ty.name != "optional");
                if asked && !(optional || numbered || counts || listed) {
                    return Err("is always there, and is no number and no list");
                }
                let shown = matches!(reference, model::TypeRef::Switch(_))
                    || format != Format::Plain
                    || asked
                    || field.each.is_some()
                    || ty.as_ref().is_some_and(|ty| self.has_text(dialect, ty, true));
                return if shown { Ok(path) } else { Err("has no text; does its type lack a summary?") };
            }
            let optional = conditional(field) || field.holds.is_some();
            match self.plain_or_none(dialect, ty.as_ref()) {
                _ if optional => return Err("looks for a field in what has none, or may be missing"),
                Some(Type::Struct(inner)) => current = inner,
                Some(_) => return Err("looks for a field in a number"),
                None => return Err("looks for a field in what has none, or may be missing"),
            }
        }
        Err("names nothing")
    }

    fn plain_or_none(&self, dialect: Option<DialectId>, ty: Option<&Expression>) -> Option<Type> {
        self.plain(dialect, ty?).ok().flatten()
    }

    /// Whether a value has a text; `outermost` ones may be lists of such.
    fn has_text(&self, dialect: Option<DialectId>, ty: &Expression, outermost: bool) -> bool {
        let mut arguments = ty.arguments.iter().filter_map(|argument| match argument {
            Argument::Type(ty) => Some(ty),
            Argument::Number(_) => None,
        });
        match self.plain_or_none(dialect, Some(ty)) {
            Some(Type::Struct(id)) => self.written[id.0].summary.is_some(),
            Some(ty) => !matches!(ty, Type::Empty),
            None => {
                outermost
                    && !matches!(ty.name.as_str(), "optional" | "tuple")
                    && arguments.all(|ty| self.has_text(dialect, ty, false))
            }
        }
    }
}

/// Whether a writer makes a field of others, or of nothing.
pub(super) fn derived(field: &model::Field) -> bool {
    field.equals.is_some() || field.length_of.is_some() || !field.count_of.is_empty()
}

/// Whether a field may be missing.
pub(super) fn conditional(field: &model::Field) -> bool {
    field.when.is_some() || field.since.is_some() || field.until.is_some()
}
