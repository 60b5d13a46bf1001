//! From the files put together to the [`Ir`]: the only place where names are looked up and expressions are read.
//!
//! Whatever is wrong with a name or an expression is told here, with file, line and key. What resolves, but is not wise,
//! [lint](crate::lint) tells.

mod bodies;
mod declare;
mod dialects;
mod fields;
mod paths;
mod recursion;
mod types;

use std::collections::HashMap;

use crate::expr::{Expression, Scalar, parse_hex};
use crate::ir::*;
use crate::load::{Problem, in_order};
use crate::model::{self, At, Named};
use crate::spec::{DialectView, Spec};

/// Where tags stand, this is the banner.
pub(crate) const BANNER: &str = "banner";

/// Resolves a spec, or says all that is wrong with its names and expressions.
pub(crate) fn resolve(spec: &Spec) -> Result<Ir, Vec<Problem>> {
    let (ir, written, problems) = (Ir::default(), Vec::new(), Vec::new());
    let (names, aliases, taken) = (HashMap::new(), HashMap::new(), HashMap::new());
    let mut resolver = Resolver { spec, ir, written, names, aliases, taken, problems };
    resolver.sections();
    resolver.declare();
    resolver.context();
    resolver.common();
    resolver.bodies();
    resolver.recursion();
    if resolver.problems.is_empty() { Ok(resolver.ir) } else { Err(in_order(resolver.problems)) }
}

struct Resolver<'a> {
    spec: &'a Spec,
    /// What is resolved so far. It is whole only if there are no problems.
    ir: Ir,
    /// What is written of each of its bodies.
    written: Vec<Written<'a>>,
    /// What names mean to all, or in a dialect.
    names: HashMap<(Option<DialectId>, String), Type>,
    /// The parameters of aliases, and what they stand for.
    aliases: HashMap<String, (Vec<String>, Expression)>,
    /// Which names are taken in generated code.
    taken: declare::Taken,
    problems: Vec<Problem>,
}

/// Of a body what is to be resolved.
#[derive(Default)]
struct Written<'a> {
    fields: Vec<WrittenField<'a>>,
    /// The number that tells its version, where no header does.
    version: Option<&'a str>,
    /// The text made for people: its key, and the text itself.
    summary: Option<(&'static str, &'a str)>,
    /// The words of a structure that is text.
    text: Option<&'a str>,
    max: Option<u64>,
}

/// A field, with the expressions in it that are types.
#[derive(Clone)]
struct WrittenField<'a> {
    field: &'a At<model::Field>,
    /// Its type, unless it is a union or can't be read.
    ty: Option<Expression>,
    /// What it holds, likewise.
    holds: Option<Expression>,
}

impl<'a> Resolver<'a> {
    fn report(&mut self, site: &Site, what: impl Into<String>) {
        self.problems.push(site.problem(what));
    }

    /// The value of what may be wrong.
    fn good<T>(&mut self, site: &Site, result: Result<T, String>) -> Option<T> {
        result.map_err(|what| self.report(site, what)).ok()
    }

    /// The place of an item that dialects share.
    fn shared(&self, section: &str, name: &str, line: u64) -> Site {
        let key = format!("{section}.{name}");
        Site { path: self.spec.place(&key).to_owned(), key, line }
    }

    /// The place of an item of a dialect, or of the dialect that it has it from.
    fn of_dialect(&self, dialect: &DialectView, section: &str, name: &str, line: u64) -> Site {
        let path = self.spec.place_in(dialect, &format!("{section}.{name}")).to_owned();
        let key = if section.is_empty() { name.to_owned() } else { format!("{section}.{name}") };
        Site { path, key, line }
    }

    /// What needs no resolving.
    fn sections(&mut self) {
        let spec = self.spec;
        self.ir.limits = self.placed("limits", &spec.limits);
        self.ir.findings = self.placed("findings", &spec.findings);
        self.ir.guards = self.placed("guards", &spec.guards);
        self.ir.actions = self.placed("actions", &spec.actions);
    }

