//! Which requests are sampled, which of them get a shadow request, and its headers.

use super::*;

#[test]
fn a_sample_knows_its_segment_and_its_route() {
    let shadow = json!({ "requests": 100, "routes": ["/v1/Users", "/v1/*"] });
    let found = sample(
        &plan("shadow", &shadow),
        &get("/v1/Channels?x"),
        Inbound::Strip,
    );
    let expected = Sample {
        rollout: 0,
        segment: Some(1),
        route: Some(1),
        is_safe: true,
        noise: false,
        skip: None,
    };
    assert_eq!(found, Some(expected));
}

#[test]
fn only_shadowing_modes_have_samples() {
    let shadow = json!({ "requests": 100 });
    for (mode, expected) in [
        ("off", false),
        ("dark", false),
        ("shadow", true),
        ("split", true),
        ("on", false),
    ] {
        let found = sample(&plan(mode, &shadow), &get("/"), Inbound::Strip);
        assert_eq!(found.is_some(), expected, "{mode}");
    }
}

#[test]
fn a_request_decided_by_an_earlier_hop_is_not_sampled() {
    let plan = plan("shadow", &json!({ "requests": 100 }));
    let mut headers = get("/");
    headers.push(("x-turnout-decision", "r=v1"));
    assert_eq!(sample(&plan, &headers, Inbound::Trust), None);
    assert!(sample(&plan, &headers, Inbound::Strip).is_some());
}

#[test]
fn an_unknown_account_is_in_no_segment() {
    for (shadow, expected) in [
        (json!({ "requests": 100 }), true),
        (json!({ "requests": 100, "accounts": 99.999999 }), false),
        (json!({ "requests": 100, "when": { "in": ["hvc"] } }), false),
        (
            json!({ "requests": 100, "when": { "not_in": ["hvc"] } }),
            true,
        ),
    ] {
        for account in ["", "AC", "x"] {
            let mut headers = get("/");
            headers[3].1 = account;
            let found = sample(&plan("shadow", &shadow), &headers, Inbound::Strip);
            assert_eq!(found.is_some(), expected, "{shadow} {account:?}");
        }
    }
}

#[test]
fn a_request_without_an_id_is_sampled_only_with_all() {
    let mut headers = get("/");
    headers.pop();
    for (percentage, expected) in [(json!(99.999999), false), (json!(100), true)] {
        let plan = plan("shadow", &json!({ "requests": percentage }));
        let found = sample(&plan, &headers, Inbound::Strip);
        assert_eq!(found.is_some(), expected, "{percentage}");
    }
}

#[test]
fn a_request_that_cannot_be_shadowed_has_a_reason() {
    let plan = plan("shadow", &json!({ "requests": 100 }));
    let with = |name, value| [get("/"), vec![(name, value)]].concat();
    let mut post = get("/");
    post[0].1 = "POST";
    let mut connect = get("/");
    connect[0].1 = "CONNECT";
    for (headers, inbound, why) in [
        (post, Inbound::Strip, Outcome::SkippedMethod),
        (connect, Inbound::Strip, Outcome::SkippedMethod),
        (
            with("upgrade", "websocket"),
            Inbound::Strip,
            Outcome::SkippedUpgrade,
        ),
        (
            with("range", "bytes=0-1"),
            Inbound::Strip,
            Outcome::SkippedRange,
        ),
        (
            with("if-range", "\"x\""),
            Inbound::Strip,
            Outcome::SkippedRange,
        ),
        (
            with("if-none-match", "\"x\""),
            Inbound::Strip,
            Outcome::SkippedConditional,
        ),
        (
            with("if-match", "*"),
            Inbound::Strip,
            Outcome::SkippedConditional,
        ),
        (
            with("x-turnout-shadow", "1"),
            Inbound::Trust,
            Outcome::SkippedShadowRequest,
        ),
    ] {
        let found = sample(&plan, &headers, inbound).expect("a sample");
        assert_eq!(found.skip, Some(why), "{headers:?}");
    }
    // A forged header has no effect.
    let forged = sample(&plan, &with("x-turnout-shadow", "1"), Inbound::Strip);
    assert_eq!(forged.and_then(|sample| sample.skip), None);
}

#[test]
fn lint_suggests_a_token_for_requests_with_side_effects() {
    let shadow = json!({ "requests": 1, "methods": ["GET", "POST"], "idempotency_header": "Idempotency-Key" });
    let token = |mode: &str, method: &'static str, own: Option<&'static str>| {
        let plan = plan(mode, &shadow);
        let mut headers = get("/");
        headers[0].1 = method;
        headers.extend(own.map(|own| ("idempotency-key", own)));
        let pairs: Vec<_> = headers
            .iter()
            .map(|(name, value)| (name.as_bytes(), value.as_bytes()))
            .collect();
        let request = plan.request(Headers::new(&pairs), Inbound::Strip, Time::default());
        let token = plan.rollouts()[0].idempotency_token(&request);
        token.map(|(name, value)| (name.to_owned(), value.to_vec()))
    };
    let id = b"2b9dba03-eeb9-caf3-cc60-86ed95e6b0cd".to_vec();
    let offered = Some(("idempotency-key".to_owned(), id));
    assert_eq!(token("shadow", "POST", None), offered);
    assert_eq!(token("split", "POST", None), offered);
    assert_eq!(token("shadow", "GET", None), None);
    assert_eq!(token("shadow", "PUT", None), None);
    assert_eq!(token("shadow", "POST", Some("mine")), None);
    assert_eq!(token("off", "POST", None), None);
}

#[test]
fn a_shadow_request_has_the_headers_of_the_request() {
    let plan = plan(
        "shadow",
        &json!({ "requests": 1, "strip_headers": ["Authorization"] }),
    );
    let carried = [
        (":method", "GET"),
        (":authority", "flex.example.com"),
        (":path", "/a?b=c"),
        ("x-forwarded-proto", "https"),
        ("cookie", "a=b"),
        ("x-empty", ""),
    ];
    let left_behind = [
        ("authorization", "Basic x"),
        ("connection", "keep-alive, X-Hop, :path, :method"),
        ("x-hop", "1"),
        ("keep-alive", "1"),
        ("te", "trailers"),
        ("transfer-encoding", "chunked"),
        ("content-length", "5"),
        ("expect", "100-continue"),
        ("accept-encoding", "gzip"),
        ("x-turnout-treatment", "v1"),
        ("x_turnout_shadow", "1"),
        ("x-envoy-max-retries", "99"),
        ("x-envoy-retry-on", "5xx"),
        ("x-envoy-upstream-rq-timeout-ms", "600000"),
    ];
    let all = [&carried[..], &left_behind].concat();
    let pairs: Vec<_> = all
        .iter()
        .map(|(name, value)| (name.as_bytes(), value.as_bytes()))
        .collect();
    let found: Vec<_> = copied_headers(Headers::new(&pairs), shadow(&plan)).collect();
    assert_eq!(found, pairs[..carried.len()]);
}
