//! Structures: the Rust type, its default, its text, and the two functions that read and write it.

use proc_macro2::{Ident, Literal, TokenStream};
use quote::{format_ident, quote};

use super::Generator;
use super::types::default_value;
use crate::expr::{Format, Scalar};
use crate::ir::*;
use crate::model::Base;
use crate::names::{ident, pascal};

impl Generator<'_> {
    pub(super) fn structure(&self, id: BodyId) -> TokenStream {
        let (body, layout) = (&self.ir[id], id.0);
        let type_name = type_ident(body);
        let kept: &[&str] = if body.keeps_extra() { &["extra"] } else { &[] };
        let declaration = self.declaration(body, kept);
        let (lifetime, anonymous) = self.lifetimes(body);
        let min_size = body.min_size;
        let (decode, encode) = match &body.text {
            Some(text) => (self.decode_text(body, text), self.encode_text(body, text)),
            None => (self.decode_body(body), self.encode_body(body)),
        };
        let summary = body.summary.as_ref().map(|_| {
            quote!(
                fn summary(&self) -> Option<&dyn std::fmt::Display> {
                    Some(self)
                }
            )
        });
        quote! {
            #declaration
            impl<'a> wire::Composite<'a, Context> for #type_name #lifetime {
                const MIN_SIZE: usize = #min_size;
                const LAYOUT: usize = #layout;
                fn decode<T: wire::Trace>(
                    r: &mut wire::Reader<'a>,
                    cx: &Context,
                    t: &mut T,
                ) -> Result<Self, wire::Error> { #decode }
                #summary
            }
            impl wire::Encode for #type_name #anonymous {
                fn encode(&self, w: &mut wire::Writer) -> Result<(), wire::Error> { #encode }
            }
        }
    }

    /// `<'a>` and `<'_>` for a structure that borrows.
    pub(super) fn lifetimes(&self, body: &Body) -> (TokenStream, TokenStream) {
        let lifetime = self.lifetime(body);
        let anonymous = if lifetime.is_empty() { quote!() } else { quote!(<'_>) };
        (lifetime, anonymous)
    }

    /// The Rust type with its default and its text. `kept` are common fields with bytes that the spec doesn't lay out.
    pub(super) fn declaration(&self, body: &Body, kept: &[&str]) -> TokenStream {
        let type_name = type_ident(body);
        let (lifetime, anonymous) = self.lifetimes(body);
        let defaults_module = format_ident!("defaults_of_{}", body.type_name());
        let mut unions = TokenStream::new();
        let (mut declared, mut defaults) = (Vec::new(), Vec::new());
        if let Some(versioned) = &body.versioned {
            let version = versioned.version;
            let (newest, oldest) = (format!("{defaults_module}::newest"), format!("{defaults_module}::compat"));
            declared.push(quote! {
                /// The version that the sender knew.
                #[cfg_attr(feature = "serde", serde(default = #newest))]
                pub struct_v: u8,
            });
            defaults.push(quote!(struct_v: #version,));
            if let Some(compat) = versioned.compat {
                declared.push(quote! {
                    /// The oldest reader that understands it.
                    #[cfg_attr(feature = "serde", serde(default = #oldest))]
                    pub struct_compat: u8,
                });
                defaults.push(quote!(struct_compat: #compat,));
            }
        }
        for field in stored(body) {
            let (rust, default) = self.stored_type(body, field);
            if let Type::Union(union) = field.value() {
                unions.extend(self.union_type(body, field, union));
            }
            let (name, attribute) = (ident(&field.name), serde_attribute(field));
            let doc = documentation(&field.doc, &field.release, &field.source, &None);
            declared.push(quote!(#[doc = #doc] #attribute pub #name: #rust,));
            defaults.push(quote!(#name: #default,));
        }
        for name in kept {
            let doc = self.ir.common.get(*name).map_or("", |common| &self.ir[common.node.field].doc);
            let name = ident(name);
            declared.push(quote! {
                #[doc = #doc]
                #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "wire::Blob::is_empty"))]
                pub #name: wire::Blob<'a>,
            });
            defaults.push(quote!(#name: Default::default(),));
        }

        let display = body.summary.as_ref().map(|pieces| {
            let text = self.template(body, pieces, &quote!(self));
            quote! {
                impl std::fmt::Display for #type_name #anonymous {
                    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result { #text }
                }
            }
        });
        let serde_functions = body.versioned.as_ref().map(|v| {
            let (version, compat) = (v.version, v.compat.unwrap_or(0));
            quote! {
                #[cfg(feature = "serde")]
                mod #defaults_module {
                    pub(super) fn newest() -> u8 { #version }
                    #[allow(dead_code)]
                    pub(super) fn compat() -> u8 { #compat }
                }
            }
        });
        let (derive_debug, debug) = match body.fields.iter().any(|field| field.secret) {
            true => (quote!(), secretive_debug(body, &anonymous, kept)),
            false => (quote!(#[derive(Debug)]), quote!()),
        };
        let doc = documentation(&body.doc, &body.release, &body.source, &body.ceph);
        quote! {
            #unions
            #serde_functions
            #[doc = #doc]
            #[derive(Clone, PartialEq)]
            #derive_debug
            #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
            pub struct #type_name #lifetime { #(#declared)* }
            #debug
            impl Default for #type_name #anonymous {
                fn default() -> Self {
                    Self { #(#defaults)* }
                }
            }
            #display
        }
    }

    /// The Rust type of a stored field, and its default.
    fn stored_type(&self, body: &Body, field: &Field) -> (TokenStream, TokenStream) {
        let mut default = quote!(Default::default());
        let mut rust = match (&field.sealed, field.value()) {
            (Some(sealed), _) => {
                let (inner, usage) =
                    (self.rust_type(&Type::Struct(sealed.holds)), Literal::u32_unsuffixed(sealed.usage));
                quote!(wire::Sealed<'a, #inner, #usage>)
            }
            (None, Type::Union(union)) => {
                let name = union_name(body, field);
                if let Some(case) = default_case(body, union) {
                    default = quote!(#name::#case);
                }
                quote!(#name<'a>)
            }
            (None, ty) => {
                default = default_value(ty);
                self.rust_type(ty)
            }
        };
        if field.may_be_void() {
            rust = quote!(Option<#rust>);
            default = quote!(None);
        }
        if field.each.is_some() {
            rust = quote!(Vec<#rust>);
            default = quote!(Vec::new());
        }
        if field.conditional() {
            rust = quote!(Option<#rust>);
            default = if present_by_default(body, field) { quote!(Some(#default)) } else { quote!(None) };
        }
        (rust, default)
    }

    fn union_type(&self, body: &Body, field: &Field, union: &Union) -> TokenStream {
        let name = union_name(body, field);
        let (mut variants, mut shows) = (Vec::new(), Vec::new());
        for Case { name: case, node, .. } in &union.cases {
            let (variant, doc) = (format_ident!("{}", pascal(case)), format!("`{case}`."));
            if matches!(node.ty, Type::Empty) {
                variants.push(quote!(#[doc = #doc] #[cfg_attr(feature = "serde", serde(rename = #case))] #variant,));
                shows.push(quote!(Self::#variant => f.write_str(#case),));
                continue;
            }
            let rust = self.rust_type(&node.ty);
            variants.push(quote!(#[doc = #doc] #[cfg_attr(feature = "serde", serde(rename = #case))] #variant(#rust),));
            let shown = match &node.ty {
                Type::Struct(id) => self.ir[*id].summary.is_some(),
                Type::Scalar(s) => !matches!(s, Scalar::Bytes(_)),
                ty => matches!(ty, Type::Enum(_) | Type::Flags(_)),
            };
            shows.push(if shown {
                quote!(Self::#variant(v) => std::fmt::Display::fmt(v, f),)
            } else {
                quote!(Self::#variant(_) => f.write_str(#case),)
            });
        }
        let doc = format!("{} What it is says `{}`.", field.doc, union.by.name);
        quote! {
            #[doc = #doc]
            #[derive(Clone, Debug, PartialEq)]
            #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
            pub enum #name<'a> {
                #(#variants)*
                /// Anything else: its bytes.
                #[cfg_attr(feature = "serde", serde(rename = "other"))]
                Other(wire::Blob<'a>),
            }
            impl Default for #name<'_> {
                fn default() -> Self {
                    Self::Other(Default::default())
                }
            }
            impl std::fmt::Display for #name<'_> {
                fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                    match self {
                        #(#shows)*
                        Self::Other(bytes) => wire::show_other(bytes, f),
                    }
                }
            }
        }
    }

    /// An expression that writes a text with fields in it to `f`; `place` is whose fields they are.
    fn template(&self, body: &Body, pieces: &[Piece], place: &TokenStream) -> TokenStream {
        let (mut statements, mut format, mut arguments) = (TokenStream::new(), String::new(), Vec::new());
        for piece in pieces {
            match piece {
                // a brace in a text would have been read as that of a field
                Piece::Text(text) => format.push_str(text),
                Piece::Field(path, form) => {
                    let (argument, form) = self.shown(body, path, *form, place);
                    format.push_str(form);
                    arguments.push(argument);
                }
                Piece::Value => {
                    format.push_str("{}");
                    arguments.push(quote!(v));
                }
                Piece::If(path, inner) => {
                    statements.extend(quote!(write!(f, #format #(, #arguments)*)?;));
                    (format, arguments) = (String::new(), Vec::new());
                    let (set, inner) = (self.is_set(body, path, place), self.template(body, inner, place));
                    statements.extend(quote!(if #set { #inner?; }));
                }
            }
        }
        let last = quote!(write!(f, #format #(, #arguments)*));
        if statements.is_empty() { last } else { quote!({ #statements #last }) }
    }

    /// Whether a field is neither missing, nor 0, nor empty.
    fn is_set(&self, body: &Body, path: &Path, place: &TokenStream) -> TokenStream {
        let fields = self.ir.walk(body, path);
        let names = fields.iter().map(|field| ident(&field.name));
        let access = quote!(#place #(.#names)*);
        let Some(field) = fields.last() else { return quote!(true) };
        let set = |value: TokenStream| match field.value() {
            Type::Scalar(Scalar::Bool) => quote!(#value.to_u64() != 0),
            ty if ty.integer(self.ir).is_some() => quote!(#value.to_u64() != 0),
            Type::Optional(_) => quote!(#value.is_some()),
            _ => quote!(!#value.is_empty()),
        };
        match (field.conditional(), field.may_be_void()) {
            (true, true) => quote!(#access.as_ref().is_some_and(|v| v.is_some())),
            (false, true) => quote!(#access.is_some()),
            (true, false) if field.content.is_some() || matches!(field.value(), Type::Struct(_) | Type::Union(_)) => {
                quote!(#access.is_some())
            }
            (true, false) => {
                let set = set(quote!(v));
                quote!(#access.as_ref().is_some_and(|v| #set))
            }
            (false, false) => set(access),
        }
    }

    /// A field as something that can be formatted, and how.
    fn shown(&self, body: &Body, path: &Path, form: Format, place: &TokenStream) -> (TokenStream, &'static str) {
        let fields = self.ir.walk(body, path);
        let names = fields.iter().map(|field| ident(&field.name));
        let access = quote!(#place #(.#names)*);
        let (false, Some(field)) = (path.struct_v, fields.last()) else { return (quote!(#access.struct_v), "{}") };
        match form {
            Format::Plain => {}
            Format::Hex if matches!(field.node.ty, Type::Scalar(_)) => return (access, "{:x}"),
            Format::Hex => return (quote!(#access.0), "{:x}"),
            Format::Reversed => return (quote!(#access.reverse_bits()), "{:08x}"),
            Format::Plus => return (access, "{:+}"),
            Format::Length => return (quote!(#access.len()), "{}"),
        }
        if let Some(each) = &field.each {
            let list = ident(body.fields.get(each.list).map_or("", |list| &list.name));
            let text = match &each.text {
                Some(text) => self.template(&self.ir[each.item], text, &quote!(of)),
                None => quote!(write!(f, "{v}")),
            };
            let pairs = quote!(wire::JoinEach::new(&#place.#list, &#access, |of, v, f| {
                let v = &wire::Maybe(v);
                #text
            }));
            return (pairs, "{}");
        }
        let (ty, optional) = (field.value(), field.conditional() || field.may_be_void());
        let shown = match (ty, optional) {
            (Type::List(_) | Type::Counted(_) | Type::Items(_) | Type::Array(..), false) => {
                quote!(wire::Join(&#access))
            }
            (Type::Map(..), false) => quote!(wire::JoinMap(&#access)),
            (Type::List(_) | Type::Counted(_) | Type::Items(_) | Type::Array(..), true) => {
                quote!(wire::Maybe(&#access.as_ref().map(|items| wire::Join(items))))
            }
            (Type::Map(..), true) => quote!(wire::Maybe(&#access.as_ref().map(|entries| wire::JoinMap(entries)))),
            (Type::Optional(_), false) | (_, true) => quote!(wire::Maybe(&#access)),
            _ => access,
        };
        (shown, if field.shown_in_hex() { "{:#x}" } else { "{}" })
    }
}

/// The fields that the decoded value has.
pub(super) fn stored(body: &Body) -> impl Iterator<Item = &Field> {
    body.fields.iter().filter(|field| field.derived.is_none())
}

/// The name of a body's Rust type.
pub(super) fn type_ident(body: &Body) -> Ident {
    format_ident!("{}", pascal(&body.type_name()))
}

/// The name of a field's union.
pub(super) fn union_name(body: &Body, field: &Field) -> Ident {
    format_ident!("{}{}", pascal(&body.type_name()), pascal(&field.name))
}

fn serde_attribute(field: &Field) -> TokenStream {
    let mut options = Vec::new();
    let (optional, conditional) = (matches!(field.node.ty, Type::Optional(_)), field.conditional());
    if conditional && (field.may_be_void() || optional) {
        options.push(quote!(default, with = "wire::json::present"));
    } else if conditional || field.may_be_void() || optional {
        options.push(quote!(default));
    }
    if field.display.base == Some(Base::Hex) && holds_unsigned(&field.node.ty) {
        options.push(quote!(with = "wire::json::hex"));
    }
    let name = &field.name;
    if ident(name) != name.as_str() {
        options.push(quote!(rename = #name));
    }
    if conditional {
        options.push(quote!(skip_serializing_if = "Option::is_none"));
    }
    if options.is_empty() { quote!() } else { quote!(#[cfg_attr(feature = "serde", serde(#(#options),*))]) }
}

/// The variant that a fresh union has, if a case fits the number that a fresh structure has where it is decided.
fn default_case(body: &Body, union: &Union) -> Option<TokenStream> {
    let number = default_number(body, &union.by)?;
    let case = union.cases.iter().find(|case| case.covers(number))?;
    let (variant, default) = (format_ident!("{}", pascal(&case.name)), default_value(&case.node.ty));
    Some(if matches!(case.node.ty, Type::Empty) { quote!(#variant) } else { quote!(#variant(#default)) })
}

/// Whether a fresh structure has a conditional field.
fn present_by_default(body: &Body, field: &Field) -> bool {
    let version = body.versioned.as_ref().map(|v| u16::from(v.version));
    let since = field.since.is_none_or(|since| version.is_none_or(|v| v >= since));
    let until = field.until.is_none_or(|until| version.is_some_and(|v| v <= until));
    let when = field.when.as_ref().is_none_or(|when| when.test.holds(&|operand| default_number(body, operand)));
    since && until && when
}

/// The number that a fresh structure has where a condition or a union is decided.
fn default_number(body: &Body, operand: &Operand) -> Option<i64> {
    let Origin::Path(path) = &operand.origin else { return None };
    match path.fields.first() {
        None => body.versioned.as_ref().map(|v| v.version.into()),
        Some(first) => {
            let field = body.fields.get(*first)?;
            (!field.conditional() || present_by_default(body, field)).then_some(0)
        }
    }
}

/// Whether a type is an unsigned integer or a list of them.
fn holds_unsigned(ty: &Type) -> bool {
    match ty {
        Type::Scalar(scalar) => scalar.is_integer() && !scalar.is_signed(),
        Type::List(item) | Type::Counted(item) | Type::Items(item) | Type::Array(item, _) | Type::Optional(item) => {
            holds_unsigned(&item.ty)
        }
        _ => false,
    }
}

/// The sentence, and below it what is known of its origin.
fn documentation(doc: &str, release: &Option<String>, source: &Option<String>, ceph: &Option<String>) -> String {
    let mut text = doc.to_owned();
    if let Some(release) = release {
        text.push_str(&format!("\n\n{}", crate::doc::since(release)));
    }
    if let Some(source) = source {
        text.push_str(&format!("\n\nSource: {source}."));
    }
    if let Some(ceph) = ceph {
        text.push_str(&format!("\n\nCeph calls it `{ceph}`."));
    }
    text
}

/// `Debug` of a structure with secrets: their lengths stand for them.
fn secretive_debug(body: &Body, anonymous: &TokenStream, kept: &[&str]) -> TokenStream {
    let header = body.versioned.as_ref().map(|v| {
        let compat = v.compat.map(|_| quote!(.field("struct_compat", &self.struct_compat)));
        quote!(.field("struct_v", &self.struct_v) #compat)
    });
    let fields = stored(body).map(|field| {
        let (text, name) = (&field.name, ident(&field.name));
        let secrecy = |value: TokenStream| match field.node.ty {
            Type::Scalar(Scalar::Bytes(n)) => quote!(wire::Secrecy(#n)),
            _ => quote!(wire::Secrecy(#value.len() as u32)),
        };
        match (field.secret, field.conditional()) {
            (false, _) => quote!(.field(#text, &self.#name)),
            (true, false) => {
                let secrecy = secrecy(quote!(self.#name));
                quote!(.field(#text, &#secrecy))
            }
            (true, true) => {
                let secrecy = secrecy(quote!(secret));
                quote!(.field(#text, &self.#name.as_ref().map(|secret| #secrecy)))
            }
        }
    });
    let kept = kept.iter().map(|name| {
        let field = ident(name);
        quote!(.field(#name, &self.#field))
    });
    let (type_name, name) = (type_ident(body), type_ident(body).to_string());
    quote! {
        impl std::fmt::Debug for #type_name #anonymous {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_struct(#name) #header #(#fields)* #(#kept)* .finish()
            }
        }
    }
}
