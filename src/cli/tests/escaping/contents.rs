//! Hostile contents of every file that a command reads.

use serde_json::{Value, json};

use crate::HOSTILE;
use crate::mutations;
use crate::run::Case;

pub(crate) const TEMPLATE: &str = "wasm: \"@TURNOUT_WASM@\"\nvalue: \"@TURNOUT_CONFIGURATION@\"";

const POLICY: &str = r#"{ "$schema": "s.json", "version": 1, "revision": "r1",
  "account": { "from": [{ "header": "x-account" }, { "path": "/a/{account}/**" }], "format": "opaque" },
  "segments": { "hvc": { "accounts": ["a1", "a2"] } },
  "collector": "otel",
  "rollouts": [
    { "name": "chat", "match": { "hosts": ["h.example.com"], "path": { "prefix": "/chat" }, "methods": ["GET"],
        "headers": { "x-beta": { "exact": "yes" } } },
      "v1": "c1", "v2": "c2", "mode": "split", "salt": "s",
      "rules": [ { "when": { "in": ["hvc"], "regions": ["eu"], "headers": { "x-b": { "prefix": "y" } } }, "serve": "v1" },
                 { "accounts": [ { "from": "2026-12-01T09:00:00Z", "percent": 1 } ], "requests": 10 } ],
      "guard": { "errors": { "ratio": 1.2 }, "limit": { "error_percent": 2 }, "action": "halt" } },
    { "name": "shadowed", "v1": "c1", "v2": "c2", "mode": "shadow", "hash": { "unleash": { "group_id": "g" } },
      "shadow": { "when": { "not_in": ["hvc"] }, "requests": 5, "methods": ["GET"], "strip_headers": ["cookie"],
        "idempotency_header": "k", "rewrite": { "host": "h", "headers": { "x-t": "a" } },
        "send": "with_request", "routes": ["/v1/*"], "reveal": ["/a"],
        "compare": { "headers": ["x-a"], "ignore": ["/meta"], "unordered": [{ "path": "/items", "key": "/id" }],
          "tolerance": [{ "path": "/p", "absolute": 0.01 }], "maps": ["/m"] } } }
  ] }"#;
const SECOND: &str = r#"{ "version": 1, "revision": "r2",
  "account": { "from": [{ "header": "x-account" }], "format": "opaque" }, "segments": { "hvc": { "accounts": ["a1"] } },
  "rollouts": [ { "name": "chat", "v1": "c1", "v2": "c3", "mode": "split", "guard": {}, "rules": [ { "accounts": 50 } ] } ] }"#;
const FROM_FILES: &str = r#"{ "version": 1, "account": { "from": [{ "header": "x-account" }], "format": "sid" },
  "segments": { "hvc": { "accounts_from": { "file": "sids.csv", "column": "sid" } }, "big": { "accounts_from": "sids.txt" } },
  "rollouts": [ { "name": "chat", "v1": "c1", "v2": "c2", "mode": "split", "rules": [
    { "when": { "in": ["hvc", "big"] }, "serve": "v1" } ] } ] }"#;
const SIDS: &str = "AC7342e9713fa896e4af00c654c444aada\n";
const LOG: &str = r#"{"start_time":"2026-11-21T00:00:00.000Z","account":"a9","method":"GET","host":"h.example.com","path":"/chat/1","request_id":"i-1","treatment":"v1","reason":"outside_requests","rollout":"chat","revision":"r1","turnout":"rollout=chat treatment=v1 reason=default revision=r1","x-beta":"yes"}"#;
const TEXT_LOG: &str = r#"[2026-11-21T06:00:00.000Z] "GET /chat/2 HTTP/1.1" 200 - 0 154 3 2 "-" "curl/8.5" "i-2" "h.example.com" "127.0.0.1:8001""#;
const COUNTS: &str =
    r#"{"rollout":"chat","requests":10,"arm":"v2","all":5000,"errors":3,"slow":0}"#;
