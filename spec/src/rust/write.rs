//! The function that writes a structure.

use proc_macro2::{Literal, TokenStream};
use quote::{format_ident, quote};

use super::Generator;
use super::read::{From, case_pattern, constant_number};
use super::structs::union_name;
use super::types::scalar_type;
use crate::expr::Scalar;
use crate::ir::*;
use crate::names::{ident, pascal};

impl Generator<'_> {
    pub(super) fn encode_body(&self, body: &Body) -> TokenStream {
        let fields = body.fields.iter().map(|field| self.write_field(body, field));
        let extra = body.keeps_extra().then(|| quote!(w.put(&self.extra);));
        let fields = quote!(#(#fields)* #extra);
        let Some(versioned) = &body.versioned else { return quote!(#fields Ok(())) };
        let marker = versioned.marker.map(|m| quote!(w.put(&[#m]);));
        match versioned.compat {
            Some(_) => quote! {
                #marker
                w.put(&[self.struct_v, self.struct_compat]);
                let struct_len_at = w.position();
                w.scalar(&0_u32);
                let struct_start = w.position();
                #fields
                w.patch::<u32>(field::COMMON_STRUCT_LEN, struct_len_at, (w.position() - struct_start) as u64, u64::MAX)
            },
            None => quote!(#marker w.put(&[self.struct_v]); #fields Ok(())),
        }
    }

    pub(super) fn write_field(&self, body: &Body, field: &Field) -> TokenStream {
        match &field.derived {
            Some(derived) => self.write_derived(body, field, derived),
            None => self.write_stored(body, field),
        }
    }

    fn write_derived(&self, body: &Body, field: &Field, derived: &Derived) -> TokenStream {
        let rust = self.integer_type(&field.node.ty);
        let nothing = quote!(w.scalar(&<#rust as wire::Integer>::from_u64(0).unwrap_or_default()););
        let target = |at: &usize| body.fields.get(*at);
        let write = match derived {
            Derived::Bytes(bytes) => {
                let bytes = Literal::byte_string(&bytes.segments.concat());
                quote!(w.put(#bytes);)
            }
            Derived::Number(n) => {
                let n = constant_number(*n);
                match field.node.ty {
                    Type::Scalar(scalar) if scalar.is_big_endian() => quote!(w.scalar::<#rust>(&wire::Be(#n));),
                    _ => quote!(w.scalar::<#rust>(&#n);),
                }
            }
            Derived::Length(at) => {
                let at = format_ident!("{}_length_at", target(at).map_or("", |field| &field.name));
                return quote!(let #at = w.position(); #nothing);
            }
            Derived::Count(at) => {
                let lists: Vec<_> =
                    at.iter().filter_map(target).map(|f| (self.id(f.node.field), ident(&f.name))).collect();
                let Some(((id, first), others)) = lists.split_first() else { return nothing };
                let others = others.iter().map(|(id, other)| {
                    quote!(if self.#other.len() != self.#first.len() {
                        return Err(wire::Error::new(wire::ErrorKind::UnequalCounts, 0).within(#id));
                    })
                });
                let count = format_ident!("{}_at", field.name);
                return quote! {
                    #(#others)*
                    let #count = w.position();
                    #nothing
                    w.patch::<#rust>(#id, #count, self.#first.len() as u64, u64::MAX)?;
                };
            }
        };
        match self.presence(body, field, From::Fields) {
            Some(condition) => quote!(if #condition { #write }),
            None => write,
        }
    }

    fn write_stored(&self, body: &Body, field: &Field) -> TokenStream {
        let name = ident(&field.name);
        let mut write = self.write_value(body, field);
        let by = field.measured_by.and_then(|at| body.fields.get(at));
        if let Some(by) = by.filter(|by| matches!(by.derived, Some(Derived::Length(_)))) {
            let (rust, id, max) = (self.integer_type(&by.node.ty), self.id(by.node.field), field.most());
            let (at, start) = (format_ident!("{}_length_at", field.name), format_ident!("{}_start", field.name));
            write = quote! {
                let #start = w.position();
                #write
                w.patch::<#rust>(#id, #at, (w.position() - #start) as u64, #max)?;
            };
        }
        if !field.conditional() {
            return quote!({ let v = &self.#name; #write });
        }
        if body.decided_outside(field) {
            return quote!(if let Some(v) = &self.#name { #write });
        }
        let condition = self.presence(body, field, From::Fields);
        let id = self.id(field.node.field);
        quote! {
            match (&self.#name, #condition) {
                (Some(v), true) => { #write }
                (None, false) => {}
                _ => return Err(wire::Error::new(wire::ErrorKind::WrongPresence, 0).within(#id)),
            }
        }
    }

    /// Statements that write the value behind the reference `v`.
    pub(super) fn write_value(&self, body: &Body, field: &Field) -> TokenStream {
        let mut write = self.write_one(body, field);
        let from = if field.each.is_some() { From::Item } else { From::Fields };
        // what the context says a writer isn't told
        if let Some(length) = field.length.as_ref().filter(|length| matches!(length.origin, Origin::Path(_))) {
            let id = self.id(field.node.field);
            let length = self.operand(field.each.as_ref().map_or(body, |each| &self.ir[each.item]), length, from);
            write = quote! {
                let start = w.position();
                #write
                w.expect(#id, start, #length.unwrap_or_default() as u64)?;
            };
        }
        let Some(each) = &field.each else { return write };
        let list = ident(body.fields.get(each.list).map_or("", |list| &list.name));
        let around = self.id(each.around);
        quote! {
            if v.len() != self.#list.len() {
                return Err(wire::Error::new(wire::ErrorKind::UnequalCounts, 0).within(#around));
            }
            for (of, v) in self.#list.iter().zip(v) { #write }
        }
    }

    fn write_one(&self, body: &Body, field: &Field) -> TokenStream {
        let (id, max) = (self.id(field.node.field), field.most());
        if let Some(content) = &field.content {
            let inner = match &content.ty {
                Type::Union(union) => self.write_union(body, field, union),
                Type::Struct(_) => quote!(v.encode(w)?;),
                _ => self.write_node(body, field, content, u64::MAX),
            };
            return match field.node.ty {
                Type::Blob(prefix) => {
                    let prefix = scalar_type(prefix);
                    quote!(w.length::<#prefix>(#id, #max, |w| { if let Some(v) = v { #inner } Ok(()) })?;)
                }
                Type::Scalar(Scalar::Bytes(n)) => {
                    let write = inside(&id, &inner);
                    quote!(
                        let start = w.position();
                        #write
                        w.fill(#id, start, #n)?;
                    )
                }
                _ => {
                    let write = inside(&id, &inner);
                    quote!(if let Some(v) = v { #write })
                }
            };
        }
        let bytes = if field.sealed.is_some() { quote!(&v.bytes) } else { quote!(v) };
        match &field.node.ty {
            Type::Blob(prefix) => {
                let prefix = scalar_type(*prefix);
                quote!(w.blob::<#prefix>(#id, #max, #bytes)?;)
            }
            Type::Sized | Type::Rest => quote!(wire::Writer::at_most(#id, (#bytes).len(), #max)?; w.put(#bytes);),
            _ => self.write_node(body, field, &field.node, max),
        }
    }

    fn write_node(&self, body: &Body, field: &Field, node: &Node, max: u64) -> TokenStream {
        let id = self.id(node.field);
        let write = |node: &Node, max: u64| self.write_node(body, field, node, max);
        match &node.ty {
            Type::Scalar(Scalar::Text) if field.length.is_some() => {
                quote!(wire::Writer::at_most(#id, v.len(), #max)?; w.put(v);)
            }
            Type::Scalar(Scalar::Text) if max != u64::MAX => quote!(w.blob::<u32>(#id, #max, v)?;),
            Type::Scalar(_) | Type::Enum(_) | Type::Flags(_) => quote!(w.scalar(v);),
            Type::Struct(_) => quote!(v.encode(w).map_err(|e| e.within(#id))?;),
            Type::Empty => quote!(let () = v;),
            Type::Blob(prefix) => {
                let prefix = scalar_type(*prefix);
                quote!(w.blob::<#prefix>(#id, #max, v)?;)
            }
            Type::Rest | Type::Sized => quote!(w.put(v);),
            Type::Counted(item) | Type::Items(item) => {
                let item = write(item, u64::MAX);
                quote! {
                    wire::Writer::at_most(#id, v.len(), #max)?;
                    w.counted(#id, v, |w, v| { #item Ok(()) })?;
                }
            }
            Type::Union(union) => inside(&id, &self.write_union(body, field, union)),
            Type::List(item) => {
                let item = write(item, u64::MAX);
                quote!(w.list(#id, #max, v, |w, v| { #item Ok(()) })?;)
            }
            Type::Array(item, n) => {
                let (item, n) = (write(item, u64::MAX), *n as usize);
                quote! {
                    if v.len() != #n {
                        return Err(wire::Error::new(wire::ErrorKind::UnequalCounts, 0).within(#id));
                    }
                    w.counted(#id, v, |w, v| { #item Ok(()) })?;
                }
            }
            Type::Map(_, key, value) => {
                let (key, value) = (write(key, u64::MAX), write(value, u64::MAX));
                quote! {
                    w.list(#id, #max, v, |w, (key, value)| {
                        { let v = key; #key }
                        { let v = value; #value }
                        Ok(())
                    })?;
                }
            }
            Type::Tuple(items) => {
                let writes = items.iter().enumerate().map(|(at, item)| {
                    let (at, write) = (Literal::usize_unsuffixed(at), write(item, u64::MAX));
                    quote!({ let v = &v.#at; #write })
                });
                inside(&id, &quote!(#(#writes)*))
            }
            Type::Optional(item) => {
                let item = write(item, max);
                quote! {
                    match v {
                        None => w.put(&[0]),
                        Some(v) => { w.put(&[1]); #item }
                    }
                }
            }
        }
    }

    fn write_union(&self, body: &Body, field: &Field, union: &Union) -> TokenStream {
        let name = union_name(body, field);
        // the writer isn't told the context: the variant alone counts
        let free = matches!(union.by.origin, Origin::Context(_));
        let patterns: Vec<_> = union.cases.iter().map(case_pattern).collect();
        let arms = union.cases.iter().zip(&patterns).map(|(case, pattern)| {
            let variant = format_ident!("{}", pascal(&case.name));
            let number = if free { quote!(_) } else { quote!(Some(#pattern)) };
            if matches!(case.node.ty, Type::Empty) {
                return quote!((#number, #name::#variant) => {});
            }
            let write = self.write_node(body, field, &case.node, u64::MAX);
            quote!((#number, #name::#variant(v)) => { #write })
        });
        if free {
            return quote!(match ((), v) { #(#arms)* (_, #name::Other(v)) => w.put(v), });
        }
        let decides = self.operand(body, &union.by, From::Fields);
        quote! {
            match (#decides, v) {
                #(#arms)*
                (Some(#(#patterns)|*), _) => return Err(wire::Error::new(wire::ErrorKind::WrongCase, 0)),
                (_, #name::Other(v)) => w.put(v),
                _ => return Err(wire::Error::new(wire::ErrorKind::WrongCase, 0)),
            }
        }
    }
}

/// Statements whose errors name the field around them.
fn inside(id: &TokenStream, statements: &TokenStream) -> TokenStream {
    quote! {
        (|w: &mut wire::Writer| -> Result<(), wire::Error> { #statements Ok(()) })(w).map_err(|e| e.within(#id))?;
    }
}
