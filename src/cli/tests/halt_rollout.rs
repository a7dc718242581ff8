//! Runs `turnout halt --rollout` and `resume --rollout`: only a resume of that rollout ends its halt.
#![expect(clippy::expect_used, reason = "a test that cannot go on has failed")]

#[path = "common/admin.rs"]
#[expect(dead_code, reason = "other tests use the rest of it")]
mod admin;
mod common;
#[path = "common/watched.rs"]
mod watched;

use serde_json::json;

use admin::Admin;
use watched::Watched;

fn rollout(name: &str, rest: &str) -> String {
    format!(
        r#"{{"name": "{name}", "v1": "one", "v2": "two", "mode": "on", "match": {{"path": {{"prefix": "/{name}/"}}}}{rest}}}"#
    )
}

/// A folder in which the policy `r` was applied, with the rollouts `calls` and `chat`. `s` has both, `t` only `calls`.
fn watched() -> Watched {
    let watched = Watched::new();
    let both = [rollout("calls", ""), rollout("chat", "")].join(",");
    watched.policy("r", &both);
    watched.policy("s", &both);
    watched.policy("t", &rollout("calls", ""));
    watched.policy(
        "h",
        &[rollout("calls", ""), rollout("chat", r#", "halted": true"#)].join(","),
    );
    watched.ends("apply r.json --dir d --wasm f.wasm", 0);
    watched
}

#[test]
fn a_rollout_is_halted_and_resumed_and_each_command_prints_what_stays_halted() {
    let watched = watched();
    let good = Admin::watching(watched.filter());
    let line = format!("halt --dir d --rollout chat --admin {}", good.address);
    assert_eq!(
        watched.ends(&line, 0),
        format!(
            "r+halted.chat written to d/filter.json (entry 2)\n\
             http://{address}: accepted\n\
             confirmed: every request of rollout chat gets v1 at http://{address}\n",
            address = good.address
        )
    );
    assert_eq!(
        watched.ends("halt --dir d --rollout chat", 0),
        "d/filter.json already has r+halted.chat, in which rollout chat is halted; nothing was written\n\
         no proxy was asked to confirm the halt; use --admin ADDRESS to ask one\n"
    );
    // Nobody has halted everyone.
    assert_eq!(
        watched.ends("resume --dir d", 0),
        "d/filter.json already has r+halted.chat; nothing was written\n\
         still halted: rollout chat; `turnout resume --rollout chat` lifts its halt\n"
    );
    watched.ends("halt --dir d", 0);
    assert_eq!(watched.revision(), "r-halted+halted.chat");
    assert_eq!(
        watched.ends("resume --dir d", 0),
        "policy: no longer halted\n\
         r+halted.chat written to d/filter.json (entry 4)\n\
         still halted: rollout chat; `turnout resume --rollout chat` lifts its halt\n"
    );
    watched.ends("halt --dir d", 0);
    assert_eq!(
        watched.ends("resume --dir d --rollout chat", 0),
        "chat: no longer halted\n\
         r-halted written to d/filter.json (entry 6)\n\
         still halted: proxies that run it send everyone to v1; `turnout resume` lifts the halt\n"
    );
    let json = watched.json("halt --dir d --rollout calls", 0);
    assert_eq!(
        (&json["action"], &json["rollout"], &json["halted"]),
        (&json!("halt"), &json!("calls"), &json!(true))
    );
    assert_eq!(json["halted_rollouts"], json!(["calls"]));
    let json = watched.json("resume --dir d", 0);
    assert_eq!(
        (&json["keeps_halt"], &json["keeps_halted_rollouts"]),
        (&json!(false), &json!(["calls"]))
    );
    let log = watched.ends("log --dir d", 0);
    for action in ["halt chat ", "resume chat ", "halt calls "] {
        assert!(log.contains(action), "{log}");
    }
    let log = watched.json("log --dir d", 0);
    assert_eq!(log["entries"][0]["halted_rollouts"], json!(["calls"]));
    assert_eq!(log["entries"][1]["rollout"], "calls");
    watched.ends("resume --dir d --rollout calls", 0);
    assert_eq!(watched.revision(), "r");
}

#[test]
fn only_a_resume_of_a_rollout_ends_its_halt() {
    let watched = watched();
    watched.ends("halt --dir d --rollout chat", 0);
    for (line, revision) in [
        ("apply s.json --dir d", "s+halted.chat"),
        ("apply s.json --dir d --resume", "s+halted.chat"),
        ("rollback --dir d", "r+halted.chat"),
        ("rollback --dir d --to r", "r+halted.chat"),
        ("apply s.json --dir d", "s+halted.chat"),
    ] {
        let printed = watched.ends(line, 0);
        let command = line.split(' ').next().expect("a word");
        let still = format!(
            "still halted: rollout chat; `turnout resume --rollout chat` or `turnout {command} --resume-rollout chat` \
             lifts its halt\n"
        );
        assert!(printed.contains(&still), "{line}: {printed}");
        assert_eq!(watched.revision(), revision, "{line}");
    }
    let printed = watched.ends("apply r.json --dir d --resume-rollout chat", 0);
    assert!(printed.contains("chat: no longer halted\n"), "{printed}");
    assert!(!printed.contains("still halted"), "{printed}");
    assert_eq!(watched.revision(), "r");
    watched.ends("halt --dir d --rollout chat", 0);
    watched.ends("rollback --dir d --resume-rollout chat", 0);
    assert_eq!(watched.revision(), "s");
}

#[test]
fn a_policy_without_a_halted_rollout_is_refused_because_it_would_end_the_halt() {
    let watched = watched();
    watched.ends("apply t.json --dir d", 0);
    watched.ends("apply s.json --dir d", 0);
    watched.ends("halt --dir d --rollout chat", 0);
    for (line, revision) in [("apply t.json --dir d", "t"), ("rollback --dir d", "t")] {
        let (output, error, code) = watched.output(line);
        assert_eq!((output.as_str(), code), ("", Some(2)), "{line}");
        let last = error.lines().last().unwrap_or_default();
        assert_eq!(
            last,
            format!(
                "turnout: rollout `chat` is halted, and the policy {revision} has no rollout of this name, so \
                 requests of `chat` could go to another rollout's v2; keep the name in the policy, or use \
                 --resume-rollout chat to lift its halt"
            )
        );
        assert_eq!(watched.revision(), "s+halted.chat");
    }
    watched.ends("apply t.json --dir d --resume-rollout chat", 0);
    assert_eq!(watched.revision(), "t");
}

#[test]
fn a_rollout_that_the_policy_halts_stays_halted_and_contradicts_resume() {
    let watched = watched();
    let printed = watched.ends("apply h.json --dir d", 0);
    assert!(
        printed.contains(
            "rollout chat is halted in this policy; `turnout resume --rollout chat` lifts its halt\n"
        ),
        "{printed}"
    );
    watched.ends("apply s.json --dir d", 0);
    assert_eq!(watched.revision(), "s+halted.chat");
    let (_, error, code) = watched.output("apply h.json --dir d --resume-rollout chat");
    assert_eq!(
        (watched.revision().as_str(), code),
        ("s+halted.chat", Some(2))
    );
    assert!(
        error.contains("rollout `chat` has `\"halted\": true` in the policy"),
        "{error}"
    );
    watched.ends("apply h.json --dir d", 0);
    watched.ends("resume --dir d --rollout chat", 0);
    assert_eq!(watched.revision(), "h+resumed.chat");
}

#[test]
fn an_unknown_rollout_is_an_error_that_names_the_known_ones() {
    let watched = watched();
    for (line, help) in [
        (
            "halt --dir d --rollout chatt",
            "the policy has no rollout `chatt`; did you mean `chat`? it has `calls` and `chat`",
        ),
        (
            "resume --dir d --rollout nothing-like-it",
            "the policy has no rollout `nothing-like-it`; it has `calls` and `chat`",
        ),
        (
            "apply s.json --dir d --resume-rollout cat",
            "the policy has no rollout `cat`; did you mean",
        ),
    ] {
        let (output, error, code) = watched.output(line);
        assert_eq!((output.as_str(), code), ("", Some(2)), "{line}: {error}");
        assert!(error.contains(help), "{error}");
        assert_eq!(watched.revision(), "r");
    }
    // It exists, and is not halted.
    watched.ends("apply s.json --dir d --resume-rollout chat", 0);
    let json = watched.json("resume --dir d --rollout chat", 0);
    assert_eq!(json["unchanged"], true);
}

/// A revision identifies one text, also when something in it is halted.
#[test]
fn a_revision_of_a_halted_rollout_is_not_free_for_another_policy() {
    let watched = watched();
    watched.policy("r+halted.chat", &rollout("calls", ""));
    let (_, error, code) = watched.output("apply r+halted.chat.json --dir d");
    assert_eq!((watched.revision().as_str(), code), ("r", Some(2)));
    assert!(
        error.contains(
            "revision r+halted.chat is that of r (entry 1) after a halt, resume or rearm"
        ),
        "{error}"
    );
}

/// The file is all that is left, and the halt of everyone must not end that of the rollout.
#[test]
fn halts_of_rollouts_survive_a_lost_history_and_a_lost_file() {
    let watched = watched();
    watched.ends("halt --dir d --rollout chat", 0);
    std::fs::remove_dir_all(watched.0.path().join("d/history")).expect("gone");
    watched.ends("halt --dir d", 0);
    assert_eq!(watched.revision(), "r-halted+halted.chat");
    watched.ends("resume --dir d", 0);
    assert_eq!(watched.revision(), "r+halted.chat");
    std::fs::remove_file(watched.filter()).expect("gone");
    watched.ends("apply s.json --dir d", 0);
    assert_eq!(watched.revision(), "s+halted.chat");
    watched.ends("resume --dir d --rollout chat", 0);
    assert_eq!(watched.revision(), "s");
}
