//! Message bodies: one type for each, called as Ceph's class, and the enum over them.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};

use super::Generator;
use super::structs::{stored, type_ident};
use crate::ir::*;
use crate::names::{constant, ident, pascal};

/// The parts of a body, and the fields that keep what the spec says nothing of: the whole of a part, and what comes
/// behind the fields that are known, from a newer sender.
const PARTS: [(&str, &str, &str); 3] =
    [("front", "extra", "extra"), ("middle", "middle", "middle_extra"), ("data", "data", "data_extra")];

impl Generator<'_> {
    pub(super) fn messages(&self) -> TokenStream {
        if self.ir.messages().next().is_none() {
            return TokenStream::new();
        }
        let mut structs = TokenStream::new();
        let (mut variants, mut decodes, mut encodes, mut types, mut infos, mut versions) =
            (vec![], vec![], vec![], vec![], vec![], vec![]);
        for (_, message) in self.ir.messages() {
            let BodyKind::Message { number, .. } = message.kind else { continue };
            structs.extend(self.message(message));
            let (name, doc) = (&message.name, &message.doc);
            let (variant, body) = (format_ident!("{}", pascal(name)), type_ident(message));
            variants.push(quote! {
                #[doc = #doc]
                #[cfg_attr(feature = "serde", serde(rename = #name))]
                #variant(#body<'a>),
            });
            decodes.push(quote!(#number => #body::decode(version, segments, context, trace).map(Body::#variant),));
            encodes.push(quote!(Body::#variant(body) => body.encode(),));
            types.push(quote!(Body::#variant(_) => #body::TYPE,));
            versions.push(quote!(Body::#variant(_) => (#body::VERSION, #body::COMPAT_VERSION),));
            if message.summary.is_some() {
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
        quote! {
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
        }
    }

    fn message(&self, message: &Body) -> TokenStream {
        let body = type_ident(message);
        let (mut reads, mut writes, mut results, mut all_kept) =
            (TokenStream::new(), TokenStream::new(), vec![], vec![]);
        for (segment, ((part, whole, behind), range)) in PARTS.into_iter().zip(&message.segments).enumerate() {
            let (segment, fields) = (segment + 1, message.fields.get(range.clone()).unwrap_or_default());
            reads.extend(quote!(let r = &mut segments.reader(#segment);));
            reads.extend(fields.iter().map(|field| self.read_field(message, field)));
            writes.extend(fields.iter().map(|field| self.write_field(message, field)));
            // what takes all bytes leaves none for newer senders
            let kept = if fields.is_empty() { whole } else { behind };
            if !fields.last().is_some_and(|last| matches!(last.node.ty, Type::Rest)) {
                let (name, id) = (ident(kept), format_ident!("COMMON_{}", constant(kept)));
                reads.extend(quote!(let #name = r.extra(t, field::#id);));
                writes.extend(quote!(w.put(&self.#name);));
                all_kept.push(kept);
            }
            let bytes = format_ident!("{part}_bytes");
            writes.extend(quote!(let #bytes = std::mem::take(w).into_vec();));
            let stored = stored(message).filter(|field| fields.iter().any(|f| std::ptr::eq(f, *field)));
            results.extend(stored.map(|field| ident(&field.name)));
            results.extend(all_kept.last().filter(|last| **last == kept).map(|kept| ident(kept)));
        }
        let declaration = self.declaration(message, &all_kept);
        let id = message.around.map(|field| self.id(field));
        let summary = message.summary.as_ref().map_or(quote!(None), |_| quote!(Some(&body)));
        let BodyKind::Message { called, versions, .. } = &message.kind else { return declaration };
        let (head, compat, kind) = (versions.head, versions.compat, format_ident!("{}", constant(called)));
        quote! {
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
        }
    }
}