    fn placed<T: Clone>(&self, section: &str, items: &Named<T>) -> Section<T> {
        let placed =
            |name: &str, item: &At<T>| Placed { site: self.shared(section, name, item.line), item: T::clone(item) };
        items.iter().map(|(name, item)| (name.clone(), placed(name, item))).collect()
    }

    /// What a name means in a dialect, or to all.
    fn lookup(&self, dialect: Option<DialectId>, name: &str) -> Option<&Type> {
        let scopes = self.ir.ancestry(dialect).map(Some).chain([None]);
        scopes.into_iter().find_map(|scope| self.names.get(&(scope, name.to_owned())))
    }

    /// The structure that a name means.
    fn structure(&self, dialect: Option<DialectId>, name: &str) -> Option<BodyId> {
        if let Some(Type::Struct(id)) = self.lookup(dialect, name) { Some(*id) } else { None }
    }

    /// The integer of an enum or a word of bits.
    fn base(&mut self, site: &Site, base: &str, signed: bool) -> Scalar {
        match Scalar::named(base) {
            Some(scalar) if scalar.is_integer() && !scalar.is_big_endian() && (signed || !scalar.is_signed()) => {
                return scalar;
            }
            _ if signed => self.report(site, format!("base `{base}` is no little-endian integer")),
            _ => self.report(site, format!("base `{base}` is no unsigned little-endian integer")),
        }
        Scalar::U8
    }

    fn context(&mut self) {
        for (name, variable) in &self.spec.context {
            let site = self.shared("context", name, variable.line);
            let Some(written) = self.read_type(&site, &variable.ty) else { continue };
            let unsigned = |ty: &Type| match ty {
                Type::Scalar(scalar) => scalar.is_integer() && !scalar.is_signed(),
                ty => matches!(ty, Type::Enum(_)),
            };
            let ty = self.plain(None, &written).ok().flatten().filter(unsigned);
            match ty {
                Some(ty) => {
                    let item = Variable { ty, doc: variable.doc.clone() };
                    self.ir.context.insert(name.clone(), Placed { site, item });
                }
                None => self.report(&site, format!("`{}` is neither an enum nor an unsigned integer", variable.ty)),
            }
        }
        if !self.spec.messages.is_empty() && !self.spec.context.contains_key("message_version") {
            let site = self.shared("context", "message_version", 0);
            self.report(&site, "is missing, and the versions of messages are held against it");
        }
    }

    fn common(&mut self) {
        for (name, common) in &self.spec.common {
            let site = self.shared("common", name, common.line);
            let model::TypeRef::Expr(text) = &common.ty else {
                self.report(&site, "must not be a union");
                continue;
            };
            let Some(ty) = self.read_type(&site, text) else { continue };
            let naming = types::Naming {
                dialect: None,
                constant: "COMMON".into(),
                filter: "msgr2".into(),
                name,
                doc: &common.doc,
                display: &common.display,
                site: &site,
            };
            if let Some(node) = self.node(&naming, &ty) {
                let item = Common { node, display: common.display.clone() };
                self.ir.common.insert(name.clone(), Placed { site, item });
            }
        }
    }

    /// Bytes in hex, by segment.
    fn hex(&mut self, site: &Site, hex: &str) -> Vec<Vec<u8>> {
        self.good(site, parse_hex(hex).map_err(|what| format!("hex: {what}"))).unwrap_or_default()
    }

    /// Bytes, and what is said of them.
    fn bytes<T>(&mut self, site: &Site, hex: &str, context: &Context, says: T) -> Bytes<T> {
        self.given(site, context);
        Bytes { segments: self.hex(site, hex), says }
    }

    /// What a decoder is told for an example.
    fn given(&mut self, site: &Site, context: &Context) {
        for name in context.keys().filter(|name| !self.spec.context.contains_key(*name)) {
            self.report(site, format!("no context variable `{name}`"));
        }
    }
}

/// What a decoder is told, by variable.
type Context = indexmap::IndexMap<String, serde_json::Value>;
