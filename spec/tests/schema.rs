//! The JSON Schema for editors: it is up to date, and it holds for the spec's own files.
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};

use serde_json::Value;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// `UPDATE=1 cargo test -p msgr2-spec --test schema` writes it.
#[test]
fn the_file_is_up_to_date() {
    let path = root().join("schema.json");
    let schema = msgr2_spec::schema();
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, &schema).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(found == schema, "schema.json is not that of the model; run this test with UPDATE=1");
}

fn yaml_files(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            yaml_files(&path, files);
        } else if path.extension().is_some_and(|e| e == "yaml") {
            files.push(path);
        }
    }
}

fn files() -> Vec<(String, String)> {
    let mut files = Vec::new();
    yaml_files(&root(), &mut files);
    files.sort();
    let named = files.iter().map(|path| {
        let name = path.strip_prefix(root()).unwrap().to_string_lossy().replace('\\', "/");
        (name, std::fs::read_to_string(path).unwrap())
    });
    named.collect()
}

#[test]
fn every_file_tells_editors_its_schema() {
    for (name, text) in files() {
        let up = "../".repeat(name.matches('/').count());
        let line = format!("# yaml-language-server: $schema={up}schema.json");
        assert_eq!(text.lines().next(), Some(line.as_str()), "{name}");
    }
}

#[test]
fn every_file_fits_the_schema() {
    let schema: Value = serde_json::from_str(&msgr2_spec::schema()).unwrap();
    for (name, text) in files() {
        let value: Value = serde_saphyr::from_str(&text).unwrap_or_else(|e| panic!("{name}: {e}"));
        if let Err(what) = fits(&schema, &schema, &value, "") {
            panic!("{name}{what}");
        }
    }
}

#[test]
fn the_resolved_spec_as_json_fits_its_schema() {
    let schema: Value = serde_json::from_str(&msgr2_spec::json_schema()).unwrap();
    let invented = root().join("../tests/invented");
    for spec in [msgr2_spec::Spec::embedded(), msgr2_spec::Spec::from_folder(&invented)] {
        let ir = spec.unwrap().resolve().unwrap();
        let mut json: Value = serde_json::from_str(&msgr2_spec::json(&ir)).unwrap();
        fits(&schema, &schema, &json, "").unwrap_or_else(|what| panic!("{what}"));
        // ids are places in lists: each field is where its node says that it is
        for (body, resolved) in json["bodies"].as_array().unwrap().iter().zip(&ir.bodies) {
            assert_eq!(body["name"], *resolved.name);
            for field in body["fields"].as_array().unwrap() {
                let row = &json["fields"][field["node"]["field"].as_u64().unwrap() as usize];
                assert_eq!(row[1]["name"], field["name"]);
            }
        }
        json["bodies"][0]["min_size"] = "few".into();
        assert!(fits(&schema, &schema, &json, "").is_err());
    }
}

#[test]
fn faults_do_not_fit_the_schema() {
    let schema: Value = serde_json::from_str(&msgr2_spec::schema()).unwrap();
    let faults = [
        "enmus: {}",
        "limits: {x: {max: -1, unit: bytes, doc: A.}}",
        "limits: {x: {max: 1, unit: bytes}}",
        "limits: {x: {max: 1, unit: bytes, doc: A., why: not}}",
        "findings: {x: {severity: loud, group: protocol, summary: A, doc: A.}}",
        "types: {x: {doc: A., fields: [{name: a, type: 1, doc: A.}]}}",
        "types: {x: {doc: A., fields: [{name: a, type: {u8: a}, doc: A.}]}}",
        "tags: {x: {number: 300, from: client, doc: A., release: '1', source: A}}",
        "tags: {x: {number: 3, from: nobody, doc: A., release: '1', source: A}}",
        "states: {observer: {}}",
        "states: {client: {x: {doc: A., on: {a: {when: b}}}}}",
        "states: {client: {x: {doc: A., acts: {a: {when: b}}}}}",
        "types: {x: {doc: A., text: 1}}",
        "exchanges: {x: {doc: A., source: A, flights: [{from: both, doc: A., hex: '', frames: []}]}}",
        "exchanges: {x: {doc: A., source: A, flights: [{from: client, doc: A., frames: []}]}}",
        "exchanges: {x: {doc: A., source: A, secrets: {a: []}, flights: []}}",
    ];
    for fault in faults {
        let value: Value = serde_saphyr::from_str(fault).unwrap();
        assert!(fits(&schema, &schema, &value, "").is_err(), "{fault}");
    }
}

