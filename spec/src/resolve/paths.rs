//! What texts, conditions and unions name: fields, fields in fields, versions, and context variables.

use super::Resolver;
use crate::expr::{self, Argument, Expression, Scalar, parse_condition, parse_template};
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
            if field.holds.is_some() || field.sealed.is_some() {
                return Err(format!("`{name}` is inside a blob, which may be empty"));
            }
            let last = steps.peek().is_none();
            if conditional(field) && !(path.is_empty() && last) {
                return Err(format!("`{name}` stands in something that may be missing"));
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
        let test = match parse_condition(text)? {
            expr::Condition::More => Test::More,
            expr::Condition::Compare(name, operator, number) => {
                Test::Compare(self.operand(id, index, &name)?, operator, number)
            }
        };
        Ok(Condition { text: text.to_owned(), test })
    }

    /// A text with fields in it.
    pub(super) fn template(&mut self, site: &Site, id: BodyId, key: &str, text: &str) -> Option<Vec<Piece>> {
        let pieces = self.good(site, parse_template(text).map_err(|what| format!("{key}: {what}")))?;
        let mut resolved = Vec::new();
        for piece in pieces {
            resolved.push(match piece {
                expr::Piece::Text(text) => Piece::Text(text),
                expr::Piece::Field(path) => {
                    let shown = self.shown(id, &path).map_err(|what| format!("{key}: `{{{}}}` {what}", path.join(".")));
                    match self.good(site, shown) {
                        Some(path) => Piece::Field(path),
                        None => continue,
                    }
                }
            });
        }
        Some(resolved)
    }

    /// A field that has a text.
    fn shown(&self, id: BodyId, names: &[String]) -> Result<Path, &'static str> {
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
                let shown = matches!(reference, model::TypeRef::Switch(_))
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
