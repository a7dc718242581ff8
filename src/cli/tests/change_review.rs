//! What `turnout apply`, `rollback` and `resume` print and check before they write.
#![expect(clippy::expect_used, reason = "a test that cannot go on has failed")]

#[path = "common/admin.rs"]
mod admin;
#[path = "common/applied.rs"]
mod applied;
mod common;
#[path = "common/watched.rs"]
mod watched;

use std::fs;
use std::process::Command;

use serde_json::json;

use admin::Admin;
use applied::{rollout, watched};
use watched::Watched;

fn changed(watched: &Watched, line: &str) -> Vec<String> {
    let printed = watched.ends(line, 0);
    let lines = printed.lines().map(str::to_owned);
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
        ["policy: no longer halted"]
    );
    // Also in a halted folder.
    watched.ends("halt --dir d", 0);
    assert_eq!(changed(&watched, "apply all.json --dir d"), line);
    assert_eq!(
        changed(&watched, "apply five.json --dir d --resume"),
        ["policy: no longer halted", back[0]]
    );
    // The same policy is written again, without other changes.
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
fn a_forbidden_change_is_not_written() {
    let watched = watched();
    for (line, words) in [
        (
            "apply hvc-too.json --dir d --forbid hvc",
            "2 accounts of `hvc` move to v2",
        ),
        (
            "apply all.json --dir d --accounts accounts.txt --max-new 100",
            "accounts would move to v2, which --max-new 100 does not allow",
        ),
    ] {
        let before = fs::read(watched.filter()).expect("a file");
        let (output, error, code) = watched.output(line);
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
                .is_some_and(|printed| printed.contains(words)),
            "{json}"
        );
    }
    let forbidden = watched.json("apply hvc-too.json --dir d --forbid hvc", 1);
    // An allowed change is written.
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
    // In a halted folder nobody is on v2, so only a change that ends the halt is checked.
    watched.ends(
        "apply hvc-too.json --dir d --forbid hvc --accounts accounts.txt --max-new 0",
        0,
    );
    for line in [
        "resume --dir d --forbid hvc",
        "apply all.json --dir d --resume --accounts accounts.txt --max-new 0",
    ] {
        let (_, error, code) = watched.output(line);
        assert_eq!(code, Some(1), "{line}: {error}");
        assert_eq!(watched.revision(), "hvc-too-halted");
    }
    let (_, error, code) =
        watched.output("rollback --dir d --resume --accounts accounts.txt --max-new 9");
    assert_eq!(code, Some(1), "{error}");
    // Bad arguments are errors, and nothing is written.
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
        let (_, error, code) = watched.output(line);
        assert_eq!(code, Some(2), "{line}");
        assert!(error.contains(words), "{error}");
        assert_eq!(watched.revision(), "hvc-too-halted");
    }
}

/// Before the first policy everyone is on v1.
#[test]
fn limits_apply_to_the_first_policy_too() {
    let watched = Watched::new();
    watched.policy("all", &rollout(100, ""));
    watched.write("accounts.txt", "7\n8\n9\n");
    let line = "apply all.json --dir d --wasm f.wasm --accounts accounts.txt --max-new";
    let (_, error, code) = watched.output(&format!("{line} 2"));
    assert_eq!(code, Some(1), "{error}");
    assert!(!watched.filter().exists());
    watched.ends(&format!("{line} 3"), 0);
}

#[test]
fn a_proxy_that_does_not_watch_the_folder_is_found_before_a_change_is_written() {
    let watched = watched();
    let good = Admin::watching(watched.filter());
    let elsewhere = Admin::running("other");
    let both = format!("--admin {} --admin {}", good.address, elsewhere.address);
    for line in ["apply all.json", "rollback --to 1"] {
        watched.ends("apply hvc-too.json --dir d", 0);
        let (output, error, code) = watched.output(&format!("{line} --dir d {both}"));
        assert_eq!((output.as_str(), code), ("", Some(2)), "{error}");
        let words = format!(
            "http://{}: it runs other, but the folder has hvc-too; does it watch another folder?",
            elsewhere.address
        );
        assert!(
            error.contains(&words) && !error.contains(&good.address),
            "{error}"
        );
        assert_eq!(watched.revision(), "hvc-too");
    }
    // The change can be forced, and the proxy then does not confirm it; or the proxy can be left out.
    let line = format!("apply all.json --dir d {both} --unready-ok --timeout 0.2");
    assert_eq!(watched.json(&line, 1)["outcome"], "unconfirmed");
    watched.ends(
        &format!("apply five.json --dir d --admin {}", good.address),
        0,
    );
    // For the active policy the proxies are only asked.
    let asked = elsewhere.times_asked();
    let (_, error, code) = watched.output(&format!("apply five.json --dir d {both} --timeout 0.2"));
    assert_eq!((code, error.as_str()), (Some(1), ""));
    assert!(elsewhere.times_asked() > asked);
    // The halted revision is accepted too, and a lost file causes no doubt about a proxy.
    watched.ends(&format!("halt --dir d --admin {}", good.address), 0);
    watched.ends(&format!("resume --dir d --admin {}", good.address), 0);
    fs::remove_file(watched.filter()).expect("gone");
    let late = Admin::running("all");
    watched.ends(
        &format!("apply all.json --dir d --admin {}", late.address),
        0,
    );
}

/// Containers, cron and CI set no variable with the name of the user.
#[cfg(unix)]
#[test]
fn the_author_is_known_without_an_environment_variable() {
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
