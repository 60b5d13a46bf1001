//! What becomes of the files once names and expressions are resolved.
#![allow(clippy::unwrap_used)]

use std::path::Path;

use msgr2_spec::ir::{Body, Type};
use msgr2_spec::model::{At, Field, TypeRef};
use msgr2_spec::{Ir, Spec};

fn specs() -> [Spec; 2] {
    let invented = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/invented");
    [Spec::embedded().unwrap(), Spec::from_folder(&invented).unwrap()]
}

/// The fields of every body, as they are written.
fn written<'s>(spec: &'s Spec, ir: &Ir, body: &Body) -> Vec<&'s At<Field>> {
    let dialect = body.dialect.map(|id| &spec.dialects[ir[id].info.name.as_str()]);
    if body.is_message() {
        let message = &spec.messages[&body.name];
        return [&message.front, &message.middle, &message.data].into_iter().flatten().collect();
    }
    let fields = match dialect {
        _ if body.is_struct() => &dialect.map_or(&spec.types, |d| &d.types)[&body.name].fields,
        Some(dialect) if body.is_segmented() => &dialect.tags[&body.name].segments,
        dialect => &dialect.unwrap().tags[&body.name].fields,
    };
    fields.iter().collect()
}

#[test]
fn a_type_is_written_as_it_is_read() {
    let mut types = 0;
    for spec in specs() {
        let ir = spec.resolve().unwrap();
        for body in &ir.bodies {
            for (field, was) in body.fields.iter().zip(written(&spec, &ir, body)) {
                let nodes = [(Some(&field.node), Some(&was.ty)), (field.content.as_ref(), was.holds.as_ref())];
                for (node, reference) in nodes {
                    let (Some(node), Some(TypeRef::Expr(text))) = (node, reference) else { continue };
                    assert_eq!(ir.said(node), *text, "{}.{}", body.name, field.name);
                    types += 1;
                }
            }
        }
    }
    assert!(types > 400, "{types}");
}

#[test]
fn everything_that_stands_in_a_file_is_in_it() {
    for spec in specs() {
        let ir = spec.resolve().unwrap();
        let own = |d: &msgr2_spec::DialectView| d.types.len() + d.own_tags.len();
        let bodies = spec.types.len() + spec.messages.len() + spec.dialects.values().map(own).sum::<usize>();
        assert_eq!(ir.bodies.len(), bodies);
        for body in &ir.bodies {
            assert_eq!(body.fields.len(), written(&spec, &ir, body).len(), "{}", body.name);
            assert!(body.site.line > 0 && !body.site.path.is_empty(), "{:?}", body.site);
        }
    }
}

/// Structures that double in each other, deeper than anybody could follow one by one.
#[test]
fn many_structures_in_structures_take_no_time() {
    let mut text = String::from("types:\n");
    for level in 0..2000 {
        let inner = if level == 0 { "u8".to_owned() } else { format!("level{}", level - 1) };
        let fields = format!("[{{name: a, type: {inner}, doc: A.}}, {{name: b, type: {inner}, doc: B.}}]");
        text.push_str(&format!("  level{level}: {{doc: A., fields: {fields}}}\n"));
    }
    let source = msgr2_spec::load::text("types/all.yaml", &text).unwrap();
    let ir = Spec::join(vec![source]).unwrap().resolve().unwrap();
    let sizes: Vec<usize> = ir.bodies.iter().map(|body| body.min_size).collect();
    assert_eq!((sizes[0], sizes[10], sizes[1999]), (2, 2048, usize::MAX));
    assert!(!msgr2_spec::lint::check(&ir).is_empty());
}

/// Paths, unions and measures lead to fields that are there.
#[test]
fn what_decides_is_a_number() {
    let mut unions = 0;
    for spec in specs() {
        let ir = spec.resolve().unwrap();
        for body in &ir.bodies {
            for field in &body.fields {
                let Type::Union(union) = field.value() else { continue };
                unions += 1;
                if let msgr2_spec::ir::Origin::Path(path) = &union.by.origin
                    && !path.struct_v
                {
                    let found = ir.walk(body, path);
                    assert_eq!(found.len(), path.fields.len());
                    assert_eq!(found.last().unwrap().name, union.by.name.rsplit('.').next().unwrap());
                }
                assert!(ir.range(&union.by.ty).is_some(), "{}.{}", body.name, field.name);
            }
        }
    }
    assert!(unions > 20, "{unions}");
}