/// As much of JSON Schema as schemars writes for the model. A word that it doesn't know is an error, so that nothing
/// goes unchecked.
fn fits(root: &Value, schema: &Value, value: &Value, at: &str) -> Result<(), String> {
    let fail = |what: String| Err(format!("{at}: {what}"));
    let Value::Object(schema) = schema else {
        return if *schema == Value::Bool(true) { Ok(()) } else { fail("nothing is allowed here".into()) };
    };
    for (word, rule) in schema {
        let list = || rule.as_array().unwrap();
        match word.as_str() {
            "$schema" | "$defs" | "title" | "description" | "default" | "format" => {}
            "$ref" => {
                let target = root.pointer(rule.as_str().unwrap().strip_prefix('#').unwrap()).unwrap();
                fits(root, target, value, at)?;
            }
            "type" => {
                let is = |name: &Value| match name.as_str().unwrap() {
                    "object" => value.is_object(),
                    "array" => value.is_array(),
                    "string" => value.is_string(),
                    "boolean" => value.is_boolean(),
                    "integer" => value.is_i64() || value.is_u64(),
                    "number" => value.is_number(),
                    "null" => value.is_null(),
                    other => panic!("type {other}"),
                };
                if !(if rule.is_array() { list().iter().any(is) } else { is(rule) }) {
                    return fail(format!("{value} is not of type {rule}"));
                }
            }
            "enum" if !list().contains(value) => return fail(format!("{value} is none of {rule}")),
            "const" if rule != value => return fail(format!("{value} is not {rule}")),
            "enum" | "const" => {}
            "minimum" | "maximum" => {
                let (number, bound) = (value.as_f64(), rule.as_f64().unwrap());
                if number.is_some_and(|n| if word == "minimum" { n < bound } else { n > bound }) {
                    return fail(format!("{value} is beyond the {word} {rule}"));
                }
            }
            "anyOf" => {
                let tried: Vec<_> = list().iter().map(|schema| fits(root, schema, value, at)).collect();
                if tried.iter().all(Result::is_err) {
                    return fail(format!("fits nothing: {tried:?}"));
                }
            }
            "oneOf" => {
                let hits = list().iter().filter(|schema| fits(root, schema, value, at).is_ok()).count();
                if hits != 1 {
                    return fail(format!("{value} fits {hits} of {rule}"));
                }
            }
            "items" => {
                for (index, item) in value.as_array().into_iter().flatten().enumerate() {
                    fits(root, rule, item, &format!("{at}[{index}]"))?;
                }
            }
            "prefixItems" => {
                for (index, (item, rule)) in value.as_array().into_iter().flatten().zip(list()).enumerate() {
                    fits(root, rule, item, &format!("{at}[{index}]"))?;
                }
            }
            "minItems" | "maxItems" => {
                let (items, bound) = (value.as_array().map(|items| items.len() as u64), rule.as_u64().unwrap());
                if items.is_some_and(|n| if word == "minItems" { n < bound } else { n > bound }) {
                    return fail(format!("{value} is beyond the {word} {rule}"));
                }
            }
            "required" => {
                if let Some(object) = value.as_object()
                    && let Some(missing) = list().iter().find(|name| !object.contains_key(name.as_str().unwrap()))
                {
                    return fail(format!("{missing} is missing"));
                }
            }
            "properties" => {
                for (name, schema) in rule.as_object().unwrap() {
                    if let Some(value) = value.get(name) {
                        fits(root, schema, value, &format!("{at}.{name}"))?;
                    }
                }
            }
            "additionalProperties" => {
                let known = schema.get("properties").and_then(Value::as_object);
                for (name, value) in value.as_object().into_iter().flatten() {
                    if known.is_none_or(|known| !known.contains_key(name)) {
                        fits(root, rule, value, &format!("{at}.{name}"))?;
                    }
                }
            }
            other => panic!("the schema says `{other}`, which this test doesn't check"),
        }
    }
    Ok(())
}
