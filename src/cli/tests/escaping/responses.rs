//! Hostile responses of an admin endpoint.

use std::fs::OpenOptions;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::thread;

use serde_json::json;

use crate::HOSTILE;
use crate::mutations;
use crate::run::Case;

/// The responses of one admin endpoint.
#[derive(Clone, Debug)]
pub(crate) struct Responses {
    status: String,
    stats: String,
    dump: String,
    prometheus: String,
    /// Text that is appended to Envoy's log at each request.
    log: String,
}

impl Responses {
    fn usual() -> Self {
        let prefix = "extension_config_discovery.http_filter.turnout";
        let stats = format!(
            "{prefix}.version_text: \"r1\"\n{prefix}.config_reload: 1\n{prefix}.update_attempt: 1\n{prefix}.update_success: 1\n\
             {prefix}.update_rejected: 2\nserver.live: 1\nserver.uptime: 5\nwasmcustom.turnout.revision: 26\n\
             wasmcustom.turnout.decisions.chat.v1.rule: 3\nwasmcustom.turnout.decisions.chat.v2.rule: 3\n\
             wasmcustom.turnout.guard.chat.10.v1.all: 3\nwasmcustom.turnout.guard_state.chat: 0\n\
             cluster.c2.upstream_rq_completed: 5\ncluster.c2.upstream_rq_5xx: 1\n"
        );
        let policy = r#"{"version":1,"revision":"r1","account":{"from":[{"header":"a"}],"format":"opaque"},"segments":{"hvc":{"accounts":["a"]}},"rollouts":[{"name":"chat","v1":"c1","v2":"c2","mode":"split","rules":[{"accounts":50,"requests":10}],"guard":{}}]}"#;
        let configuration = format!(r#"{{"inbound":"strip","policy":{policy}}}"#);
        let dump = json!({ "configs": [
            { "configuration": { "value": configuration } },
            { "static_route_configs": [ { "route_config": { "name": "http", "virtual_hosts": [
                { "name": "all", "domains": ["*"], "routes": [
                    { "name": "r", "match": { "prefix": "/", "headers": [ { "name": "x-turnout-treatment", "string_match": { "exact": "v2" } } ] },
                      "route": { "cluster": "c2", "prefix_rewrite": "/x", "host_rewrite_literal": "h" },
                      "request_headers_to_add": [ { "header": { "key": "x-k", "value": "v" } } ],
                      "request_headers_to_remove": ["x-r"] } ] } ] } } ] } ] });
        Self {
            status: "200 OK".into(),
            stats,
            dump: dump.to_string(),
            prometheus: "# TYPE turnout_shadow counter\nturnout_shadow{rollout=\"chat\",outcome=\"equal\"} 5\n".into(),
            log: String::new(),
        }
    }

    /// Serves the responses until the test ends, and returns the address.
    pub(crate) fn serve(&self, folder: &Path) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        let responses = Arc::new((self.clone(), folder.join("proxy.log")));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let responses = Arc::clone(&responses);
                thread::spawn(move || serve(stream, &responses.0, &responses.1));
            }
        });
        address
    }
}

fn serve(mut stream: TcpStream, responses: &Responses, log: &Path) {
    let mut head = String::new();
    let mut reader = BufReader::new(stream.try_clone().expect("the other half"));
    while reader.read_line(&mut head).is_ok_and(|read| read > 2) {}
    let page = head.split(' ').nth(1).unwrap_or_default();
    let body = match page {
        page if page.starts_with("/stats/prometheus") => &responses.prometheus,
        page if page.starts_with("/stats") => &responses.stats,
        _ => &responses.dump,
    };
    if let Ok(mut log) = OpenOptions::new().append(true).open(log) {
        let _ = log.write_all(responses.log.as_bytes());
    }
    let head = format!(
        "HTTP/1.1 {}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
        responses.status,
        body.len()
    );
    // The client may have closed the connection.
    let _ = stream
        .write_all(head.as_bytes())
        .and_then(|()| stream.write_all(body.as_bytes()));
}

