//! A name stands once: a field renamed in its spec file is renamed everywhere that is made from it.
#![allow(clippy::unwrap_used)]

use std::path::Path;

use msgr2_spec::{Ir, Spec, load};

/// The spec with one word of one file replaced.
fn spec_with(file: &str, old: &str, new: &str) -> Ir {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let sources = load::embedded().unwrap().into_iter().map(|source| {
        let text = std::fs::read_to_string(root.join(&source.path)).unwrap();
        let text = if source.path == file { text.replace(old, new) } else { text };
        load::text(&source.path, &text).unwrap()
    });
    let spec = Spec::join(sources.collect());
    spec.and_then(|spec| spec.resolve()).unwrap_or_else(|problems| panic!("{problems:?}"))
}

#[test]
fn a_renamed_field_is_renamed_in_code_filter_json_and_documentation() {
    let (old, new) = ("target_addr", "dialled_addr");
    let before = Spec::embedded().unwrap().resolve().unwrap();
    let after = spec_with("dialects/v2.0/session.yaml", old, new);
    assert!(msgr2_spec::lint::check(&after).is_empty());

    let texts = |ir: &Ir| (msgr2_spec::rust::generate(ir).unwrap(), msgr2_spec::doc::markdown(ir));
    let ((code, documentation), (new_code, new_documentation)) = (texts(&before), texts(&after));
    for (text, place) in [(&code, "code"), (&documentation, "documentation")] {
        assert!(text.contains(old), "{place}");
    }
    assert!(!new_code.contains(old) && !new_documentation.contains(old));
    // the Rust field, the filter that the plugin registers, and the name that JSON and errors use
    assert!(new_code.contains("pub dialled_addr: "));
    assert!(new_code.contains("filter: \"msgr2.client_ident.dialled_addr\""));
    assert!(new_code.contains("name: \"dialled_addr\""));
    assert!(new_documentation.contains("msgr2.client_ident.dialled_addr"));
    // and nothing else has changed
    assert_eq!(code.matches(old).count(), new_code.matches(new).count());
}
