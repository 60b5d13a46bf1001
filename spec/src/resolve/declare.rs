//! What there is: enums, flags, dialects and bodies get their places, and names their meaning.

use std::collections::HashMap;

use super::types::is_builtin;
use super::{Resolver, Written, WrittenField};
use crate::expr::{Scalar, parse_type};
use crate::ir::*;
use crate::model::{self, At, EnumValue, TypeRef};
use crate::names::pascal;
use crate::spec::DialectView;

/// Names that generated code needs for itself: types.
const TAKEN_TYPES: &[&str] = &[
    "Tag", "Frame", "Body", "Context", "Guard", "Action", "Self", "Option", "Result", "Vec", "Default", "Ok", "Err",
    "Some", "None",
];

/// What has a name, and its key. Types, enums, flags, frames and unions share one space of names in Rust, per dialect
/// and shared by all.
pub(super) type Taken = HashMap<(Option<DialectId>, String), (&'static str, String)>;

impl<'a> Resolver<'a> {
    pub(super) fn declare(&mut self) {
        let spec = self.spec;
        for (name, e) in &spec.enums {
            let site = self.shared("enums", name, e.line);
            let base = self.base(&site, &e.base, true);
            self.name("enum", None, &site, name, Some(Type::Enum(EnumId(self.ir.enums.len()))));
            self.ir.enums.push(Enum { site, name: name.clone(), dialect: None, base, says: (**e).clone() });
        }
        for (name, f) in &spec.flags {
            let site = self.shared("flags", name, f.line);
            let base = self.base(&site, &f.base, false);
            self.name("flags", None, &site, name, Some(Type::Flags(FlagsId(self.ir.flags.len()))));
            self.ir.flags.push(Flags { site, name: name.clone(), base, says: (**f).clone() });
        }
        for (name, alias) in &spec.aliases {
            let site = self.shared("aliases", name, alias.line);
            self.name("alias", None, &site, name, None);
            if let Some(ty) = self.good(&site, parse_type(&alias.ty)) {
                self.aliases.insert(name.clone(), (alias.parameters.clone(), ty));
            }
        }
        self.ir.aliases = self.placed("aliases", &spec.aliases);
        for (_, alias) in &self.ir.aliases.clone() {
            self.read_type(&alias.site, &alias.ty);
        }
        for (name, s) in &spec.types {
            self.structure_of(None, self.shared("types", name, s.line), name, s);
        }
        for (name, message) in &spec.messages {
            self.message(self.shared("messages", name, message.line), name, message);
        }
        for view in spec.dialects.values() {
            self.dialect(view);
        }
    }

    fn dialect(&mut self, view: &'a DialectView) {
        let id = DialectId(self.ir.dialects.len());
        let parent = view.info.extends.as_ref().and_then(|p| self.spec.dialects.get_index_of(p)).map(DialectId);
        self.ir.dialects.push(Dialect {
            site: self.of_dialect(view, "", "dialect", view.line),
            folder: view.folder.rsplit('/').next().unwrap_or_default().to_owned(),
            info: view.info.clone(),
            parent,
            banner: None,
            envelope: None,
            tags: Default::default(),
            tag_enum: parent.and_then(|parent| self.ir[parent].tag_enum),
            states: Default::default(),
            own_states: view.own_states,
            exchanges: Default::default(),
        });
        if !view.own_tags.is_empty() {
            self.tag_enum(id, view);
        }
        for (name, s) in &view.types {
            self.structure_of(Some(id), self.of_dialect(view, "types", name, s.line), name, s);
        }
        for (name, tag) in &view.tags {
            let inherited = parent.and_then(|parent| self.ir[parent].tags.get(name).copied());
            let body = match inherited.filter(|_| !view.own_tags.contains(name)) {
                Some(body) => body,
                None => self.frame(id, self.of_dialect(view, "tags", name, tag.line), name, tag),
            };
            self.ir.dialects[id.0].tags.insert(name.clone(), body);
        }
    }

    /// The numbers of a dialect's tags as an enum, called `tag`.
    fn tag_enum(&mut self, dialect: DialectId, view: &DialectView) {
        let id = EnumId(self.ir.enums.len());
        let value = |(name, tag): (&String, &At<model::Tag>)| {
            let number = tag.number.into();
            let value = EnumValue { number, to: None, doc: tag.doc.clone(), release: None, text: None };
            (name.to_uppercase(), value.into())
        };
        let says = model::Enum {
            base: "u8".to_owned(),
            doc: "What a frame is.".to_owned(),
            release: Some(view.info.release.clone()),
            source: Some(view.info.source.clone()),
            display: Default::default(),
            like: None,
            values: view.tags.iter().map(value).collect(),
        };
        let (site, name) = (self.ir[dialect].site.clone(), "tag".to_owned());
        self.ir.enums.push(Enum { site, name: name.clone(), dialect: Some(dialect), base: Scalar::U8, says });
        self.names.insert((Some(dialect), name), Type::Enum(id));
        self.ir.dialects[dialect.0].tag_enum = Some(id);
    }

    fn structure_of(&mut self, dialect: Option<DialectId>, site: Site, name: &'a str, s: &'a model::Struct) {
        let replaces = dialect.and_then(|dialect| self.structure(self.ir[dialect].parent, name));
        self.name("type", dialect, &site, name, Some(Type::Struct(BodyId(self.ir.bodies.len()))));
        if s.versioned.is_some() && s.version.is_some() {
            self.report(&site, "has a version of its own and one from outside");
        }
        if s.text.is_none() && s.max.is_some() {
            self.report(&site, "max is for a structure that is text");
        }
        let written = Written {
            version: s.version.as_deref(),
            summary: s.summary.as_deref().map(|text| ("summary", text)),
            text: s.text.as_deref(),
            max: s.max,
            ..Written::default()
        };
        let body = Body {
            doc: s.doc.clone(),
            release: s.release.clone(),
            source: s.source.clone(),
            ceph: s.ceph.clone(),
            versioned: s.versioned.clone(),
            open: s.open,
            display: s.display.clone(),
            segments: std::iter::once(0..s.fields.len()).collect(),
            replaces,
            ..self.blank(site, name, dialect, &s.examples, &s.refused)
        };
        self.body_of(body, written, s.fields.iter().collect());
    }

    fn frame(&mut self, dialect: DialectId, site: Site, name: &'a str, tag: &'a model::Tag) -> BodyId {
        let replaces = self.ir[dialect].parent.and_then(|parent| self.ir[parent].tags.get(name).copied());
        self.name("frame", Some(dialect), &site, name, None);
        let segmented = !tag.segments.is_empty();
        if segmented && !tag.fields.is_empty() {
            self.report(&site, "has fields and segments; with several segments each is a field");
        }
        let fields = if segmented { &tag.segments } else { &tag.fields };
        let each = if segmented { 1 } else { fields.len().max(1) };
        let body = Body {
            kind: BodyKind::Frame { number: tag.number, from: tag.from, envelope: tag.envelope, segmented },
            doc: tag.doc.clone(),
            release: tag.release.clone(),
            source: tag.source.clone(),
            ceph: tag.ceph.clone(),
            open: tag.open,
            segments: (0..fields.len()).step_by(each).map(|at| at..at + each).collect(),
            replaces,
            ..self.blank(site, name, Some(dialect), &tag.examples, &tag.refused)
        };
        let summary = tag.info.as_deref().map(|text| ("info", text));
        self.body_of(body, Written { summary, ..Written::default() }, fields.iter().collect())
    }

    fn message(&mut self, site: Site, name: &'a str, message: &'a model::Message) {
        let Some((called, number)) = self.spec.message_type(name) else {
            return self.report(&site, format!("the enum message_type has no {}", name.to_uppercase()));
        };
        let [front, middle] = [message.front.len(), message.front.len() + message.middle.len()];
        let fields: Vec<_> = [&message.front, &message.middle, &message.data].into_iter().flatten().collect();
        let body = Body {
            kind: BodyKind::Message { called: called.to_owned(), number, versions: message.versions.clone() },
            doc: message.doc.clone(),
            release: message.release.clone(),
            source: message.source.clone(),
            ceph: message.ceph.clone(),
            open: true,
            display: message.display.clone(),
            segments: vec![0..front, front..middle, middle..fields.len()],
            ..self.blank(site, name, None, &message.examples, &message.refused)
        };
        self.name("message", None, &body.site, &body.type_name(), None);
        let summary = message.info.as_deref().map(|text| ("info", text));
        let version = Some("$message_version");
        self.body_of(body, Written { version, summary, ..Written::default() }, fields);
    }

    /// A body without fields, but with its examples.
    fn blank(
        &mut self,
        site: Site,
        name: &str,
        dialect: Option<DialectId>,
        examples: &[At<model::Example>],
        refused: &[At<model::Refused>],
    ) -> Body {
        let part = |what: &str, line: u64| site.part(what, line);
        let examples = examples.iter().map(|e| self.bytes(&part("examples", e.line), &e.hex, &e.context, e.clone()));
        let examples = examples.collect();
        let refused = refused.iter().map(|r| self.bytes(&part("refused", r.line), &r.hex, &r.context, r.clone()));
        let refused = refused.collect();
        Body { site, name: name.to_owned(), dialect, examples, refused, ..Body::default() }
    }

    /// Gives a body its place, and reads the types of its fields.
    fn body_of(&mut self, body: Body, mut written: Written<'a>, fields: Vec<&'a At<model::Field>>) -> BodyId {
        for (at, &field) in fields.iter().enumerate() {
            let site = &body.site.part(&field.name, field.line);
            if let Some(other) = fields[..at].iter().find(|other| other.name == field.name) {
                self.report(site, format!("another field is called `{}`, in line {}", field.name, other.line));
            }
            if matches!(field.holds.as_ref().unwrap_or(&field.ty), TypeRef::Switch(_)) {
                self.name("union", body.dialect, site, &format!("{}_{}", body.type_name(), field.name), None);
            }
            let mut read = |reference: &TypeRef| match reference {
                TypeRef::Expr(text) => self.read_type(site, text),
                TypeRef::Switch(_) => None,
            };
            let (ty, holds) = (read(&field.ty), field.holds.as_ref().and_then(read));
            written.fields.push(WrittenField { field, ty, holds });
        }
        let filter = body.display.filter.clone().unwrap_or_else(|| format!("msgr2.{}", body.name));
        self.ir.bodies.push(Body { filter, ..body });
        self.written.push(written);
        BodyId(self.ir.bodies.len() - 1)
    }

    /// Takes a name, for what it means if anything can refer to it.
    fn name(&mut self, what: &'static str, scope: Option<DialectId>, site: &Site, name: &str, means: Option<Type>) {
        let builtin = what != "union" && is_builtin(name);
        // an alias is no type in Rust
        if builtin || what != "alias" && TAKEN_TYPES.contains(&pascal(name).as_str()) {
            self.report(site, format!("`{name}` means something already"));
        }
        // what a dialect calls like something shared hides that, which only structures may do
        if let Some((other, key)) = scope.and_then(|_| self.taken.get(&(None, pascal(name))))
            && !(what == "type" && *other == "type")
        {
            self.problems.push(site.problem(format!("{key} has this name already")));
        }
        match self.taken.get(&(scope, pascal(name))) {
            Some((_, key)) => self.problems.push(site.problem(format!("{key} has this name already, as Rust sees it"))),
            None => {
                self.taken.insert((scope, pascal(name)), (what, site.key.clone()));
            }
        }
        if let Some(means) = means {
            self.names.entry((scope, name.to_owned())).or_insert(means);
        }
    }
}
