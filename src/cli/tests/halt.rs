//! Runs `turnout halt`: it claims only what proxies confirmed, and only a resume ends a halt.
#![expect(clippy::expect_used, reason = "a test that cannot go on has failed")]

#[path = "common/admin.rs"]
mod admin;
mod common;
#[path = "common/watched.rs"]
mod watched;

use std::fs;
use std::io::Write;
use std::net::TcpListener;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use admin::Admin;
use watched::Watched;

const ROLLOUT: &str = r#"{"name": "r", "v1": "one", "v2": "two", "mode": "on"}"#;

/// A folder in which `a` and then `b` were applied.
fn watched() -> Watched {
    let watched = Watched::new();
    for name in ["a", "b", "c"] {
        watched.policy(name, ROLLOUT);
    }
    watched.ends("apply a.json --dir d --wasm f.wasm", 0);
    watched.ends("apply b.json --dir d", 0);
    watched
}

#[test]
fn a_halt_without_proxies_does_not_claim_that_everyone_is_on_v1() {
    let watched = watched();
    let printed = watched.ends("halt --dir d", 0);
    assert_eq!(
        printed,
        "b-halted written to d/filter.json (entry 3)\n\
         no proxy was asked to confirm the halt; use --admin ADDRESS to ask one\n"
    );
    let json = watched.json("halt --dir d", 0);
    assert_eq!(
        (&json["asked"], &json["confirmed"]),
        (&json!("none"), &json!([]))
    );
    assert_eq!(json["outcome"], "written");
}

#[test]
fn only_proxies_that_run_a_halt_confirm_it() {
    let watched = watched();
    let good = Admin::watching(watched.filter());
    let old = Admin::running("b");
    let one = format!("halt --dir d --admin {}", good.address);
    assert_eq!(
        watched.ends(&one, 0).lines().skip(1).collect::<Vec<_>>(),
        [
            format!("http://{}: accepted", good.address),
            format!("confirmed: everyone is on v1 at http://{}", good.address),
        ]
    );
    let both = format!("{one} --admin {} --timeout 0.2", old.address);
    let printed = watched.ends(&both, 1);
    let last = format!(
        "confirmed by 1 of 2 proxies: everyone is on v1 at http://{}; not confirmed by http://{}\n",
        good.address, old.address
    );
    assert!(printed.ends_with(&last), "{printed}");
    let json = watched.json(&both, 1);
    assert_eq!(
        json["confirmed"],
        json!([format!("http://{}", good.address)])
    );
    assert_eq!(
        json["not_confirmed"],
        json!([format!("http://{}", old.address)])
    );
    assert_eq!(json["outcome"], "unconfirmed");
    // No proxy confirms.
    let printed = watched.ends(
        &format!("halt --dir d --admin {} --timeout 0.2", old.address),
        1,
    );
    assert!(!printed.contains("everyone is on v1"), "{printed}");
    assert!(
        printed.contains("not confirmed by any proxy: http://"),
        "{printed}"
    );
}

#[test]
fn an_address_that_is_not_a_proxy_of_this_folder_is_reported() {
    let watched = watched();
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let silent = silent.local_addr().expect("an address").to_string();
    let other = Admin::serving(|_| (200, "<html>\u{1b}[2Jserver.live: yes</html>".into()));
    let missing = Admin::serving(|_| (404, "no".into()));
    let no_filter = Admin::serving(|_| (200, "server.live: 1\n".into()));
    let fixed = Admin::serving(|_| {
        (
            200,
            "wasmcustom.turnout.revision.turnout: 7\nserver.live: 1\n".into(),
        )
    });
    let info = Admin::serving(|page| match page {
        "/server_info" => (
            200,
            r#"{"version": "x", "state": "LIVE", "command_line_options": {}}"#.into(),
        ),
        _ => (200, String::new()),
    });
    for (address, state, words) in [
        (
            "127.0.0.1:1",
            "unreachable",
            "it does not respond: the connection was refused",
        ),
        (&silent, "unreachable", "it does not respond: "),
        (
            &other.address,
            "not_envoy",
            "it is not an Envoy admin endpoint",
        ),
        (
            &missing.address,
            "not_envoy",
            "it is not an Envoy admin endpoint: it responded with 404",
        ),
        (
            &no_filter.address,
            "not_discovered",
            "it does not discover a filter named turnout",
        ),
        (
            &fixed.address,
            "not_discovered",
            "it has Turnout in its own configuration",
        ),
        (
            &info.address,
            "not_discovered",
            "it does not discover a filter named turnout",
        ),
    ] {
        let began = Instant::now();
        let json = watched.json(&format!("halt --dir d --admin {address} --timeout 1"), 1);
        assert!(began.elapsed() < Duration::from_secs(6), "{address}");
        assert_eq!(json["proxies"][0]["state"], state, "{json}");
        let sentence = json["proxies"][0]["sentence"].as_str().unwrap_or_default();
        assert!(sentence.starts_with(words), "{sentence}");
        assert_eq!(watched.revision(), "b-halted");
        // An apply is not carried out, and reports the same before it would write.
        let line = format!("apply c.json --dir d --resume --admin {address}");
        let (output, error, code) = watched.output(&line);
        assert_eq!((output.as_str(), code), ("", Some(2)), "{error}");
        assert!(
            error.contains(words) && error.contains("--unready-ok"),
            "{error}"
        );
        assert_eq!(watched.revision(), "b-halted");
    }
}

