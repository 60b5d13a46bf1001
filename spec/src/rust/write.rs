//! The function that writes a structure.

use proc_macro2::{Literal, TokenStream};
use quote::{format_ident, quote};

use super::names::{constant, ident, pascal};
use super::read::From;
use super::structs::{FieldPlan, constant_number, union_name};
use super::types::{Shape, keeps_extra, prefix_type};
use super::{Generator, Scope};
use crate::expr::{Condition, Scalar, Type, parse_condition, parse_hex, parse_type};
use crate::model::*;

impl<'a> Generator<'a> {
    pub(super) fn encode_body(
        &self,
        scope: &Scope<'a>,
        owner: &str,
        s: &Struct,
        plans: &[FieldPlan<'_>],
    ) -> Result<TokenStream, String> {
        let mut body = TokenStream::new();
        for plan in plans {
            body.extend(self.write_field(scope, owner, s, plans, plan)?);
        }
        if keeps_extra(s) {
            body.extend(quote!(w.put(&self.extra);));
        }
        let Some(versioned) = &s.versioned else { return Ok(quote!(#body Ok(()))) };
        let marker = versioned.marker.map(|m| quote!(w.put(&[#m]);));
        Ok(match versioned.compat {
            Some(_) => quote! {
                #marker
                w.put(&[self.struct_v, self.struct_compat]);
                let struct_len_at = w.position();
                w.scalar(&0_u32);
                let struct_start = w.position();
                #body
                w.patch::<u32>(field::COMMON_STRUCT_LEN, struct_len_at, (w.position() - struct_start) as u64, u64::MAX)
            },
            None => quote!(#marker w.put(&[self.struct_v]); #body Ok(())),
        })
    }

    fn field_id(&self, scope: &Scope<'a>, name: &str) -> TokenStream {
        let name = format_ident!("{}_{}", scope.constant, constant(name));
        quote!(field::#name)
    }

    fn list_id(&self, scope: &Scope<'a>, name: &str) -> TokenStream {
        let name = format_ident!("{}_{}_COUNT", scope.constant, constant(name));
        quote!(field::#name)
    }

    pub(super) fn write_field(
        &self,
        scope: &Scope<'a>,
        owner: &str,
        s: &Struct,
        plans: &[FieldPlan<'_>],
        plan: &FieldPlan<'_>,
    ) -> Result<TokenStream, String> {
        let field = plan.field;
        let name = ident(&field.name);
        let local = |what: &str| format_ident!("{}_{what}", field.name);
        if let Some(expected) = &field.equals {
            let write = match expected {
                Constant::Hex(text) => {
                    let bytes = Literal::byte_string(&parse_hex(text)?.concat());
                    quote!(w.put(#bytes);)
                }
                Constant::Number(n) => {
                    let ty = plan.ty.as_ref().ok_or("a constant is no union")?;
                    let (rust, n) = (self.integer_type(scope, ty)?, constant_number(*n));
                    match ty {
                        Type::Scalar(Scalar::U16Be | Scalar::U32Be | Scalar::U64Be) => {
                            quote!(w.scalar::<#rust>(&wire::Be(#n));)
                        }
                        _ => quote!(w.scalar::<#rust>(&#n);),
                    }
                }
            };
            if !plan.conditional() {
                return Ok(write);
            }
            if self.decided_outside(s, field) {
                return Err(format!("{}: a writer can't know whether the constant is there", field.name));
            }
            let condition = self.presence(s, plans, field, From::Fields)?;
            return Ok(quote!(if #condition { #write }));
        }
        if let Some(target) = &field.length_of {
            let rust = self.integer_type(scope, plan.ty.as_ref().ok_or("a length is no union")?)?;
            let at = format_ident!("{target}_length_at");
            return Ok(
                quote!(let #at = w.position(); w.scalar(&<#rust as wire::Integer>::from_u64(0).unwrap_or_default());),
            );
        }
        if let Some((first, others)) = field.count_of.split_first() {
            let rust = self.integer_type(scope, plan.ty.as_ref().ok_or("a count is no union")?)?;
            let (id, first) = (self.list_id(scope, first), ident(first));
            let others = others.iter().map(|other| {
                let (id, other) = (self.list_id(scope, other), ident(other));
                quote!(if self.#other.len() != self.#first.len() {
                    return Err(wire::Error::new(wire::ErrorKind::UnequalCounts, 0).within(#id));
                })
            });
            let count = local("at");
            return Ok(quote! {
                #(#others)*
                let #count = w.position();
                w.scalar(&<#rust as wire::Integer>::from_u64(0).unwrap_or_default());
                w.patch::<#rust>(#id, #count, self.#first.len() as u64, u64::MAX)?;
            });
        }
        let write = self.write_value(scope, owner, s, plans, plan)?;
        let measured = plans.iter().find(|p| p.field.length_of.as_ref() == Some(&field.name));
        let write = match measured {
            Some(by) => {
                let rust = self.integer_type(scope, by.ty.as_ref().ok_or("a length is no union")?)?;
                let (at, start, id, max) = (
                    format_ident!("{}_length_at", field.name),
                    local("start"),
                    self.field_id(scope, &by.field.name),
                    plan.max,
                );
                quote! {
                    let #start = w.position();
                    #write
                    w.patch::<#rust>(#id, #at, (w.position() - #start) as u64, #max)?;
                }
            }
            None => write,
        };
        if !plan.conditional() {
            return Ok(quote!({ let v = &self.#name; #write }));
        }
        if self.decided_outside(s, field) {
            return Ok(quote!(if let Some(v) = &self.#name { #write }));
        }
        let condition = self.presence(s, plans, field, From::Fields)?.unwrap_or_else(|| quote!(true));
        let id = self.id_of(scope, plan);
        Ok(quote! {
            match (&self.#name, #condition) {
                (Some(v), true) => { #write }
                (None, false) => {}
                _ => return Err(wire::Error::new(wire::ErrorKind::WrongPresence, 0).within(#id)),
            }
        })
    }

    /// Whether a field is there depends on bytes left or on the context: a writer writes it if it is set.
    fn decided_outside(&self, s: &Struct, field: &Field) -> bool {
        let outside =
            |text: &String| matches!(parse_condition(text), Ok(Condition::More)) || text.trim_start().starts_with('$');
        let versioned = (field.since.is_some() || field.until.is_some()) && s.version.is_some();
        field.when.as_ref().is_some_and(outside) || versioned
    }

    pub(super) fn id_of(&self, scope: &Scope<'a>, plan: &FieldPlan<'_>) -> TokenStream {
        match &plan.ty {
            Some(Type::List(_) | Type::Counted(_) | Type::Map(..) | Type::Array(..)) if plan.field.holds.is_none() => {
                self.list_id(scope, &plan.field.name)
            }
            Some(Type::Optional(_)) => {
                let id = format_ident!("{}_{}_PRESENT", scope.constant, constant(&plan.field.name));
                quote!(field::#id)
            }
            _ => self.field_id(scope, &plan.field.name),
        }
    }

    fn integer_type(&self, scope: &Scope<'a>, ty: &Type) -> Result<TokenStream, String> {
        match ty {
            Type::Named(name) => match self.shape(scope.dialect, name)? {
                Shape::Enum(base, _) => Ok(super::types::scalar_type(base)),
                Shape::Flags(size) => {
                    let name = format_ident!("u{}", size * 8);
                    Ok(quote!(#name))
                }
                Shape::Struct(_) => Err(format!("`{name}` is no integer")),
            },
            Type::Scalar(scalar) if scalar.is_integer() => Ok(super::types::scalar_type(*scalar)),
            _ => Err("constants, lengths and counts are integers".into()),
        }
    }

    /// Statements that write the value behind the reference `v`.
    pub(super) fn write_value(
        &self,
        scope: &Scope<'a>,
        owner: &str,
        s: &Struct,
        plans: &[FieldPlan<'_>],
        plan: &FieldPlan<'_>,
    ) -> Result<TokenStream, String> {
        let (field, max) = (plan.field, plan.max);
        let Some(ty) = &plan.ty else {
            let TypeRef::Switch(switch) = &field.ty else { return Err("a type is an expression or a union".into()) };
            let write = self.write_switch(scope, owner, s, plans, field, switch)?;
            return Ok(inside(&self.field_id(scope, &field.name), &write));
        };
        let id = self.field_id(scope, &field.name);
        if let Some(holds) = &field.holds {
            let inner = match holds {
                TypeRef::Switch(switch) => self.write_switch(scope, owner, s, plans, field, switch)?,
                TypeRef::Expr(text) if self.spec.find_type(scope.dialect, text).is_some() => quote!(v.encode(w)?;),
                TypeRef::Expr(text) => {
                    let inner =
                        Scope { constant: format!("{}_{}", scope.constant, constant(&field.name)), ..scope.clone() };
                    self.write_type(&inner, "content", &parse_type(text)?, u64::MAX)?
                }
            };
            return Ok(match ty {
                Type::Blob(prefix) => {
                    let prefix = prefix_type(*prefix);
                    quote!(w.length::<#prefix>(#id, #max, |w| { if let Some(v) = v { #inner } Ok(()) })?;)
                }
                _ => {
                    let write = inside(&id, &inner);
                    quote!(if let Some(v) = v { #write })
                }
            });
        }
        let bytes = if field.sealed.is_some() { quote!(&v.bytes) } else { quote!(v) };
        match ty {
            Type::Blob(prefix) => {
                let prefix = prefix_type(*prefix);
                Ok(quote!(w.blob::<#prefix>(#id, #max, #bytes)?;))
            }
            Type::Sized | Type::Rest => Ok(quote!(wire::Writer::at_most(#id, (#bytes).len(), #max)?; w.put(#bytes);)),
            Type::Counted(item) => {
                let (list, item) =
                    (self.list_id(scope, &field.name), self.write_type(scope, &field.name, item, u64::MAX)?);
                Ok(quote! {
                    wire::Writer::at_most(#list, v.len(), #max)?;
                    w.counted(#list, v, |w, v| { #item Ok(()) })?;
                })
            }
            ty => self.write_type(scope, &field.name, ty, max),
        }
    }

    fn write_type(&self, scope: &Scope<'a>, name: &str, ty: &Type, max: u64) -> Result<TokenStream, String> {
        let id = self.field_id(scope, name);
        Ok(match ty {
            Type::Scalar(Scalar::Text) if max != u64::MAX => quote!(w.blob::<u32>(#id, #max, v)?;),
            Type::Scalar(_) => quote!(w.scalar(v);),
            Type::Named(named) => match self.shape(scope.dialect, named)? {
                Shape::Struct(_) => quote!(v.encode(w).map_err(|e| e.within(#id))?;),
                _ => quote!(w.scalar(v);),
            },
            Type::Empty => quote!(let () = v;),
            Type::Blob(prefix) => {
                let prefix = prefix_type(*prefix);
                quote!(w.blob::<#prefix>(#id, #max, v)?;)
            }
            Type::Rest => quote!(w.put(v);),
            Type::List(item) => {
                let (list, item) = (self.list_id(scope, name), self.write_type(scope, name, item, u64::MAX)?);
                quote!(w.list(#list, #max, v, |w, v| { #item Ok(()) })?;)
            }
            Type::Array(item, n) => {
                let (list, item) = (self.list_id(scope, name), self.write_type(scope, name, item, u64::MAX)?);
                let n = *n as usize;
                quote! {
                    if v.len() != #n {
                        return Err(wire::Error::new(wire::ErrorKind::UnequalCounts, 0).within(#list));
                    }
                    w.counted(#list, v, |w, v| { #item Ok(()) })?;
                }
            }
            Type::Map(key, value) => {
                let inner = Scope { constant: format!("{}_{}", scope.constant, constant(name)), ..scope.clone() };
                let (key, value) = (
                    self.write_type(&inner, "key", key, u64::MAX)?,
                    self.write_type(&inner, "value", value, u64::MAX)?,
                );
                let list = self.list_id(scope, name);
                quote! {
                    w.list(#list, #max, v, |w, (key, value)| {
                        { let v = key; #key }
                        { let v = value; #value }
                        Ok(())
                    })?;
                }
            }
            Type::Optional(item) => {
                let item = self.write_type(scope, name, item, max)?;
                quote! {
                    match v {
                        None => w.put(&[0]),
                        Some(v) => { w.put(&[1]); #item }
                    }
                }
            }
            Type::Sized | Type::Counted(_) => {
                return Err(format!("{name}: is measured by a field, so it must be one itself"));
            }
        })
    }

    fn write_switch(
        &self,
        scope: &Scope<'a>,
        owner: &str,
        s: &Struct,
        plans: &[FieldPlan<'_>],
        field: &Field,
        switch: &Switch,
    ) -> Result<TokenStream, String> {
        let union = union_name(owner, &field.name);
        let free = switch.switch.starts_with('$'); // the writer isn't told the context: the variant alone counts
        let inner = Scope { constant: format!("{}_{}", scope.constant, constant(&field.name)), ..scope.clone() };
        let (mut arms, mut patterns) = (Vec::new(), Vec::new());
        for (case, text) in &switch.cases {
            let ty = parse_type(text)?;
            let (variant, pattern) =
                (format_ident!("{}", pascal(case)), self.case_pattern(scope, s, &switch.switch, case)?);
            let number = if free { quote!(_) } else { quote!(Some(#pattern)) };
            patterns.push(pattern);
            if ty == Type::Empty {
                arms.push(quote!((#number, #union::#variant) => {}));
                continue;
            }
            let write = self.write_type(&inner, case, &ty, u64::MAX)?;
            arms.push(quote!((#number, #union::#variant(v)) => { #write }));
        }
        if free {
            return Ok(quote!(match ((), v) { #(#arms)* (_, #union::Other(v)) => w.put(v), }));
        }
        let decides = self.discriminator(s, plans, &switch.switch, From::Fields)?;
        Ok(quote! {
            match (#decides, v) {
                #(#arms)*
                (Some(#(#patterns)|*), _) => return Err(wire::Error::new(wire::ErrorKind::WrongCase, 0)),
                (_, #union::Other(v)) => w.put(v),
                _ => return Err(wire::Error::new(wire::ErrorKind::WrongCase, 0)),
            }
        })
    }
}

/// Statements whose errors name the field around them.
fn inside(id: &TokenStream, statements: &TokenStream) -> TokenStream {
    quote! {
        (|w: &mut wire::Writer| -> Result<(), wire::Error> { #statements Ok(()) })(w).map_err(|e| e.within(#id))?;
    }
}
