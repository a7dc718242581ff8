//! Whether the counters or the records count.

use serde_json::Value;

use crate::{json_of, logged, summary};

/// The report on the rollout `chat`, with these counters and this summary.
fn rollout(counted: (u64, u64), recorded: &str) -> Value {
    let (equal, different) = counted;
    let counters = format!(
        "turnout_shadow{{rollout=\"chat\",outcome=\"equal\"}} {equal}\n\
         turnout_shadow{{rollout=\"chat\",outcome=\"different\"}} {different}\n\
         turnout_shadow{{rollout=\"chat\",outcome=\"timeout\"}} 0\n"
    );
    let log = logged(&summary("chat", recorded));
    json_of(&[&counters, &log])["rollouts"][0].take()
}

fn numbers(rollout: &Value) -> (&str, u64, u64) {
    (
        rollout["counted_by"].as_str().expect("a string"),
        rollout["failed"].as_u64().expect("a number"),
        rollout["judged"].as_u64().expect("a number"),
    )
}

#[test]
fn counters_that_equal_the_records_need_no_note() {
    let rollout = rollout((3_000, 0), r#""equal":3000"#);
    assert_eq!(numbers(&rollout), ("counters", 0, 3_000));
    assert_eq!(rollout["notes"], Value::Array(Vec::new()));
}

#[test]
fn counters_count_where_records_are_behind() {
    let rollout = rollout((3_000, 3), r#""equal":2900,"different":1"#);
    assert_eq!(numbers(&rollout), ("counters", 3, 3_003));
    let note = rollout["notes"][0].as_str().expect("a note");
    assert!(
        note.starts_with(
            "The counters have 3 failures in 3,003 comparisons, the records 1 in 2,901."
        ),
        "{note}"
    );
}

/// Otherwise a restart would make a rollout ready.
#[test]
fn records_count_where_counters_restarted() {
    for recorded in [r#""equal":2900,"different":40"#, r#""equal":9000"#] {
        let rollout = rollout((3_000, 0), recorded);
        assert_eq!(rollout["counted_by"], "records", "{recorded}");
        let note = rollout["notes"][0].as_str().expect("a note");
        assert!(note.contains("The report uses the records"), "{note}");
    }
}

#[test]
fn a_difference_counts_before_its_summary_comes() {
    let difference = r#"{"turnout":"difference","time_ms":1,"rollout":"chat","segment":"-","account":null,"request_id":null,"method":"GET","route":"-","v1":{"status":200,"us":1},"v2":{"status":500,"us":1},"severity":"breaking","rechecked":true,"fingerprint":"0","repeats":2,"findings":[],"omitted":0}"#;
    let log = [
        logged(&summary("chat", r#""equal":3000"#)),
        logged(difference),
    ]
    .concat();
    let json = json_of(&[&log]);
    assert_eq!(numbers(&json["rollouts"][0]), ("records", 3, 3_003));
    let alone = json_of(&[difference]);
    assert_eq!(alone["rollouts"][0]["verdict"], "not_enough_data");
    assert_eq!(
        alone["rollouts"][0]["notes"][0],
        "The records have 3 differences, but no summary or counter has the number of comparisons."
    );
}

#[test]
fn counters_of_several_proxies_are_added_up() {
    let of = |count| format!("turnout_shadow{{rollout=\"chat\",outcome=\"equal\"}} {count}\n");
    let json = json_of(&[&of(1_400), &of(1_600)]);
    assert_eq!(numbers(&json["rollouts"][0]), ("counters", 0, 3_000));
    assert_eq!(json["ready"], true);
}

#[test]
fn a_dump_of_counters_that_is_given_twice_counts_once() {
    let one = "turnout_shadow{rollout=\"chat\",outcome=\"equal\"} 1500\n";
    let json = json_of(&[one, one]);
    assert_eq!(numbers(&json["rollouts"][0]), ("counters", 0, 1_500));
    assert_eq!(json["ready"], false);
    assert_eq!(
        json["notes"][0],
        "input 1 has the same counters as input 0 and does not count; pass one dump for each proxy."
    );
}

#[test]
fn records_that_are_given_twice_are_never_ready() {
    let log = logged(&summary("chat", r#""equal":1500"#));
    let json = json_of(&[&log, &log]);
    let rollout = &json["rollouts"][0];
    assert_eq!(rollout["verdict"], "not_enough_data");
    assert_eq!(
        rollout["explanation"],
        "0 of 3,000 comparisons failed, but input 1 has the same records as input 0; pass each log once."
    );
    // Equal counters confirm the numbers.
    let counters = "turnout_shadow{rollout=\"chat\",outcome=\"equal\"} 3000\n";
    let json = json_of(&[&log, &log, counters]);
    assert_eq!(json["rollouts"][0]["verdict"], "ready");
}

#[test]
fn a_route_that_is_not_ready_is_named_even_if_the_rollout_is_ready() {
    let log = [
        summary("chat", r#""equal":50000"#).replace("\"route\":\"-\"", "\"route\":\"/a\""),
        summary("chat", r#""equal":10,"different":2"#)
            .replace("\"route\":\"-\"", "\"route\":\"/b\""),
    ]
    .join("\n");
    let json = json_of(&[&log]);
    let rollout = &json["rollouts"][0];
    assert_eq!(rollout["verdict"], "ready");
    let coverage = rollout["coverage"].as_str().expect("a sentence");
    assert!(
        coverage.ends_with("On its own, each of these is NOT READY: the route /b."),
        "{coverage}"
    );
}

#[test]
fn the_newest_record_has_the_declared_routes_and_options() {
    let options = |time: u64, routes: &str, options: &str| {
        format!(
            r#"{{"turnout":"options","time_ms":{time},"rollout":"chat","routes":[{routes}],"options":[{options}]}}"#
        )
    };
    let log = [
        options(2, r#""/a","/b""#, r#"["ignore","/x",0],["maps","/y",0]"#),
        options(1, r#""/old""#, r#"["ignore","/x",4],["ignore","/old",0]"#),
        summary("chat", r#""equal":1"#).replace("\"route\":\"-\"", "\"route\":\"/a\""),
    ]
    .join("\n");
    let json = json_of(&[&log]);
    let rollout = &json["rollouts"][0];
    assert_eq!(rollout["routes_never_seen"], serde_json::json!(["/b"]));
    assert_eq!(
        rollout["options"],
        serde_json::json!([
            { "option": "ignore", "path": "/x", "matched": 4 },
            { "option": "maps", "path": "/y", "matched": 0 }
        ])
    );
}

#[test]
fn a_route_without_a_comparison_is_named() {
    let log = [
        summary("chat", r#""equal":4000"#),
        summary("chat", r#""skipped_method":9"#).replace("\"route\":\"-\"", "\"route\":\"/b\""),
    ]
    .join("\n");
    let json = json_of(&[&log]);
    let coverage = json["rollouts"][0]["coverage"].as_str();
    let coverage = coverage.expect("a sentence");
    assert!(
        coverage.ends_with("No request was compared on /b."),
        "{coverage}"
    );
}
