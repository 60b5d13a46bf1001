//! Structures: the Rust type, its default, its text, and the two functions that read and write it.

use proc_macro2::{Literal, TokenStream};
use quote::{format_ident, quote};

use super::names::{ident, pascal};
use super::types::keeps_extra;
use super::{Generator, Scope};
use crate::expr::{Condition, Operator, Piece, Scalar, Type, parse_condition, parse_template, parse_type};
use crate::model::*;

/// A field with its expressions parsed.
pub(super) struct FieldPlan<'f> {
    pub field: &'f Field,
    /// The type, unless it is a union.
    pub ty: Option<Type>,
    /// The most items or bytes.
    pub max: u64,
}

impl FieldPlan<'_> {
    /// Whether the decoded value has it; lengths, counts and constants are derived.
    pub(super) fn stored(&self) -> bool {
        self.field.equals.is_none() && self.field.length_of.is_none() && self.field.count_of.is_empty()
    }

    /// Whether it may be missing.
    pub(super) fn conditional(&self) -> bool {
        Self::is_conditional(self.field)
    }

    /// Whether a field may be missing.
    pub(super) fn is_conditional(field: &Field) -> bool {
        field.when.is_some() || field.since.is_some() || field.until.is_some()
    }
}

impl<'a> Generator<'a> {
    pub(super) fn plan<'f>(&self, field: &'f Field) -> Result<FieldPlan<'f>, String> {
        let ty = match &field.ty {
            TypeRef::Expr(text) => Some(parse_type(text)?),
            TypeRef::Switch(_) => None,
        };
        let max = match &field.max {
            Some(bound) => self.spec.bound(bound).ok_or_else(|| format!("{}: no such limit", field.name))?,
            None => u64::MAX,
        };
        Ok(FieldPlan { field, ty, max })
    }

    pub(super) fn structure(&mut self, scope: &Scope<'a>, name: &str, s: &Struct) -> Result<TokenStream, String> {
        self.structure_of(scope, name, s).map_err(|e| format!("{name}: {e}"))
    }

    fn structure_of(&mut self, scope: &Scope<'a>, name: &str, s: &Struct) -> Result<TokenStream, String> {
        let rust_name = pascal(name);
        let type_name = format_ident!("{rust_name}");
        let plans: Vec<FieldPlan> = s.fields.iter().map(|f| self.plan(f)).collect::<Result<_, _>>()?;
        let kept: &[&str] = if keeps_extra(s) { &["extra"] } else { &[] };
        let declaration = self.declaration(scope, name, s, &plans, kept)?;
        let (lifetime, anonymous) = self.lifetimes(scope, s);
        let min_size = self.struct_min_size(scope.dialect, s);
        let (decode, encode) = match &s.text {
            Some(text) => (self.decode_text(scope, s, text, &plans)?, self.encode_text(scope, s, text, &plans)?),
            None => (self.decode_body(scope, &rust_name, s, &plans)?, self.encode_body(scope, &rust_name, s, &plans)?),
        };
        let summary = s.summary.as_ref().map(|_| {
            quote!(
                fn summary(&self) -> Option<&dyn std::fmt::Display> {
                    Some(self)
                }
            )
        });
        Ok(quote! {
            #declaration
            impl<'a> wire::Composite<'a, Context> for #type_name #lifetime {
                const MIN_SIZE: usize = #min_size;
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
        })
    }

    /// `<'a>` and `<'_>` for a structure that borrows.
    pub(super) fn lifetimes(&self, scope: &Scope<'a>, s: &Struct) -> (TokenStream, TokenStream) {
        let lifetime = self.struct_lifetime(scope.dialect, s);
        let anonymous = if lifetime.is_empty() { quote!() } else { quote!(<'_>) };
        (lifetime, anonymous)
    }

    /// The Rust type with its default and its text. `kept` are common fields with bytes that the spec doesn't lay out.
    pub(super) fn declaration(
        &mut self,
        scope: &Scope<'a>,
        name: &str,
        s: &Struct,
        plans: &[FieldPlan<'_>],
        kept: &[&str],
    ) -> Result<TokenStream, String> {
        let rust_name = pascal(name);
        let type_name = format_ident!("{rust_name}");
        let (lifetime, anonymous) = self.lifetimes(scope, s);

        let defaults_module = format_ident!("defaults_of_{}", name);
        let mut unions = TokenStream::new();
        let (mut declared, mut defaults) = (Vec::new(), Vec::new());
        if let Some(versioned) = &s.versioned {
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
        for plan in plans.iter().filter(|p| p.stored()) {
            let field = plan.field;
            let (rust, default) = self.stored_type(scope, &rust_name, s, plans, plan, &mut unions)?;
            let name = ident(&field.name);
            let attribute = self.serde_attribute(plan);
            let doc = documentation(&field.doc, field.release.as_deref(), field.source.as_deref());
            declared.push(quote!(#[doc = #doc] #attribute pub #name: #rust,));
            defaults.push(quote!(#name: #default,));
        }
        for name in kept {
            let doc = self.spec.common.get(*name).map_or("", |common| &common.doc);
            let name = ident(name);
            declared.push(quote! {
                #[doc = #doc]
                #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "wire::Blob::is_empty"))]
                pub #name: wire::Blob<'a>,
            });
            defaults.push(quote!(#name: Default::default(),));
        }

        let display = match &s.summary {
            Some(template) => {
                let text = self.template(scope, s, template)?;
                quote! {
                    impl std::fmt::Display for #type_name #anonymous {
                        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result { #text }
                    }
                }
            }
            None => quote!(),
        };
        let serde_functions = match &s.versioned {
            Some(v) => {
                let (version, compat) = (v.version, v.compat.unwrap_or(0));
                quote! {
                    #[cfg(feature = "serde")]
                    mod #defaults_module {
                        pub(super) fn newest() -> u8 { #version }
                        #[allow(dead_code)]
                        pub(super) fn compat() -> u8 { #compat }
                    }
                }
            }
            None => quote!(),
        };
        let secretive = plans.iter().any(|plan| plan.field.secret);
        let (derive_debug, debug) = match secretive {
            true => (quote!(), secretive_debug(&type_name, &anonymous, s, plans)),
            false => (quote!(#[derive(Debug)]), quote!()),
        };
        let doc = documentation(&s.doc, s.release.as_deref(), s.source.as_deref());
        Ok(quote! {
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
        })
    }

    /// The Rust type of a stored field, its default, and the union that it needs.
    fn stored_type(
        &mut self,
        scope: &Scope<'a>,
        owner: &str,
        s: &Struct,
        plans: &[FieldPlan<'_>],
        plan: &FieldPlan<'_>,
        unions: &mut TokenStream,
    ) -> Result<(TokenStream, TokenStream), String> {
        let field = plan.field;
        let mut default = quote!(Default::default());
        let mut rust = if let Some(sealed) = &field.sealed {
            let inner = self.rust_type(scope.dialect, &Type::Named(sealed.holds.clone()))?;
            let usage = Literal::u32_unsuffixed(sealed.usage);
            quote!(wire::Sealed<'a, #inner, #usage>)
        } else {
            match field.holds.as_ref().unwrap_or(&field.ty) {
                TypeRef::Switch(switch) => {
                    unions.extend(self.union_type(scope, owner, field, switch)?);
                    let name = union_name(owner, &field.name);
                    if let Some(case) = self.default_case(scope, s, plans, switch)? {
                        default = quote!(#name::#case);
                    }
                    quote!(#name<'a>)
                }
                TypeRef::Expr(text) => {
                    let ty = parse_type(text)?;
                    default = self.default_value(&ty);
                    self.rust_type(scope.dialect, &ty)?
                }
            }
        };
        if field.holds.is_some() {
            rust = quote!(Option<#rust>);
            default = quote!(None);
        }
        if plan.conditional() {
            rust = quote!(Option<#rust>);
            default = if present_by_default(s, plans, field)? { quote!(Some(#default)) } else { quote!(None) };
        }
        Ok((rust, default))
    }

    /// The variant that a fresh union has, if a case fits the value that a fresh field has that decides over it.
    fn default_case(
        &self,
        scope: &Scope<'a>,
        s: &Struct,
        plans: &[FieldPlan<'_>],
        switch: &Switch,
    ) -> Result<Option<TokenStream>, String> {
        let Some(number) = default_number(s, plans, &switch.switch)? else { return Ok(None) };
        for (case, text) in &switch.cases {
            if !self.case_range(scope, s, &switch.switch, case)?.contains(&number) {
                continue;
            }
            let (variant, ty) = (format_ident!("{}", pascal(case)), parse_type(text)?);
            let default = self.default_value(&ty);
            return Ok(Some(if ty == Type::Empty { quote!(#variant) } else { quote!(#variant(#default)) }));
        }
        Ok(None)
    }

    fn serde_attribute(&self, plan: &FieldPlan<'_>) -> TokenStream {
        let field = plan.field;
        let mut options = Vec::new();
        let optional = matches!(plan.ty, Some(Type::Optional(_)));
        if plan.conditional() && (field.holds.is_some() || optional) {
            options.push(quote!(default, with = "wire::json::present"));
        } else if plan.conditional() || field.holds.is_some() || optional {
            options.push(quote!(default));
        }
        if field.display.base == Some(Base::Hex) && holds_unsigned(plan.ty.as_ref()) {
            options.push(quote!(with = "wire::json::hex"));
        }
        let name = &field.name;
        if ident(name) != name.as_str() {
            options.push(quote!(rename = #name));
        }
        if plan.conditional() {
            options.push(quote!(skip_serializing_if = "Option::is_none"));
        }
        if options.is_empty() { quote!() } else { quote!(#[cfg_attr(feature = "serde", serde(#(#options),*))]) }
    }

    fn union_type(
        &mut self,
        scope: &Scope<'a>,
        owner: &str,
        field: &Field,
        switch: &Switch,
    ) -> Result<TokenStream, String> {
        let name = union_name(owner, &field.name);
        let (mut variants, mut shows) = (Vec::new(), Vec::new());
        for (case, text) in &switch.cases {
            let ty = parse_type(text)?;
            let (variant, doc) = (format_ident!("{}", pascal(case)), format!("`{case}`."));
            if ty == Type::Empty {
                variants.push(quote!(#[doc = #doc] #[cfg_attr(feature = "serde", serde(rename = #case))] #variant,));
                shows.push(quote!(Self::#variant => f.write_str(#case),));
                continue;
            }
            let rust = self.rust_type(scope.dialect, &ty)?;
            variants.push(quote!(#[doc = #doc] #[cfg_attr(feature = "serde", serde(rename = #case))] #variant(#rust),));
            let shown = match &ty {
                Type::Named(named) => match self.shape(scope.dialect, named)? {
                    super::types::Shape::Struct(s) => s.summary.is_some(),
                    _ => true,
                },
                Type::Scalar(s) => !matches!(s, Scalar::Bytes(_)),
                _ => false,
            };
            shows.push(if shown {
                quote!(Self::#variant(v) => std::fmt::Display::fmt(v, f),)
            } else {
                quote!(Self::#variant(_) => f.write_str(#case),)
            });
        }
        let doc = format!("{} What it is says `{}`.", field.doc, switch.switch);
        Ok(quote! {
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
                        Self::Other(bytes) if bytes.is_empty() => f.write_str("-"),
                        Self::Other(bytes) => std::fmt::Display::fmt(bytes, f),
                    }
                }
            }
        })
    }

    /// Statements that write a text with fields in it to `f`.
    pub(super) fn template(&self, scope: &Scope<'a>, s: &Struct, template: &str) -> Result<TokenStream, String> {
        let mut format = String::new();
        let mut arguments = Vec::new();
        for piece in parse_template(template)? {
            match piece {
                Piece::Text(text) => format.push_str(&text),
                Piece::Field(path) => {
                    let (argument, hex) = self.shown(scope, s, &path)?;
                    format.push_str(if hex { "{:#x}" } else { "{}" });
                    arguments.push(argument);
                }
            }
        }
        Ok(quote!(write!(f, #format #(, #arguments)*)))
    }

    /// A field as something that can be formatted, and whether in hexadecimal.
    fn shown(&self, scope: &Scope<'a>, s: &Struct, path: &[String]) -> Result<(TokenStream, bool), String> {
        let mut current: &Struct = s;
        let mut access = quote!(self);
        for (depth, name) in path.iter().enumerate() {
            let missing = || format!("a text names `{name}`, which is no field that can be shown");
            if name == "struct_v" && current.versioned.is_some() {
                return Ok((quote!(#access.struct_v), false));
            }
            let field = current.fields.iter().find(|f| f.name == *name).ok_or_else(missing)?;
            let plan = self.plan(field)?;
            if !plan.stored() {
                return Err(missing());
            }
            let rust = ident(name);
            access = quote!(#access.#rust);
            let optional = plan.conditional() || field.holds.is_some();
            let last = depth + 1 == path.len();
            let ty = match field.holds.as_ref().unwrap_or(&field.ty) {
                TypeRef::Expr(text) => Some(parse_type(text)?),
                TypeRef::Switch(_) => None,
            };
            if last {
                let hex = field.display.base == Some(Base::Hex) && matches!(ty, Some(Type::Scalar(_))) && !optional;
                let shown = match ty {
                    Some(Type::List(_) | Type::Counted(_) | Type::Array(..)) if !optional => {
                        quote!(wire::Join(&#access))
                    }
                    Some(Type::Map(..)) if !optional => quote!(wire::JoinMap(&#access)),
                    Some(Type::Optional(_)) if !optional => quote!(wire::Maybe(&#access)),
                    Some(Type::List(_) | Type::Counted(_) | Type::Array(..)) => {
                        quote!(wire::Maybe(&#access.as_ref().map(|items| wire::Join(items))))
                    }
                    Some(Type::Map(..)) => {
                        quote!(wire::Maybe(&#access.as_ref().map(|entries| wire::JoinMap(entries))))
                    }
                    _ if optional => quote!(wire::Maybe(&#access)),
                    _ => access,
                };
                return Ok((shown, hex));
            }
            match ty {
                Some(Type::Named(named)) if !optional => match self.shape(scope.dialect, &named)? {
                    super::types::Shape::Struct(inner) => current = inner,
                    _ => return Err(missing()),
                },
                _ => return Err(missing()),
            }
        }
        Err("a text names nothing".into())
    }
}

/// Whether a fresh structure has a conditional field.
fn present_by_default(s: &Struct, plans: &[FieldPlan<'_>], field: &Field) -> Result<bool, String> {
    let version = match &s.version {
        Some(_) => None,
        None => s.versioned.as_ref().map(|v| u16::from(v.version)),
    };
    let since = field.since.is_none_or(|since| version.is_none_or(|v| v >= since));
    let until = field.until.is_none_or(|until| version.is_some_and(|v| v <= until));
    let when = match &field.when {
        None => true,
        Some(text) => match parse_condition(text)? {
            Condition::More => false,
            Condition::Compare(name, operator, number) => {
                default_number(s, plans, &name)?.is_some_and(|v| match operator {
                    Operator::Equal => v == number,
                    Operator::NotEqual => v != number,
                    Operator::AtLeast => v >= number,
                    Operator::AnyBit => v & number != 0,
                })
            }
        },
    };
    Ok(since && until && when)
}

/// The number that a fresh structure has in the field that decides over a condition or a union.
fn default_number(s: &Struct, plans: &[FieldPlan<'_>], name: &str) -> Result<Option<i64>, String> {
    if name.starts_with('$') {
        return Ok(None);
    }
    if let (true, Some(versioned)) = (name == "struct_v", &s.versioned) {
        return Ok(Some(versioned.version.into()));
    }
    let first = name.split('.').next().unwrap_or_default();
    let Some(plan) = plans.iter().find(|p| p.field.name == first) else { return Ok(None) };
    let there = !plan.conditional() || present_by_default(s, plans, plan.field)?;
    Ok(there.then_some(0))
}

/// Whether a type is an unsigned integer or a list of them.
fn holds_unsigned(ty: Option<&Type>) -> bool {
    match ty {
        Some(Type::Scalar(scalar)) => {
            use Scalar::*;
            matches!(scalar, U8 | U16 | U32 | U64 | U16Be | U32Be | U64Be)
        }
        Some(Type::List(item) | Type::Counted(item) | Type::Array(item, _) | Type::Optional(item)) => {
            holds_unsigned(Some(item))
        }
        _ => false,
    }
}

/// The name of a field's union.
pub(super) fn union_name(owner: &str, field: &str) -> proc_macro2::Ident {
    format_ident!("{owner}{}", pascal(field))
}

/// The sentence, and below it what is known of its origin.
pub(super) fn documentation(doc: &str, release: Option<&str>, source: Option<&str>) -> String {
    let mut text = doc.to_owned();
    if let Some(release) = release {
        text.push_str(&format!("\n\n{}", crate::doc::since(release)));
    }
    if let Some(source) = source {
        text.push_str(&format!("\n\nSource: {source}."));
    }
    text
}

/// A constant of the spec as a Rust expression of the field's type.
pub(super) fn constant_number(number: i64) -> TokenStream {
    let literal = Literal::i64_unsuffixed(number);
    quote!(#literal)
}

/// `Debug` of a structure with secrets: their lengths stand for them.
fn secretive_debug(
    type_name: &proc_macro2::Ident,
    anonymous: &TokenStream,
    s: &Struct,
    plans: &[FieldPlan<'_>],
) -> TokenStream {
    let header = s.versioned.as_ref().map(|v| {
        let compat = v.compat.map(|_| quote!(.field("struct_compat", &self.struct_compat)));
        quote!(.field("struct_v", &self.struct_v) #compat)
    });
    let fields = plans.iter().filter(|plan| plan.stored()).map(|plan| {
        let (text, name) = (&plan.field.name, ident(&plan.field.name));
        let secrecy = |value: TokenStream| match &plan.ty {
            Some(Type::Scalar(Scalar::Bytes(n))) => quote!(wire::Secrecy(#n)),
            _ => quote!(wire::Secrecy(#value.len() as u32)),
        };
        match (plan.field.secret, plan.conditional()) {
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
    let extra = keeps_extra(s).then(|| quote!(.field("extra", &self.extra)));
    let name = type_name.to_string();
    quote! {
        impl std::fmt::Debug for #type_name #anonymous {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_struct(#name) #header #(#fields)* #extra .finish()
            }
        }
    }
}
