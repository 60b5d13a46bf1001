//! Message bodies: one type for each, called as Ceph's class, and the enum over them.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};

use super::names::{constant, ident, label, pascal};
use super::structs::FieldPlan;
use super::{Generator, Scope};
use crate::expr::Type;
use crate::model::*;

/// Where each part of a body stands in a frame, and what is called what a reader finds there.
struct Part<'a> {
    /// The segment of a MESSAGE frame.
    segment: usize,
    name: &'static str,
    fields: &'a [FieldPlan<'a>],
    /// The field that keeps what the spec says nothing of, and the constant that stands for it.
    kept: Option<(&'static str, TokenStream)>,
}

impl<'a> Generator<'a> {
    pub(super) fn messages(&mut self) -> Result<TokenStream, String> {
        let spec = self.spec;
        if spec.messages.is_empty() {
            return Ok(TokenStream::new());
        }
        let mut structs = TokenStream::new();
        let (mut variants, mut decodes, mut encodes, mut types, mut infos, mut versions) =
            (vec![], vec![], vec![], vec![], vec![], vec![]);
        for (name, message) in &spec.messages {
            let number = spec.message_type(name).ok_or_else(|| format!("{name}: no message type is called so"))?.1;
            structs.extend(self.message(name, message).map_err(|e| format!("{name}: {e}"))?);
            let (variant, body, doc) = (format_ident!("{}", pascal(name)), type_name(name), &message.doc);
            variants.push(quote! {
                #[doc = #doc]
                #[cfg_attr(feature = "serde", serde(rename = #name))]
                #variant(#body<'a>),
            });
            decodes.push(quote!(#number => #body::decode(version, segments, context, trace).map(Body::#variant),));
            encodes.push(quote!(Body::#variant(body) => body.encode(),));
            types.push(quote!(Body::#variant(_) => #body::TYPE,));
            versions.push(quote!(Body::#variant(_) => (#body::VERSION, #body::COMPAT_VERSION),));
            if message.info.is_some() {
                infos.push(quote!(Body::#variant(body) => Some(body),));
            }
            structs.extend(quote! {
                impl<'a> From<#body<'a>> for Body<'a> {
                    fn from(body: #body<'a>) -> Self {
                        Body::#variant(body)
                    }
                }
            });
        }
        Ok(quote! {
            /// Message bodies: front, middle and data of those messages that the spec lays out.
            pub mod messages {
                #[allow(unused_imports)]
                use super::{Context, field, info, limits, types::*, wire};
                #[allow(unused_imports)]
                use wire::{Composite as _, Encode as _, Integer as _};
                #structs
                /// The body of a message.
                #[derive(Clone, Debug, PartialEq)]
                #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
                pub enum Body<'a> { #(#variants)* }
                impl<'a> Body<'a> {
                    /// Reads the body of a message of this type and header version from the segments of its frame, of
                    /// which the first, the header, is not looked at. Nothing, if the spec doesn't lay it out.
                    pub fn decode<T: wire::Trace>(
                        message_type: MessageType,
                        version: u16,
                        segments: &wire::Segments<'a>,
                        context: &Context,
                        trace: &mut T,
                    ) -> Option<Result<Self, wire::Error>> {
                        Some(match message_type.0 {
                            #(#decodes)*
                            _ => return None,
                        })
                    }

                    /// The bytes of its front, middle and data.
                    pub fn encode(&self) -> Result<[Vec<u8>; 3], wire::Error> {
                        match self { #(#encodes)* }
                    }

                    /// What it is, as its header says.
                    pub fn message_type(&self) -> MessageType {
                        match self { #(#types)* }
                    }

                    /// The newest version of its layout, and the oldest that a reader must know for it.
                    pub fn versions(&self) -> (u16, u16) {
                        match self { #(#versions)* }
                    }

                    /// The facts that matter, in one line.
                    pub fn info(&self) -> Option<&dyn std::fmt::Display> {
                        match self {
                            #(#infos)*
                            #[allow(unreachable_patterns)]
                            _ => None,
                        }
                    }
                }
            }
        })
    }

    fn message(&mut self, name: &str, message: &Message) -> Result<TokenStream, String> {
        let (rust, body) = (rust_name(name), type_name(name));
        let s = message_struct(message);
        let scope = Scope { dialect: None, constant: constant(&rust), filter: message.filter(name) };
        let plans: Vec<FieldPlan> = s.fields.iter().map(|f| self.plan(f)).collect::<Result<_, _>>()?;
        let parts = parts(message, &plans);
        let kept: Vec<&str> = parts.iter().filter_map(|part| Some(part.kept.as_ref()?.0)).collect();
        let declaration = self.declaration(&scope, &rust, &s, &plans, &kept)?;
        let id = self.fields.add(
            &scope.constant,
            name,
            &scope.filter,
            &label(name),
            &message.doc,
            match &message.info {
                Some(_) => quote!(Kind::Struct(true)),
                None => quote!(Kind::Struct(false)),
            },
            &message.display,
        );
        let (mut reads, mut writes, mut results) = (TokenStream::new(), TokenStream::new(), Vec::new());
        for part in &parts {
            let segment = part.segment;
            reads.extend(quote!(let r = &mut segments.reader(#segment);));
            for plan in part.fields {
                reads.extend(self.read_field(&scope, &pascal(&rust), &s, &plans, plan)?);
                writes.extend(self.write_field(&scope, &pascal(&rust), &s, &plans, plan)?);
                if plan.stored() {
                    results.push(ident(&plan.field.name));
                }
            }
            if let Some((name, id)) = &part.kept {
                let name = format_ident!("{name}");
                reads.extend(quote!(let #name = r.extra(t, #id);));
                writes.extend(quote!(w.put(&self.#name);));
                results.push(name);
            }
            let bytes = format_ident!("{}_bytes", part.name);
            writes.extend(quote!(let #bytes = std::mem::take(w).into_vec();));
        }
        let summary = message.info.as_ref().map_or(quote!(None), |_| quote!(Some(&body)));
        let (head, compat) = (message.versions.head, message.versions.compat);
        let kind = match self.spec.message_type(name) {
            Some((constant_name, _)) => format_ident!("{}", constant(constant_name)),
            None => return Err("no message type is called so".into()),
        };
        Ok(quote! {
            #declaration
            impl<'a> #body<'a> {
                /// What the header calls it.
                pub const TYPE: MessageType = MessageType::#kind;
                /// The newest version of its layout.
                pub const VERSION: u16 = #head;
                /// The oldest version that a reader must know for it.
                pub const COMPAT_VERSION: u16 = #compat;

                /// Reads it, in the version that the header says, from the segments of its frame.
                pub fn decode<T: wire::Trace>(
                    version: u16,
                    segments: &wire::Segments<'a>,
                    context: &Context,
                    t: &mut T,
                ) -> Result<Self, wire::Error> {
                    let cx = &Context { message_version: Some(version), ..*context };
                    t.open(#id, segments.reader(1).offset());
                    #reads
                    let body = Self { #(#results),* };
                    t.close(segments.end().max(segments.reader(1).offset()), #summary);
                    Ok(body)
                }

                /// The bytes of its front, middle and data.
                pub fn encode(&self) -> Result<[Vec<u8>; 3], wire::Error> {
                    let w = &mut wire::Writer::new();
                    #writes
                    Ok([front_bytes, middle_bytes, data_bytes])
                }
            }
        })
    }
}

/// The three parts of a body. What comes behind the last field that is known belongs to a newer sender and is kept,
/// and so is a middle or data of which the spec says nothing.
fn parts<'p>(message: &Message, plans: &'p [FieldPlan<'p>]) -> [Part<'p>; 3] {
    let [front, middle, data] = message.parts().map(|range| &plans[range]);
    let kept = |fields: &[FieldPlan<'_>], whole: Option<&'static str>, behind: &'static str| {
        let name = if fields.is_empty() { whole.unwrap_or(behind) } else { behind };
        let id = format_ident!("COMMON_{}", constant(name));
        // what takes all bytes leaves none for newer senders
        let taken = fields.last().is_some_and(|last| last.ty == Some(Type::Rest));
        (!taken).then(|| (name, quote!(field::#id)))
    };
    [
        Part { segment: 1, name: "front", fields: front, kept: kept(front, None, "extra") },
        Part { segment: 2, name: "middle", fields: middle, kept: kept(middle, Some("middle"), "middle_extra") },
        Part { segment: 3, name: "data", fields: data, kept: kept(data, Some("data"), "data_extra") },
    ]
}

/// A body as a structure, whose version is in the header.
fn message_struct(message: &Message) -> Struct {
    Struct {
        doc: message.doc.clone(),
        release: message.release.clone(),
        source: message.source.clone(),
        versioned: None,
        version: Some("$message_version".into()),
        open: true,
        text: None,
        max: None,
        summary: message.info.clone(),
        display: Display::default(),
        fields: message.fields.clone(),
        examples: Vec::new(),
        refused: Vec::new(),
    }
}

/// What the spec's names become in Rust: Ceph's classes of messages begin with an M.
pub(crate) fn rust_name(message: &str) -> String {
    format!("m_{message}")
}

fn type_name(message: &str) -> proc_macro2::Ident {
    format_ident!("{}", pascal(&rust_name(message)))
}
