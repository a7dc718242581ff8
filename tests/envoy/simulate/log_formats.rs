//! Common access-log formats: Envoy's default text, Istio's, and the JSON of our own files. One Envoy writes all
//! three, and `simulate` reads this Envoy's decisions from each.

use serde_json::json;
use support::client::{Request, raw};
use turnout_core::Plan;

use crate::simulate::replay::{counted, decisions_of, replay_of};
use crate::testbed::{INSIDE, OUTSIDE, Testbed, policy, strip};

/// Without a format: Envoy's default.
const DEFAULT: &str = r#"- name: default
  typed_config:
    "@type": type.googleapis.com/envoy.extensions.access_loggers.stream.v3.StdoutAccessLog"#;

/// Istio's format.
const ISTIO: &str = r#"- name: istio
  typed_config:
    "@type": type.googleapis.com/envoy.extensions.access_loggers.stream.v3.StdoutAccessLog
    log_format:
      text_format_source:
        inline_string: "[%START_TIME%] \"%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%\" %RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS% %CONNECTION_TERMINATION_DETAILS% \"%UPSTREAM_TRANSPORT_FAILURE_REASON%\" %BYTES_RECEIVED% %BYTES_SENT% %DURATION% %RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% \"%REQ(X-FORWARDED-FOR)%\" \"%REQ(USER-AGENT)%\" \"%REQ(X-REQUEST-ID)%\" \"%REQ(:AUTHORITY)%\" \"%UPSTREAM_HOST%\" %UPSTREAM_CLUSTER_RAW% %UPSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_REMOTE_ADDRESS% %REQUESTED_SERVER_NAME% %ROUTE_NAME%\n""#;

const REQUESTS: usize = 240;
/// Values that look like the end of a quotation, like a missing value, and like bytes that are not text.
const AGENTS: [&[u8]; 6] = [
    b"curl/8.5.0",
    br#"a" "b" "c"#,
    br#"\" \\"#,
    b"-",
    b"",
    b"\xff caf\xc3\xa9",
];
/// A request that no HTTP library would send: quotes in the path.
const QUOTED: [&str; 2] = [r#"/x?""#, r#"/x?"%20HTTP/1.1"-"#];
/// An incomplete request, which is logged but does not reach a filter.
const BROKEN: [&str; 2] = ["GARBAGE\r\n\r\n", "GET / HTTP/9.9\r\n\r\n"];

#[tokio::test]
async fn simulate_reads_common_log_formats() {
    let mut policy = policy(&json!({
        "match": { "hosts": ["flex.example.com"], "methods": ["GET", "POST"] },
        "rules": [{ "accounts": 50, "requests": 50 }],
    }));
    policy["account"]["from"] = json!([{ "path": "/v1/{account}/**" }]);
    let configuration = strip(&policy);
    let testbed = Testbed::live(&configuration, |b| {
        let b = b.log_headers(&["user-agent"]);
        b.access_log(DEFAULT).access_log(ISTIO)
    });
    let testbed = testbed.await;

    let responses = testbed.client().send_all(requests(), 8).await;
    assert!(responses.iter().all(|response| response.status == 200));
    for path in QUOTED {
        let request = format!(
            "GET /v1/{INSIDE}{path} HTTP/1.1\r\nhost: flex.example.com\r\nx-request-id: q\r\n\r\n"
        );
        sent_raw(&testbed, &request).await;
    }
    for request in BROKEN {
        sent_raw(&testbed, request).await;
    }

    let sent = REQUESTS + QUOTED.len() + BROKEN.len();
    let log = testbed.envoy.access_log_lines(3 * sent).await;
    let (json, text): (Vec<_>, Vec<_>) = log.iter().partition(|line| line.starts_with('{'));
    // One format ends with the quoted address of the upstream, the other with the name of the route.
    let (default, istio): (Vec<_>, Vec<_>) = text.iter().partition(|line| line.ends_with('"'));
    assert_eq!([json.len(), default.len(), istio.len()], [sent; 3]);

    let counted = counted(&testbed).await;
    assert!(counted.len() >= 5, "{counted:?}");
    let plan = Plan::from_json(&policy.to_string()).expect("a policy");
    let replay = replay_of("account", &[]);
    for lines in [&json, &default, &istio] {
        let log: String = lines.iter().map(|line| format!("{line}\n")).collect();
        assert_eq!(decisions_of(&plan, &replay, &log), counted, "{log}");
    }
    // Also all in one file, in the order of the lines.
    let counted = counted.into_iter().map(|(name, count)| (name, 3 * count));
    let decisions = decisions_of(&plan, &replay, &log.join("\n"));
    assert_eq!(decisions, counted.collect());
}

fn requests() -> Vec<Request> {
    let request = |number: usize| {
        let account = [INSIDE, OUTSIDE, "nobody"][number % 3];
        let method = ["GET", "POST", "DELETE", "GET"][number % 4];
        let host = [
            "flex.example.com",
            "FLEX.example.com:8080",
            "b",
            "flex.example.com",
        ];
        Request::new(method, format!("/v1/{account}/x?a=[{number}]"))
            .header("host", host[number / 4 % 4])
            .header("user-agent", AGENTS[number % AGENTS.len()])
            .header("x-request-id", format!("id-{number}"))
    };
    (0..REQUESTS).map(request).collect()
}

/// Envoy rejects it, or the upstream, which is as strict.
async fn sent_raw(testbed: &Testbed, request: &str) {
    let response = raw(testbed.envoy.address(), request.as_bytes()).await;
    let response = String::from_utf8_lossy(&response);
    assert!(
        response.starts_with("HTTP/1.1 4"),
        "{request:?}: {response}"
    );
}
