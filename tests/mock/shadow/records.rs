//! The records of shadow requests for any response of v2, and the destinations of shadow requests.

use super::*;

#[test]
fn a_tick_writes_due_records_and_sends_them_to_the_collector() {
    let configuration =
        policy(&json!({ "requests": 100, "recheck": false, "summary_seconds": 10 }));
    let configuration =
        configuration.replacen("\"version\":1", "\"version\":1,\"collector\":\"c\"", 1);
    let mut vm = configured(&configuration);
    vm.drain_log();
    let start = 1_800_000_000_000_000_000;
    vm.set_time(start);
    vm.tick().expect("no trap");
    send_request(&mut vm, r#"{"name": "Alice"}"#);
    respond(&mut vm, response("200", br#"{"name": "Bob"}"#));
    let log = vm.drain_log();
    let [(_, line)] = &log[..] else {
        panic!("{log:?}")
    };
    let record: Value =
        serde_json::from_str(line.strip_prefix("turnout: ").expect("a record")).expect("JSON");
    assert_eq!(record["turnout"], "difference");
    assert_eq!(record["findings"][0]["pointer"], "/name");
    assert!(!line.contains("Alice") && !line.contains("Bob"), "{line}");

    vm.set_time(start + 9_000_000_000);
    vm.tick().expect("no trap");
    assert_eq!(vm.drain_log(), []);
    let [call] = vm.http_calls() else {
        panic!("{:?}", vm.http_calls())
    };
    assert_eq!(
        (call.cluster.as_str(), call.headers.get(":path")),
        ("c", Some(&b"/v1/logs"[..]))
    );
    let export: Value = serde_json::from_slice(&call.body).expect("JSON");
    let records = &export["resourceLogs"][0]["scopeLogs"][0]["logRecords"];
    assert_eq!(records.as_array().map(Vec::len), Some(1));
    assert_eq!(records[0]["severityText"], "WARN");
    respond(&mut vm, response("200", b"{}"));

    vm.set_time(start + 10_000_000_000);
    vm.tick().expect("no trap");
    let kinds: Vec<String> = vm
        .drain_log()
        .into_iter()
        .map(|(_, line)| line.chars().take(30).collect())
        .collect();
    assert_eq!(
        kinds,
        [
            r#"turnout: {"turnout":"summary","#,
            r#"turnout: {"turnout":"options","#
        ]
    );
    let [token] = tokens(&vm)[..] else {
        panic!("{:?}", vm.http_calls())
    };
    vm.reset_call(token).expect("no trap");
    let gains = gained(&mut vm);
    let count = |name: &str| gains.iter().find(|(n, _)| n == name).map_or(0, |(_, c)| *c);
    assert_eq!(count("turnout.records.logged"), 3);
    assert_eq!(count("turnout.records.exported"), 1);
    assert_eq!(count("turnout.records.lost"), 2);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// For any responses of v1 and v2 there is an outcome, and no trap.
    #[test]
    fn any_response_ends_a_shadow_request(
        v1 in prop::collection::vec(any::<u8>(), 0..200),
        v2 in prop::collection::vec(any::<u8>(), 0..200),
        headers in prop::collection::vec((prop::collection::vec(any::<u8>(), 0..20), prop::collection::vec(any::<u8>(), 0..20)), 0..5),
        status in "[0-9a-z]{0,6}",
    ) {
        thread_local! {
            static VM: std::cell::RefCell<Vm> = std::cell::RefCell::new(shadowing(&json!({ "recheck": false })));
        }
        VM.with_borrow_mut(|vm| {
            let stream = vm.request(&request("GET"), true).expect("no trap");
            let mut of_v1 = headers.clone();
            of_v1.push((b":status".to_vec(), b"200".to_vec()));
            vm.response(&stream, &of_v1, false).expect("no trap");
            vm.response_body(&stream, &v1, true).expect("no trap");
            vm.finish(stream).expect("no trap");
            let mut of_v2 = response(&status, &v2);
            for (name, value) in &headers {
                of_v2.headers.add(name, value);
            }
            let open = tokens(vm);
            for token in open {
                vm.respond(token, of_v2.clone()).expect("no trap");
            }
            let ended = outcomes(vm).into_iter().filter(|(name, _)| name.starts_with(".r."));
            assert_eq!(ended.map(|(_, count)| count).sum::<u64>(), 1);
        });
    }
}

#[test]
fn shadow_requests_may_have_their_own_clusters() {
    let mut vm = shadowing(&json!({ "v1": "c", "v2": "d" }));
    send_request(&mut vm, "[1]");
    let mut asked = Vec::new();
    while let [call] = vm.http_calls() {
        let named = call.headers.get("x-turnout-cluster").expect("a cluster");
        assert_eq!(named, call.cluster.as_bytes());
        asked.push(call.cluster.clone());
        respond(&mut vm, response("200", b"[2]"));
    }
    // v2, and v1 again, which must repeat its response.
    assert_eq!(asked, ["d", "c", "c"]);
}
