//! The trial of a shadow request: when it is sent, its calls, and its end.

use super::*;

#[test]
fn a_shadow_request_is_sent_after_the_user_has_the_response() {
    let mut vm = shadowing(&json!({ "strip_headers": ["cookie"] }));
    let stream = vm.request(&request("POST"), false).expect("no trap");
    vm.request_body(&stream, b"some ", false).expect("no trap");
    vm.request_body(&stream, b"words", true).expect("no trap");
    vm.response(&stream, &OK, false).expect("no trap");
    vm.response_body(&stream, b"{\"a\":", false)
        .expect("no trap");
    vm.response_body(&stream, b"1}", true).expect("no trap");
    assert!(tokens(&vm).is_empty());
    let exchange = vm.finish(stream).expect("no trap");
    assert_eq!(exchange.header("x-turnout-treatment"), Some("v1"));
    assert_eq!(exchange.header("x-turnout-shadow"), None);

    let [call] = vm.http_calls() else {
        panic!("{:?}", vm.http_calls());
    };
    assert_eq!(
        (call.cluster.as_str(), &call.body[..]),
        ("b", &b"some words"[..])
    );
    let expected = [
        (":method", "POST"),
        (":authority", "flex.example.com"),
        (":path", "/v1/Channels?page=2"),
        ("x-account-sid", ACCOUNT),
        ("x-request-id", "2b9dba03-eeb9-caf3-cc60-86ed95e6b0cd"),
        ("accept-encoding", "identity"),
        ("x-turnout-cluster", "b"),
        ("x-turnout-treatment", "v2"),
        ("x-turnout-decision", "r=v2"),
        ("x-turnout-shadow", "1"),
        ("content-length", "10"),
    ];
    assert_eq!(call.headers, HeaderMap::received(&expected));
    assert_eq!(call.timeout, Some(std::time::Duration::from_secs(1)));

    respond(&mut vm, response("200", b"{ \"a\": 1.0 }"));
    assert_eq!(outcomes(&mut vm), one("equal"));
    assert_eq!(vm.unimplemented().len(), 0);
}

#[test]
fn a_shadowed_request_makes_exactly_these_calls() {
    let mut vm = shadowing(&json!({}));
    vm.tick().expect("no trap");
    vm.drain_root_calls();
    let stream = vm.request(&request("GET"), true).expect("no trap");
    vm.response(&stream, &OK, false).expect("no trap");
    vm.response_body(&stream, b"{}", true).expect("no trap");
    let exchange = vm.finish(stream).expect("no trap");
    assert_eq!(
        exchange.host_calls[5..],
        [
            // The request is sampled.
            "proxy_increment_metric",
            "proxy_get_current_time_nanoseconds",
            // v1's response.
            "proxy_get_header_map_pairs",
            "proxy_get_buffer_bytes",
            "proxy_get_current_time_nanoseconds",
            // The call to v2.
            "proxy_http_call",
        ]
    );
    respond(&mut vm, response("200", b"{}"));
    assert_eq!(
        vm.drain_root_calls(),
        [
            "proxy_get_current_time_nanoseconds",
            "proxy_get_header_map_pairs",
            "proxy_get_buffer_bytes",
            "proxy_increment_metric",
            "proxy_record_metric",
            "proxy_record_metric",
        ]
    );
}

#[test]
fn a_shadow_request_can_be_sent_before_v1_has_responded() {
    for v2_first in [true, false] {
        let mut vm = shadowing(&json!({ "send": "with_request" }));
        let stream = vm.request(&request("POST"), false).expect("no trap");
        assert!(tokens(&vm).is_empty());
        vm.request_body(&stream, b"words", true).expect("no trap");
        assert_eq!(tokens(&vm).len(), 1);
        if v2_first {
            respond(&mut vm, response("200", b"[1]"));
            assert_eq!(outcomes(&mut vm), [("_sampled.r".to_owned(), 1)]);
            finish_request(&mut vm, stream, "[1]");
            assert_eq!(outcomes(&mut vm), [(".r.equal".to_owned(), 1)]);
        } else {
            finish_request(&mut vm, stream, "[1]");
            respond(&mut vm, response("200", b"[1]"));
            assert_eq!(outcomes(&mut vm), one("equal"));
        }
        assert!(tokens(&vm).is_empty());
    }
}

