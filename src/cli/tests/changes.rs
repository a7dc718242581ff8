//! What `turnout apply`, `rollback` and `resume` say and ask before they write.
#![expect(clippy::expect_used, reason = "a test that cannot go on has failed")]

#[path = "common/admin.rs"]
mod admin;
mod common;
#[path = "common/watched.rs"]
mod watched;

use std::fs;
use std::process::Command;

use serde_json::{Value, json};

use admin::Admin;
use watched::Watched;

fn rollout(percent: u32, rest: &str) -> String {
    format!(
        r#"{{"name": "channels", "v1": "one", "v2": "two", "mode": "split",
            "rules": [{{"when": {{"in": ["hvc"]}}, "serve": "v1"}}, {{"accounts": {percent}}}] {rest}}}"#
    )
}

fn watched() -> Watched {
    let watched = Watched::new();
    watched.policy("five", &rollout(5, ""));
    watched.policy("all", &rollout(100, ""));
    watched.policy(
        "hvc-too",
        r#"{"name": "channels", "v1": "one", "v2": "two", "mode": "on"}"#,
    );
    let accounts: Vec<String> = (0..200).map(|account| format!("{account}\n")).collect();
    watched.write("accounts.txt", &accounts.concat());
    watched.ends("apply five.json --dir d --wasm f.wasm", 0);
    watched
}

fn changed(watched: &Watched, line: &str) -> Vec<String> {
    let said = watched.ends(line, 0);
    let lines = said.lines().map(str::to_owned);
    lines.take_while(|line| !line.contains("written")).collect()
}

