//! Hop-by-hop headers, which no HTTP library would send like this, are not part of a shadow request.

use serde_json::json;
use support::client::raw;

use super::records_testbed::{RecordsTestbed, outcomes, shadow};
use crate::testbed::INSIDE;

/// All hop-by-hop headers of RFC 9110 and earlier RFCs, and one that only this request declares.
const HOP_BY_HOP: [&str; 11] = [
    "connection",
    "expect",
    "http2-settings",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "x-of-this-hop",
];

#[tokio::test]
async fn connection_headers_are_not_forwarded() {
    let document = json!({ "a": 1 });
    let policy = shadow(&json!({ "methods": ["GET", "POST"] }));
    for http2 in [false, true] {
        let testbed = RecordsTestbed::with_equal_upstreams(&policy, &document, http2).await;
        let head = format!(
            "host: flex.example.com\r\nx-account-sid: {INSIDE}\r\n\
             connection: close, x-of-this-hop, TE\r\nx-of-this-hop: 1\r\n\
             keep-alive: timeout=5\r\nproxy-connection: close\r\nte: trailers\r\n\
             proxy-authorization: Basic abc\r\nproxy-authenticate: Basic\r\n\
             http2-settings: AAMAAABkAARAAAAAAAIAAAAA\r\ntrailer: x-after\r\nx-kept: 1\r\n"
        );
        let chunks = "transfer-encoding: chunked\r\nexpect: 100-continue\r\n\r\n\
             5\r\nhello\r\n1; x=y\r\n!\r\n0\r\nx-after: 1\r\n\r\n";
        let post = format!("POST /v1/Channels?a=b HTTP/1.1\r\n{head}{chunks}");
        let get = format!("GET /v1/Channels HTTP/1.1\r\n{head}\r\n");
        for request in [post, get] {
            let response = raw(testbed.envoy.address(), request.as_bytes()).await;
            let response = String::from_utf8_lossy(&response).into_owned();
            assert!(response.contains("HTTP/1.1 200 OK"), "{response}");
        }
        assert_eq!(testbed.settled(2).await, outcomes([("equal", 2)]));

        let mut shadow_requests = testbed.v2.received();
        shadow_requests.sort_by_key(|request| request.method.clone());
        for request in &shadow_requests {
            for name in HOP_BY_HOP {
                assert!(!request.headers.contains_key(name), "{name} in {request:?}");
            }
            assert_eq!(request.header("x-kept"), Some("1"));
        }
        let [get, post] = &shadow_requests[..] else {
            panic!("{shadow_requests:?}")
        };
        assert_eq!(
            (&post.body[..], post.header("content-length")),
            (&b"hello!"[..], Some("6"))
        );
        // A length without a body would make v2 wait for one.
        assert_eq!((get.body.len(), get.header("content-length")), (0, None));
        // Envoy passes some of them, so it is the filter that removes them.
        let user = testbed.v1.received().remove(0);
        for name in ["te", "trailer", "proxy-authorization"] {
            assert!(user.headers.contains_key(name), "{name} in {user:?}");
        }
    }
}
