use turnout_core::Plan;
use turnout_core::guard::GuardState;

use super::read_metrics;
use crate::metric_names::MetricNames;

/// The same proxy with a guard, in each form that people may have.
const STATS_PAGE: &str = "cluster.a.upstream_rq_completed: 12
cluster.a.upstream_rq_5xx: 1
http.edge.downstream_cx_length_ms: P0(nan,1.0) P25(nan,1.025)
server.uptime: 7
wasmcustom.turnout.decisions.chat.v1.outside_requests: 9
wasmcustom.turnout.guard.chat.2_5.v1.all: 8
wasmcustom.turnout.guard.chat.2_5.v1.errors: 1
wasmcustom.turnout.guard_state.chat: 1
wasmcustom.turnout.revision.turnout: 99
";
const LABELS: &str = r#"# TYPE envoy_cluster_upstream_rq_completed counter
envoy_cluster_upstream_rq_completed{envoy_cluster_name="a"} 12
envoy_cluster_upstream_rq_completed{envoy_cluster_name="other"} 12
envoy_server_uptime{} 7
envoy_http_downstream_cx_length_ms_bucket{envoy_http_conn_manager_prefix="edge",le="0.5"} 0
turnout_decisions{rollout="chat",treatment="v1",reason="outside_requests"} 9
turnout_decisions{rollout="-",treatment="v1",reason="no_rollout"} 9
turnout_guard_all{rollout="chat",stratum="2_5",treatment="v1"} 8
turnout_guard_errors{rollout="chat",stratum="2_5",treatment="v1"} 1
turnout_guard_state{rollout="chat"} 1
turnout_revision{plugin="turnout"} 99
"#;
const SOME_LABELS: &str = r#"envoy_cluster_upstream_rq_completed{envoy_cluster_name="a"} 12
envoy_server_uptime 7
turnout_decisions_v1_outside_requests_total{rollout="chat"} 9
turnout_guard_2_5_v1_all{rollout="chat"} 8
turnout_guard_chat_errors{stratum="2_5",treatment="v1"} 1.0
turnout_guard_state_chat{} 1
turnout_revision_turnout{} 9.9e+01
"#;
const NO_LABELS: &str = r#"envoy_cluster_upstream_rq_completed{envoy_cluster_name="a"} 12
envoy_server_uptime{} 7
envoy_wasmcustom_turnout_decisions_chat_v1_outside_requests{} 9 1795832282489
envoy_wasmcustom_turnout_guard_chat_2_5_v1_all{} 8
turnout_guard_chat_2_5_v1_errors{} 1
turnout_guard_state_chat{} 1
turnout_revision_turnout{} 99
"#;

fn names(rollouts: &[(&str, &str)]) -> MetricNames {
    let rollouts = rollouts.iter().map(|(name, requests)| {
        format!(
            r#"{{ "name": "{name}", "match": {{ "path": {{ "exact": "/{name}" }} }}, "v1": "a", "v2": "b", "mode": "split",
                "rules": [ {{ "requests": {requests} }} ], "guard": {{}} }}"#
        )
    });
    let rollouts: Vec<String> = rollouts.collect();
    let policy = format!(
        r#"{{ "version": 1, "account": {{ "from": [ {{ "header": "a" }} ], "format": "opaque" }}, "rollouts": [{}] }}"#,
        rollouts.join(",")
    );
    MetricNames::of(&Plan::from_json(&policy).unwrap())
}

/// Reads metrics, and returns the counters with their values, or the errors.
fn read(text: &str, names: &MetricNames) -> Vec<String> {
    match read_metrics(text, "p", 0, names) {
        Ok(reading) => reading
            .counters
            .iter()
            .map(|(counter, count)| format!("{counter} {count}"))
            .collect(),
        Err(errors) => errors
            .iter()
            .map(|error| format!("error {error}"))
            .collect(),
    }
}

