//! Lines that are not requests, and wrapped lines.

use std::num::NonZeroUsize;

use serde_json::json;
use turnout_core::Time;
use turnout_simulate::{LogFields, LogSummary, NotRequests, Replay, TrafficReport};

use crate::policies::plan;

const TEXT: &str = r#"[2026-01-24T01:34:36.743Z] "GET /v1/Accounts/AC0000000000000000000000000000000a/x HTTP/1.1" 200 - 0 57 3 2 "-" "curl/8" "4ff1c1e2-8b0e-4a29-8e0b-000000000001" "flex.example.com" "10.0.0.1:80""#;
const JSON: &str = r#"{"authority":"flex.example.com","method":"GET","path":"/v1/Accounts/AC0000000000000000000000000000000a/x","request_id":"4ff1c1e2-8b0e-4a29-8e0b-000000000001","start_time":"2026-01-24T01:34:36.743Z","response_code":200.0,"duration":5.0}"#;
/// A line in Envoy Gateway's default format.
const ENVOY_GATEWAY: &str = r#"{":authority":"flex.example.com","bytes_received":0,"bytes_sent":57,"connection_termination_details":null,"downstream_local_address":"10.244.0.9:10080","downstream_remote_address":"10.244.0.1:41000","duration":5,"method":"GET","protocol":"HTTP/1.1","requested_server_name":null,"response_code":200,"response_code_details":"via_upstream","response_flags":"-","route_name":"httproute/default/edge/rule/0","start_time":"2026-01-24T01:34:36.743Z","upstream_cluster":"httproute/default/edge/rule/0","upstream_host":"10.244.0.10:3000","upstream_local_address":"10.244.0.9:40000","upstream_transport_failure_reason":null,"user-agent":"curl/8","x-envoy-origin-path":"/v1/Accounts/AC0000000000000000000000000000000a/x","x-envoy-upstream-service-time":"3","x-forwarded-for":"10.244.0.1","x-request-id":"4ff1c1e2-8b0e-4a29-8e0b-000000000001"}"#;

const POLICY: &str = r#"{ "version": 1,
    "account": { "from": [ { "path": "/v1/Accounts/{account}/**" } ], "format": "sid" },
    "rollouts": [ { "name": "chat", "match": { "hosts": ["flex.example.com"], "path": { "prefix": "/v1/" },
        "methods": ["GET", "POST"] }, "v1": "a", "v2": "b", "mode": "split", "rules": [{}] } ] }"#;

fn replayed(log: &str, threads: usize) -> TrafficReport {
    let replay = Replay {
        fields: LogFields::default(),
        format: None,
        threads: NonZeroUsize::new(threads).expect("a number"),
    };
    let plan = plan(POLICY, None);
    TrafficReport::of(&plan, Time::from_seconds(0), &replay, log.as_bytes()).expect("it is read")
}

/// Reads a log, and checks that each request is on v2.
fn read(log: &str) -> LogSummary {
    let traffic = replayed(log, 1);
    let on_v2 = traffic.rollouts.first().expect("a rollout").total.v2;
    assert_eq!(on_v2, traffic.log.requests, "{log}\n{traffic:?}");
    assert_eq!(traffic.contradictions, [], "{log}");
    let read = traffic.log;
    let counted = read.requests + read.blank + read.not_requests.count() + read.unreadable.count;
    assert_eq!(read.lines, counted, "{log}");
    assert_eq!(read, replayed(log, 3).log, "{log}");
    read
}

fn docker(line: &str) -> String {
    json!({ "log": format!("{line}\n"), "stream": "stdout", "time": "2020-12-15T23:00:20.872199297Z" })
        .to_string()
}

#[test]
fn a_request_is_read_from_lines_that_runtimes_and_collectors_wrap() {
    for line in [TEXT, JSON, ENVOY_GATEWAY] {
        for wrapped in [
            line.to_owned(),
            docker(line),
            format!("2026-01-24T01:34:36.743000000Z stdout F {line}"),
            format!("[pod/edge-5d8/envoy] {line}"),
            docker(&format!("2026-01-24T01:34:36.743000000Z stdout F {line}")),
            json!({ "@timestamp": "2026-01-24T01:34:36.743Z", "path": "/var/log/containers/edge.log",
                "host": "node-1", "log": line, "kubernetes": { "pod_name": "edge" } })
            .to_string(),
            json!({ "message": line, "kubernetes": { "pod_name": "edge" }, "stream": "stdout" }).to_string(),
        ] {
            let read = read(&wrapped);
            assert_eq!((read.lines, read.requests), (1, 1), "{wrapped}");
        }
    }
}

