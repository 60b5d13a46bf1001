//! What there is: enums, flags, dialects and bodies get their places, and names their meaning.

use std::collections::HashMap;

use super::{Resolver, Written, WrittenField};
use crate::expr::{self, parse_type};
use crate::ir::*;
use crate::model::{self, Display, EnumValue, TypeRef};
use crate::names::pascal;
use crate::spec::DialectView;

/// Names that generated code needs for itself: types.
const TAKEN_TYPES: &[&str] = &[
    "Tag", "Frame", "Body", "Context", "Guard", "Action", "Self", "Option", "Result", "Vec", "Default", "Ok", "Err",
    "Some", "None",
];

/// Names of types, enums, flags, frames and unions share one space in Rust, per dialect and shared by all.
#[derive(Default)]
struct Taken {
    /// What has a name, and its key.
    by: HashMap<(Option<DialectId>, String), (&'static str, String)>,
}

impl<'a> Resolver<'a> {
    pub(super) fn declare(&mut self) {
        let mut taken = Taken::default();
        self.numbers(&mut taken);
        let spec = self.spec;
        for (name, s) in &spec.types {
            let site = self.shared("types", name, s.line);
            self.structure_of(&mut taken, None, site, name, s);
        }
        for (name, message) in &spec.messages {
            self.message(&mut taken, name, message);
        }
        for dialect in spec.dialects.values() {
            self.dialect_of(&mut taken, dialect);
        }
    }

    fn numbers(&mut self, taken: &mut Taken) {
        let spec = self.spec;
        for (name, e) in &spec.enums {
            let site = self.shared("enums", name, e.line);
            let base = self.base(&site, &e.base, true);
            let id = EnumId(self.ir.enums.len());
            self.declare_name(taken, "enum", None, &site, name, Some(Type::Enum(id)));
            let model::Enum { doc, release, source, display, like, values, .. } = (**e).clone();
            self.ir.enums.push(Enum {
                site,
                name: name.clone(),
                dialect: None,
                base,
                doc,
                release,
                source,
                display,
                like,
                values,
            });
        }
        for (name, f) in &spec.flags {
            let site = self.shared("flags", name, f.line);
            let base = self.base(&site, &f.base, false);
            let id = FlagsId(self.ir.flags.len());
            self.declare_name(taken, "flags", None, &site, name, Some(Type::Flags(id)));
            let model::Flags { doc, release, source, display, values, .. } = (**f).clone();
            self.ir.flags.push(Flags { site, name: name.clone(), base, doc, release, source, display, values });
        }
    }

    fn dialect_of(&mut self, taken: &mut Taken, view: &'a DialectView) {
        let id = DialectId(self.ir.dialects.len());
        let parent = view.info.extends.as_ref().and_then(|p| self.spec.dialects.get_index_of(p)).map(DialectId);
        self.ir.dialects.push(Dialect {
            site: self.of_dialect(view, "", "dialect", view.line),
            folder: view.folder.rsplit('/').next().unwrap_or_default().to_owned(),
            info: view.info.clone(),
            parent,
            banner: None,
            envelope: None,
            tags: parent.map(|parent| self.ir[parent].tags.clone()).unwrap_or_default(),
            tag_enum: parent.and_then(|parent| self.ir[parent].tag_enum),
            states: Default::default(),
            own_states: view.own_states,
            exchanges: Default::default(),
        });
        if !view.own_tags.is_empty() {
            self.tag_enum(id, view);
        }
        for (name, s) in &view.types {
            let site = self.of_dialect(view, "types", name, s.line);
            self.structure_of(taken, Some(id), site, name, s);
        }
        let inherited = std::mem::take(&mut self.ir.dialects[id.0].tags);
        for (name, tag) in &view.tags {
            let body =
                if view.own_tags.contains(name) { self.frame(taken, id, view, name, tag) } else { inherited[name] };
            self.ir.dialects[id.0].tags.insert(name.clone(), body);
        }
    }

