//! A watched folder with an applied policy, and policies that change it.

use crate::watched::Watched;

pub(crate) fn rollout(percent: u32, rest: &str) -> String {
    format!(
        r#"{{"name": "channels", "v1": "one", "v2": "two", "mode": "split",
            "rules": [{{"when": {{"in": ["hvc"]}}, "serve": "v1"}}, {{"accounts": {percent}}}] {rest}}}"#
    )
}

pub(crate) fn watched() -> Watched {
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