#[test]
fn a_halt_asks_the_proxies_of_the_last_apply() {
    let watched = watched();
    let good = Admin::watching(watched.filter());
    let unasked = good.times_asked();
    watched.ends("halt --dir d", 0);
    assert_eq!(good.times_asked(), unasked);
    watched.ends("resume --dir d", 0);
    watched.ends(&format!("apply c.json --dir d --admin {}", good.address), 0);
    // An apply without proxies keeps the remembered ones.
    watched.ends("apply a.json --dir d", 0);
    assert_eq!(
        watched.ends("halt --dir d", 0),
        format!(
            "a-halted written to d/filter.json (entry 7)\n\
             asked: the proxy of the last `turnout apply`; use --admin ADDRESS for others\n\
             http://{address}: accepted\n\
             confirmed: everyone is on v1 at http://{address}\n",
            address = good.address
        )
    );
    assert_eq!(watched.json("halt --dir d", 0)["asked"], "remembered");
    // Proxies on the command line replace the remembered ones.
    let other = Admin::running("a-halted");
    let before = good.times_asked();
    let json = watched.json(&format!("halt --dir d --admin {}", other.address), 0);
    assert_eq!(json["asked"], "given");
    assert_eq!(
        json["confirmed"],
        json!([format!("http://{}", other.address)])
    );
    assert_eq!(good.times_asked(), before);
    // Only a halt uses the remembered proxies.
    assert_eq!(watched.json("resume --dir d", 0)["asked"], "none");
    // `log` does not report them as damage.
    assert!(!watched.ends("log --dir d", 0).contains("skipped"));
}

#[test]
fn a_remembered_proxy_that_is_gone_does_not_delay_a_halt() {
    let watched = watched();
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let silent = silent.local_addr().expect("an address").to_string();
    let remembered = json!({ "admins": ["http://127.0.0.1:1", format!("http://{silent}")] });
    watched.write("d/history/admins.json", &remembered.to_string());
    let began = Instant::now();
    let (output, _, code) = watched.output("halt --dir d");
    assert!(
        began.elapsed() < Duration::from_secs(5),
        "{:?}",
        began.elapsed()
    );
    assert_eq!(code, Some(1), "{output}");
    assert_eq!(watched.revision(), "b-halted");
    assert!(
        output.contains("asked: the 2 proxies of the last `turnout apply`"),
        "{output}"
    );
    assert!(!output.contains("everyone is on v1"), "{output}");

    for damaged in [
        "",
        "[]",
        r#"{"admins": [7]}"#,
        r#"{"admins": ["http://x/y"]}"#,
        "\u{1b}",
    ] {
        watched.ends("resume --dir d", 0);
        watched.write("d/history/admins.json", damaged);
        let (_, error, code) = watched.output("halt --dir d");
        assert_eq!((watched.revision().as_str(), code), ("b-halted", Some(0)));
        assert!(
            error.contains("the proxies of the last apply are unknown"),
            "{error}"
        );
    }
    // A missing log does not prevent a halt.
    watched.ends("resume --dir d", 0);
    let line = "halt --dir d --admin 127.0.0.1:1 --log none.log --timeout 0";
    let (_, error, code) = watched.output(line);
    assert_eq!(
        (watched.revision().as_str(), code),
        ("b-halted", Some(1)),
        "{error}"
    );
    assert!(error.contains("none.log"), "{error}");
}

