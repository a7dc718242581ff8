//! Runs `turnout rearm`: it re-arms the guard of one rollout, and no routine command undoes that.
#![expect(clippy::expect_used, reason = "a test that cannot go on has failed")]

#[path = "common/admin.rs"]
#[expect(dead_code, reason = "other tests use the rest of it")]
mod admin;
mod common;
#[path = "common/watched.rs"]
mod watched;

use serde_json::{Value, json};

use admin::Admin;
use watched::Watched;

fn rollout(name: &str, rest: &str) -> String {
    format!(
        r#"{{"name": "{name}", "v1": "one", "v2": "two", "mode": "split", "rules": [{{"accounts": 10, "requests": 50}}],
            "match": {{"path": {{"prefix": "/{name}/"}}}}{rest}}}"#
    )
}

/// A folder in which the policy `r` was applied, with the rollouts `calls`, without a guard, and `chat`, with one. `s`
/// is the same, `two` re-arms `chat` twice itself, and `bare` has no guard.
fn watched() -> Watched {
    let watched = Watched::new();
    let policy = |name: &str, chat: &str| {
        watched.policy(
            name,
            &[rollout("calls", ""), rollout("chat", chat)].join(","),
        );
    };
    policy("r", r#", "guard": {}"#);
    policy("s", r#", "guard": {}"#);
    policy("two", r#", "guard": {"rearmed": 2}"#);
    policy("bare", "");
    watched.ends("apply r.json --dir d --wasm f.wasm", 0);
    watched
}

/// The `guard` of `chat` in `filter.json`.
fn guard(watched: &Watched) -> Value {
    let text = std::fs::read(watched.filter()).expect("a filter.json");
    let file: Value = serde_json::from_slice(&text).expect("JSON");
    let configuration = file.pointer("/resources/0/typed_config/config/configuration/value");
    let configuration = configuration.and_then(Value::as_str).expect("a text");
    let configuration: Value = serde_json::from_str(configuration).expect("JSON");
    let rollouts = configuration.pointer("/policy/rollouts");
    let mut rollouts = rollouts.and_then(Value::as_array).expect("rollouts").iter();
    let chat = rollouts.find(|rollout| rollout.get("name") == Some(&json!("chat")));
    chat.and_then(|chat| chat.get("guard"))
        .cloned()
        .unwrap_or_default()
}

#[test]
fn each_rearm_adds_one_and_has_a_revision_that_proxies_confirm() {
    let watched = watched();
    let good = Admin::watching(watched.filter());
    let line = format!("rearm --dir d --rollout chat --admin {}", good.address);
    for (count, entry) in [(1, 2), (2, 3)] {
        assert_eq!(
            watched.ends(&line, 0),
            format!(
                "chat: the guard re-arms\n\
                 r+rearmed.chat.{count} written to d/filter.json (entry {entry})\n\
                 http://{}: accepted\n",
                good.address
            )
        );
        assert_eq!(guard(&watched), json!({ "rearmed": count }));
    }
    let json = watched.json(&format!("{line} --why fixed"), 0);
    for (field, value) in [
        ("action", json!("rearm")),
        ("rollout", json!("chat")),
        ("revision", json!("r+rearmed.chat.3")),
        ("rearmed", json!({ "chat": 3 })),
        ("keeps_rearmed", json!({})),
        ("outcome", json!("accepted")),
        (
            "changes",
            json!([{ "part": "rollout", "name": "chat", "differences": ["the guard re-arms"] }]),
        ),
    ] {
        assert_eq!(json[field], value, "{field}");
    }
    let log = watched.ends("log --dir d -n 1", 0);
    assert!(log.contains("  rearm chat  r+rearmed.chat.3  "), "{log}");
    let log = watched.json("log --dir d", 0);
    let entry = &log["entries"][0];
    assert_eq!(
        (
            &entry["action"],
            &entry["rollout"],
            &entry["rearmed"],
            &entry["why"]
        ),
        (
            &json!("rearm"),
            &json!("chat"),
            &json!({ "chat": 3 }),
            &json!("fixed")
        )
    );
    // It is a state of r, and the first policy.
    let (_, error, code) = watched.output("rollback --dir d");
    assert_eq!(code, Some(2));
    assert!(
        error.contains("there is no policy before r+rearmed.chat.3"),
        "{error}"
    );
}

#[test]
fn apply_and_rollback_keep_the_greater_count() {
    let watched = watched();
    watched.ends("rearm --dir d --rollout chat", 0);
    let kept = "rollout chat: the guard keeps `\"rearmed\": 1` of the active policy\n";
    assert_eq!(
        watched.ends("apply r.json --dir d", 0),
        format!("d/filter.json already has r+rearmed.chat.1; nothing was written\n{kept}")
    );
    let printed = watched.ends("apply s.json --dir d", 0);
    assert_eq!(
        printed,
        format!("no rollout changes\ns+rearmed.chat.1 written to d/filter.json (entry 3)\n{kept}")
    );
    // Also to an entry from before the rearm.
    for line in [
        "rollback --dir d",
        "apply s.json --dir d",
        "rollback --dir d --to 1",
    ] {
        let printed = watched.ends(line, 0);
        assert!(
            printed.starts_with("no rollout changes\n"),
            "{line}: {printed}"
        );
        assert!(printed.ends_with(kept), "{line}: {printed}");
        assert_eq!(guard(&watched), json!({ "rearmed": 1 }), "{line}");
    }
    assert_eq!(watched.revision(), "r+rearmed.chat.1");
    let json = watched.json("apply s.json --dir d", 0);
    assert_eq!(
        (&json["rearmed"], &json["keeps_rearmed"]),
        (&json!({ "chat": 1 }), &json!({ "chat": 1 }))
    );
    // A greater count is a rearm.
    let printed = watched.ends("apply two.json --dir d", 0);
    assert_eq!(
        printed,
        "chat: the guard re-arms\ntwo written to d/filter.json (entry 8)\n"
    );
    watched.ends("rearm --dir d --rollout chat", 0);
    assert_eq!(watched.revision(), "two+rearmed.chat.3");
    // A guard that is removed and added again is another guard.
    watched.ends("apply bare.json --dir d", 0);
    watched.ends("apply r.json --dir d", 0);
    assert_eq!(
        (watched.revision().as_str(), guard(&watched)),
        ("r", json!({}))
    );
}

#[test]
fn halt_and_resume_do_not_rearm_and_rearm_does_not_resume() {
    let watched = watched();
    watched.ends("halt --dir d --rollout chat", 0);
    watched.ends("halt --dir d", 0);
    assert_eq!(guard(&watched), json!({}));
    assert_eq!(
        watched.ends("rearm --dir d --rollout chat", 0),
        "chat: the guard re-arms\n\
         r-halted+halted.chat+rearmed.chat.1 written to d/filter.json (entry 4)\n\
         still halted: proxies that run it send everyone to v1; `turnout resume` lifts the halt\n\
         still halted: rollout chat; `turnout resume --rollout chat` lifts its halt\n"
    );
    // The rollout that stays halted takes v1 whether or not its guard has tripped.
    let printed = watched.ends("resume --dir d", 0);
    assert!(!printed.contains("guard"), "{printed}");
    let guarded = "rollout chat: if its guard has tripped, requests still take v1; \
                   `turnout rearm --rollout chat` re-arms it\n";
    assert_eq!(
        watched.ends("resume --dir d --rollout chat", 0),
        format!(
            "chat: no longer halted\n\
             r+rearmed.chat.1 written to d/filter.json (entry 6)\n{guarded}"
        )
    );
    let printed = watched.ends("resume --dir d", 0);
    assert!(printed.ends_with(guarded), "{printed}");
    let printed = watched.ends("resume --dir d --rollout calls", 0);
    assert!(!printed.contains("guard"), "{printed}");
    assert_eq!(guard(&watched), json!({ "rearmed": 1 }));
}

#[test]
fn what_cannot_be_rearmed_is_an_error_that_says_what_to_do() {
    let watched = watched();
    for (line, expected) in [
        (
            "rearm --dir d --rollout calls",
            "rollout `calls` has no guard to re-arm; `chat` has one; to guard `calls`, add `\"guard\": {}` to the \
             rollout, then apply the policy",
        ),
        (
            "rearm --dir d --rollout chatt",
            "the policy has no rollout `chatt`; did you mean `chat`? it has `calls` and `chat`",
        ),
        (
            "rearm --dir nowhere --rollout chat",
            "folder nowhere does not exist; `turnout apply` creates it with the first policy",
        ),
    ] {
        let (output, error, code) = watched.output(line);
        assert_eq!((output.as_str(), code), ("", Some(2)), "{line}");
        assert_eq!(error, format!("turnout: {expected}\n"), "{line}");
        assert_eq!(watched.revision(), "r");
    }
    watched.ends("apply bare.json --dir d", 0);
    let (_, error, code) = watched.output("rearm --dir d --rollout chat");
    assert_eq!(code, Some(2));
    assert!(
        error.contains("no rollout of the active policy has one; to guard `chat`"),
        "{error}"
    );
    let most = rollout("chat", r#", "guard": {"rearmed": 1000000}"#);
    watched.policy("most", &most);
    watched.ends("apply most.json --dir d", 0);
    let (_, error, code) = watched.output("rearm --dir d --rollout chat");
    assert_eq!((watched.revision().as_str(), code), ("most", Some(2)));
    assert!(
        error.contains("the guard of rollout `chat` has the largest `rearmed`"),
        "{error}"
    );
}

/// A revision identifies one text, also when a guard was re-armed.
#[test]
fn a_revision_of_a_rearmed_policy_is_not_free_for_another_policy() {
    let watched = watched();
    watched.policy("r+rearmed.chat.1", &rollout("calls", ""));
    let (_, error, code) = watched.output("apply r+rearmed.chat.1.json --dir d");
    assert_eq!((watched.revision().as_str(), code), ("r", Some(2)));
    assert!(
        error.contains(
            "revision r+rearmed.chat.1 is that of r (entry 1) after a halt, resume or rearm"
        ),
        "{error}"
    );
}

#[test]
fn a_rearm_survives_a_lost_history_and_a_lost_file() {
    let watched = watched();
    watched.ends("rearm --dir d --rollout chat", 0);
    std::fs::remove_dir_all(watched.0.path().join("d/history")).expect("gone");
    watched.ends("rearm --dir d --rollout chat", 0);
    assert_eq!(watched.revision(), "r+rearmed.chat.2");
    watched.ends("halt --dir d --rollout chat", 0);
    assert_eq!(watched.revision(), "r+halted.chat+rearmed.chat.2");
    std::fs::remove_file(watched.filter()).expect("gone");
    watched.ends("apply s.json --dir d", 0);
    assert_eq!(watched.revision(), "s+halted.chat+rearmed.chat.2");
}