#[test]
fn each_change_is_a_line_for_each_rollout() {
    let watched = watched();
    let line = ["channels: rule 2 accounts 5 % → 100 %"];
    assert_eq!(changed(&watched, "apply all.json --dir d"), line);
    let back = ["channels: rule 2 accounts 100 % → 5 %"];
    assert_eq!(changed(&watched, "rollback --dir d"), back);
    watched.ends("halt --dir d", 0);
    assert_eq!(
        changed(&watched, "resume --dir d"),
        ["policy: not halted any more"]
    );
    // In a halted folder too.
    watched.ends("halt --dir d", 0);
    assert_eq!(changed(&watched, "apply all.json --dir d"), line);
    assert_eq!(
        changed(&watched, "apply five.json --dir d --resume"),
        ["policy: not halted any more", back[0]]
    );
    // Written again, and nothing else.
    let json = watched.json("apply five.json --dir d", 0);
    assert_eq!(
        (&json["unchanged"], &json["changes"]),
        (&json!(true), &json!([]))
    );

    for (name, rollout, expected) in [
        (
            "salted",
            rollout(5, r#", "salt": "s""#),
            "channels: accounts and requests are rebucketed, because its salt has changed",
        ),
        (
            "shadowed",
            rollout(5, r#", "shadow": {"requests": 5, "timeout_ms": 10}"#),
            "channels: accounts and requests are rebucketed, because its salt has changed; shadow is new",
        ),
        (
            "more-shadow",
            rollout(
                5,
                r#", "shadow": {"requests": 10.0, "compare": {"ignore": ["/a"]}}"#,
            ),
            "channels: shadow compare is new; shadow requests 5 → 10.0; shadow timeout_ms is removed",
        ),
        (
            "same-shadow",
            rollout(
                5,
                r#", "shadow": {"compare": {"ignore": ["/a"]}, "requests": 10}"#,
            ),
            "no rollout changes",
        ),
    ] {
        watched.policy(name, &rollout);
        assert_eq!(
            changed(&watched, &format!("apply {name}.json --dir d")),
            [expected]
        );
    }
    watched.policy("empty", "");
    let json = watched.json("apply empty.json --dir d", 0);
    assert_eq!(
        json["changes"],
        json!([{ "part": "rollout", "name": "channels", "differences": ["removed, its mode was split"] }])
    );
}

#[test]
fn what_is_forbidden_is_not_written() {
    let watched = watched();
    for (line, words) in [
        (
            "apply hvc-too.json --dir d --forbid hvc",
            "2 accounts of `hvc` newly take v2",
        ),
        (
            "apply all.json --dir d --accounts accounts.txt --max-new 100",
            "accounts newly on v2, and --max-new 100 is given",
        ),
    ] {
        let before = fs::read(watched.filter()).expect("a file");
        let (output, error, code) = watched.said(line);
        assert_eq!(code, Some(1), "{line}: {error}");
        assert!(output.starts_with("channels: "), "{output}");
        assert!(
            error.contains(words) && error.contains("nothing was written"),
            "{error}"
        );
        assert_eq!(fs::read(watched.filter()).expect("a file"), before);
        let json = watched.json(line, 1);
        assert_eq!(json["outcome"], "forbidden");
        assert_eq!(json["unchanged"], false);
        assert_eq!(json["asked"], "none");
        assert!(
            json["violations"][0]
                .as_str()
                .is_some_and(|said| said.contains(words)),
            "{json}"
        );
    }
    let forbidden = watched.json("apply hvc-too.json --dir d --forbid hvc", 1);
    // What is allowed is written.
    let allowed = watched.json(
        "apply all.json --dir d --accounts accounts.txt --max-new 200 --forbid hvc",
        0,
    );
    assert_eq!(
        forbidden
            .as_object()
            .map(|fields| fields.keys().collect::<Vec<_>>()),
        allowed
            .as_object()
            .map(|fields| fields.keys().collect::<Vec<_>>())
    );
    watched.ends("halt --dir d", 0);
    // In a halted folder nobody takes v2, and what ends the halt is looked at.
    watched.ends(
        "apply hvc-too.json --dir d --forbid hvc --accounts accounts.txt --max-new 0",
        0,
    );
    for line in [
        "resume --dir d --forbid hvc",
        "apply all.json --dir d --resume --accounts accounts.txt --max-new 0",
    ] {
        let (_, error, code) = watched.said(line);
        assert_eq!(code, Some(1), "{line}: {error}");
        assert_eq!(watched.revision(), "hvc-too-halted");
    }
    let (_, error, code) =
        watched.said("rollback --dir d --resume --accounts accounts.txt --max-new 9");
    assert_eq!(code, Some(1), "{error}");
    // Bad arguments are said, and nothing is written.
    for (line, words) in [
        ("resume --dir d --forbid hcv", "did you mean `hvc`?"),
        ("resume --dir d --max-new 5", "--accounts <FILE>"),
        (
            "resume --dir d --accounts none.txt --max-new 5",
            "cannot read none.txt",
        ),
        ("resume --dir d --unready-ok", "--admin <URL>"),
        (
            "apply - --dir d --accounts -",
            "standard input can be read only once",
        ),
    ] {
        let (_, error, code) = watched.said(line);
        assert_eq!(code, Some(2), "{line}");
        assert!(error.contains(words), "{error}");
        assert_eq!(watched.revision(), "hvc-too-halted");
    }
}

/// Before the first policy everyone is on v1.
#[test]
fn the_first_policy_can_be_held_to_limits_too() {
    let watched = Watched::new();
    watched.policy("all", &rollout(100, ""));
    watched.write("accounts.txt", "7\n8\n9\n");
    let line = "apply all.json --dir d --wasm f.wasm --accounts accounts.txt --max-new";
    let (_, error, code) = watched.said(&format!("{line} 2"));
    assert_eq!(code, Some(1), "{error}");
    assert!(!watched.filter().exists());
    watched.ends(&format!("{line} 3"), 0);
}

#[test]
fn a_proxy_that_would_not_hear_of_a_change_is_found_before_it_is_written() {
    let watched = watched();
    let good = Admin::watching(watched.filter());
    let elsewhere = Admin::running("other");
    let both = format!("--admin {} --admin {}", good.address, elsewhere.address);
    for line in ["apply all.json", "rollback --to 1"] {
        watched.ends("apply hvc-too.json --dir d", 0);
        let (output, error, code) = watched.said(&format!("{line} --dir d {both}"));
        assert_eq!((output.as_str(), code), ("", Some(2)), "{error}");
        let words = format!(
            "http://{}: it runs other, and the folder holds hvc-too; does it watch another folder?",
            elsewhere.address
        );
        assert!(
            error.contains(&words) && !error.contains(&good.address),
            "{error}"
        );
        assert_eq!(watched.revision(), "hvc-too");
    }
    // All the same, which the proxy then does not confirm; or without it.
    let line = format!("apply all.json --dir d {both} --unready-ok --timeout 0.2");
    assert_eq!(watched.json(&line, 1)["outcome"], "unconfirmed");
    watched.ends(
        &format!("apply five.json --dir d --admin {}", good.address),
        0,
    );
    // What is in force already is only asked for.
    let asked = elsewhere.times_asked();
    let (_, error, code) = watched.said(&format!("apply five.json --dir d {both} --timeout 0.2"));
    assert_eq!((code, error.as_str()), (Some(1), ""));
    assert!(elsewhere.times_asked() > asked);
    // The halted revision counts, and a file that is lost is no reason to doubt a proxy.
    watched.ends(&format!("halt --dir d --admin {}", good.address), 0);
    watched.ends(&format!("resume --dir d --admin {}", good.address), 0);
    fs::remove_file(watched.filter()).expect("gone");
    let late = Admin::running("all");
    watched.ends(
        &format!("apply all.json --dir d --admin {}", late.address),
        0,
    );
}

/// Containers, cron and CI set no variable that says who runs the command.
#[cfg(unix)]
#[test]
fn who_did_it_is_known_without_a_variable() {
    let watched = watched();
    let who = |variables: &[(&str, &str)]| {
        for line in ["halt --dir d", "resume --dir d"] {
            let mut command = Command::new(env!("CARGO_BIN_EXE_turnout"));
            command
                .current_dir(watched.0.path())
                .env_clear()
                .envs(variables.iter().copied());
            assert!(
                command
                    .args(line.split(' '))
                    .status()
                    .expect("it runs")
                    .success()
            );
        }
        let json = watched.json("log --dir d -n 1", 0);
        json["entries"][0]["who"]
            .as_str()
            .expect("a name")
            .to_owned()
    };
    assert_eq!(who(&[("USER", "me"), ("LOGNAME", "other")]), "me");
    assert_eq!(who(&[("SUDO_USER", "her"), ("USER", "root")]), "her");
    assert_eq!(who(&[("USER", ""), ("LOGNAME", "cron")]), "cron");
    assert_eq!(who(&[("USER", " \n"), ("LOGNAME", "cron")]), "cron");
    let nobody = who(&[]);
    let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let is_user = users
        .lines()
        .any(|line| line.starts_with(&format!("{nobody}:")));
    assert!(is_user || nobody.starts_with("uid "), "{nobody}");
    assert_eq!(who(&[("USER", "")]), nobody);
}

/// The routes of a proxy, as Envoy dumps them.
const REWRITES: &str = r#"{"configs": [{"static_route_configs": [{"route_config": {"name": "http", "virtual_hosts": [
    {"name": "all", "domains": ["*"], "routes": [{"match": {"prefix": "/"},
     "route": {"cluster_header": "x-turnout-cluster", "host_rewrite_literal": "v1.internal"}}]}]}}]}]}"#;

