//! The function that reads a structure.

use std::ops::RangeInclusive;

use proc_macro2::{Literal, TokenStream};
use quote::{format_ident, quote};

use super::names::{constant, ident, pascal};
use super::structs::{FieldPlan, constant_number, union_name};
use super::types::{Shape, keeps_extra, prefix_type};
use super::{Generator, Scope};
use crate::expr::{Condition, Operator, Scalar, Type, parse_condition, parse_hex, parse_type};
use crate::model::*;

/// Where conditions and unions look for the fields that they name.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum From {
    /// Local variables of the reading function.
    Locals,
    /// The fields of `self`.
    Fields,
}

impl<'a> Generator<'a> {
    pub(super) fn decode_body(
        &mut self,
        scope: &Scope<'a>,
        owner: &str,
        s: &Struct,
        plans: &[FieldPlan<'_>],
    ) -> Result<TokenStream, String> {
        let mut statements = TokenStream::new();
        let mut results = Vec::new();
        if let Some(versioned) = &s.versioned {
            statements.extend(self.read_header(versioned));
            results.push(quote!(struct_v));
            if versioned.compat.is_some() {
                results.push(quote!(struct_compat));
            }
        }
        for plan in plans {
            statements.extend(self.read_field(scope, owner, s, plans, plan)?);
            if plan.stored() {
                results.push({
                    let name = ident(&plan.field.name);
                    quote!(#name)
                });
            }
        }
        if keeps_extra(s) {
            statements.extend(quote!(let extra = r.extra(t, field::COMMON_EXTRA);));
            results.push(quote!(extra));
        }
        // the items of its lists count for what is around it
        let join = s.versioned.as_ref().and_then(|v| v.compat).map(|_| quote!(whole.join(r);));
        Ok(quote!(#statements #join Ok(Self { #(#results),* })))
    }

    fn read_header(&self, versioned: &Versioned) -> TokenStream {
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

    pub(super) fn read_field(
        &mut self,
        scope: &Scope<'a>,
        owner: &str,
        s: &Struct,
        plans: &[FieldPlan<'_>],
        plan: &FieldPlan<'_>,
    ) -> Result<TokenStream, String> {
        let field = plan.field;
        let name = ident(&field.name);
        if let Some(expected) = &field.equals {
            let ty = plan.ty.as_ref().ok_or("a constant is no union")?;
            let id = self.leaf(scope, &field.name, ty, &field.doc, &field.display)?;
            let read = match expected {
                Constant::Number(n) => {
                    let (rust, n) = (self.rust_type(scope.dialect, ty)?, constant_number(*n));
                    let value = self.wrap_number(scope, ty, n)?;
                    quote!(r.constant::<#rust, _>(t, #id, &#value)?;)
                }
                Constant::Hex(text) => {
                    let bytes = Literal::byte_string(&parse_hex(text)?.concat());
                    quote!(r.constant_bytes(t, #id, #bytes)?;)
                }
            };
            return Ok(match self.presence(s, plans, field, From::Locals)? {
                Some(condition) => quote!(if #condition { #read }),
                None => read,
            });
        }
        let read = self.read_value(scope, owner, s, plans, plan)?;
        Ok(match self.presence(s, plans, field, From::Locals)? {
            Some(condition) => quote!(let #name = if #condition { Some(#read?) } else { None };),
            None => quote!(let #name = #read?;),
        })
    }

    /// A number as a value of a type: enums, flags and big-endian integers wrap theirs.
    fn wrap_number(&self, scope: &Scope<'a>, ty: &Type, number: TokenStream) -> Result<TokenStream, String> {
        Ok(match ty {
            Type::Named(name) => {
                let name = format_ident!("{}", pascal(name));
                quote!(#name(#number))
            }
            Type::Scalar(Scalar::U16Be | Scalar::U32Be | Scalar::U64Be) => quote!(wire::Be(#number)),
            Type::Scalar(s) if s.is_integer() => number,
            _ => return Err(format!("{}: a number can't be its constant", scope.filter)),
        })
    }

    /// An expression that reads the field, conditions aside.
    pub(super) fn read_value(
        &mut self,
        scope: &Scope<'a>,
        owner: &str,
        s: &Struct,
        plans: &[FieldPlan<'_>],
        plan: &FieldPlan<'_>,
    ) -> Result<TokenStream, String> {
        let field = plan.field;
        let max = plan.max;
        let Some(ty) = &plan.ty else {
            let TypeRef::Switch(switch) = &field.ty else { return Err("a type is an expression or a union".into()) };
            let id = self.switch_field(scope, field);
            let body = self.read_switch(scope, owner, s, plans, field, switch)?;
            return Ok(quote!(r.group(t, #id, |r, t| #body)));
        };
        if let Some(holds) = &field.holds {
            let (id, body) = match holds {
                TypeRef::Switch(switch) => {
                    (self.switch_field(scope, field), self.read_switch(scope, owner, s, plans, field, switch)?)
                }
                TypeRef::Expr(text) => self.read_held(scope, field, &parse_type(text)?)?,
            };
            return Ok(match ty {
                Type::Blob(prefix) => {
                    let prefix = prefix_type(*prefix);
                    quote!(r.holds::<#prefix, _, _>(t, #id, #max, |r, t| #body))
                }
                Type::Sized => {
                    let length = self.measure(plans, field)?;
                    quote!(r.sized_holds(t, #id, #length, #max, |r, t| #body))
                }
                Type::Rest => quote!(r.rest_holds(t, #id, |r, t| #body)),
                _ => return Err(format!("{}: only a blob can hold something", field.name)),
            });
        }
        if let Some(sealed) = &field.sealed {
            let id = self.leaf(scope, &field.name, ty, &field.doc, &field.display)?;
            let read = self.read_bytes(plans, field, ty, &id, max)?;
            let opened = self.opened(scope, field, sealed)?;
            let (holds, usage) = (format_ident!("{}", pascal(&sealed.holds)), Literal::u32_unsuffixed(sealed.usage));
            return Ok(quote!(#read.map(|bytes| {
                t.sealed(#opened, #usage, &bytes, |r, t| #holds::decode(r, cx, t).map(drop));
                wire::Sealed::new(bytes)
            })));
        }
        if field.secret {
            return self.read_secret(scope, plans, field, ty, max);
        }
        match ty {
            Type::Blob(_) | Type::Rest | Type::Sized => {
                let id = self.leaf(scope, &field.name, ty, &field.doc, &field.display)?;
                self.read_bytes(plans, field, ty, &id, max)
            }
            Type::Counted(item) => {
                let count = self.measure(plans, field)?;
                let (list, bound, item) = self.list_parts(scope, field, &field.name, item, max)?;
                Ok(quote!(r.counted(t, #list, #count, #bound, |r, t| #item)))
            }
            ty => self.read_type(scope, field, &field.name, ty, max),
        }
    }

    /// Bytes or a text of which a trace is told the length only.
    fn read_secret(
        &mut self,
        scope: &Scope<'a>,
        plans: &[FieldPlan<'_>],
        field: &Field,
        ty: &Type,
        max: u64,
    ) -> Result<TokenStream, String> {
        let id = self.secret(scope, field);
        let read = match ty {
            Type::Scalar(Scalar::Text) if max != u64::MAX => {
                quote!(r.blob::<u32, _>(t, #id, #max).map(|b| wire::Text(b.0)))
            }
            Type::Scalar(Scalar::Text | Scalar::Bytes(_)) => {
                let rust = self.rust_type(scope.dialect, ty)?;
                quote!(r.scalar::<#rust, _>(t, #id))
            }
            Type::Blob(_) | Type::Rest | Type::Sized => self.read_bytes(plans, field, ty, &id, max)?,
            _ => return Err(format!("{}: only bytes and texts can be secret", field.name)),
        };
        Ok(quote!({
            let t = &mut wire::Redacted(&mut *t);
            #read
        }))
    }

    fn read_bytes(
        &self,
        plans: &[FieldPlan<'_>],
        field: &Field,
        ty: &Type,
        id: &TokenStream,
        max: u64,
    ) -> Result<TokenStream, String> {
        Ok(match ty {
            Type::Blob(prefix) => {
                let prefix = prefix_type(*prefix);
                quote!(r.blob::<#prefix, _>(t, #id, #max))
            }
            Type::Sized => {
                let length = self.measure(plans, field)?;
                quote!(r.sized(t, #id, #length, #max))
            }
            Type::Rest if max != u64::MAX => quote!(r.sized(t, #id, r.left() as u64, #max)),
            Type::Rest => quote!(Ok::<_, wire::Error>(r.rest(t, #id))),
            _ => return Err(format!("{}: only a blob can be sealed", field.name)),
        })
    }

    /// The value of the field that measures or counts this one.
    fn measure(&self, plans: &[FieldPlan<'_>], field: &Field) -> Result<TokenStream, String> {
        let measures = |p: &&FieldPlan<'_>| {
            p.field.length_of.as_ref() == Some(&field.name) || p.field.count_of.contains(&field.name)
        };
        let plan = plans.iter().find(measures).ok_or_else(|| format!("{}: nothing measures it", field.name))?;
        if plan.conditional() || FieldPlan::is_conditional(field) {
            return Err(format!(
                "{}: what is measured or counted, and what measures it, must always be there",
                field.name
            ));
        }
        let name = ident(&plan.field.name);
        Ok(quote!(#name.to_u64()))
    }

    /// Reads a type that needs no other field.
    fn read_type(
        &mut self,
        scope: &Scope<'a>,
        field: &Field,
        name: &str,
        ty: &Type,
        max: u64,
    ) -> Result<TokenStream, String> {
        Ok(match ty {
            Type::Scalar(Scalar::Text) if max != u64::MAX => {
                let id = self.leaf(scope, name, ty, &field.doc, &field.display)?;
                quote!(r.blob::<u32, _>(t, #id, #max).map(|b| wire::Text(b.0)))
            }
            Type::Scalar(_) => {
                let id = self.leaf(scope, name, ty, &field.doc, &field.display)?;
                let rust = self.rust_type(scope.dialect, ty)?;
                quote!(r.scalar::<#rust, _>(t, #id))
            }
            Type::Named(named) => {
                let id = self.leaf(scope, name, ty, &field.doc, &field.display)?;
                let rust = self.rust_type(scope.dialect, ty)?;
                match self.shape(scope.dialect, named)? {
                    Shape::Struct(_) => quote!(r.composite::<#rust, _, _>(t, #id, cx)),
                    _ => quote!(r.scalar::<#rust, _>(t, #id)),
                }
            }
            Type::Empty => {
                let id = self.leaf(scope, name, ty, &field.doc, &field.display)?;
                quote!(Ok::<_, wire::Error>(r.empty(t, #id)))
            }
            Type::List(item) => {
                let (list, bound, item) = self.list_parts(scope, field, name, item, max)?;
                quote!(r.list(t, #list, #bound, |r, t| #item))
            }
            Type::Array(item, n) => {
                let (list, bound, item) = self.list_parts(scope, field, name, item, u64::MAX)?;
                quote!(r.counted(t, #list, u64::from(#n), #bound, |r, t| #item))
            }
            Type::Map(key, value) => {
                let (list, bound, item) = self.map_parts(scope, field, name, key, value, max)?;
                quote!(r.list(t, #list, #bound, |r, t| #item))
            }
            Type::Optional(item) => {
                let id = self.fields_present(scope, field, name);
                let item = self.read_type(scope, field, name, item, max)?;
                quote!(r.optional(t, #id, |r, t| #item))
            }
            Type::Blob(_) | Type::Rest => {
                let id = self.leaf(scope, name, ty, &field.doc, &field.display)?;
                self.read_bytes(&[], field, ty, &id, max)?
            }
            Type::Sized | Type::Counted(_) => {
                return Err(format!("{name}: is measured by a field, so it must be one itself"));
            }
        })
    }

    fn fields_present(&mut self, scope: &Scope<'a>, field: &Field, name: &str) -> TokenStream {
        let id = format!("{}_{}_PRESENT", scope.constant, constant(name));
        let filter = format!("{}.{name}.present", scope.filter);
        let label = super::names::label(name);
        self.fields.add(&id, name, &filter, &label, &field.doc, quote!(Kind::Present), &Display::default())
    }

    /// The constant of a list itself, its bounds, and the expression for an item.
    fn list_parts(
        &mut self,
        scope: &Scope<'a>,
        field: &Field,
        name: &str,
        item: &Type,
        max: u64,
    ) -> Result<(TokenStream, TokenStream, TokenStream), String> {
        let id = format!("{}_{}_COUNT", scope.constant, constant(name));
        let base = field.display.filter.clone().unwrap_or_else(|| format!("{}.{name}", scope.filter));
        let label = super::names::label(name);
        let shown = Display { label: field.display.label.clone(), ..Display::default() };
        let list = self.fields.add(&id, name, &format!("{base}.count"), &label, &field.doc, quote!(Kind::List), &shown);
        let read = self.read_type(scope, field, name, item, u64::MAX)?;
        let min_size = self.min_size(scope.dialect, item);
        Ok((list, quote!(wire::Bound { max: #max, min_size: #min_size }), read))
    }

    fn map_parts(
        &mut self,
        scope: &Scope<'a>,
        field: &Field,
        name: &str,
        key: &Type,
        value: &Type,
        max: u64,
    ) -> Result<(TokenStream, TokenStream, TokenStream), String> {
        let base = field.display.filter.clone().unwrap_or_else(|| format!("{}.{name}", scope.filter));
        let id = format!("{}_{}", scope.constant, constant(name));
        let label = super::names::label(name);
        let shown = Display { label: field.display.label.clone(), ..Display::default() };
        let list = self.fields.add(
            &format!("{id}_COUNT"),
            name,
            &format!("{base}.count"),
            &label,
            &field.doc,
            quote!(Kind::List),
            &shown,
        );
        let entry = self.fields.add(
            &format!("{id}_ENTRY"),
            "entry",
            &base,
            &label,
            &field.doc,
            quote!(Kind::Entry),
            &Display::default(),
        );
        let inner = Scope { dialect: scope.dialect, constant: id, filter: base };
        let plain = Field { display: Display::default(), ..field.clone() };
        let read_key = self.read_type(&inner, &plain, "key", key, u64::MAX)?;
        let read_value = self.read_type(&inner, &plain, "value", value, u64::MAX)?;
        let min_size = self.min_size(scope.dialect, key) + self.min_size(scope.dialect, value);
        let item = quote!(r.group(t, #entry, |r, t| Ok((#read_key?, #read_value?))));
        Ok((list, quote!(wire::Bound { max: #max, min_size: #min_size }), item))
    }

    fn switch_field(&mut self, scope: &Scope<'a>, field: &Field) -> TokenStream {
        let id = format!("{}_{}", scope.constant, constant(&field.name));
        let filter = field.display.filter.clone().unwrap_or_else(|| format!("{}.{}", scope.filter, field.name));
        let label = super::names::label(&field.name);
        self.fields.add(&id, &field.name, &filter, &label, &field.doc, quote!(Kind::Switch), &field.display)
    }

    /// What stands in a blob: the constant of the blob, and the expression that reads its content.
    fn read_held(&mut self, scope: &Scope<'a>, field: &Field, ty: &Type) -> Result<(TokenStream, TokenStream), String> {
        if let Type::Named(named) = ty
            && let Shape::Struct(_) = self.shape(scope.dialect, named)?
        {
            let id = self.leaf(scope, &field.name, &Type::Empty, &field.doc, &field.display)?;
            let rust = format_ident!("{}", pascal(named));
            return Ok((id, quote!(<#rust as wire::Composite<Context>>::decode(r, cx, t))));
        }
        let id = format!("{}_{}", scope.constant, constant(&field.name));
        let base = field.display.filter.clone().unwrap_or_else(|| format!("{}.{}", scope.filter, field.name));
        let label = super::names::label(&field.name);
        let id = self.fields.add(&id, &field.name, &base, &label, &field.doc, quote!(Kind::Held), &field.display);
        let inner = Scope {
            dialect: scope.dialect,
            constant: format!("{}_{}", scope.constant, constant(&field.name)),
            filter: base,
        };
        let mut plain = Field { display: Display::default(), ..field.clone() };
        plain.name = "content".into();
        Ok((id, self.read_type(&inner, &plain, "content", ty, u64::MAX)?))
    }

    fn read_switch(
        &mut self,
        scope: &Scope<'a>,
        owner: &str,
        s: &Struct,
        plans: &[FieldPlan<'_>],
        field: &Field,
        switch: &Switch,
    ) -> Result<TokenStream, String> {
        let union = union_name(owner, &field.name);
        let decides = self.discriminator(s, plans, &switch.switch, From::Locals)?;
        let id = format!("{}_{}", scope.constant, constant(&field.name));
        let base = field.display.filter.clone().unwrap_or_else(|| format!("{}.{}", scope.filter, field.name));
        let inner = Scope { dialect: scope.dialect, constant: id, filter: base };
        let plain = Field { display: Display::default(), ..field.clone() };
        let mut arms = Vec::new();
        for (case, text) in &switch.cases {
            let ty = parse_type(text)?;
            let (variant, pattern) =
                (format_ident!("{}", pascal(case)), self.case_pattern(scope, s, &switch.switch, case)?);
            let read = self.read_type(&inner, &plain, case, &ty, u64::MAX)?;
            arms.push(match ty {
                Type::Empty => quote!(Some(#pattern) => #read.map(|()| #union::#variant),),
                _ => quote!(Some(#pattern) => #read.map(#union::#variant),),
            });
        }
        let other =
            self.leaf(&inner, "other", &Type::Rest, "Bytes that the spec doesn't lay out.", &Display::default())?;
        Ok(quote! {
            match #decides {
                #(#arms)*
                _ => Ok(#union::Other(r.rest(t, #other))),
            }
        })
    }

    /// The number that decides over a union or a condition, as an `Option<i64>`.
    pub(super) fn discriminator(
        &self,
        s: &Struct,
        plans: &[FieldPlan<'_>],
        name: &str,
        from: From,
    ) -> Result<TokenStream, String> {
        if let Some(variable) = name.strip_prefix('$') {
            let info = self.spec.context.get(variable).ok_or_else(|| format!("no context variable `{variable}`"))?;
            let variable = ident(variable);
            let named = self.spec.enums.contains_key(&info.ty);
            return Ok(if named {
                quote!(cx.#variable.map(|v| v.0 as i64))
            } else {
                quote!(cx.#variable.map(|v| v as i64))
            });
        }
        if name == "struct_v" && s.versioned.is_some() {
            let place = if from == From::Fields { quote!(self.struct_v) } else { quote!(struct_v) };
            return Ok(quote!(Some(i64::from(#place))));
        }
        let mut path = name.split('.');
        let first = path.next().unwrap_or_default();
        let plan =
            plans.iter().find(|p| p.field.name == first).ok_or_else(|| format!("`{name}` names no earlier field"))?;
        if from == From::Fields && !plan.stored() {
            return Err(format!("`{name}` is derived, so it can't decide when writing"));
        }
        let mut access = {
            let first = ident(first);
            if from == From::Fields { quote!(self.#first) } else { quote!(#first) }
        };
        for step in path {
            let step = ident(step);
            access = quote!(#access.#step);
        }
        Ok(if plan.conditional() {
            quote!(#access.map(|v| v.to_u64() as i64))
        } else {
            quote!(Some(#access.to_u64() as i64))
        })
    }

    /// The pattern of a union's case: a number, or the number or range that a name of an enum has.
    pub(super) fn case_pattern(
        &self,
        scope: &Scope<'a>,
        s: &Struct,
        switch: &str,
        case: &str,
    ) -> Result<TokenStream, String> {
        let range = self.case_range(scope, s, switch, case)?;
        let (first, last) = (Literal::i64_unsuffixed(*range.start()), Literal::i64_unsuffixed(*range.end()));
        Ok(if range.start() == range.end() { quote!(#first) } else { quote!(#first..=#last) })
    }

    /// The numbers of a union's case.
    pub(super) fn case_range(
        &self,
        scope: &Scope<'a>,
        s: &Struct,
        switch: &str,
        case: &str,
    ) -> Result<RangeInclusive<i64>, String> {
        let number = case.strip_prefix("0x").map_or_else(|| case.parse(), |hex| i64::from_str_radix(hex, 16));
        if let Ok(number) = number {
            return Ok(number..=number);
        }
        let ty = self.switch_type(scope, s, switch)?;
        let values =
            self.spec.enums.get(&ty).ok_or_else(|| format!("`{switch}` is no enum, so `{case}` means nothing"))?;
        let value = values.values.get(case).ok_or_else(|| format!("`{case}` is no value of {ty}"))?;
        Ok(value.number..=value.to.unwrap_or(value.number))
    }

    /// The name of the type of what decides over a union.
    fn switch_type(&self, scope: &Scope<'a>, s: &Struct, switch: &str) -> Result<String, String> {
        if let Some(variable) = switch.strip_prefix('$') {
            return self
                .spec
                .context
                .get(variable)
                .map(|v| v.ty.clone())
                .ok_or_else(|| format!("no context variable `{variable}`"));
        }
        let mut current = s;
        let mut path = switch.split('.').peekable();
        while let Some(step) = path.next() {
            let field =
                current.fields.iter().find(|f| f.name == step).ok_or_else(|| format!("`{switch}` names no field"))?;
            let TypeRef::Expr(text) = &field.ty else { return Err(format!("`{switch}` is a union")) };
            if path.peek().is_none() {
                return Ok(text.clone());
            }
            match self.shape(scope.dialect, text)? {
                Shape::Struct(inner) => current = inner,
                _ => return Err(format!("`{switch}`: `{step}` has no fields")),
            }
        }
        Err(format!("`{switch}` names no field"))
    }

    /// When a field is there, or nothing if it always is.
    pub(super) fn presence(
        &self,
        s: &Struct,
        plans: &[FieldPlan<'_>],
        field: &Field,
        from: From,
    ) -> Result<Option<TokenStream>, String> {
        let mut conditions = Vec::new();
        if field.since.is_some() || field.until.is_some() {
            let version = match (&s.version, &s.versioned) {
                (Some(variable), _) => self.discriminator(s, plans, variable, from)?,
                (None, Some(_)) => self.discriminator(s, plans, "struct_v", from)?,
                (None, None) => return Err(format!("{}: since and until need a version", field.name)),
            };
            if let Some(since) = field.since.map(i64::from) {
                conditions.push(quote!(#version.is_none_or(|v| v >= #since)));
            }
            if let Some(until) = field.until.map(i64::from) {
                conditions.push(quote!(#version.is_some_and(|v| v <= #until)));
            }
        }
        if let Some(text) = &field.when {
            conditions.push(match parse_condition(text)? {
                Condition::More => quote!(r.left() > 0),
                Condition::Compare(name, operator, number) => {
                    let value = self.discriminator(s, plans, &name, from)?;
                    let number = constant_number(number);
                    match operator {
                        Operator::Equal => quote!(#value == Some(#number)),
                        Operator::NotEqual => quote!(#value.is_some_and(|v| v != #number)),
                        Operator::AtLeast => quote!(#value.is_some_and(|v| v >= #number)),
                        Operator::AnyBit => quote!(#value.is_some_and(|v| v & #number != 0)),
                    }
                }
            });
        }
        Ok((!conditions.is_empty()).then(|| quote!(#(#conditions)&&*)))
    }
}