pub(crate) fn cases() -> Vec<Case> {
    let usual = Responses::usual();
    let mut all = Vec::new();
    for hostile in HOSTILE {
        for status in [
            format!("200 {hostile}"),
            format!("503 {hostile}"),
            format!("302 x\r\nlocation: {hostile}"),
            hostile.to_owned(),
        ] {
            all.push(Responses {
                status,
                ..usual.clone()
            });
        }
        for (index, _) in usual.stats.match_indices([':', '.', '\n', '"']) {
            let (before, after) = usual.stats.split_at(index);
            all.push(Responses {
                stats: format!("{before}{hostile}{after}"),
                ..usual.clone()
            });
        }
        for (index, _) in usual.prometheus.match_indices(['=', '"', ' ', '_']) {
            let (before, after) = usual.prometheus.split_at(index);
            all.push(Responses {
                prometheus: format!("{before}{hostile}{after}"),
                ..usual.clone()
            });
        }
        let (stats, dump, prometheus) =
            (hostile.to_owned(), hostile.to_owned(), hostile.to_owned());
        all.push(Responses {
            stats,
            dump,
            prometheus,
            ..usual.clone()
        });
        let prefix = "[2026-11-21 12:32:03.912][2984]";
        let log = format!(
            "{prefix}[error][wasm] [c.cc:1] wasm log: turnout: policy line 1, column 2, at /{hostile}\n\
             {prefix}[critical][wasm] [c.cc:1] Plugin{hostile} failed to load\n\
             {prefix}[warning][config] [f.cc:81] Filesystem config update rejected: {hostile}\n"
        );
        all.push(Responses {
            log,
            ..usual.clone()
        });
    }
    let value: serde_json::Value = serde_json::from_str(&usual.dump).expect("JSON");
    let configuration = value["configs"][0]["configuration"]["value"]
        .as_str()
        .expect("a text");
    for configuration in mutations::of(configuration) {
        let mut value = value.clone();
        value["configs"][0]["configuration"]["value"] = configuration.into();
        all.push(Responses {
            dump: value.to_string(),
            ..usual.clone()
        });
    }
    for dump in mutations::of(&usual.dump) {
        all.push(Responses {
            dump,
            ..usual.clone()
        });
    }
    let lines = [
        "lint policy.json --admin ADMIN",
        "watch --admin ADMIN --interval 100ms --once",
        "apply second.json --dir d --admin ADMIN --timeout 0.2 --log proxy.log",
        "report --admin ADMIN",
        "lint policy.json --admin ADMIN --json",
        "watch --admin ADMIN --interval 100ms --once --json",
        "apply second.json --dir d --admin ADMIN --timeout 0.2 --log proxy.log --unready-ok --json",
        "report --admin ADMIN --json",
        "lint policy.json --admin ADMIN --format github",
        "judge --admin ADMIN --state s.json --from-now",
        "judge --admin ADMIN --state s.json --from-now --json",
        "halt --dir d --admin ADMIN --timeout 0.2 --log proxy.log",
        "rollback --dir d --admin ADMIN --timeout 0.2 --unready-ok",
        "resume --dir d --admin ADMIN --timeout 0.2 --unready-ok",
    ];
    let mut cases = Vec::new();
    for (index, responses) in all.into_iter().enumerate() {
        for step in [0, 3] {
            let line = lines[index.wrapping_add(step).wrapping_mul(5) % lines.len()];
            let case = Case::words(line)
                .with_file("proxy.log", "")
                .with_admin(responses.clone());
            let is_change = !line.starts_with("lint")
                && !line.starts_with("watch")
                && !line.starts_with("judge")
                && !line.starts_with("report");
            cases.push(match is_change {
                true if line.starts_with("apply") => {
                    case.after("apply policy.json --dir d --wasm f.wasm")
                }
                true => case
                    .after("apply policy.json --dir d --wasm f.wasm")
                    .after("apply second.json --dir d"),
                false => case,
            });
        }
    }
    cases
}