    /// The numbers of a dialect's tags as an enum, called `tag`.
    fn tag_enum(&mut self, dialect: DialectId, view: &DialectView) {
        let id = EnumId(self.ir.enums.len());
        let value = |tag: &model::Tag| EnumValue {
            number: tag.number.into(),
            to: None,
            doc: tag.doc.clone(),
            release: None,
            text: None,
        };
        self.ir.enums.push(Enum {
            site: self.ir[dialect].site.clone(),
            name: "tag".to_owned(),
            dialect: Some(dialect),
            base: expr::Scalar::U8,
            doc: "What a frame is.".to_owned(),
            release: view.info.release.clone(),
            source: view.info.source.clone(),
            display: Display::default(),
            like: None,
            values: view.tags.iter().map(|(name, tag)| (name.to_uppercase(), value(tag).into())).collect(),
        });
        self.names.insert((Some(dialect), "tag".to_owned()), Type::Enum(id));
        self.ir.dialects[dialect.0].tag_enum = Some(id);
    }

    fn structure_of(
        &mut self,
        taken: &mut Taken,
        dialect: Option<DialectId>,
        site: Site,
        name: &'a str,
        s: &'a model::Struct,
    ) {
        let id = BodyId(self.ir.bodies.len());
        self.declare_name(taken, "type", dialect, &site, name, Some(Type::Struct(id)));
        if s.versioned.is_some() && s.version.is_some() {
            self.report(&site, "has a version of its own and one from outside");
        }
        if s.text.is_none() && s.max.is_some() {
            self.report(&site, "max is for a structure that is text");
        }
        let written = Written {
            fields: self.read_fields(&site, &s.fields),
            version: s.version.as_deref(),
            summary: s.summary.as_deref().map(|text| ("summary", text)),
            text: s.text.as_deref(),
            max: s.max,
        };
        let body = Body {
            doc: s.doc.clone(),
            release: s.release.clone(),
            source: s.source.clone(),
            versioned: s.versioned.clone(),
            open: s.open,
            display: s.display.clone(),
            filter: s.display.filter.clone().unwrap_or_else(|| format!("msgr2.{name}")),
            ..self.blank(&site, name, BodyKind::Struct, dialect, &s.examples, &s.refused)
        };
        self.add_body(taken, body, written, std::slice::from_ref(&(0..s.fields.len())));
    }

    fn frame(
        &mut self,
        taken: &mut Taken,
        dialect: DialectId,
        view: &DialectView,
        name: &'a str,
        tag: &'a model::Tag,
    ) -> BodyId {
        let site = self.of_dialect(view, "tags", name, view.tags[name].line);
        self.declare_name(taken, "frame", Some(dialect), &site, name, None);
        let segmented = !tag.segments.is_empty();
        if segmented && !tag.fields.is_empty() {
            self.report(&site, "has fields and segments; with several segments each is a field");
        }
        let fields = if segmented { &tag.segments } else { &tag.fields };
        let segments: Vec<_> =
            if segmented { (0..fields.len()).map(|i| i..i + 1).collect() } else { vec![0..fields.len()] };
        let written = Written {
            fields: self.read_fields(&site, fields),
            version: None,
            summary: tag.info.as_deref().map(|text| ("info", text)),
            text: None,
            max: None,
        };
        let kind = BodyKind::Frame { number: tag.number, from: tag.from, envelope: tag.envelope, segmented };
        let body = Body {
            doc: tag.doc.clone(),
            release: Some(tag.release.clone()),
            source: Some(tag.source.clone()),
            open: tag.open,
            ..self.blank(&site, name, kind, Some(dialect), &tag.examples, &tag.refused)
        };
        self.add_body(taken, body, written, &segments)
    }

    fn message(&mut self, taken: &mut Taken, name: &'a str, message: &'a model::Message) {
        let site = self.shared("messages", name, self.spec.messages[name].line);
        let Some((called, number)) = self.spec.message_type(name) else {
            return self.report(&site, format!("the enum message_type has no {}", name.to_uppercase()));
        };
        let (called, versions) = (called.to_owned(), message.versions.clone());
        let written = Written {
            fields: self.read_fields(&site, &message.fields),
            version: Some("$message_version"),
            summary: message.info.as_deref().map(|text| ("info", text)),
            text: None,
            max: None,
        };
        let body = Body {
            doc: message.doc.clone(),
            release: message.release.clone(),
            source: message.source.clone(),
            open: true,
            display: message.display.clone(),
            filter: message.display.filter.clone().unwrap_or_else(|| format!("msgr2.{name}")),
            ..self.blank(
                &site,
                name,
                BodyKind::Message { called, number, versions },
                None,
                &message.examples,
                &message.refused,
            )
        };
        self.declare_name(taken, "message", None, &site, &body.type_name(), None);
        self.add_body(taken, body, written, &message.parts());
    }

