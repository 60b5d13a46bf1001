//! Type expressions become nodes, each with its row in the table of fields.

use indexmap::map::Entry;

use super::Resolver;
use crate::expr::Argument::{Number, Type as T};
use crate::expr::{Argument, Expression, MOST_NESTED, Scalar, no_type, parse_type};
use crate::ir::*;
use crate::model::{self, Base, Display};
use crate::names::{constant, label};

/// Names of types that the language has.
const BUILTIN: &[&str] =
    &["list", "counted", "optional", "map", "array", "bytes", "blob", "rest", "sized", "empty", "tuple"];

/// What the values of a tuple are called.
const PLACES: &[&str] = &["first", "second", "third", "fourth"];

/// Whether a name means a type in every spec.
pub(super) fn is_builtin(name: &str) -> bool {
    BUILTIN.contains(&name) || Scalar::named(name).is_some()
}

/// The longest type with which an alias may be used, in letters.
const MOST_WRITTEN: usize = 400;

/// What stands in an alias, with arguments in the place of its parameters.
fn fill(argument: &Argument, parameters: &[String], arguments: &[Argument]) -> Argument {
    let T(ty) = argument else { return argument.clone() };
    match parameters.iter().zip(arguments).find(|(parameter, _)| **parameter == ty.name && ty.arguments.is_empty()) {
        Some((_, argument)) => argument.clone(),
        None => {
            let inside = ty.arguments.iter().map(|inner| fill(inner, parameters, arguments)).collect();
            T(Expression { arguments: inside, ..ty.clone() })
        }
    }
}

/// Nothing is said of how something is shown.
pub(super) static PLAIN: Display = Display { base: None, notation: None, unit: None, label: None, filter: None };

/// What the fields of a node are called.
#[derive(Clone)]
pub(super) struct Naming<'n> {
    /// Where names of types are looked up.
    pub dialect: Option<DialectId>,
    /// First part of the names of constants.
    pub constant: String,
    /// First part of filter names.
    pub filter: String,
    /// Name of the field.
    pub name: &'n str,
    /// One sentence.
    pub doc: &'n str,
    /// How it is shown.
    pub display: &'n Display,
    /// Where it stands.
    pub site: &'n Site,
}

impl<'n> Naming<'n> {
    /// Names of something in it.
    pub(super) fn inside(&self, name: &'n str) -> Self {
        let (constant, filter) = (self.own_constant(), self.own_filter());
        Naming { constant, filter, name, display: &PLAIN, ..self.clone() }
    }

    /// The name of its constant.
    pub(super) fn own_constant(&self) -> String {
        format!("{}_{}", self.constant, constant(self.name))
    }

    /// Its filter name, with which those of its parts begin.
    pub(super) fn own_filter(&self) -> String {
        self.display.filter.clone().unwrap_or_else(|| format!("{}.{}", self.filter, self.name.to_lowercase()))
    }

    /// A row of the table of fields.
    pub(super) fn row(&self, kind: Kind) -> FieldInfo {
        FieldInfo {
            site: self.site.clone(),
            name: self.name.to_owned(),
            filter: self.own_filter(),
            label: self.display.label.clone().unwrap_or_else(|| label(self.name)),
            doc: self.doc.to_owned(),
            kind,
            notation: match self.display.base {
                Some(Base::Hex) => Notation::Hex,
                _ if self.display.notation == Some(model::Notation::Packet) => Notation::Packet,
                _ => Notation::Dec,
            },
            unit: self.display.unit.clone().unwrap_or_default(),
        }
    }
}

