//! Unsupported exports, and files that are not exports: each is refused, and the error names the supported
//! export.

use turnout_import::{Options, Tool, import};

fn refused(tool: Tool, text: &str) -> String {
    let error = import(tool, text, &Options::default()).expect_err(text);
    error.to_string()
}

#[test]
fn unsupported_exports_are_refused_with_the_api_call_of_the_supported_one() {
    for (tool, call, files) in [
        (
            Tool::Split,
            "api/splitChanges?since=-1",
            &[
                // The Admin API: a definition, a list of definitions, and the metadata of a flag.
                r#"{"name": "chat", "environment": {"id": "e", "name": "Prod"}, "trafficType": {"id": "t", "name": "user"}, "killed": false, "treatments": [{"name": "on"}, {"name": "off"}], "defaultTreatment": "off", "trafficAllocation": 100, "rules": [], "defaultRule": [{"treatment": "on", "size": 100}]}"#,
                r#"{"objects": [{"name": "chat", "defaultTreatment": "off", "rules": [], "defaultRule": [{"treatment": "on", "size": 100}]}], "offset": 0, "limit": 20, "totalCount": 1}"#,
                r#"{"id": "1", "name": "chat", "trafficType": {"name": "user"}, "creationTime": 1, "tags": null}"#,
                // Localhost mode, and the evaluator.
                r#"[{"chat": {"treatment": "on", "keys": ["ann"]}}]"#,
                r#"{"splitName": "chat", "treatment": "on"}"#,
            ][..],
        ),
        (
            Tool::Unleash,
            "GET /api/client/features",
            &[
                r#"{"features": [{"name": "chat", "type": "release", "project": "default", "stale": false, "archived": false}], "featureStrategies": [{"name": "flexibleRollout", "featureName": "chat", "parameters": {"groupId": "chat", "rollout": "25", "stickiness": "default"}, "constraints": []}], "featureEnvironments": [{"enabled": true, "featureName": "chat", "environment": "production"}], "tagTypes": []}"#,
                // The admin API: a project's features, one of them, a search, and strategies.
                r#"{"version": 1, "features": [{"name": "chat", "type": "release", "stale": false, "createdAt": "2026", "environments": [{"name": "production", "enabled": true}]}]}"#,
                r#"{"name": "chat", "project": "default", "environments": [{"name": "production", "enabled": true, "strategies": []}]}"#,
                r#"{"features": [{"name": "chat", "project": "default", "createdAt": "2026", "enabled": true}], "total": 1}"#,
                r#"[{"name": "flexibleRollout", "constraints": [], "parameters": {"rollout": "25"}}]"#,
                // The frontend API, and deltas of two versions.
                r#"{"toggles": [{"name": "chat", "enabled": true, "variant": {"name": "disabled", "enabled": false}, "impressionData": false}]}"#,
                r#"{"events": [{"type": "hydration", "eventId": 1, "features": [], "segments": []}]}"#,
                r#"{"revisionId": 1, "updated": [{"name": "chat", "enabled": true, "strategies": []}], "removed": []}"#,
            ],
        ),
        (
            Tool::LaunchDarkly,
            "GET /api/v2/flags/PROJECT/FLAG?env=ENVIRONMENT",
            &[
                r#"{"flagValues": {"chat": true}}"#,
                r#"{"flags": {}, "flagValues": {"chat": true}}"#,
                // sdk/evalx, and the state of all flags.
                r#"{"chat": {"value": true, "variation": 0, "version": 7, "flagVersion": 7, "trackEvents": false}}"#,
                r#"{"chat": true, "$flagsState": {"chat": {"variation": 0, "version": 7}}, "$valid": true}"#,
                // The list of the REST API without `summary=0`, and without `env`.
                r#"{"totalCount": 1, "items": [{"key": "chat", "_version": 1, "variations": [{"value": true}, {"value": false}], "environments": {"production": {"on": true, "salt": "a", "fallthrough": {"variation": 0}, "offVariation": 1, "_summary": {"prerequisites": 1}}}}]}"#,
                r#"{"items": [{"key": "chat", "creationDate": 1, "variations": [{"value": true}, {"value": false}]}]}"#,
                r#"{"key": "chat", "_version": 1, "variations": [{"value": true}, {"value": false}], "environments": {"production": {"on": true, "fallthrough": {"variation": 0}}}}"#,
                r#"{"events": [{"event": "put-object", "data": {"kind": "flag", "key": "chat", "object": {}}}]}"#,
            ],
        ),
        (
            Tool::LaunchDarkly,
            "`data`",
            &[r#"{"path": "/", "data": {"flags": {}, "segments": {}}}"#],
        ),
        (
            Tool::GrowthBook,
            "api/features/CLIENT_KEY",
            &[
                r#"{"features": [{"id": "chat", "valueType": "boolean", "defaultValue": "false", "environments": {"production": {"enabled": true, "rules": []}}}], "limit": 10, "total": 1}"#,
                r#"{"feature": {"id": "chat", "valueType": "boolean", "defaultValue": "true", "environments": {}}}"#,
                r#"{"id": "chat", "valueType": "boolean", "defaultValue": "true", "environments": {}}"#,
            ],
        ),
        (
            Tool::GrowthBook,
            "{ \"features\": {",
            &[
                r#"{"defaultValue": true, "rules": []}"#,
                r#"{"chat": {"defaultValue": true}, "mail": {"defaultValue": false}}"#,
            ],
        ),
        (
            Tool::GrowthBook,
            "an SDK connection without encryption",
            &[r#"{"features": {}, "encryptedFeatures": "abc"}"#],
        ),
        (
            Tool::Flagd,
            "{ \"flags\": {",
            &[
                r#"{"value": true, "key": "chat", "reason": "STATIC", "variant": "on"}"#,
                r#"{"flags": [{"key": "chat", "reason": "STATIC", "variant": "on", "value": true}]}"#,
                r#"{"chat": {"state": "ENABLED", "variants": {"on": true, "off": false}, "defaultVariant": "on"}}"#,
                r#"{"state": "ENABLED", "variants": {"on": true, "off": false}, "defaultVariant": "on"}"#,
            ],
        ),
        (
            Tool::Flagd,
            "flagConfiguration",
            &[r#"{"flagConfiguration": "{\"flags\":{}}"}"#],
        ),
        (
            Tool::Flagd,
            "kubectl get featureflag",
            &[r#"{"apiVersion": "v1", "kind": "List", "items": [{"kind": "FeatureFlag"}]}"#],
        ),
        (
            Tool::Flagd,
            "spec.featureFlagSpec",
            &[r#"{"kind": "FeatureFlagConfiguration", "spec": {"featureFlagSpec": "{}"}}"#],
        ),
    ] {
        for file in files {
            let error = refused(tool, file);
            assert!(error.contains(call), "{file}\n{error}");
        }
    }
}

#[test]
fn a_feature_flag_of_kubernetes_is_read() {
    let file = r#"{"apiVersion": "core.openfeature.dev/v1beta1", "kind": "FeatureFlag", "metadata": {"name": "f"},
        "spec": {"flagSpec": {"flags": {"chat": {"state": "ENABLED", "variants": {"on": true, "off": false},
        "defaultVariant": "off", "targeting": {"if": [{"==": [{"var": "targetingKey"}, "ann"]}, "on", "unheard"]}}}}}}"#;
    let imported = import(Tool::Flagd, file, &Options::default()).expect("an import");
    assert!(imported.policy.contains("\"ann\""), "{}", imported.policy);
    let pointers: Vec<_> = imported
        .notes
        .iter()
        .map(|note| note.pointer.as_str())
        .collect();
    assert_eq!(pointers, ["/spec/flagSpec/flags/chat/targeting/if/2", ""]);
}

#[test]
fn a_file_that_is_not_json_is_identified() {
    let json = "pass the JSON file as the tool exports it";
    for (text, sentence) in [
        (
            "flags:\n  chat:\n    state: ENABLED\n",
            "the file is YAML, not JSON; convert it",
        ),
        (
            "- chat:\n    treatment: \"on\"\n",
            "the file is YAML, not JSON; convert it",
        ),
        (
            "# flags\n---\napiVersion: core.openfeature.dev/v1beta1\n",
            "the file is YAML, not JSON; convert it",
        ),
        (
            "event: put\ndata: {\"path\": \"/\"}\n",
            "the file is a stream of server-sent events, not JSON; ",
        ),
        (
            "<!DOCTYPE html><html>",
            "the file is HTML or XML, not JSON; ",
        ),
        (
            "\u{feff}{}",
            "the file starts with a byte order mark; save it as UTF-8 without one",
        ),
        ("{\"flags\": ", json),
        ("nothing", json),
    ] {
        for tool in crate::cases::TOOLS {
            let error = refused(tool, text);
            assert!(error.contains(sentence), "{text}\n{error}");
        }
    }
    for tool in crate::cases::TOOLS {
        for text in [
            r#"{"message": "Unauthorized", "code": 401}"#,
            r#"{"error": "invalid key", "status": 400}"#,
        ] {
            let error = refused(tool, text);
            assert!(
                error.starts_with("this is an error response of an API; "),
                "{error}"
            );
        }
    }
}
