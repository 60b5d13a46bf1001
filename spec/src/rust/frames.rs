//! The frames of a dialect: one type for each tag, and the enum over them.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};

use super::names::{ident, label, pascal};
use super::structs::FieldPlan;
use super::{Generator, Scope, constant};
use crate::model::*;
use crate::spec::DialectView;

impl<'a> Generator<'a> {
    pub(super) fn frames(&mut self, dialect: &'a DialectView) -> Result<TokenStream, String> {
        let banner = match &dialect.banner {
            Some(banner) if dialect.info.extends.is_none() => {
                let (name, ty) = (&banner.ty, format_ident!("{}", pascal(&banner.ty)));
                let lifetime = match self.spec.find_type(Some(dialect), name) {
                    Some(s) => self.struct_lifetime(Some(dialect), s),
                    None => return Err(format!("banner: `{name}` names no type")),
                };
                let id = self.frame_field(dialect, name, "The banner.");
                quote! {
                    /// Reads the banner; `trace` gets a field around it.
                    pub fn decode_banner<'a, T: wire::Trace>(
                        reader: &mut wire::Reader<'a>,
                        context: &Context,
                        trace: &mut T,
                    ) -> Result<#ty #lifetime, wire::Error> {
                        reader.composite(trace, #id, context)
                    }
                }
            }
            _ => quote!(),
        };
        if dialect.own_tags.is_empty() {
            return Ok(banner);
        }
        let values: Vec<(String, i64, &str)> =
            dialect.tags.iter().map(|(name, tag)| (name.to_uppercase(), tag.number.into(), tag.doc.as_str())).collect();
        let tag = super::enums::open_enum(
            "tag",
            &self.info_name(Some(dialect), "tag"),
            "u8",
            "What a frame is.",
            values.iter().map(|(name, number, doc)| (name.as_str(), *number, *doc)),
        )?;
        let mut structs = TokenStream::new();
        let (mut variants, mut decodes, mut encodes, mut tags, mut infos) = (vec![], vec![], vec![], vec![], vec![]);
        let mut singles = vec![];
        for (name, tag) in &dialect.tags {
            if dialect.own_tags.contains(name) {
                structs.extend(self.frame_type(dialect, name, tag).map_err(|e| format!("{name}: {e}"))?);
            }
            let owner = self.spec.ancestry(dialect).find(|d| d.own_tags.contains(name)).unwrap_or(dialect);
            let body = frame_struct(tag);
            let (variant, constant, doc) =
                (format_ident!("{}", pascal(name)), format_ident!("{}", constant(name)), &tag.doc);
            // names in it mean what they mean in the dialect that says it
            let lifetime = self.struct_lifetime(Some(owner), &body);
            let id = self.frame_field(owner, name, doc);
            variants.push(quote! {
                #[doc = #doc]
                #[cfg_attr(feature = "serde", serde(rename = #name))]
                #variant(#variant #lifetime),
            });
            tags.push(quote!(Frame::#variant(_) => Tag::#constant,));
            let number = tag.number;
            if tag.segments.is_empty() {
                decodes.push(quote!(#number => segments.single(trace, #id, context).map(Frame::#variant),));
                encodes.push(
                    quote!(Frame::#variant(frame) => Ok([frame.to_bytes()?, Vec::new(), Vec::new(), Vec::new()]),),
                );
                singles.push(quote!(Frame::#variant(frame) => frame.encode(w).map(|()| true),));
            } else {
                decodes
                    .push(quote!(#number => #variant::decode_segments(segments, context, trace).map(Frame::#variant),));
                encodes.push(quote!(Frame::#variant(frame) => frame.encode_segments(),));
            }
            if tag.info.is_some() {
                infos.push(quote!(Frame::#variant(frame) => Some(frame),));
            }
        }
        Ok(quote! {
            #banner
            #tag
            #structs
            /// A frame.
            #[derive(Clone, Debug, PartialEq)]
            #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
            pub enum Frame<'a> {
                #(#variants)*
                /// A tag that the dialect doesn't know.
                #[cfg_attr(feature = "serde", serde(skip))]
                Unknown(Tag, wire::Segments<'a>),
            }
            impl<'a> Frame<'a> {
                /// Reads the payload of a frame with this tag.
                pub fn decode<T: wire::Trace>(
                    tag: Tag,
                    segments: &wire::Segments<'a>,
                    context: &Context,
                    trace: &mut T,
                ) -> Result<Self, wire::Error> {
                    match tag.0 {
                        #(#decodes)*
                        _ => {
                            segments.opaque(trace, field::COMMON_UNKNOWN);
                            Ok(Frame::Unknown(tag, segments.clone()))
                        }
                    }
                }

                /// The bytes of its segments.
                pub fn encode(&self) -> Result<[Vec<u8>; 4], wire::Error> {
                    match self {
                        #(#encodes)*
                        Frame::Unknown(_, segments) => Ok(segments.to_vecs()),
                    }
                }

                /// Appends the bytes of its only segment, and says whether it is such a frame; of one with several
                /// segments nothing is appended.
                pub fn encode_single(&self, w: &mut wire::Writer) -> Result<bool, wire::Error> {
                    match self {
                        #(#singles)*
                        #[allow(unreachable_patterns)]
                        _ => Ok(false),
                    }
                }

                /// Its tag.
                pub fn tag(&self) -> Tag {
                    match self {
                        #(#tags)*
                        Frame::Unknown(tag, _) => *tag,
                    }
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
        })
    }

    /// The field around a whole frame.
    fn frame_field(&mut self, dialect: &DialectView, name: &str, doc: &str) -> TokenStream {
        let id = format!("{}_FRAME", constant(&format!("{}_{name}", dialect.module())));
        let filter = format!("msgr2.{name}");
        self.fields.add(&id, name, &filter, &label(name), doc, quote!(Kind::Struct(false)), &Display::default())
    }

    fn frame_type(&mut self, dialect: &'a DialectView, name: &str, tag: &Tag) -> Result<TokenStream, String> {
        let scope = Scope::new(Some(dialect), name, &Display::default());
        let body = frame_struct(tag);
        if tag.segments.is_empty() {
            return self.structure(&scope, name, &body);
        }
        let plans: Vec<FieldPlan> = body.fields.iter().map(|f| self.plan(f)).collect::<Result<_, _>>()?;
        let declaration = self.declaration(&scope, name, &body, &plans, &[])?;
        let (lifetime, anonymous) = self.lifetimes(&scope, &body);
        let rust_name = pascal(name);
        let type_name = format_ident!("{rust_name}");
        let id = self.frame_field(dialect, name, &tag.doc);
        let (mut reads, mut writes, mut names) = (Vec::new(), Vec::new(), Vec::new());
        for (index, plan) in plans.iter().enumerate() {
            let field = ident(&plan.field.name);
            let read = self.read_value(&scope, &rust_name, &body, &plans, plan)?;
            let write = self.write_value(&scope, &rust_name, &body, &plans, plan)?;
            let segment = self.id_of(&scope, plan);
            reads.push(quote! {
                let r = &mut segments.reader(#index);
                let #field = #read?;
                r.end().map_err(|e| e.within(#segment))?;
            });
            writes.push(quote! {
                let w = &mut wire::Writer::new();
                let v = &self.#field;
                #write
                segments[#index] = std::mem::take(w).into_vec();
            });
            names.push(field);
        }
        let count = plans.len();
        Ok(quote! {
            #declaration
            impl #lifetime #type_name #lifetime {
                /// Reads it from its segments.
                pub fn decode_segments<T: wire::Trace>(
                    segments: &wire::Segments<'a>,
                    cx: &Context,
                    t: &mut T,
                ) -> Result<Self, wire::Error> {
                    t.open(#id, segments.start());
                    #(#reads)*
                    segments.end_after(#count)?;
                    t.close(segments.end(), None);
                    Ok(Self { #(#names),* })
                }
            }
            impl #type_name #anonymous {
                /// The bytes of its segments.
                pub fn encode_segments(&self) -> Result<[Vec<u8>; 4], wire::Error> {
                    let mut segments: [Vec<u8>; 4] = Default::default();
                    #(#writes)*
                    Ok(segments)
                }
            }
        })
    }
}

/// A frame's payload as a structure.
pub(super) fn frame_struct(tag: &Tag) -> Struct {
    Struct {
        doc: tag.doc.clone(),
        release: Some(tag.release.clone()),
        source: Some(tag.source.clone()),
        versioned: None,
        version: None,
        open: tag.open && tag.segments.is_empty(),
        text: None,
        max: None,
        summary: tag.info.clone(),
        display: Display::default(),
        fields: if tag.segments.is_empty() { tag.fields.clone() } else { tag.segments.clone() },
        examples: Vec::new(),
        refused: Vec::new(),
    }
}
