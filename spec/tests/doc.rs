//! The reference documentation: complete, and without links that lead nowhere.
#![allow(clippy::unwrap_used)]

use std::collections::HashSet;

use msgr2_spec::{Spec, doc};

fn text() -> (Spec, String) {
    let spec = Spec::embedded().unwrap();
    let text = doc::markdown(&spec.resolve().unwrap());
    (spec, text)
}

#[test]
fn every_link_has_a_target_and_every_target_is_there_once() {
    let (_, text) = text();
    let targets: Vec<&str> = text.split("<a id=\"").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
    let unique: HashSet<&str> = targets.iter().copied().collect();
    assert_eq!(unique.len(), targets.len(), "an anchor stands twice");
    let links: HashSet<&str> = text.split("](#").skip(1).map(|rest| rest.split(')').next().unwrap()).collect();
    assert!(links.len() > 100);
    let dangling: Vec<&&str> = links.iter().filter(|link| !unique.contains(**link)).collect();
    assert!(dangling.is_empty(), "{dangling:?}");
}

#[test]
fn everything_is_in_it() {
    let (spec, text) = text();
    let has = |anchor: String| assert!(text.contains(&format!("<a id=\"{anchor}\"></a>")), "{anchor}");
    spec.types.keys().for_each(|name| has(format!("type-{name}")));
    spec.enums.keys().for_each(|name| has(format!("enum-{name}")));
    spec.flags.keys().for_each(|name| has(format!("flags-{name}")));
    spec.findings.keys().for_each(|name| has(format!("finding-{name}")));
    spec.limits.keys().for_each(|name| has(format!("limit-{name}")));
    spec.context.keys().for_each(|name| has(format!("context-{name}")));
    spec.common.keys().for_each(|name| has(format!("common-{name}")));
    spec.aliases.keys().for_each(|name| has(format!("alias-{name}")));
    spec.guards.keys().for_each(|name| has(format!("guard-{name}")));
    spec.actions.keys().for_each(|name| has(format!("action-{name}")));
    spec.messages.keys().for_each(|name| has(format!("message-{name}")));
    for dialect in spec.dialects.values() {
        let name = &dialect.info.name;
        has(format!("dialect-{name}"));
        has(format!("envelope-{name}"));
        dialect.types.keys().for_each(|ty| has(format!("type-{name}-{ty}")));
        dialect.own_tags.iter().for_each(|tag| has(format!("tag-{name}-{tag}")));
        dialect.exchanges.keys().for_each(|exchange| has(format!("exchange-{name}-{exchange}")));
    }
    for value in spec.enums.values().flat_map(|e| e.values.keys()) {
        assert!(text.contains(&format!("`{value}`")), "{value}");
    }
    for flag in spec.flags.values().flat_map(|f| f.values.keys()) {
        assert!(text.contains(&format!("`{flag}`")), "{flag}");
    }
}

#[test]
fn rows_have_as_many_cells_as_their_head() {
    let (_, text) = text();
    let cells = |line: &str| line.replace("\\|", "").matches('|').count();
    let mut head = 0;
    for line in text.lines() {
        if line.starts_with('|') {
            head = if head == 0 { cells(line) } else { head };
            assert_eq!(cells(line), head, "{line}");
        } else {
            head = 0;
        }
    }
}

#[test]
fn what_v2_1_changes_is_told() {
    let (_, text) = text();
    let changes = text.split("<a id=\"dialect-v2.1\">").nth(1).unwrap().split("\n## ").next().unwrap();
    for words in ["segment_crc](#type-v2.1-segment_crc) is new", "`late_flags` is gone", "`late_status` is new"] {
        assert!(changes.contains(words), "{words}\n{changes}");
    }
    assert!(changes.contains("`array<u32, 4>`, is `array<u32, 3>`"), "{changes}");
}

#[test]
fn there_is_a_diagram_for_each_role() {
    let (spec, text) = text();
    let roles: usize = spec.dialects.values().filter(|d| d.own_states).map(|d| d.states.len()).sum();
    assert!(roles >= 2);
    assert_eq!(text.matches("stateDiagram-v2").count(), roles);
    assert!(text.contains("    [*] --> banner_connecting"));
    assert!(text.contains("auth_connecting --> closed: AUTH_BAD_METHOD [no_method_left]"));
}

/// Of a spec that uses all that the language has.
#[test]
fn all_that_can_be_said_is_told() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/invented");
    let text = doc::markdown(&Spec::from_folder(&folder).unwrap().resolve().unwrap());
    for words in [
        r#"It is text: `"three {word}/{marks}: {tiny}.\n"`, with numbers in lower-case hex and at most 30 bytes."#,
        r#"It is text: `"{number} and {type}!"`, with numbers in lower-case hex."#,
        "In no release of Ceph. Source: nobody.",
        "Ceph calls it `MReport`.",
        "| <a id=\"alias-by_number\"></a>`by_number<T>` | `map<tiny, T>` | What has a number each. |",
        "| `pairs` | list&lt;tuple&lt;[tiny](#alias-tiny), string>> |",
        "| `places` | [by_number&lt;point>](#alias-by_number) |",
        "| `maps` | list&lt;[by_number&lt;u8>](#alias-by_number)> |",
        "Ceph calls it `geo::point_t`.",
        "Since Ceph 1.0. Source: nobody. Ceph calls it `GreetFrame`.",
        "It belongs to the envelope: no state awaits it",
        "Like [busy](#state-three-client-busy) in all that it doesn't say itself.",
        "    fresh --> busy: GREET! [sunny] / NOD, NOD",
        "    fresh --> fresh: banner!",
        "    idle --> idle: NOD\n    idle --> idle: GREET\n    calm --> idle: GREET\n    calm --> over: NOD\n",
        "| sends [GREET](#tag-three-greet) | [sunny](#guard-sunny) | [NOD](#tag-three-nod), [NOD](#tag-three-nod), \
         [wave](#action-wave), [bow_twice](#action-bow_twice) | [busy](#state-three-client-busy) |",
        "<a id=\"exchange-three-pleasantries\"></a>",
        "| `key` | `0011` |",
        "| [STAMP](#tag-three-stamp) |  | the payload | The stamp. |",
        "| 1 | [GREET](#tag-one-greet) | [one](#dialect-one) |",
        "| 1 | [GREET](#tag-three-greet) | [three](#dialect-three) |",
        "1. The server: The server says what it is.",
        "7468726565 20 30 2f 30 3a20 66 2e0a 01 09 05 0a aabb 09",
        "[GREET](#tag-three-greet), with a signature:",
        "[NOD](#tag-three-nod), sealed, with [$level](#context-level) = `1`:",
    ] {
        assert!(text.contains(words), "{words}\n{text}");
    }
}

#[test]
fn it_is_the_same_each_time() {
    assert_eq!(text().1, text().1);
}