#[test]
fn all_forms_of_a_page_have_the_same_meaning() {
    let names = names(&[("chat", "2.5")]);
    let page = STATS_PAGE.replace("cluster.a.upstream_rq_5xx: 1\n", "");
    let expected = read_metrics(&page, "p", 5, &names).unwrap();
    assert_eq!(
        (expected.uptime, expected.revision_number),
        (Some(7), Some(99))
    );
    assert_eq!(expected.guards["chat"].state, Some(GuardState::Holding));
    assert_eq!(expected.counters.iter().count(), 4);
    for text in [LABELS, SOME_LABELS, NO_LABELS] {
        let found = read_metrics(text, "p", 5, &names).unwrap();
        assert_eq!(found, expected, "{text}");
    }
}

#[test]
fn the_policy_decides_between_two_meanings() {
    let text = "turnout_guard_chat_2_5_v1_all{} 8\n";
    for (rollouts, expected) in [
        (
            &[("chat", "2.5")][..],
            "wasmcustom.turnout.guard.chat.2_5.v1.all 8",
        ),
        (
            &[("chat-2", "50")],
            "wasmcustom.turnout.guard.chat-2.5.v1.all 8",
        ),
        (
            &[("chat-2", "5"), ("chat", "1")],
            "wasmcustom.turnout.guard.chat-2.5.v1.all 8",
        ),
        (
            &[("chat-2", "1"), ("chat", "2.5")],
            "wasmcustom.turnout.guard.chat.2_5.v1.all 8",
        ),
    ] {
        assert_eq!(read(text, &names(rollouts)), [expected], "{rollouts:?}");
    }
    // The series is of a rollout that is gone.
    assert!(read(text, &names(&[("other", "5")])).is_empty());
    let both = names(&[("chat-2", "5"), ("chat", "2.5")]);
    for names in [MetricNames::default(), both] {
        let found = read(text, &names);
        let expected = "error line 1: `turnout_guard_chat_2_5_v1_all`: the name can mean rollout `chat-2` at 5 % or \
                        rollout `chat` at 2.5 %; pass the policy";
        assert!(found[0].starts_with(expected), "{found:?}");
    }
}

#[test]
fn damage_is_reported_with_its_line() {
    let all = "turnout_guard_all{rollout=\"chat\",stratum=\"10\",treatment=\"v1\"}";
    for (text, expected) in [
        (
            format!("up 1\n{all} 1.5\n"),
            "line 2: `turnout_guard_all`: expected a whole number from 0 to 2^53, found `1.5`",
        ),
        (format!("{all} -1\n"), "found `-1`"),
        (format!("{all} NaN\n"), "found `NaN`"),
        (format!("{all} 1e300\n"), "found `1e300`"),
        (
            format!("{all} 18446744073709551616\n"),
            "found `18446744073709551616`",
        ),
        (
            format!("{all} 1\n{all} 2\n"),
            "line 2: `turnout_guard_all`: a second value of `wasmcustom.turnout.guard.chat.10.v1.all`",
        ),
        (
            format!("{all} 1\nwasmcustom.turnout.guard.chat.10.v1.all: 1\n"),
            "write the metrics of each proxy to a file of its own",
        ),
        (
            format!("{all} 12"),
            "line 1: the file ends inside this line",
        ),
        (format!("up 1\n{all}"), "expected a sample such as"),
        (
            "turnout_guard_all{rollout=\"\u{1b}[2J".into(),
            r"found `turnout_guard_all{rollout=",
        ),
        (String::new(), "the file is empty; save the page /stats"),
        ("<html>\n".into(), "the file has no metrics; save the page"),
    ] {
        let found = read(&text, &MetricNames::default());
        assert!(found[0].contains(expected), "{text}: {found:?}");
        assert!(!found[0].contains('\u{1b}'), "{found:?}");
    }
    // A page that ends in other metrics may have no line end in its last line.
    assert!(read("up 1", &MetricNames::default()).is_empty());
}
