//! Every YAML parser reads the same objects.

use serde_json::{Value, json};

use crate::fixtures::{CHANNELS, Mesh, SERVICES, policy, two};

fn read(yaml: &str) -> Vec<Value> {
    use serde::Deserialize;
    yaml_serde::Deserializer::from_str(yaml)
        .map(|document| Value::deserialize(document).expect("YAML"))
        .collect()
}

fn check(mesh: Mesh, policy: &str) {
    let documents = mesh.documents(policy).expect("manifests");
    let objects: Vec<Value> = documents.into_iter().map(|each| each.object).collect();
    assert_eq!(read(&mesh.yaml(policy)), objects, "{mesh:?}");
}

#[test]
fn every_parser_reads_the_original_values() {
    check(Mesh::Sidecars, &two(CHANNELS));
    check(Mesh::Gateway, &two(CHANNELS));
    check(Mesh::EnvoyGateway, &two(SERVICES));
}

/// Words that some YAML parsers do not read as strings. Kubernetes uses YAML 1.1.
const WORDS: [&str; 34] = [
    "y",
    "Y",
    "n",
    "N",
    "yes",
    "no",
    "on",
    "off",
    "On",
    "OFF",
    "true",
    "false",
    "null",
    "Null",
    "~",
    "1",
    "-1",
    "0x1f",
    "0o7",
    "017",
    "0b1",
    "1e3",
    "1.5",
    ".5",
    ".inf",
    "-.INF",
    ".NaN",
    "1_000",
    "12:30",
    "190:20:30",
    "2026-12-01",
    "2026-12-01T09:00:00Z",
    "<<",
    "=",
];

#[test]
fn every_word_stays_a_string() {
    let [v1, v2] = CHANNELS;
    let headers: serde_json::Map<String, Value> = WORDS
        .iter()
        .enumerate()
        .map(|(index, word)| (format!("h{index}"), json!({ "exact": word })))
        .collect();
    let segments: serde_json::Map<String, Value> = ["y", "n", "no", "on", "off", "1", "1e3", "0x1"]
        .iter()
        .map(|name| ((*name).to_owned(), json!({ "accounts": [] })))
        .collect();
    let text = policy(&[json!({ "name": "r", "v1": v1, "v2": v2, "mode": "on",
        "match": { "headers": headers } })]);
    let mut value: Value = serde_json::from_str(&text).expect("JSON");
    value["segments"] = Value::Object(segments.clone());
    let text = value.to_string();
    check(Mesh::Gateway, &text);
    let yaml = Mesh::Gateway.yaml(&text);
    for word in WORDS {
        assert!(
            yaml.contains(&format!("exact: \"{word}\"\n")),
            "{word}: {yaml}"
        );
    }
    for name in segments.keys() {
        assert!(yaml.contains(&format!(" \"{name}\":\n")), "{name}: {yaml}");
    }
    assert!(yaml.contains("mode: \"on\"\n"), "{yaml}");
}

#[test]
fn no_text_breaks_out_of_its_string() {
    let hostile = [
        "a: b",
        "# no",
        "'",
        "\"",
        "\\",
        "a\nb: c",
        "---",
        "- x",
        "? x",
        "{a}",
        "[a]",
        "&a",
        "*a",
        "!a",
        "|",
        ">",
        "%a",
        "@a",
        "`a`",
        " a",
        "a ",
        "\t",
        "\u{85}",
        "\u{2028}",
        "\u{feff}",
        "\u{7}",
        "😀",
        "a #b",
        "a:",
        ":a",
        "{{ .Values.x }}",
        "$(x)",
    ];
    let [v1, v2] = CHANNELS;
    for text in hostile {
        // A salt is any text.
        let policy =
            policy(&[json!({ "name": "r", "v1": v1, "v2": v2, "mode": "off", "salt": text })]);
        check(Mesh::Gateway, &policy);
    }
}
