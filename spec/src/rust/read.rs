//! The function that reads a structure.

use proc_macro2::{Literal, TokenStream};
use quote::{format_ident, quote};

use super::Generator;
use super::structs::{stored, type_ident, union_name};
use super::types::scalar_type;
use crate::expr::{Operator, Scalar};
use crate::ir::*;
use crate::model::Versioned;
use crate::names::{ident, pascal};

/// Where conditions and unions look for the fields that they name.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum From {
    /// Local variables of the reading function.
    Locals,
    /// The fields of `self`.
    Fields,
    /// The fields of an item, `of`.
    Item,
}

impl Generator<'_> {
    pub(super) fn decode_body(&self, body: &Body) -> TokenStream {
        let mut statements = TokenStream::new();
        let mut results = Vec::new();
        if let Some(versioned) = &body.versioned {
            statements.extend(read_header(versioned));
            results.push(ident("struct_v"));
            results.extend(versioned.compat.map(|_| ident("struct_compat")));
        }
        statements.extend(body.fields.iter().map(|field| self.read_field(body, field)));
        results.extend(stored(body).map(|field| ident(&field.name)));
        if body.keeps_extra() {
            statements.extend(quote!(let extra = r.extra(t, field::COMMON_EXTRA);));
            results.push(ident("extra"));
        }
        // the items of its lists count for what is around it
        let join = body.versioned.as_ref().and_then(|v| v.compat).map(|_| quote!(whole.join(r);));
        quote!(#statements #join Ok(Self { #(#results),* }))
    }

    pub(super) fn read_field(&self, body: &Body, field: &Field) -> TokenStream {
        let (name, id) = (ident(&field.name), self.id(field.node.field));
        let constant = match &field.derived {
            Some(Derived::Number(n)) => {
                let rust = self.rust_type(&field.node.ty);
                let value = self.wrap_number(&field.node.ty, *n);
                Some(quote!(r.constant::<#rust, _>(t, #id, &#value)?;))
            }
            Some(Derived::Bytes(bytes)) => {
                let bytes = Literal::byte_string(&bytes.segments.concat());
                Some(quote!(r.constant_bytes(t, #id, #bytes)?;))
            }
            Some(Derived::Length(_) | Derived::Count(_)) | None => None,
        };
        match (constant, self.presence(body, field, From::Locals)) {
            (Some(read), Some(condition)) => quote!(if #condition { #read }),
            (Some(read), None) => read,
            (None, condition) => {
                let read = self.read_value(body, field);
                match condition {
                    Some(condition) => quote!(let #name = if #condition { Some(#read?) } else { None };),
                    None => quote!(let #name = #read?;),
                }
            }
        }
    }

    /// A number as a value of a type: enums, flags and big-endian integers wrap theirs.
    fn wrap_number(&self, ty: &Type, number: i64) -> TokenStream {
        let number = constant_number(number);
        match ty {
            Type::Scalar(scalar) if scalar.is_big_endian() => quote!(wire::Be(#number)),
            Type::Scalar(_) => number,
            _ => {
                let rust = self.rust_type(ty);
                quote!(#rust(#number))
            }
        }
    }

    /// An expression that reads the field, conditions aside.
    pub(super) fn read_value(&self, body: &Body, field: &Field) -> TokenStream {
        let from = if field.each.is_some() { From::Item } else { From::Locals };
        let mut read = self.read_told(body, field);
        if !field.given.is_empty() {
            let item = field.each.as_ref().map_or(body, |each| &self.ir[each.item]);
            let given = field.given.iter().filter_map(|(variable, operand)| {
                let (name, variable) = (variable, self.ir.context.get(variable)?);
                let (name, number) = (ident(name), self.operand(item, operand, from));
                let value = match &variable.ty {
                    Type::Enum(_) => {
                        let rust = self.rust_type(&variable.ty);
                        quote!(#rust(v as _))
                    }
                    _ => quote!(v as _),
                };
                Some(quote!(#name: #number.map(|v| #value),))
            });
            read = quote!({ let cx = &Context { #(#given)* ..*cx }; #read });
        }
        let Some(each) = &field.each else { return read };
        let list = ident(body.fields.get(each.list).map_or("", |list| &list.name));
        let around = self.id(each.around);
        quote!({
            let mut items = #list.iter();
            let bound = wire::Bound { max: u64::MAX, min_size: 1 };
            r.counted(t, #around, #list.len() as u64, bound, |r, t| match items.next() {
                Some(of) => #read,
                None => Ok(Default::default()),
            })
        })
    }

    /// The same, of what its decoder is told and of one of many.
    fn read_told(&self, body: &Body, field: &Field) -> TokenStream {
        let (id, max) = (self.id(field.node.field), field.most());
        if let Some(content) = &field.content {
            let inner = match &content.ty {
                Type::Union(union) => self.read_union(body, field, union),
                Type::Struct(held) => {
                    let rust = type_ident(&self.ir[*held]);
                    quote!(<#rust as wire::Composite<Context>>::decode(r, cx, t))
                }
                _ => self.read_node(body, field, content, u64::MAX),
            };
            return match &field.node.ty {
                Type::Blob(prefix) => {
                    let prefix = scalar_type(*prefix);
                    quote!(r.holds::<#prefix, _, _>(t, #id, #max, |r, t| #inner))
                }
                Type::Scalar(Scalar::Bytes(n)) => quote!(r.fixed_holds(t, #id, #n, |r, t| #inner)),
                Type::Sized => {
                    let length = self.measure(body, field);
                    quote!(r.sized_holds(t, #id, #length, #max, |r, t| #inner))
                }
                _ => quote!(r.rest_holds(t, #id, |r, t| #inner)),
            };
        }
        let read = self.read_node(body, field, &field.node, max);
        if let Some(sealed) = &field.sealed {
            let opened = self.id(sealed.opened);
            let holds = type_ident(&self.ir[sealed.holds]);
            let usage = Literal::u32_unsuffixed(sealed.usage);
            return quote!(#read.map(|bytes| {
                t.sealed(#opened, #usage, &bytes, |r, t| #holds::decode(r, cx, t).map(drop));
                wire::Sealed::new(bytes)
            }));
        }
        if field.secret {
            return quote!({
                let t = &mut wire::Redacted(&mut *t);
                #read
            });
        }
        read
    }

    /// An expression that reads a value in a field.
    fn read_node(&self, body: &Body, field: &Field, node: &Node, max: u64) -> TokenStream {
        let id = self.id(node.field);
        let read = |node: &Node, max: u64| self.read_node(body, field, node, max);
        match &node.ty {
            Type::Scalar(Scalar::Text) if field.length.is_some() => {
                let length = self.measure(body, field);
                quote!(r.sized(t, #id, #length, #max).map(|b| wire::Text(b.0)))
            }
            Type::Scalar(Scalar::Text) if max != u64::MAX => {
                quote!(r.blob::<u32, _>(t, #id, #max).map(|b| wire::Text(b.0)))
            }
            Type::Scalar(_) | Type::Enum(_) | Type::Flags(_) => {
                let rust = self.rust_type(&node.ty);
                quote!(r.scalar::<#rust, _>(t, #id))
            }
            Type::Struct(_) => {
                let rust = self.rust_type(&node.ty);
                quote!(r.composite::<#rust, _, _>(t, #id, cx))
            }
            Type::Empty => quote!(Ok::<_, wire::Error>(r.empty(t, #id))),
            Type::Blob(prefix) => {
                let prefix = scalar_type(*prefix);
                quote!(r.blob::<#prefix, _>(t, #id, #max))
            }
            Type::Rest if max != u64::MAX => quote!(r.sized(t, #id, r.left() as u64, #max)),
            Type::Rest => quote!(Ok::<_, wire::Error>(r.rest(t, #id))),
            Type::Sized => {
                let length = self.measure(body, field);
                quote!(r.sized(t, #id, #length, #max))
            }
            Type::Counted(item) => {
                let (count, bound, item) = (self.measure(body, field), self.bound(&[item], max), read(item, u64::MAX));
                quote!(r.counted(t, #id, #count, #bound, |r, t| #item))
            }
            Type::List(item) => {
                let (bound, item) = (self.bound(&[item], max), read(item, u64::MAX));
                quote!(r.list(t, #id, #bound, |r, t| #item))
            }
            Type::Items(item) => {
                let item = read(item, u64::MAX);
                quote!(r.items_left(t, #id, #max, |r, t| #item))
            }
            Type::Array(item, n) => {
                let (bound, item) = (self.bound(&[item], u64::MAX), read(item, u64::MAX));
                quote!(r.counted(t, #id, u64::from(#n), #bound, |r, t| #item))
            }
            Type::Map(entry, key, value) => {
                let (bound, entry) = (self.bound(&[key, value], max), self.id(*entry));
                let (key, value) = (read(key, u64::MAX), read(value, u64::MAX));
                quote!(r.list(t, #id, #bound, |r, t| r.group(t, #entry, |r, t| Ok((#key?, #value?)))))
            }
            Type::Tuple(items) => {
                let items = items.iter().map(|item| read(item, u64::MAX));
                quote!(r.group(t, #id, |r, t| Ok((#(#items?),*))))
            }
            Type::Optional(item) => {
                let item = read(item, max);
                quote!(r.optional(t, #id, |r, t| #item))
            }
            Type::Union(union) => {
                let inner = self.read_union(body, field, union);
                quote!(r.group(t, #id, |r, t| #inner))
            }
        }
    }

    /// The most items, and the fewest bytes of each.
    fn bound(&self, parts: &[&Node], max: u64) -> TokenStream {
        let min_size: usize = parts.iter().map(|node| self.ir.min_size(&node.ty)).sum();
        quote!(wire::Bound { max: #max, min_size: #min_size })
    }

    fn read_union(&self, body: &Body, field: &Field, union: &Union) -> TokenStream {
        let name = union_name(body, field);
        let decides = self.operand(body, &union.by, From::Locals);
        let arms = union.cases.iter().map(|case| {
            let (variant, pattern) = (format_ident!("{}", pascal(&case.name)), case_pattern(case));
            let read = self.read_node(body, field, &case.node, u64::MAX);
            match case.node.ty {
                Type::Empty => quote!(Some(#pattern) => #read.map(|()| #name::#variant),),
                _ => quote!(Some(#pattern) => #read.map(#name::#variant),),
            }
        });
        let other = self.id(union.other);
        quote! {
            match #decides {
                #(#arms)*
                _ => Ok(#name::Other(r.rest(t, #other))),
            }
        }
    }

    /// The number that decides over a union or a condition, as an `Option<i64>`.
    pub(super) fn operand(&self, body: &Body, operand: &Operand, from: From) -> TokenStream {
        let path = match &operand.origin {
            Origin::Context(variable) => {
                let variable = ident(variable);
                let value = if matches!(operand.ty, Type::Enum(_)) { quote!(v.0) } else { quote!(v) };
                return quote!(cx.#variable.map(|v| #value as i64));
            }
            Origin::Path(path) => path,
        };
        let place = match from {
            From::Locals => quote!(),
            From::Fields => quote!(self.),
            From::Item => quote!(of.),
        };
        if path.struct_v {
            return quote!(Some(i64::from(#place struct_v)));
        }
        if let Some(number) = self.in_case(body, &path.fields, quote!(#place)) {
            return number;
        }
        let fields = self.ir.walk(body, path);
        let names = fields.iter().map(|field| ident(&field.name));
        let access = quote!(#place #(#names).*);
        match fields.first() {
            Some(first) if first.conditional() => quote!(#access.map(|v| v.to_u64() as i64)),
            _ => quote!(Some(#access.to_u64() as i64)),
        }
    }

    /// When a field is there, or nothing if it always is.
    pub(super) fn presence(&self, body: &Body, field: &Field, from: From) -> Option<TokenStream> {
        let mut conditions = Vec::new();
        if let Some(version) = &body.version {
            let version = self.operand(body, version, from);
            if let Some(since) = field.since.map(i64::from) {
                conditions.push(quote!(#version.is_none_or(|v| v >= #since)));
            }
            if let Some(until) = field.until.map(i64::from) {
                conditions.push(quote!(#version.is_some_and(|v| v <= #until)));
            }
        }
        conditions.extend(field.when.as_ref().map(|condition| self.test(body, &condition.test, from)));
        (!conditions.is_empty()).then(|| quote!(#(#conditions)&&*))
    }

    fn test(&self, body: &Body, test: &Test, from: From) -> TokenStream {
        let tests = |parts: &[Test]| -> Vec<_> { parts.iter().map(|part| self.test(body, part, from)).collect() };
        let (operand, operator, number) = match test {
            Test::More => return quote!(r.left() > 0),
            Test::Compare(operand, operator, number) => (operand, operator, number),
            Test::All(parts) => {
                let parts = tests(parts);
                return quote!((#(#parts)&&*));
            }
            Test::Any(parts) => {
                let parts = tests(parts);
                return quote!((#(#parts)||*));
            }
        };
        let (value, number) = (self.operand(body, operand, from), constant_number(*number));
        match operator {
            Operator::Equal => quote!(#value == Some(#number)),
            Operator::NotEqual => quote!(#value.is_some_and(|v| v != #number)),
            Operator::AtLeast => quote!(#value.is_some_and(|v| v >= #number)),
            Operator::AtMost => quote!(#value.is_some_and(|v| v <= #number)),
            Operator::Above => quote!(#value.is_some_and(|v| v > #number)),
            Operator::Below => quote!(#value.is_some_and(|v| v < #number)),
            Operator::AnyBit => quote!(#value.is_some_and(|v| v & #number != 0)),
        }
    }

    /// A number in a case of a union, behind the text that leads to the body; nothing if no union is on the way.
    fn in_case(&self, body: &Body, path: &[usize], place: TokenStream) -> Option<TokenStream> {
        let field = body.fields.get(*path.first()?)?;
        let name = ident(&field.name);
        match field.value() {
            Type::Union(union) => {
                let case = union.cases.get(*path.get(1)?)?;
                let Type::Struct(inner) = case.node.ty else { return None };
                let variant = format_ident!("{}", pascal(&case.name));
                let union = union_name(body, field);
                let number = self.in_case(&self.ir[inner], &path[2..], quote!(v.)).unwrap_or_else(|| {
                    let path = Path { fields: path[2..].to_vec(), struct_v: false };
                    let names = self.ir.walk(&self.ir[inner], &path).into_iter().map(|field| ident(&field.name));
                    quote!(Some(v.#(#names).*.to_u64() as i64))
                });
                let pattern = quote!(#union::#variant(v));
                let pattern = if field.may_be_void() { quote!(Some(#pattern)) } else { pattern };
                Some(quote!(match &#place #name { #pattern => #number, _ => None }))
            }
            Type::Struct(inner) => self.in_case(&self.ir[*inner], &path[1..], quote!(#place #name.)),
            _ => None,
        }
    }

    /// How long a field is, or how many items it has.
    fn measure(&self, body: &Body, field: &Field) -> TokenStream {
        if let Some(length) = &field.length {
            let (body, from) = match &field.each {
                Some(each) => (&self.ir[each.item], From::Item),
                None => (body, From::Locals),
            };
            let length = self.operand(body, length, from);
            return quote!(#length.unwrap_or_default() as u64);
        }
        let name = field.measured_by.and_then(|at| body.fields.get(at)).map(|by| ident(&by.name));
        quote!(#name.to_u64())
    }
}

fn read_header(versioned: &Versioned) -> TokenStream {
    let marker = versioned.marker.map(|m| quote!(r.constant::<u8, _>(t, field::COMMON_MARKER, &#m)?;));
    let version = quote!(let struct_v: u8 = r.scalar(t, field::COMMON_STRUCT_V)?;);
    let rest = versioned.compat.map(|_| {
        let known = versioned.version;
        quote! {
            let at = r.offset();
            let struct_compat: u8 = r.scalar(t, field::COMMON_STRUCT_COMPAT)?;
            if struct_compat > #known {
                let kind = wire::ErrorKind::Incompatible { compat: struct_compat, known: #known };
                return Err(wire::Error::new(kind, at).within(field::COMMON_STRUCT_COMPAT));
            }
            let length: u32 = r.scalar(t, field::COMMON_STRUCT_LEN)?;
            let whole = r;
            let r = &mut whole.part(length as usize).map_err(|e| e.within(field::COMMON_STRUCT_LEN))?;
        }
    });
    quote!(#marker #version #rest)
}

/// The pattern of a union's case.
pub(super) fn case_pattern(case: &Case) -> TokenStream {
    let ranges = case.numbers.iter().map(|range| {
        let (first, last) = (Literal::i64_unsuffixed(*range.start()), Literal::i64_unsuffixed(*range.end()));
        if first.to_string() == last.to_string() { quote!(#first) } else { quote!(#first..=#last) }
    });
    quote!(#(#ranges)|*)
}

/// A constant of the spec as a Rust expression of the field's type.
pub(super) fn constant_number(number: i64) -> TokenStream {
    let literal = Literal::i64_unsuffixed(number);
    quote!(#literal)
}