#[test]
fn no_command_except_resume_ends_a_halt_and_each_prints_so() {
    let watched = watched();
    watched.ends("halt --dir d", 0);
    let lifts =
        "still halted: proxies that run it send everyone to v1; `turnout resume` or `turnout";
    for (line, revision) in [
        ("apply c.json --dir d", "c-halted"),
        ("rollback --dir d", "b-halted"),
        ("rollback --dir d --to a", "a-halted"),
        ("apply b.json --dir d", "b-halted"),
        // The policy is active already, and stays halted.
        ("apply b.json --dir d", "b-halted"),
    ] {
        let printed = watched.ends(line, 0);
        assert!(printed.contains(lifts), "{line}: {printed}");
        assert_eq!(watched.revision(), revision, "{line}");
        let command = line.split(' ').next().expect("a word");
        assert!(
            printed.contains(&format!("`turnout {command} --resume` lifts")),
            "{printed}"
        );
    }
    let json = watched.json("apply c.json --dir d", 0);
    assert_eq!(
        (&json["halted"], &json["keeps_halt"]),
        (&json!(true), &json!(true))
    );
    watched.ends("log --dir d", 0);
    watched.ends("lint a.json", 0);
    assert_eq!(watched.revision(), "c-halted");

    let json = watched.json("apply a.json --dir d --resume", 0);
    assert_eq!(
        (&json["halted"], &json["keeps_halt"]),
        (&json!(false), &json!(false))
    );
    assert_eq!(watched.revision(), "a");
    watched.ends("halt --dir d", 0);
    let printed = watched.ends("rollback --dir d --resume", 0);
    assert!(
        printed.contains("back to c-halted") || watched.revision() == "c",
        "{printed}"
    );
    assert_eq!(watched.revision(), "c");
}

/// `"halted": true` in the policy contradicts `--resume`.
#[test]
fn a_policy_that_halts_itself_is_a_halt_and_contradicts_resume() {
    let watched = watched();
    let text = fs::read_to_string(watched.0.path().join("c.json")).expect("a file");
    watched.write(
        "h.json",
        &text
            .replacen('{', r#"{"halted": true,"#, 1)
            .replace("\"c\"", "\"h\""),
    );
    let (_, error, code) = watched.output("apply h.json --dir d --resume");
    assert_eq!((watched.revision().as_str(), code), ("b", Some(2)));
    assert!(
        error.contains("the policy has `\"halted\": true`"),
        "{error}"
    );
    let printed = watched.ends("apply h.json --dir d", 0);
    assert!(
        printed.contains("it is halted: proxies that run it send everyone to v1"),
        "{printed}"
    );
    assert!(
        watched
            .ends("apply c.json --dir d", 0)
            .contains("still halted")
    );
    watched.ends("resume --dir d", 0);
    assert_eq!(watched.revision(), "c");
}

#[test]
fn a_proxy_that_is_listed_twice_is_asked_and_counted_once() {
    let watched = watched();
    let good = Admin::watching(watched.filter());
    let address = &good.address;
    let printed = watched.ends(
        &format!("halt --dir d --admin {address} --admin http://{address}/"),
        0,
    );
    assert_eq!(printed.matches(": accepted").count(), 1, "{printed}");
    let last = format!("confirmed: everyone is on v1 at http://{address}\n");
    assert!(printed.ends_with(&last), "{printed}");
    let twice = format!("resume --dir d --admin {address} --admin {address}");
    let json = watched.json(&twice, 0);
    assert_eq!(json["confirmed"], json!([format!("http://{address}")]));
    assert_eq!(json["proxies"].as_array().map(Vec::len), Some(1));
}

/// A server whose response never ends.
fn endless(pause: Duration, part: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            thread::spawn(move || {
                let begun = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n");
                let mut is_read = begun.is_ok();
                while is_read {
                    is_read = stream.write_all(part).is_ok();
                    thread::sleep(pause);
                }
            });
        }
    });
    address
}

#[test]
fn an_endless_response_is_reported_in_plain_words() {
    let watched = watched();
    let slow = endless(Duration::from_millis(100), b"a");
    let long = endless(Duration::ZERO, &[b'a'; 1 << 16]);
    for (address, wanted) in [
        (&slow, "it does not respond: no complete response within 2s"),
        (
            &long,
            "it is not an Envoy admin endpoint: the response is longer than 1048576 bytes",
        ),
    ] {
        let printed = watched.ends(&format!("halt --dir d --admin {address} --timeout 0.2"), 1);
        assert!(
            printed.contains(&format!("http://{address}: {wanted}\n")),
            "{printed}"
        );
    }
}