#[test]
fn apply_and_lint_warn_of_routes_that_change_requests_after_the_filter() {
    let watched = watched();
    let admin = Admin::with_routes(watched.filter(), REWRITES);
    watched.policy("plain", &rollout(5, r#", "shadow": {"requests": 5}"#));
    let declared = r#", "shadow": {"requests": 5, "rewrite": {"host": "v1.internal"}}"#;
    watched.policy("declared", &rollout(5, declared));
    let (_, error, code) = watched.said(&format!("lint plain.json --admin {}", admin.address));
    assert_eq!(code, Some(0), "{error}");
    assert!(error.contains("warning[rewritten-request]"), "{error}");
    assert!(
        error.contains(r#"write "rewrite": { "host": "v1.internal" } in its `shadow`"#),
        "{error}"
    );
    watched.ends(
        &format!("lint plain.json --strict --admin {}", admin.address),
        1,
    );
    let allowed = "lint plain.json --strict --allow rewritten-request --admin";
    watched.ends(&format!("{allowed} {}", admin.address), 0);
    watched.ends(
        &format!("lint declared.json --strict --admin {}", admin.address),
        0,
    );

    let (_, error, code) = watched.said(&format!(
        "apply plain.json --dir d --strict --admin {}",
        admin.address
    ));
    assert_eq!(
        (code, watched.revision().as_str()),
        (Some(1), "five"),
        "{error}"
    );
    let (_, error, code) = watched.said(&format!(
        "apply plain.json --dir d --admin {}",
        admin.address
    ));
    assert_eq!(
        (code, watched.revision().as_str()),
        (Some(0), "plain"),
        "{error}"
    );
    assert!(error.contains("warning[rewritten-request]"), "{error}");
    let line = format!(
        "apply declared.json --dir d --strict --admin {}",
        admin.address
    );
    watched.ends(&line, 0);
}

#[test]
fn a_proxy_whose_routes_cannot_be_read_is_named() {
    let watched = watched();
    let other = Admin::answering(|_| (200, "\u{1b}[2J<html>".into()));
    for (address, words) in [
        (
            "127.0.0.1:1",
            "cannot read the routes of http://127.0.0.1:1: the connection was refused",
        ),
        (&other.address, "its dump is not as Envoy writes it"),
        (
            "127.0.0.1",
            "there is no port in it; write http://127.0.0.1:9901",
        ),
        ("http://127.0.0.1:9901/stats", "`/stats` is a path"),
    ] {
        let (output, error, code) = watched.said(&format!("lint five.json --admin {address}"));
        assert_eq!((code, output.as_str()), (Some(2), ""), "{error}");
        assert!(
            error.contains(words) && !error.contains('\u{1b}'),
            "{error}"
        );
    }
    // Of an address that is none, apply says so once.
    let (_, error, code) = watched.said("apply all.json --dir d --admin 127.0.0.1");
    assert_eq!(
        (code, error.matches("there is no port").count()),
        (Some(2), 1),
        "{error}"
    );
    // A proxy without a route for the rollout.
    let bare = Admin::with_routes(watched.filter(), r#"{"configs": []}"#);
    let (_, error, code) = watched.said(&format!("lint five.json --admin {}", bare.address));
    assert_eq!(code, Some(0), "{error}");
    assert!(error.contains("warning[unrouted-rollout]"), "{error}");
}

/// Two filters of one chain, as Envoy dumps them, with names that a terminal would obey.
const TWO_TURNOUTS: &str = r#"{"configs": [{"static_listeners": [{"listener": {"name": "\u001b[2J",
    "filter_chains": [{"filters": [{"typed_config": {"http_filters": [TURNOUT, TURNOUT]}}]}]}}]}]}"#;