#[test]
fn a_line_that_the_runtime_has_split_is_one_request() {
    let (first, rest) = JSON.split_at(60);
    let stamp = "2026-01-24T01:34:36.743000000Z stdout";
    let read = read(&format!(
        "{stamp} P {first}\n{stamp} F {rest}\n{stamp} F {JSON}\n"
    ));
    assert_eq!((read.lines, read.requests), (2, 2));
    let unfinished = replayed(&format!("{JSON}\n{stamp} P {first}\n"), 1).log;
    assert_eq!((unfinished.requests, unfinished.unreadable.count), (1, 1));
}

#[test]
fn lines_that_are_not_requests_are_counted_by_kind() {
    let kind = |line: &str| {
        let read = read(line);
        assert_eq!(
            (read.lines, read.requests, read.unreadable.count),
            (1, 0, 0),
            "{line}"
        );
        read.not_requests
    };
    let log_message = NotRequests {
        log_messages: 1,
        ..NotRequests::default()
    };
    for line in [
        r#"{"level":"info","time":"2026-01-24T01:34:30.000000Z","scope":"envoy main","msg":"starting main dispatch loop","caller":"external/envoy/source/server/server.cc:990","thread":"21"}"#,
        r#"{"level":"warning","time":"2026-01-24T01:34:31.000000Z","scope":"envoy config","msg":"StreamAggregatedResources gRPC config stream to xds-grpc closed","thread":"21"}"#,
        r#"{"severity":"INFO","message":"request handled","method":"GET","path":"/v1/Accounts/AC0000000000000000000000000000000a/x","status":200}"#,
        r#"{"lvl":"error","logger":"app.py","host":"pod-1","path":"/app/main.py"}"#,
        r#"{"@timestamp":"2026-01-24","message":"started","host":"pod-1"}"#,
        "[2026-01-24 01:34:30.000][12][info][main] [source/server/server.cc:990] starting main dispatch loop",
        "2026-01-24T01:34:30.000000Z\tinfo\tenvoy main external/envoy/source/server/server.cc:990\tstarting\tthread=21",
    ] {
        assert_eq!(kind(line), log_message, "{line}");
        assert_eq!(kind(&docker(line)), log_message, "{line}");
    }
    let connection = NotRequests {
        connections: 1,
        ..NotRequests::default()
    };
    for line in [
        r#"[2026-01-24T01:34:36.743Z] "- - -" 0 - 1204 5310 2004 - "-" "-" "-" "-" "10.0.0.7:5432""#,
        r#"[2026-01-24T01:34:36.743Z] "- - -" 0 - - - "-" 1204 5310 2004 - "-" "-" "-" "-" "10.0.0.7:5432" outbound|5432||db.default.svc.cluster.local 10.0.0.2:1 10.0.0.7:5432 10.0.0.2:2 - -"#,
        r#"{"authority":null,"bytes_received":1204,"bytes_sent":5310,"duration":2004,"method":null,"path":null,"protocol":null,"request_id":null,"response_code":0,"response_flags":"-","start_time":"2026-01-24T01:34:36.743Z","upstream_host":"10.0.0.7:5432"}"#,
        r#"{"authority":"-","method":"-","path":"-","start_time":"2026-01-24T01:34:36.743Z","upstream_cluster":"db","response_code":"0"}"#,
        r#"{"duration_ms":3,"method":null,"path":null,"response_code":400,"response_flags":"DPE","turnout":null}"#,
    ] {
        assert_eq!(kind(line), connection, "{line}");
        assert_eq!(kind(&docker(line)), connection, "{line}");
    }
    let other = NotRequests {
        other: 1,
        ..NotRequests::default()
    };
    for line in [
        "{}",
        r#"{"a":"ping"}"#,
        r#"{"host":"pod-1","state":"up"}"#,
        r#"{"a":{"path":"/x"}}"#,
    ] {
        assert_eq!(kind(line), other, "{line}");
    }
}

#[test]
fn a_line_with_additional_fields_is_still_a_request() {
    for more in [
        r#""level":"info","#,
        r#""message":null,"severity":"INFO","#,
        r#""msg":"a \"b\"","#,
        r#""kubernetes":{"pod":"x"},"log":"x","#,
    ] {
        let line = JSON.replacen('{', &format!("{{{more}"), 1);
        assert_eq!(read(&line).requests, 1, "{line}");
    }
}

#[test]
fn the_path_that_the_filter_read_is_used_in_any_field_order() {
    let path = "/v1/Accounts/AC0000000000000000000000000000000a/x";
    for (first, second) in [
        ("path", "x-envoy-original-path"),
        ("x-envoy-original-path", "path"),
    ] {
        let of = |name: &str| if name == "path" { "/rewritten" } else { path };
        let line = format!(
            r#"{{"{first}":"{}","{second}":"{}","x-envoy-original-host":"flex.example.com","authority":"other.example.com","method":"GET","start_time":"2026-01-24T01:34:36.743Z"}}"#,
            of(first),
            of(second)
        );
        assert_eq!(read(&line).requests, 1, "{line}");
    }
}