const STATS: &str = "server.uptime: 7
cluster.c1.upstream_rq_completed: 9
wasmcustom.turnout.guard.chat.10.v1.all: 8
wasmcustom.turnout.guard_state.chat: 0
wasmcustom.turnout.revision.turnout: 99
turnout_guard_errors{rollout=\"chat\",stratum=\"10\",treatment=\"v1\"} 1
turnout_decisions_chat_v1_rule{} 1
envoy_cluster_upstream_rq_completed{envoy_cluster_name=\"c2\"} 12
";
const STATE: &str = r#"{"version":1,"since":{"baseline":5},"proxies":{"stats.txt":{"last":{"at_ms":9,"uptime":5,"counters":{"wasmcustom.turnout.guard.chat.10.v1.all":3}},"counted":{},"restarts":0,"observed_seconds":4}}}"#;
const RECORDS: &str = include_str!("../../../report/tests/fixtures/envoy.log");
pub(crate) const UNLEASH: &str =
    include_str!("../../../../tests/corpus/import/unleash/export.json");
const EXPORTS: [(&str, &str); 5] = [
    (
        "split",
        include_str!("../../../../tests/corpus/import/split/export.json"),
    ),
    ("unleash", UNLEASH),
    (
        "launchdarkly",
        include_str!("../../../../tests/corpus/import/launchdarkly/export.json"),
    ),
    (
        "growthbook",
        include_str!("../../../../tests/corpus/import/growthbook/export.json"),
    ),
    (
        "flagd",
        include_str!("../../../../tests/corpus/import/flagd/export.json"),
    ),
];

pub(crate) const FILES: &[(&str, &str)] = &[
    ("policy.json", POLICY),
    ("roll.json", ROLL_PLAN),
    ("second.json", SECOND),
    ("files.json", FROM_FILES),
    ("bad.json", r#"{ "version": 1, "mode": 1 }"#),
    ("accounts.txt", "a1\na2\na3\n"),
    ("accounts.csv", "id,account\n1,a1\n2,a2\n"),
    ("sids.txt", SIDS),
    ("sids.csv", "id,sid\n1,AC7342e9713fa896e4af00c654c444aada\n"),
    ("v1.json", r#"{ "a": 1 }"#),
    ("v2.json", r#"{ "a": 2 }"#),
    ("counts.jsonl", COUNTS),
    ("stats.txt", STATS),
    ("envoy.log", RECORDS),
    ("access.log", LOG),
    ("unleash.json", UNLEASH),
    ("t.yaml", TEMPLATE),
    ("f.wasm", "\0asm\x01\0\0\0"),
];

/// A policy with this account in a segment.
pub(crate) fn with_account(account: &str) -> String {
    let mut policy: Value = serde_json::from_str(POLICY).expect("JSON");
    policy["segments"]["hvc"]["accounts"] = json!([account]);
    // Manifests do not contain the shadow settings.
    policy["rollouts"]
        .as_array_mut()
        .expect("rollouts")
        .truncate(1);
    policy["rollouts"][0]["match"] = json!({ "path": { "prefix": "/chat" } });
    for version in ["v1", "v2"] {
        let cluster = format!("outbound|8080|{version}|chat.default.svc.cluster.local");
        policy["rollouts"][0][version] = cluster.into();
    }
    policy.to_string()
}

pub(crate) fn render<'a>(policy: &'a str, target: &'a str) -> Vec<&'a str> {
    let rest = match target {
        "template" => "--template t.yaml --wasm f.wasm",
        "istio" => {
            "--for istio --image r.example.com/t:1 --namespace n --selector a=b --gateway g/h"
        }
        "envoy-gateway" => {
            "--for envoy-gateway --image r.example.com/t:1 --namespace n --gateway g"
        }
        _ => "--for envoy --wasm f.wasm",
    };
    ["render", policy]
        .into_iter()
        .chain(rest.split(' '))
        .collect()
}

/// The plugin configuration in a rendered text.
pub(crate) fn configuration(target: &str, text: &str) -> Value {
    let quoted = match target {
        "envoy" => {
            let file: Value = serde_json::from_str(text).expect("JSON");
            let value = &file["resources"][0]["typed_config"]["config"]["configuration"]["value"];
            return serde_json::from_str(value.as_str().expect("a text")).expect("JSON");
        }
        "istio" => {
            use serde::Deserialize;
            let mut documents = yaml_serde::Deserializer::from_str(text);
            let first = documents.next().expect("a document");
            return Value::deserialize(first).expect("YAML")["spec"]["pluginConfig"].clone();
        }
        _ => text
            .lines()
            .find_map(|line| line.strip_prefix("value: "))
            .expect("the place"),
    };
    let inner: String = serde_json::from_str(quoted).expect("a text");
    serde_json::from_str(&inner).expect("JSON")
}

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = policies();
    cases.extend(roll_plans());
    cases.extend(imports());
    cases.extend(lists_and_logs());
    cases.extend(histories());
    cases.extend(roll_states());
    for hostile in HOSTILE {
        let bytes = [
            "\u{202e}".as_bytes(),
            b"\xff\xfe\x1b[2J",
            hostile.as_bytes(),
        ]
        .concat();
        for content in [hostile.as_bytes().to_vec(), bytes] {
            for line in EVERY_FILE {
                let case = Case::words(line).with_file("X", content.clone());
                cases.push(case.clone());
                cases.push(case.and("--json"));
            }
        }
    }
    cases
}

/// Each command with each file that it reads, as `X`.
const EVERY_FILE: &[&str] = &[
    "apply X --dir d --wasm f.wasm",
    "apply policy.json --dir d --wasm X",
    "apply policy.json --dir d --wasm f.wasm --accounts X --max-new 1",
    "bucket --salt s -",
    "diff X v2.json",
    "diff v1.json X",
    "diff v1.json v2.json --policy X --rollout shadowed",
    "explain X",
    "import split X",
    "import unleash X",
    "import launchdarkly X",
    "import growthbook X",
    "import flagd X",
    "judge --counts X",
    "judge --counts counts.jsonl --policy X",
    "judge --metrics X",
    "judge --metrics stats.txt --state X",
    "lint X",
    "lint X --format github",
    "lint X --for roll",
    "roll X --check",
    "lint policy.json --against X",
    "pack X",
    "pack --policy X",
    "plan X second.json --accounts accounts.txt",
    "plan policy.json X --accounts accounts.txt",
    "plan policy.json second.json --accounts X",
    "plan policy.json second.json --accounts accounts.txt --log X",
    "render X --for envoy --wasm f.wasm",
    "render policy.json --template X --wasm f.wasm",
    "render policy.json --for envoy --wasm X",
    "report X",
    "report envoy.log X --html -",
    "simulate X --accounts accounts.txt",
    "simulate policy.json --accounts X",
    "simulate policy.json --log X",
];

/// A plan of a roll with every field.
const ROLL_PLAN: &str = r#"{ "$schema": "s.json", "version": 1, "policy": "policy.json", "rollout": "chat", "excess_percent": 0.1,
  "steps": [
    { "name": "one", "rule": 1, "accounts": 1, "requests": 50, "bake": { "requests": 10000, "minutes": 1 } },
    { "name": "all", "rules": [ { "when": { "in": [ "hvc" ] }, "accounts": 5 } ] } ],
  "forbid": [ { "segment": "hvc", "until": "all" } ], "on_regressed": "halt",
  "on_not_enough_data": { "after_minutes": 1, "then": "hold" },
  "quiet": [ { "days": [ "sat" ], "from": "00:00", "to": "24:00", "time_zone": "Europe/Berlin" } ],
  "notify": [ "https://example.com/" ] }"#;

fn roll_plans() -> Vec<Case> {
    let lines = [
        "lint X --for roll",
        "lint X --for roll --json",
        "lint X --for roll --format github",
        "roll X --check",
        "roll X --state s --apply-with true --admin 127.0.0.1:1 --once",
        "roll X --state s --apply-with true --admin 127.0.0.1:1 --once --json",
    ];
    let mutated = mutations::of(ROLL_PLAN)
        .into_iter()
        .zip(lines.into_iter().cycle());
    let cases = mutated.map(|(plan, line)| Case::words(line).with_file("X", plan));
    cases.collect()
}

/// The state of a roll, with every text that `turnout log` prints.
const ROLL_STATE: &str = r#"{ "roll": { "version": 1, "rollout": "chat", "plan": "p", "began": "2026-12-01T09:00:00Z",
  "updated": "2026-12-01T09:00:00Z",
  "phase": { "phase": "rolling_back", "step": 0, "to": null, "outcome": "rolled_back", "why": "v2 is worse" },
  "is_held": false, "waits_for": { "code": "rolling_back", "text": "it failed" },
  "steps": [ { "name": "one", "revision": "r1", "began": "2026-12-01T09:00:00Z", "ended": null, "baked_seconds": 60,
    "judgment": { "verdict": "regressed", "text": "because", "v2_requests": 1, "observed_seconds": 1, "log_evidence": 5.0,
      "health_evidence": 0.0, "log_threshold": 4.6, "ratio": null, "ratio_low": 1.0, "ratio_high": null,
      "needed_requests": null, "needed_seconds": null } } ],
  "revision_before": "r0", "applied_step": 0, "is_delivered": true, "baseline": null,
  "baked": { "requests": 1, "milliseconds": 1, "proxy_seconds": 1, "observed_seconds": 1, "is_steady": true },
  "milliseconds_without_health": 0, "has_reported_too_little": false, "failures": 1, "last_failure": "it failed",
  "retry_milliseconds": 0 }, "ledger": null }"#;

fn roll_states() -> Vec<Case> {
    let lines = ["log --dir d", "log --dir d --json"];
    let mutated = mutations::of(ROLL_STATE)
        .into_iter()
        .zip(lines.into_iter().cycle());
    let cases = mutated.map(|(state, line)| {
        let case = Case::words(line).after("apply policy.json --dir d --wasm f.wasm");
        case.with_file("d/roll/state.json", state)
    });
    cases.collect()
}

fn policies() -> Vec<Case> {
    let mut cases = Vec::new();
    let mutated = [POLICY, SECOND, FROM_FILES]
        .into_iter()
        .flat_map(mutations::of);
    for (index, policy) in mutated.enumerate() {
        let lines = [
            "lint X",
            "lint X --json",
            "lint X --format github",
            "lint policy.json --against X",
            "lint X --against policy.json --json",
            "apply X --dir d",
            "apply X --dir d --json",
            "apply second.json --dir d --wasm f.wasm --accounts X --max-new 0",
            "explain X --rollout chat --account a1",
            "explain X --account a1 --path /chat --host h.example.com --header x-beta:yes --region eu --json",
            "plan policy.json X --accounts accounts.txt --list",
            "plan X policy.json --accounts accounts.txt --json",
            "simulate X --accounts accounts.txt",
            "simulate X --log access.log",
            "simulate X --accounts accounts.txt --json",
            "simulate X --accounts accounts.txt --inject v2:errors=50% --requests 50 --trials 1",
            "pack --policy X",
            "render X --for envoy --wasm f.wasm",
            "render X --template t.yaml --wasm f.wasm",
            "diff v1.json v2.json --policy X --rollout shadowed",
        ];
        // A few commands read each text, and each command reads all kinds.
        for (place, line) in lines.iter().enumerate() {
            if (index.wrapping_add(place)) % 6 != 0 {
                continue;
            }
            let case = Case::words(line).with_file("X", policy.clone());
            cases.push(match line.starts_with("apply") {
                true => case.after("apply policy.json --dir d --wasm f.wasm"),
                false => case,
            });
        }
    }
    for hostile in HOSTILE {
        let policy = with_account(&format!(
            "x{}",
            hostile.chars().take(40).collect::<String>()
        ));
        for target in ["envoy", "template", "istio", "envoy-gateway"] {
            let case = Case::new(&render("X", target)).with_file("X", policy.clone());
            cases.push(case);
        }
    }
    cases
}

fn imports() -> Vec<Case> {
    let mut cases = Vec::new();
    for (tool, export) in EXPORTS {
        for (index, export) in mutations::of(export).into_iter().enumerate() {
            let flags = ["", "gradual", "company", "default", "unknown"];
            let mut case = Case::new(&["import", tool, "X"]).with_file("X", export);
            if let Some(flag) = flags
                .get(index % flags.len())
                .filter(|flag| !flag.is_empty())
            {
                case = case.and("--flag").and(*flag);
            }
            cases.push(match index % 3 {
                0 => case.and("--json"),
                _ => case,
            });
        }
    }
    cases
}

fn lists_and_logs() -> Vec<Case> {
    let mut cases = Vec::new();
    // As text or as JSON: each kind occurs often enough.
    let mut count = 0_usize;
    let mut one = |line: &str, file: &str, content: String| {
        count = count.wrapping_add(1);
        let case = Case::words(line).with_file(file, content);
        match (count / 7 + count) % 2 {
            0 => case,
            _ => case.and("--json"),
        }
    };
    let records = RECORDS.lines().filter_map(|line| line.split_once('{'));
    let mut kinds = Vec::new();
    for (prefix, record) in records {
        let record = format!("{{{record}");
        let Ok(value) = serde_json::from_str::<Value>(&record) else {
            continue;
        };
        let kind = (value["turnout"].clone(), value["severity"].clone());
        if !kinds.contains(&kind) {
            kinds.push(kind);
            for record in mutations::of(&record) {
                let content = format!("{RECORDS}{prefix}{record}\n");
                cases.push(Case::words("report X --html -").with_file("X", content.clone()));
                cases.push(one("report X --own-log", "X", content));
            }
        }
    }
    for log in mutations::of(LOG) {
        let log = format!("{LOG}\n{log}\n");
        cases.push(one("simulate policy.json --log X", "X", log.clone()));
        cases.push(one(
            "simulate second.json --log X --rollout chat",
            "X",
            log.clone(),
        ));
        cases.push(one(
            "plan policy.json second.json --accounts accounts.txt --log X",
            "X",
            log,
        ));
    }
    for (text, line) in [
        (COUNTS, "judge --counts X"),
        (COUNTS, "judge --counts X --policy policy.json"),
        (STATE, "judge --metrics stats.txt --state X"),
    ] {
        for content in mutations::of(text) {
            cases.push(one(line, "X", content));
        }
    }
    for hostile in HOSTILE {
        for (index, _) in STATS.match_indices(['.', ':', '{', '"', '=', '\n']) {
            let (before, after) = STATS.split_at(index);
            let content = format!("{before}{hostile}{after}");
            cases.push(one("judge --metrics X", "X", content.clone()));
            cases.push(one("judge --metrics X --policy policy.json", "X", content));
        }
        for (index, _) in TEXT_LOG.match_indices(' ') {
            let (before, after) = TEXT_LOG.split_at(index);
            let log = format!("{before}{hostile}{after}\n{hostile}\n");
            cases.push(one("simulate policy.json --log X", "X", log));
        }
        for list in [
            format!("a1\n{hostile}\nx{hostile}\n"),
            format!("{hostile},account{hostile}\n1,{hostile}\n\"{hostile}\",a\"\n"),
            format!("account\n\"x{hostile}\"\n"),
        ] {
            for line in [
                "simulate policy.json --accounts X",
                "simulate policy.json --accounts X --column 2",
                "simulate policy.json --accounts X --column nothing",
                "simulate files.json --accounts X",
                "plan policy.json second.json --accounts X --list",
                "plan policy.json second.json --accounts X --column 2 --list",
                "pack X",
                "pack X --column 2 --show-lines",
                "simulate policy.json --accounts X --show-lines",
            ] {
                cases.push(one(line, "X", list.clone()));
            }
            for file in ["sids.csv", "sids.txt"] {
                cases.push(one("lint files.json", file, list.clone()));
                cases.push(one("lint files.json --show-lines", file, list.clone()));
                cases.push(
                    Case::words("lint files.json --format github").with_file(file, list.clone()),
                );
                cases.push(one("explain files.json", file, list.clone()));
                cases.push(one(
                    "apply files.json --dir d --wasm f.wasm",
                    file,
                    list.clone(),
                ));
            }
        }
        for (v1, v2) in [
            (json!({ hostile: 1 }), json!({ hostile: 2 })),
            (json!({ "a": hostile }), json!({ "a": [hostile] })),
            (
                json!({ "meta": hostile }),
                json!({ "meta": 1, "items": [{ "id": hostile }] }),
            ),
            (json!(hostile), json!([hostile, { hostile: hostile }])),
        ] {
            for line in [
                "diff A B",
                "diff A B --policy policy.json --rollout shadowed",
            ] {
                let case = Case::words(line)
                    .with_file("A", v1.to_string())
                    .with_file("B", v2.to_string());
                cases.push(case.clone());
                cases.push(case.and("--json"));
            }
        }
        let mut keys = Case::words("bucket --salt s");
        // Each line is a key, which begins a line of the output.
        keys.input = hostile.replace("FORGED", "key").into_bytes();
        cases.push(keys.clone());
        cases.push(keys.and("--json"));
    }
    cases
}

fn histories() -> Vec<Case> {
    let entry = r#"{"sequence":9,"when":"2026-11-21T13:00:00Z","who":"w","action":"apply","rollout":"chat","why":"y","revision":"r9","number":9,
        "halted":false,"halted_rollouts":["chat"],"rearmed":{"chat":1},"wasm":"/f.wasm","inbound":"strip","before":1,"back_to":null,"outcome":"rejected","reasons":["r"],
        "policy":{}}"#;
    let admins = r#"{"admins":["127.0.0.1:1"]}"#;
    let filter = r#"{"version_info":"r9","resources":[{"name":"turnout","typed_config":{"config":{"configuration":{"value":"{}"}}}}]}"#;
    let mut cases = Vec::new();
    for (name, document) in [
        ("d/history/9.json", entry),
        ("d/history/000009.json", entry),
        ("d/history/admins.json", admins),
        ("d/filter.json", filter),
    ] {
        let whole = HOSTILE.map(str::to_owned);
        for (index, content) in mutations::of(document).into_iter().chain(whole).enumerate() {
            let lines = [
                "log --dir d",
                "rollback --dir d",
                "log --dir d --json",
                "halt --dir d --timeout 0",
                "rollback --dir d --json",
                "resume --dir d",
                "halt --dir d --timeout 0 --json",
                "rearm --dir d --rollout chat",
            ];
            for line in [lines[index % 8], lines[(index / 8) % 8]] {
                cases.push(Case::words(line).with_file(name, content.clone()));
            }
        }
    }
    for hostile in HOSTILE {
        for line in [
            "log --dir d",
            "rollback --dir d",
            "apply second.json --dir d",
            "watch --admin 127.0.0.1:1 --once --dir d",
        ] {
            let name = hostile.replace('/', "%");
            let case = Case::words(line).with_file(&format!("d/history/{name}"), hostile);
            cases.push(
                case.clone()
                    .after("apply policy.json --dir d --wasm f.wasm"),
            );
            cases.push(case.and("--json"));
        }
    }
    cases
}