#[test]
fn apply_and_lint_warn_of_two_filters_in_one_chain() {
    let watched = watched();
    let text = fs::read(watched.filter()).expect("filter.json");
    let file: Value = serde_json::from_slice(&text).expect("JSON");
    let typed_config = file.pointer("/resources/0/typed_config");
    let filter = json!({ "name": "\u{202e}edge", "typed_config": typed_config });
    let dump = TWO_TURNOUTS.replace("TURNOUT", &filter.to_string());
    let admin = Admin::with_routes(watched.filter(), dump.leak());
    for line in ["lint five.json", "apply all.json --dir d"] {
        let (output, error, code) = watched.said(&format!("{line} --admin {}", admin.address));
        assert_eq!(code, Some(0), "{error}");
        assert!(error.contains("warning[two-turnouts]"), "{error}");
        assert!(
            error.contains(
                "1 (\\u{202e}edge, plugin turnout) and 2 (\\u{202e}edge, plugin turnout)"
            ),
            "{error}"
        );
        let said = [output, error].concat();
        assert!(!said.contains(['\u{1b}', '\u{202e}']), "{said}");
    }
    let allowed = "lint five.json --strict --allow two-turnouts --allow unrouted-rollout --admin";
    watched.ends(&format!("{allowed} {}", admin.address), 0);
}

/// Envoy keeps the series of each until it restarts.
#[test]
fn a_new_rollout_where_a_hundred_are_gone_is_warned_of() {
    let watched = watched();
    let rollout = |name: &str| {
        format!(
            r#"{{"name": "{name}", "v1": "one", "v2": "two", "mode": "off", "match": {{"path": {{"prefix": "/{name}"}}}}}}"#
        )
    };
    let rollouts: Vec<String> = (0..100)
        .map(|number| rollout(&format!("r-{number}")))
        .collect();
    watched.policy("many", &rollouts.join(","));
    watched.policy("few", &rollouts[..99].join(","));
    watched.policy("next", &rollout("next"));
    let warned = |line: &str| {
        let (_, error, code) = watched.said(line);
        assert_eq!(code, Some(0), "{line}: {error}");
        let warnings: Vec<&str> = error
            .lines()
            .filter(|line| line.contains("series"))
            .collect();
        warnings.join("\n")
    };
    assert_eq!(warned("apply many.json --dir d"), "");
    // Nothing new begins, however many are gone.
    assert_eq!(warned("apply few.json --dir d"), "");
    assert_eq!(
        warned("apply next.json --dir d"),
        "turnout: warning: the history has 101 rollouts that this policy does not have, and a proxy that ran them \
         keeps their metric series; only a restart of the proxy frees them. Keep the name of a rollout that continues"
    );
    watched.policy("later", &rollout("later"));
    let stats: String = (0..100)
        .map(|number| {
            format!(
                "wasmcustom.turnout.decisions.r-{number}.v1.rule: 0\nwasmcustom.turnout.shadow_sampled.r-{number}: 0\n"
            )
        })
        .collect();
    let proxy = Admin::answering(move |page| match page {
        page if page.starts_with("/stats") => (200, stats.clone()),
        _ => (200, r#"{"configs": []}"#.into()),
    });
    let address = &proxy.address;
    let warning = format!(
        "turnout: warning: http://{address} keeps 200 metric series of 100 rollouts that this policy does not have; only \
         a restart of the proxy frees them. Keep the name of a rollout that continues"
    );
    let (_, error, _) = watched.said(&format!(
        "apply later.json --dir d --unready-ok --timeout 0.1 --admin {address}"
    ));
    assert!(error.contains(&warning), "{error}");
    let (_, error, _) = watched.said(&format!(
        "lint later.json --against next.json --admin {address}"
    ));
    assert!(error.contains(&warning), "{error}");
}