impl Resolver<'_> {
    /// A type that has no parts, which may be a name of the spec; nothing if it has parts.
    pub(super) fn plain(&self, dialect: Option<DialectId>, ty: &Expression) -> Result<Option<Type>, String> {
        Ok(Some(match (ty.name.as_str(), &ty.arguments[..]) {
            ("list" | "counted" | "rest" | "optional", [T(_)]) | ("map", [T(_), T(_)]) => return Ok(None),
            ("tuple", items @ [_, _, ..]) if items.len() <= PLACES.len() && items.iter().all(|i| matches!(i, T(_))) => {
                return Ok(None);
            }
            ("array", [T(_), Number(n)]) if u32::try_from(*n).is_ok() => return Ok(None),
            ("bytes", [Number(n)]) if u32::try_from(*n).is_ok() => Type::Scalar(Scalar::Bytes(*n as u32)),
            ("blob", []) => Type::Blob(Scalar::U32),
            ("blob", [T(length)]) if matches!(length.name.as_str(), "u8" | "u16") => {
                Type::Blob(Scalar::named(&length.name).unwrap_or(Scalar::U32))
            }
            ("rest", []) => Type::Rest,
            ("sized", []) => Type::Sized,
            ("empty", []) => Type::Empty,
            (name, []) if !is_builtin(name) => match self.lookup(dialect, name) {
                Some(ty) => ty.clone(),
                None => return Err(format!("`{name}` names no type")),
            },
            (name, []) => Type::Scalar(Scalar::named(name).ok_or_else(|| no_type(name))?),
            (name, _) => return Err(no_type(&format!("{name}<...>"))),
        }))
    }

    /// Reads a type, and puts what it stands for in the place of each alias.
    pub(super) fn read_type(&mut self, site: &Site, text: &str) -> Option<Expression> {
        let ty = parse_type(text).and_then(|ty| self.expand(&ty, 0));
        self.good(site, ty)
    }

    pub(super) fn expand(&self, ty: &Expression, depth: usize) -> Result<Expression, String> {
        let argument = |argument: &Argument| match argument {
            T(ty) => self.expand(ty, depth).map(T),
            number => Ok(number.clone()),
        };
        let arguments = ty.arguments.iter().map(argument).collect::<Result<Vec<_>, _>>()?;
        let filled = Expression { arguments, ..ty.clone() };
        let Some((parameters, stands_for)) = self.aliases.get(&ty.name) else { return Ok(filled) };
        if parameters.len() != filled.arguments.len() {
            return Err(format!("`{ty}`: {} takes {} types", ty.name, parameters.len()));
        }
        if depth == MOST_NESTED || filled.to_string().len() > MOST_WRITTEN {
            return Err(format!("`{}` stands for itself, or for too much", ty.name));
        }
        let filled = match fill(&T(stands_for.clone()), parameters, &filled.arguments) {
            T(filled) => self.expand(&filled, depth + 1)?,
            number => return Err(format!("`{ty}` is {number:?}, and no type")),
        };
        Ok(Expression { alias: Some((ty.name.clone(), ty.to_string())), ..filled })
    }

    /// Resolves a type that stands below a name.
    pub(super) fn node(&mut self, naming: &Naming<'_>, ty: &Expression) -> Option<Node> {
        let node = self.unnamed(naming, ty)?;
        Some(Node { alias: ty.alias.clone(), ..node })
    }

    fn unnamed(&mut self, naming: &Naming<'_>, ty: &Expression) -> Option<Node> {
        let plain = self.plain(naming.dialect, ty);
        if let Some(ty) = self.good(naming.site, plain)? {
            return Some(Node::new(self.leaf(naming, &ty), ty));
        }
        let plain = Naming { display: &PLAIN, ..naming.clone() };
        match (ty.name.as_str(), &ty.arguments[..]) {
            ("map", [T(key), T(value)]) => {
                let field = self.list(naming);
                let entry = FieldInfo { name: "entry".into(), filter: naming.own_filter(), ..plain.row(Kind::Entry) };
                let entry = self.add(format!("{}_ENTRY", naming.own_constant()), entry);
                let (key, value) = (self.part(&naming.inside("key"), key)?, self.part(&naming.inside("value"), value)?);
                Some(Node::new(field, Type::Map(entry, key.into(), value.into())))
            }
            ("tuple", items) => {
                let field = self.add(naming.own_constant(), naming.row(Kind::Entry));
                let mut parts = Vec::new();
                for (name, item) in PLACES.iter().zip(items) {
                    let T(item) = item else { return None };
                    parts.push(self.part(&naming.inside(name), item)?);
                }
                Some(Node::new(field, Type::Tuple(parts)))
            }
            ("optional", [T(item)]) => {
                let filter = format!("{}.present", plain.own_filter());
                let present = FieldInfo { filter, ..plain.row(Kind::Present) };
                let field = self.add(format!("{}_PRESENT", naming.own_constant()), present);
                Some(Node::new(field, Type::Optional(self.part(naming, item)?.into())))
            }
            (name, [T(item), rest @ ..]) => {
                let field = self.list(naming);
                let item = Box::new(self.part(naming, item)?);
                let ty = match (name, rest) {
                    ("list", _) => Type::List(item),
                    ("rest", _) => Type::Items(item),
                    (_, [Number(n)]) => Type::Array(item, *n as u32),
                    _ => Type::Counted(item),
                };
                Some(Node::new(field, ty))
            }
            _ => None,
        }
    }

    /// Resolves a type in another, where nothing can measure it.
    pub(super) fn part(&mut self, naming: &Naming<'_>, ty: &Expression) -> Option<Node> {
        if matches!(ty.name.as_str(), "sized" | "counted") {
            self.report(naming.site, "what another field measures must be all of a field");
        }
        self.node(naming, ty)
    }

    /// The field that is the number of a list's items.
    pub(super) fn list(&mut self, naming: &Naming<'_>) -> FieldId {
        let shown = Display { label: naming.display.label.clone(), ..Display::default() };
        let row = Naming { display: &shown, ..naming.clone() }.row(Kind::List);
        let row = FieldInfo { filter: format!("{}.count", naming.own_filter()), ..row };
        self.add(format!("{}_COUNT", naming.own_constant()), row)
    }

    /// The field of a type that has only one.
    pub(super) fn leaf(&mut self, naming: &Naming<'_>, ty: &Type) -> FieldId {
        let base = match ty {
            Type::Enum(id) => self.ir[*id].says.display.base,
            Type::Flags(_) => Some(Base::Hex),
            _ => None,
        };
        let display = Display { base: naming.display.base.or(base), ..naming.display.clone() };
        let row = Naming { display: &display, ..naming.clone() }.row(self.kind(ty));
        self.add(naming.own_constant(), row)
    }

    fn kind(&self, ty: &Type) -> Kind {
        match ty {
            Type::Scalar(scalar) => scalar_kind(*scalar),
            Type::Enum(id) => Kind::Enum(self.ir[*id].base.min_size() as u8, *id),
            Type::Flags(id) => Kind::Flags(self.ir[*id].base.min_size() as u8, *id),
            Type::Struct(id) => Kind::Struct(self.written[id.0].summary.is_some()),
            Type::Blob(_) | Type::Rest | Type::Sized => Kind::Bytes,
            Type::Empty => Kind::Struct(false),
            Type::List(_) | Type::Counted(_) | Type::Items(_) | Type::Map(..) | Type::Array(..) => Kind::List,
            Type::Optional(_) => Kind::Present,
            Type::Tuple(_) => Kind::Entry,
            Type::Union(_) => Kind::Switch,
        }
    }

    /// Enters a row into the table of fields, unless it is there already.
    pub(super) fn add(&mut self, constant: String, row: FieldInfo) -> FieldId {
        let (id, first) = match self.ir.fields.entry(constant) {
            Entry::Occupied(entry) => (entry.index(), entry.get().clone()),
            Entry::Vacant(entry) => return FieldId(entry.insert_entry(row).index()),
        };
        if (&first.name, &first.filter, first.kind) != (&row.name, &row.filter, row.kind) {
            let what = format!("{} and {} become one field in generated code", first.filter, row.filter);
            self.report(&row.site, what);
        }
        FieldId(id)
    }
}

fn scalar_kind(scalar: Scalar) -> Kind {
    match scalar {
        Scalar::F32 | Scalar::F64 => Kind::Float(scalar.min_size() as u8),
        Scalar::Bool => Kind::Bool,
        Scalar::Text => Kind::Text,
        Scalar::Bytes(_) => Kind::Bytes,
        Scalar::Ipv4 => Kind::Ipv4,
        Scalar::Ipv6 => Kind::Ipv6,
        Scalar::Uuid => Kind::Uuid,
        Scalar::Utime => Kind::Time,
        Scalar::Duration => Kind::Duration,
        integer if integer.is_signed() => Kind::Signed(integer.min_size() as u8),
        integer => Kind::Unsigned(integer.min_size() as u8),
    }
}
