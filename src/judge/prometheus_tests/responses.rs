//! Responses of a server that is not the expected one.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::fake_server::{serve, with_body};
use crate::prometheus_address::PrometheusAddress;
use crate::prometheus_client::{PrometheusClient, QueryError};
use crate::prometheus_token::BearerToken;

fn token() -> BearerToken {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    std::fs::write(&file, "s3cret\n").unwrap();
    BearerToken::read(&file).unwrap()
}

fn client(address: &str, token: Option<BearerToken>) -> PrometheusClient {
    let address = PrometheusAddress::parse(address).unwrap();
    PrometheusClient::with_limits(address, token, Duration::from_millis(300), 10_000)
}

/// The error for this response.
fn error(response: &str, token: Option<BearerToken>) -> QueryError {
    let response = response.to_owned();
    let address = serve(move |_, _| response.clone());
    let client = client(&format!("http://{address}"), token);
    client.query("up", None).unwrap_err()
}

fn response(status: u16, body: &str) -> String {
    format!("HTTP/1.1 {status} x\r\n{}", with_body(body))
}

#[test]
fn each_response_has_a_sentence() {
    let html = "<!doctype html><title>Log in</title>";
    let api = |kind: &str, error: &str| {
        format!(r#"{{"status":"error","errorType":"{kind}","error":"{error}"}}"#)
    };
    for (response, expected) in [
        (response(200, html), "it sent a web page, perhaps a login page"),
        (response(200, ""), "it sent an empty response"),
        (response(200, "ok"), "a response that is not one of Prometheus"),
        (response(200, r#"{"status":"success"}"#), "no data"),
        (response(500, html), "it responded with 500 and a web page"),
        (response(401, "Unauthorized"), "401; give a token with --prometheus-token FILE"),
        (response(403, html), "403; give a token"),
        (response(404, "404 page not found"), "is the path before /api/v1 right"),
        (response(400, &api("bad_data", "parse error")), "bad_data: parse error; check the matchers"),
        (response(401, &api("", "no org id")), "401: no org id; give a token"),
        (
            "HTTP/1.1 302 x\r\nlocation: https://me:s3cret@sso/login?secret=1\r\ncontent-length: 0\r\n\r\n".to_owned(),
            "it redirects to sso, and redirects are not followed",
        ),
        (
            "HTTP/1.1 302 x\r\nlocation: /login\r\ncontent-length: 0\r\n\r\n".to_owned(),
            "redirects to another path",
        ),
        ("SSH-2.0-OpenSSH_9.2\r\n".to_owned(), "not HTTP"),
    ] {
        let QueryError::Other(text) = error(&response, None) else {
            panic!("{response}");
        };
        assert!(text.starts_with("cannot query Prometheus at http://127.0.0.1:"), "{text}");
        assert!(text.contains(expected) && !text.contains("s3cret"), "{text}");
    }
    let QueryError::Other(text) = error(&response(401, ""), Some(token())) else {
        panic!("401 has no shorter span");
    };
    assert!(
        text.ends_with("it does not accept the token of --prometheus-token"),
        "{text}"
    );
}

#[test]
fn what_is_too_much_may_be_asked_for_in_parts() {
    let api =
        |kind: &str| format!(r#"{{"status":"error","errorType":"{kind}","error":"e\u001b[2J"}}"#);
    for (response, expected) in [
        (response(422, &api("execution")), "422, execution: e"),
        (response(503, &api("timeout")), "503, timeout"),
        (response(429, "slow down"), "429"),
        (response(504, "<html>"), "504"),
        (
            response(200, &"x".repeat(20_000)),
            "longer than 10000 bytes",
        ),
        // The rest never comes.
        ("HTTP/1.1 200 x\r\n".to_owned(), ""),
    ] {
        let QueryError::TooMuch(text) = error(&response, None) else {
            assert_eq!(expected, "", "{response}");
            continue;
        };
        assert!(
            text.contains(expected) && !text.contains('\u{1b}'),
            "{text}"
        );
    }
}

#[test]
fn a_server_that_does_not_respond_is_given_up() {
    let address = serve(|_, _| {
        std::thread::sleep(Duration::from_secs(2));
        String::new()
    });
    let error = client(&format!("http://{address}"), None)
        .query("up", None)
        .unwrap_err();
    assert!(error.into_text().ends_with("it did not respond in time"));
    let refused = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap()
    };
    let error = client(&format!("http://{refused}"), None)
        .query("up", None)
        .unwrap_err();
    assert!(error.into_text().ends_with("the connection was refused"));
}

#[test]
fn the_request_has_the_prefix_the_query_and_the_token() {
    let heads = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&heads);
    let address = serve(move |_, head| {
        seen.lock().unwrap().push(head.to_owned());
        response(
            200,
            r#"{"status":"success","data":{"resultType":"vector","result":[]}}"#,
        )
    });
    let client = client(&format!("http://{address}/prometheus/"), Some(token()));
    let query = r#"{__name__=~"a|b",c="d e&f"}[15000ms]"#;
    assert_eq!(client.query(query, Some(1_795_832_282_007)), Ok(Vec::new()));
    let heads = heads.lock().unwrap();
    let head = heads[0].as_str();
    assert!(
        head.starts_with("GET /prometheus/api/v1/query?query=%7B__name__"),
        "{head}"
    );
    assert!(head.contains("time=1795832282.007"), "{head}");
    assert!(head.contains("authorization: Bearer s3cret\r\n"), "{head}");
    assert!(head.contains("d%20e%26f"), "{head}");
}
