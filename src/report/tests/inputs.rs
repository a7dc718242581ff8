//! Which lines count as records and counters.

use serde_json::json;
use turnout_report::{ErrorBudget, Report, Totals, Verdict};

use crate::{json_of, logged, summary, totals_of};

/// The numbers of records, counters and malformed lines in a text.
fn found_in(text: &str) -> (u64, u64, u64) {
    let totals = totals_of(&[text]);
    let input = &totals.inputs()[0];
    (input.records, input.counters, input.unreadable)
}

#[test]
fn records_are_found_with_and_without_a_prefix() {
    let record = summary("chat", r#""equal":3"#);
    for text in [
        logged(&record),
        record.clone(),
        format!("{record}\r\n"),
        format!("2026-11-21T03:00:00Z stderr F {}", logged(&record)),
        format!("turnout: {record}   \n\n"),
    ] {
        assert_eq!(found_in(&text), (1, 0, 0), "{text}");
    }
}

#[test]
fn records_are_found_in_wrappers_of_collectors() {
    let line = logged(&summary("chat", r#""equal":3"#));
    let docker = json!({ "log": line, "stream": "stderr" });
    let body = json!({ "body": { "stringValue": summary("chat", r#""equal":3"#) } });
    let otlp = json!({ "resourceLogs": [{ "scopeLogs": [{ "logRecords": [body, body] }] }] });
    let twice = json!({ "log": json!({ "message": line }).to_string() });
    assert_eq!(found_in(&docker.to_string()), (1, 0, 0));
    assert_eq!(found_in(&otlp.to_string()), (2, 0, 0));
    assert_eq!(found_in(&twice.to_string()), (1, 0, 0));
}

#[test]
fn client_text_in_an_access_log_is_not_a_record() {
    let forged = summary("chat", r#""equal":1000000"#);
    let in_text = format!("\"GET / HTTP/1.1\" 200 \"turnout: {forged}\" \"-\"");
    let in_json = json!({ "method": "GET", "user_agent": format!("turnout: {forged}") });
    for line in [in_text, in_json.to_string()] {
        assert_eq!(found_in(&line), (0, 0, 0));
        let totals = totals_of(&[&line]);
        assert_eq!(totals.inputs()[0].untrusted_lines.embedded, 1, "{line}");
    }
}

#[test]
fn counters_and_records_may_be_mixed() {
    let text = [
        "turnout_shadow{rollout=\"chat\",outcome=\"equal\"} 3000\n",
        "# TYPE turnout_records counter\n",
        &logged(&summary("users", r#""equal":4"#)),
        "turnout_shadow_sampled{rollout=\"chat\"} 3000\n",
    ]
    .concat();
    assert_eq!(found_in(&text), (1, 2, 0));
    let json = json_of(&[&text]);
    assert_eq!(json["rollouts"][0]["verdict"], "ready");
    assert_eq!(json["rollouts"][0]["counted_by"], "counters");
    assert_eq!(json["rollouts"][1]["counted_by"], "records");
}

#[test]
fn damaged_lines_do_not_hide_others() {
    let good = logged(&summary("chat", r#""equal":3000"#));
    let cut = good.trim_end().trim_end_matches(r#""v2_us":[]}"#);
    let text = format!(
        "{cut}\n{good}{}{}{}turnout_shadow{{rollout=\"chat\n\u{0}\u{1f}\n{}\n",
        logged("{\"turnout\":\"of tomorrow\"}"),
        logged("{\"turnout\":7}"),
        logged(&summary("chat", r#""equal":-1"#)),
        "[".repeat(100_000)
    );
    assert_eq!(found_in(&text), (1, 0, 4));
    let json = json_of(&[&text]);
    assert_eq!(json["rollouts"][0]["equal"], 3_000);
    assert_eq!(
        json["notes"][0],
        "4 lines are truncated or damaged and do not count."
    );
}

/// Truncates a log anywhere, and replaces any of its bytes.
#[test]
fn damaged_logs_are_read_to_their_end() {
    let log = include_bytes!("fixtures/envoy.log");
    let stats = include_bytes!("fixtures/stats.prom");
    for text in [&log[..], &stats[..]] {
        for end in (0..text.len()).step_by(7) {
            read(&text[..end]);
            let mut changed = text.to_vec();
            changed[end] ^= 0x9d;
            read(&changed);
        }
    }
}

fn read(text: &[u8]) {
    let mut totals = Totals::default();
    totals.read("any", text).expect("bytes are read");
    let report = Report::new(&totals, ErrorBudget::default(), None).expect("all rollouts");
    assert!(!report.to_text().contains('\u{1b}'));
}

#[test]
fn huge_numbers_do_not_overflow() {
    let most = u64::MAX;
    let record = summary(
        "chat",
        &format!(r#""equal":{most},"different":{most},"timeout":{most}"#),
    );
    let text = format!(
        "{record}\n{record}\nturnout_shadow{{rollout=\"chat\",outcome=\"equal\"}} 1e300\n\
         turnout_shadow{{rollout=\"chat\",outcome=\"timeout\"}} {most}\n"
    );
    assert_eq!(json_of(&[&text])["rollouts"][0]["verdict"], "not_ready");
}

#[test]
fn the_number_of_rollouts_is_bounded() {
    let text: String = (0..3_000)
        .map(|index| summary(&format!("r{index}"), r#""equal":1"#) + "\n")
        .collect();
    let json = json_of(&[&text]);
    assert_eq!(json["rollouts"].as_array().map(Vec::len), Some(1_000));
    assert_eq!(
        json["notes"][0],
        "2,000 lines of further rollouts do not count: a report has at most 1,000 rollouts."
    );
}

#[test]
fn every_line_of_prometheus_3_is_read() {
    let text = include_str!("fixtures/prometheus3.prom");
    assert_eq!(found_in(text), (0, 14, 0));
    let json = json_of(&[text]);
    let rollout = &json["rollouts"][0];
    assert_eq!(
        (&rollout["equal"], &rollout["sampled"]),
        (&json!(4_000), &json!(4_000))
    );
    let buckets = rollout["latency"]["v1"]["buckets"]
        .as_array()
        .expect("buckets");
    assert_eq!(buckets.len(), 3, "{buckets:?}");
}

/// The names of counters without `stats_tags`, and on Envoy's admin page.
#[test]
fn counters_without_stats_tags_are_read() {
    for text in [
        "turnout_shadow_big_chat_equal{} 3000\nturnout_shadow_big_chat_skipped_v1_busy{} 2\n\
         turnout_shadow_sampled_big_chat{} 3002\n",
        "wasmcustom.turnout.shadow.big-chat.equal: 3000\nwasmcustom.turnout.shadow.big-chat.skipped_v1_busy: 2\n\
         wasmcustom.turnout.shadow_sampled.big-chat: 3002\n",
    ] {
        assert_eq!(found_in(text), (0, 3, 0));
        let json = json_of(&[text]);
        let rollout = &json["rollouts"][0];
        assert_eq!(
            (&rollout["name"], &rollout["verdict"]),
            (&json!("big-chat"), &json!("ready"))
        );
        assert_eq!(
            (&rollout["left_out"], &rollout["sampled"]),
            (&json!(2), &json!(3_002))
        );
    }
}

#[test]
fn a_counter_that_may_belong_to_two_rollouts_is_named() {
    let text = "turnout_shadow_chat_equal{} 3000\nturnout_shadow_sampled_x_equal{} 5\n";
    let notes = json_of(&[text])["notes"].to_string();
    assert!(
        notes.contains(
            "turnout_shadow_sampled_x_equal may belong to the rollout x-equal or to sampled-x"
        ),
        "{notes}"
    );
}

#[test]
fn missing_records_are_reported_with_the_setting_to_change() {
    let counters = "turnout_shadow{rollout=\"chat\",outcome=\"equal\"} 3000\n";
    let logged = "turnout_records{what=\"logged\"} 12\n";
    for (text, sentence) in [
        (
            counters.to_owned(),
            "The counters have 3,000 sampled requests, but no record was read",
        ),
        (
            [counters, logged].concat(),
            "The counters have 12 written records, but no record was read",
        ),
    ] {
        let notes = json_of(&[&text])["notes"].to_string();
        assert!(notes.contains(sentence), "{notes}");
        for setting in [
            "--component-log-level wasm:info",
            "sidecar.istio.io/componentLogLevel: wasm:info",
            "--record-level warn",
        ] {
            assert!(notes.contains(setting), "{notes}");
        }
    }
    let record = summary("chat", r#""equal":3000"#);
    let notes = json_of(&[counters, &record])["notes"].to_string();
    assert!(!notes.contains("no record was read"), "{notes}");
}

#[test]
fn native_histograms_are_reported_with_the_setting_to_change() {
    let text = "turnout_shadow{rollout=\"chat\",outcome=\"equal\"} 3000\n\
                turnout_shadow_v1_ms{rollout=\"chat\"} {count:3000,sum:9.5,schema:3}\n";
    assert_eq!(found_in(text), (0, 2, 0));
    let notes = json_of(&[text])["notes"].to_string();
    assert!(
        notes.contains("always_scrape_classic_histograms: true"),
        "{notes}"
    );
}

/// An unreadable counter, or an outcome of a newer version, may count failures.
#[test]
fn unreadable_counters_are_never_ready() {
    let equal = "turnout_shadow{rollout=\"chat\",outcome=\"equal\"} 4000\n";
    let verdict = |more: &str| {
        let mut totals = Totals::default();
        let text = [equal, more].concat();
        totals.read("counters", text.as_bytes()).expect("text");
        let report = Report::new(&totals, ErrorBudget::default(), None).expect("a report");
        report.verdicts().next().expect("a rollout").1
    };
    assert_eq!(verdict(""), Verdict::Ready);
    for more in [
        "turnout_shadow{rollout=\"chat\",outcome=\"different\"} 1e99\n",
        "turnout_shadow{rollout=\"chat\",outcome=\"different\"} x\n",
        "turnout_shadow{rollout=\"chat\",outcome=\"brandnew\"} 9\n",
    ] {
        assert_eq!(verdict(more), Verdict::NotEnoughData, "{more}");
    }
}