#[test]
fn every_end_has_an_outcome() {
    let overloaded = || HttpResponse {
        headers: HeaderMap::received(&[(":status", "503"), ("x-envoy-overloaded", "true")]),
        ..HttpResponse::default()
    };
    let local = |status: &str| HttpResponse {
        headers: HeaderMap::received(&[(":status", status)]),
        ..HttpResponse::default()
    };
    for (v2, outcome) in [
        (response("200", b"{}"), "equal"),
        (response("200", &[b' '; 65_537]), "too_large"),
        (response("200", b"{\"a\":1,\"a\":1}"), "not_comparable"),
        // A response of the proxy: v2 did not respond.
        (local("504"), "timeout"),
        (local("503"), "v2_error"),
        (overloaded(), "dropped_busy"),
    ] {
        let mut vm = shadowing(&json!({ "recheck": false }));
        send_request(&mut vm, "{}");
        respond(&mut vm, v2);
        assert_eq!(outcomes(&mut vm), one(outcome));
    }
    // A response of v2.
    for status in ["504", "503", "500"] {
        let mut vm = shadowing(&json!({ "recheck": false }));
        send_request(&mut vm, "{}");
        respond(&mut vm, response(status, b"{}"));
        assert_eq!(outcomes(&mut vm), one("different"));
    }
    let mut vm = shadowing(&json!({}));
    send_request(&mut vm, "{}");
    let [token] = tokens(&vm)[..] else { panic!() };
    vm.reset_call(token).expect("no trap");
    assert_eq!(outcomes(&mut vm), one("v2_error"));

    vm.remove_cluster("b");
    send_request(&mut vm, "{}");
    assert_eq!(outcomes(&mut vm), one("v2_error"));
}

#[test]
fn some_responses_of_v1_cause_no_shadow_request() {
    let responses: [(&[(&str, &str)], &str); 6] = [
        (&[(":status", "429")], "skipped_v1_busy"),
        (&[(":status", "503")], "skipped_v1_busy"),
        (
            &[(":status", "200"), ("content-type", "text/event-stream")],
            "not_comparable",
        ),
        (
            &[
                (":status", "200"),
                ("content-type", "Text/Event-Stream; charset=\"UTF-8\""),
            ],
            "not_comparable",
        ),
        (
            &[
                (":status", "200"),
                ("content-type", "application/grpc+proto"),
            ],
            "not_comparable",
        ),
        (&[(":status", "200")], "too_large"),
    ];
    for (headers, outcome) in responses {
        let mut vm = shadowing(&json!({ "max_body_bytes": 10 }));
        let stream = vm.request(&request("GET"), true).expect("no trap");
        vm.response(&stream, headers, false).expect("no trap");
        vm.response_body(&stream, b"six   ", false)
            .expect("no trap");
        vm.response_body(&stream, b"five ", true).expect("no trap");
        vm.finish(stream).expect("no trap");
        assert!(tokens(&vm).is_empty());
        assert_eq!(outcomes(&mut vm), one(outcome));
    }
}

#[test]
fn an_incomplete_request_gets_no_shadow_request() {
    let mut vm = shadowing(&json!({}));
    // The user leaves before the end of the body, before the response, within the response.
    let stream = vm.request(&request("POST"), false).expect("no trap");
    vm.request_body(&stream, b"half", false).expect("no trap");
    vm.finish(stream).expect("no trap");
    assert_eq!(outcomes(&mut vm), one("skipped_aborted"));
    let stream = vm.request(&request("GET"), true).expect("no trap");
    vm.response(&stream, &OK, false).expect("no trap");
    vm.response_body(&stream, b"{", false).expect("no trap");
    vm.finish(stream).expect("no trap");
    assert_eq!(outcomes(&mut vm), one("skipped_aborted"));
    // v1 gets no more requests.
    let stream = vm.request(&request("POST"), false).expect("no trap");
    vm.response(&stream, &[(":status", "413")], true)
        .expect("no trap");
    vm.finish(stream).expect("no trap");
    assert_eq!(outcomes(&mut vm), one("skipped_early_response"));
    assert!(tokens(&vm).is_empty());
}
