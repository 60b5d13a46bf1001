//! The frames of a dialect: one type for each tag, and the enum over them.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};

use super::Generator;
use super::structs::type_ident;
use crate::ir::*;
use crate::names::{constant, ident};

impl Generator<'_> {
    pub(super) fn frames(&self, id: DialectId) -> TokenStream {
        let dialect = &self.ir[id];
        let banner = dialect.banner.as_ref().filter(|banner| banner.own).map(|banner| {
            let (ty, lifetime) = (type_ident(&self.ir[banner.body]), self.lifetime(&self.ir[banner.body]));
            let around = self.id(banner.around);
            quote! {
                /// Reads the banner; `trace` gets a field around it.
                pub fn decode_banner<'a, T: wire::Trace>(
                    reader: &mut wire::Reader<'a>,
                    context: &Context,
                    trace: &mut T,
                ) -> Result<#ty #lifetime, wire::Error> {
                    reader.composite(trace, #around, context)
                }
            }
        });
        let Some(tag) = dialect.tag_enum.filter(|tag| self.ir[*tag].dialect == Some(id)) else {
            return quote!(#banner);
        };
        let tag = self.enumeration(tag);
        let mut structs = TokenStream::new();
        let (mut variants, mut decodes, mut encodes, mut tags, mut infos) = (vec![], vec![], vec![], vec![], vec![]);
        let mut singles = vec![];
        for (name, body_id) in &dialect.tags {
            let body = &self.ir[*body_id];
            if body.dialect == Some(id) {
                structs.extend(if body.is_segmented() { self.segmented(body) } else { self.structure(*body_id) });
            }
            let BodyKind::Frame { number, .. } = body.kind else { continue };
            let (variant, constant, doc) = (type_ident(body), format_ident!("{}", constant(name)), &body.doc);
            let (lifetime, around) = (self.lifetime(body), body.around.map(|field| self.id(field)));
            variants.push(quote! {
                #[doc = #doc]
                #[cfg_attr(feature = "serde", serde(rename = #name))]
                #variant(#variant #lifetime),
            });
            tags.push(quote!(Frame::#variant(_) => Tag::#constant,));
            if body.is_segmented() {
                decodes
                    .push(quote!(#number => #variant::decode_segments(segments, context, trace).map(Frame::#variant),));
                encodes.push(quote!(Frame::#variant(frame) => frame.encode_segments(),));
            } else {
                decodes.push(quote!(#number => segments.single(trace, #around, context).map(Frame::#variant),));
                encodes.push(
                    quote!(Frame::#variant(frame) => Ok([frame.to_bytes()?, Vec::new(), Vec::new(), Vec::new()]),),
                );
                singles.push(quote!(Frame::#variant(frame) => frame.encode(w).map(|()| true),));
            }
            if body.summary.is_some() {
                infos.push(quote!(Frame::#variant(frame) => Some(frame),));
            }
        }
        quote! {
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
        }
    }

    /// A frame of several segments, of which each field is one.
    fn segmented(&self, body: &Body) -> TokenStream {
        let declaration = self.declaration(body, &[]);
        let (lifetime, anonymous) = self.lifetimes(body);
        let (type_name, around) = (type_ident(body), body.around.map(|field| self.id(field)));
        let (mut reads, mut writes, mut names) = (Vec::new(), Vec::new(), Vec::new());
        for (index, field) in body.fields.iter().enumerate() {
            let (read, write) = (self.read_value(body, field), self.write_value(body, field));
            let (name, segment) = (ident(&field.name), self.id(field.node.field));
            reads.push(quote! {
                let r = &mut segments.reader(#index);
                let #name = #read?;
                r.end().map_err(|e| e.within(#segment))?;
            });
            writes.push(quote! {
                let w = &mut wire::Writer::new();
                let v = &self.#name;
                #write
                segments[#index] = std::mem::take(w).into_vec();
            });
            names.push(name);
        }
        let count = body.fields.len();
        quote! {
            #declaration
            impl #lifetime #type_name #lifetime {
                /// Reads it from its segments.
                pub fn decode_segments<T: wire::Trace>(
                    segments: &wire::Segments<'a>,
                    cx: &Context,
                    t: &mut T,
                ) -> Result<Self, wire::Error> {
                    t.open(#around, segments.start());
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
        }
    }
}
