//! What core makes of the ends of streams: of those that real Envoys report, and of those that no test can bring about.

use proptest::prelude::*;
use turnout_core::guard::{EndProperty, GrpcStatus, StreamEnd};

use super::*;

/// Written by `tests/envoy/stream_ends.rs`.
const ENDS: &str = include_str!("../../envoy/stream_ends/ends.txt");

/// The result, without a status of gRPC.
fn response(details: &str, code: Option<u64>) -> Response {
    grpc_response(details, code, None)
}

fn grpc_response(details: &str, code: Option<u64>, grpc: Option<GrpcStatus>) -> Response {
    let details = Some(details.as_bytes());
    StreamEnd { details, grpc }.response(|_| code)
}

#[test]
fn ends_in_real_envoys_have_these_results() {
    let mut results = std::collections::BTreeMap::new();
    for line in ENDS.lines().skip(1) {
        let cells: Vec<&str> = line.split(" | ").map(str::trim).collect();
        let [_, _, code, _, details, grpc, result] = cells[..] else {
            panic!("{line}")
        };
        // A filter before ours responded.
        if result == "not seen" {
            continue;
        }
        let code = (code != "-").then(|| code.parse().expect("a code"));
        let grpc = match grpc {
            "-" => None,
            "missing" => Some(GrpcStatus::Missing),
            status => Some(GrpcStatus::Code(status.parse().expect("a status"))),
        };
        let found = format!("{:?}", grpc_response(details, code, grpc));
        assert_eq!(found, result, "{line}");
        *results.entry(found).or_insert(0) += 1;
    }
    let kinds: Vec<&str> = results.keys().map(String::as_str).collect();
    assert_eq!(kinds, ["ClientLeft", "Error", "NotForwarded", "Success"]);
}

#[test]
fn what_the_host_refuses_is_no_error() {
    for grpc in [None, Some(GrpcStatus::Missing), Some(GrpcStatus::Code(14))] {
        let nothing = StreamEnd {
            details: None,
            grpc,
        };
        assert_eq!(nothing.response(|_| None), Response::NotForwarded);
        // Over HTTP/3, this is a client that left before the response.
        let flags = |property| (property == EndProperty::Flags).then_some(0);
        assert_eq!(nothing.response(flags), Response::ClientLeft);
        for details in [
            "via_upstream",
            "upstream_reset_after_response_started{remote_reset}",
        ] {
            assert_eq!(grpc_response(details, None, grpc), Response::NotForwarded);
        }
        assert_eq!(
            grpc_response("response_timeout", None, grpc),
            Response::ClientLeft
        );
    }
}

#[test]
fn the_code_is_read_only_if_it_is_needed() {
    for (details, reads) in [
        ("via_upstream", 1),
        ("response_timeout", 1),
        ("upstream_reset_after_response_started{remote_reset}", 1),
        ("upstream_reset_before_response_started{overflow}", 0),
        ("no_healthy_upstream", 0),
        ("downstream_remote_disconnect", 0),
        ("http2.remote_reset", 0),
        ("direct_response", 0),
        ("", 0),
    ] {
        let mut count = 0;
        let details_bytes = Some(details.as_bytes());
        let end = StreamEnd {
            details: details_bytes,
            grpc: None,
        };
        let allocations = allocation_counter::measure(|| {
            let response = end.response(|property| {
                assert_eq!(property, EndProperty::Code);
                count += 1;
                Some(200)
            });
            std::hint::black_box(response);
        });
        assert_eq!((count, allocations.count_total), (reads, 0), "{details}");
    }
}

#[test]
fn these_statuses_of_grpc_are_errors() {
    let is_error = |status: &u32| {
        let status = Some(GrpcStatus::Code(*status));
        grpc_response("via_upstream", Some(200), status) == Response::Error
    };
    let errors: Vec<u32> = (0..1_000).filter(is_error).collect();
    assert_eq!(errors, [2, 4, 12, 13, 14, 15]);
    // The HTTP code comes first.
    let status = Some(GrpcStatus::Code(14));
    assert_eq!(
        grpc_response("via_upstream", Some(404), status),
        Response::Success
    );
    let status = Some(GrpcStatus::Code(0));
    assert_eq!(
        grpc_response("via_upstream", Some(502), status),
        Response::Error
    );
}

#[test]
fn only_codes_from_500_to_599_are_errors() {
    let is_error = |code: &u64| response("via_upstream", Some(*code)) == Response::Error;
    let errors: Vec<u64> = (0..2_000).filter(is_error).collect();
    assert_eq!(errors, (500..600).collect::<Vec<_>>());
}

/// Ends for which no test has an Envoy.
#[test]
fn these_ends_have_these_results() {
    for (details, code, expected) in [
        // Envoy's memory runs short.
        ("overload", Some(503), Response::NotForwarded),
        (
            "upstream_reset_before_response_started{overload_manager}",
            Some(503),
            Response::NotForwarded,
        ),
        (
            "upstream_reset_after_response_started{overload_manager}",
            Some(200),
            Response::NotForwarded,
        ),
        // The cluster's endpoints come with a share to drop.
        ("drop_overload", Some(503), Response::Error),
        (
            "upstream_reset_before_response_started{connection_timeout}",
            Some(503),
            Response::Error,
        ),
        (
            "upstream_reset_before_response_started",
            Some(503),
            Response::Error,
        ),
        // A second stream follows.
        ("internal_redirect", Some(302), Response::NotForwarded),
        (
            "cache.response_from_cache_filter",
            Some(200),
            Response::NotForwarded,
        ),
        ("ext_authz_error", Some(503), Response::NotForwarded),
        ("request_rate_limited", Some(429), Response::NotForwarded),
        (
            "request_payload_too_large",
            Some(413),
            Response::NotForwarded,
        ),
        (
            "response_payload_too_large",
            Some(500),
            Response::NotForwarded,
        ),
        (
            "downstream_local_disconnect(codec_error:_http2.inbound_empty_frames_flood)",
            None,
            Response::ClientLeft,
        ),
        ("http1.codec_error", Some(400), Response::ClientLeft),
        ("http3.remote_reset", None, Response::ClientLeft),
        // A name that only begins like a known one.
        ("via_upstream_2", Some(500), Response::NotForwarded),
        ("no_healthy_upstream_2", Some(503), Response::NotForwarded),
        ("", Some(500), Response::NotForwarded),
        ("{", Some(500), Response::NotForwarded),
    ] {
        assert_eq!(response(details, code), expected, "{details}");
    }
}

proptest! {
    /// Details of a filter or of a later Envoy are never an error.
    #[test]
    fn unknown_details_are_no_error(
        details in prop::collection::vec(any::<u8>(), 0..40),
        code in prop::option::of(any::<u64>()),
        status in prop::option::of(any::<u32>()),
    ) {
        let end = StreamEnd { details: Some(&details), grpc: status.map(GrpcStatus::Code) };
        prop_assert_ne!(end.response(|_| code), Response::Error);
    }
}