    /// A body without fields, but with its examples.
    fn blank(
        &mut self,
        site: &Site,
        name: &str,
        kind: BodyKind,
        dialect: Option<DialectId>,
        examples: &[model::At<model::Example>],
        refused: &[model::At<model::Refused>],
    ) -> Body {
        let examples =
            examples.iter().map(|e| self.bytes(&site.part("examples", e.line), &e.hex, &e.context, e.clone()));
        let examples = examples.collect();
        let refused = refused.iter().map(|r| self.bytes(&site.part("refused", r.line), &r.hex, &r.context, r.clone()));
        Body {
            refused: refused.collect(),
            site: site.clone(),
            name: name.to_owned(),
            kind,
            dialect,
            doc: String::new(),
            release: None,
            source: None,
            versioned: None,
            version: None,
            open: false,
            text: None,
            summary: None,
            display: Display::default(),
            filter: format!("msgr2.{name}"),
            around: None,
            fields: Vec::new(),
            segments: Vec::new(),
            examples,
        }
    }

    fn add_body(
        &mut self,
        taken: &mut Taken,
        body: Body,
        written: Written<'a>,
        segments: &[std::ops::Range<usize>],
    ) -> BodyId {
        let id = BodyId(self.ir.bodies.len());
        for (at, WrittenField { field, .. }) in written.fields.iter().enumerate() {
            if let Some(other) = written.fields[..at].iter().find(|other| other.field.name == field.name) {
                let site = body.site.part(&field.name, field.line);
                self.report(&site, format!("another field is called `{}`, in line {}", field.name, other.field.line));
            }
            if matches!(field.holds.as_ref().unwrap_or(&field.ty), TypeRef::Switch(_)) {
                let (site, name) =
                    (body.site.part(&field.name, field.line), format!("{}_{}", body.type_name(), field.name));
                self.declare_name(taken, "union", body.dialect, &site, &name, None);
            }
        }
        self.ir.bodies.push(Body { segments: segments.to_vec(), ..body });
        self.written.push(written);
        id
    }

    /// Reads the types of fields.
    fn read_fields(&mut self, site: &Site, fields: &'a [model::At<model::Field>]) -> Vec<WrittenField<'a>> {
        let mut read = |field: &model::At<model::Field>, reference: &TypeRef| match reference {
            TypeRef::Expr(text) => self.good(&site.part(&field.name, field.line), parse_type(text)),
            TypeRef::Switch(_) => None,
        };
        let fields = fields.iter().map(|field| WrittenField {
            field,
            ty: read(field, &field.ty),
            holds: field.holds.as_ref().and_then(|holds| read(field, holds)),
        });
        fields.collect()
    }

    /// Takes a name, for what it means if anything can refer to it.
    fn declare_name(
        &mut self,
        taken: &mut Taken,
        what: &'static str,
        scope: Option<DialectId>,
        site: &Site,
        name: &str,
        means: Option<Type>,
    ) {
        let builtin = what != "union" && parse_type(name).is_ok_and(|ty| !matches!(ty, expr::Type::Named(_)));
        if builtin || TAKEN_TYPES.contains(&pascal(name).as_str()) {
            self.report(site, format!("`{name}` means something already"));
        }
        // what a dialect calls like something shared hides that, which only structures may do
        if let Some((other, key)) = scope.and_then(|_| taken.by.get(&(None, pascal(name))))
            && !(what == "type" && *other == "type")
        {
            self.problems.push(site.problem(format!("{key} has this name already")));
        }
        match taken.by.get(&(scope, pascal(name))) {
            Some((_, key)) => self.problems.push(site.problem(format!("{key} has this name already, as Rust sees it"))),
            None => {
                taken.by.insert((scope, pascal(name)), (what, site.key.clone()));
            }
        }
        if let Some(means) = means {
            self.names.entry((scope, name.to_owned())).or_insert(means);
        }
    }
}
