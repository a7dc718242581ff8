//! A request's trailers reach an upstream without any header of ours, in every protocol.

use http_body_util::BodyExt;
use hyper::Request;
use hyper::body::Incoming;
use serde_json::{Value, json};
use support::client::raw;
use support::envoy::{Bootstrap, Envoy};
use support::render::rendered_with;
use support::wasm::Build;
use turnout_core::{Configuration, Inbound};

use crate::envoy_files::{bootstraps, unfiltered};
use crate::shadow::http2_connection::H2;
use crate::shadow::streaming_upstream::{Frames, Streaming, ok};
use crate::testbed::{INSIDE, OUTSIDE, policy};

const FORGED: [(&str, &str); 9] = [
    ("x-turnout-cluster", "channels-v2"),
    ("x-turnout-cluster", "channels-v1"),
    ("x-turnout-treatment", "v2"),
    ("x-turnout-decision", "chat=v2"),
    ("x-turnout-shadow", "1"),
    ("x-turnout-anything", "1"),
    ("x_turnout_treatment", "v2"),
    ("x_turnout-cluster", "channels-v2"),
    ("x-turnout_shadow", "1"),
];
/// Harmless trailers of a client.
const HONEST: [(&str, &str); 3] = [("x-sum", "5"), ("x-turnout", "1"), ("x-turnouts", "1")];

struct Testbed {
    envoy: Envoy,
    // They end the request.
    _v1: Streaming,
    _v2: Streaming,
}

impl Testbed {
    async fn start(
        build: Build,
        inbound: Inbound,
        adapt: impl FnOnce(Bootstrap) -> Bootstrap,
    ) -> Self {
        let (v1, v2) = (upstream("v1").await, upstream("v2").await);
        let configuration = Configuration::to_json(&policy(&json!({})).to_string(), inbound);
        let text = rendered_with(build, "cluster-header.yaml", &configuration);
        let bootstrap = Bootstrap::new(text, &v1, &v2).without_native_strip();
        let envoy = Envoy::start(adapt(bootstrap.concurrency(1))).await;
        Self {
            envoy,
            _v1: v1,
            _v2: v2,
        }
    }
}

/// Responds with its name and the trailers that it got.
async fn upstream(version: &'static str) -> Streaming {
    Streaming::start(move |request: Request<Incoming>| async move {
        let body = request.into_body().collect().await.expect("a body");
        let pairs = body.trailers().into_iter().flatten();
        let mut trailers: Vec<_> = pairs
            .map(|(name, value)| (name.as_str(), value.to_str().expect("text")))
            .collect();
        trailers.sort_unstable();
        let echo = json!({ "version": version, "trailers": trailers });
        ok("application/json", Frames::of(&[&echo.to_string()]))
    })
    .await
}

fn assert_honest(echo: &Value, version: &str) {
    assert_eq!(echo["version"], version, "{echo}");
    assert_eq!(echo["trailers"], json!(HONEST), "{echo}");
}

#[tokio::test]
async fn forged_trailers_do_not_reach_an_upstream_over_http2() {
    for build in [Build::Whole, Build::Lean] {
        for inbound in [Inbound::Strip, Inbound::Trust] {
            let testbed = Testbed::start(build, inbound, |b| {
                b.http2_to("channels-v1").http2_to("channels-v2")
            })
            .await;
            let connection = H2::open(testbed.envoy.address()).await;
            for kind in ["application/json", "application/grpc"] {
                for (path, account, version) in [
                    ("/v1/Channels", INSIDE, "v2"),
                    ("/v1/Channels", OUTSIDE, "v1"),
                    ("/other", INSIDE, "v1"),
                ] {
                    let trailers = [&FORGED[..], &HONEST].concat();
                    for pieces in [&["hello"][..], &[]] {
                        let request = Request::post(format!("http://a{path}"))
                            .header("x-account-sid", account)
                            .header("content-type", kind)
                            .header("te", "trailers")
                            .body(Frames::of(pieces).trailers(&trailers))
                            .expect("a request");
                        let response = connection.send(request).await.expect("a response");
                        let echo = serde_json::from_slice(&response.body).expect("JSON");
                        assert_honest(&echo, version);
                    }
                }
            }
        }
    }
}

#[tokio::test]
async fn without_the_filter_no_file_lets_forged_trailers_through() {
    for (name, text) in bootstraps() {
        let (v1, v2) = (upstream("v1").await, upstream("v2").await);
        let mut bootstrap = unfiltered(&text, &v1, &v2).http2_to("channels-v1");
        if name != "behind-the-edge.yaml" {
            bootstrap = bootstrap.allow_underscores();
        }
        let envoy = Envoy::start(bootstrap).await;
        let connection = H2::open(envoy.address()).await;
        let trailers = [&FORGED[..], &HONEST].concat();
        let request = Request::post("http://a/v1/Channels")
            .header("te", "trailers")
            .body(Frames::of(&["hello"]).trailers(&trailers))
            .expect("a request");
        let response = connection.send(request).await.expect("a response");
        let echo: Value = serde_json::from_slice(&response.body).expect("JSON");
        assert_honest(&echo, "v1");
    }
}

/// Envoy drops HTTP/1.1 trailers unless both sides are configured to keep them.
#[tokio::test]
async fn forged_trailers_do_not_reach_an_upstream_over_http1() {
    for build in [Build::Whole, Build::Lean] {
        let testbed = Testbed::start(build, Inbound::Strip, with_trailers_of_http1).await;
        for (account, version) in [(INSIDE, "v2"), (OUTSIDE, "v1")] {
            let lines = |trailers: &[(&str, &str)]| -> String {
                let lines = trailers.iter();
                lines
                    .map(|(name, value)| format!("{name}: {value}\r\n"))
                    .collect()
            };
            let upper = lines(&FORGED).to_uppercase();
            let trailers = [lines(&FORGED), lines(&HONEST), upper].concat();
            let request = format!(
                "POST /v1/Channels HTTP/1.1\r\nhost: a\r\nx-account-sid: {account}\r\n\
                 te: trailers\r\ntrailer: x-turnout-cluster\r\nconnection: close\r\n\
                 transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n{trailers}\r\n"
            );
            let response = raw(testbed.envoy.address(), request.as_bytes()).await;
            let response = String::from_utf8_lossy(&response);
            let (start, end) = (response.find('{'), response.rfind('}'));
            let body = start
                .zip(end)
                .and_then(|(start, end)| response.get(start..=end));
            let echo = serde_json::from_str(body.unwrap_or_else(|| panic!("{response}")));
            assert_honest(&echo.expect("JSON"), version);
        }
    }
}

fn with_trailers_of_http1(bootstrap: Bootstrap) -> Bootstrap {
    let filters = "          http_filters:\n";
    let enabled =
        format!("          http_protocol_options: {{ enable_trailers: true }}\n{filters}");
    let to = |bootstrap: Bootstrap, cluster: &str| {
        let name = format!("  - name: {cluster}\n");
        let options = r#"    typed_extension_protocol_options:
      envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
        "@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
        explicit_http_config: { http_protocol_options: { enable_trailers: true } }
"#;
        bootstrap.replace(&name, &format!("{name}{options}"))
    };
    let bootstrap = bootstrap.replace(filters, &enabled);
    to(to(bootstrap, "channels-v1"), "channels-v2")
}
