//! Account, forgery and path tests over HTTP/2, frame by frame, because no library in between corrects headers.

use std::net::SocketAddr;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::testbed::{INSIDE, OUTSIDE, Testbed, headers_of, policy, strip, turnout_headers};

pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const RESET: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
const GO_AWAY: u8 = 7;
pub(crate) const END_STREAM: u8 = 0x1;
pub(crate) const END_HEADERS: u8 = 0x4;

#[tokio::test]
async fn requests_over_http2_are_decided_like_others() {
    let testbed = Testbed::of("cluster-header.yaml", &strip(&policy(&json!({}))), |b| {
        b.without_native_strip()
    })
    .await;
    let mut connection = Connection::open(testbed.envoy.address()).await;
    let forged = [
        ("x-turnout-cluster", "channels-v2"),
        ("x-turnout-cluster", "channels-v1"),
        ("x-turnout-treatment", "v2"),
        ("x_turnout_treatment", "v2"),
        ("x-turnout-decision", "chat=v2"),
    ];
    for (accounts, served) in [
        (&[INSIDE][..], "v2"),
        (&[OUTSIDE], "v1"),
        // A malformed account, and a missing one.
        (&[INSIDE, INSIDE], "v1"),
        (&[], "v1"),
    ] {
        let mut headers: Vec<_> = accounts.iter().map(|sid| ("x-account-sid", *sid)).collect();
        headers.extend(forged);
        let reached = connection.get("/v1/Channels", &headers).await;
        assert_eq!(reached["version"], served, "{accounts:?}");
        assert_eq!(
            turnout_headers(&reached),
            headers_of(served),
            "{accounts:?}"
        );
    }
    let reached = connection.get("/other", &forged).await;
    assert_eq!(reached["version"], "v1");
    assert_eq!(turnout_headers(&reached), []);

    let mut decisions = testbed.decisions().await;
    decisions.retain(|_, count| *count > 0);
    let expected = [
        ("-.v1.no_rollout", 1),
        ("chat.v1.malformed_account", 1),
        ("chat.v1.no_account", 1),
        ("chat.v1.outside_accounts", 1),
        ("chat.v2.rule", 1),
    ];
    let expected = expected.map(|(name, count)| (name.to_owned(), count));
    assert_eq!(decisions, expected.into());
}

/// HTTP/2 allows what HTTP/1.1 rejects: two hosts in one, a method in lower case. Such a request does not match the
/// rollout that is off, and must not match the next one.
#[tokio::test]
async fn a_path_that_misses_a_rollout_by_its_spelling_does_not_match_the_next() {
    let rollout = |name: &str, mode: &str, matches: Value| {
        json!({ "name": name, "match": matches, "mode": mode,
                "v1": "channels-v1", "v2": "channels-v2" })
    };
    let mut policy = policy(&json!({}));
    policy["rollouts"] = json!([
        rollout(
            "internal",
            "off",
            json!({ "hosts": ["internal.example.com"] })
        ),
        rollout(
            "payments",
            "off",
            json!({ "path": { "prefix": "/v1/Payments" } })
        ),
        rollout(
            "reads",
            "off",
            json!({ "path": { "prefix": "/m" }, "methods": ["GET"] })
        ),
        rollout("all", "on", json!({})),
    ]);
    let testbed = Testbed::of("cluster-header.yaml", &strip(&policy), |b| b).await;
    for (method, authority, path, version) in [
        ("GET", "a.example.com", "/v1/Users", "v2"),
        ("POST", "a.example.com:8080", "/m", "v2"),
        ("GET", "internal.example.com", "/v1/Users", "v1"),
        ("GET", "internal.example.com,a", "/v1/Users", "v1"),
        ("GET", "a,internal.example.com", "/v1/Users", "v1"),
        ("GET", "internal..example.com", "/v1/Users", "v1"),
        ("GET", "internal.example.com..", "/v1/Users", "v1"),
        ("GET", "user@internal.example.com", "/v1/Users", "v1"),
        ("GET", ":8080", "/v1/Users", "v1"),
        ("GET", "internal.example.com:80:80", "/v1/Users", "v1"),
        ("GET", "%69nternal.example.com", "/v1/Users", "v1"),
        ("GET", "a", "/v1%2FPayments", "v1"),
        ("GET", "a", "/v1%5CPayments", "v1"),
        ("GET", "a", "/v1;x/Payments", "v1"),
        ("GET", "a", "/v1/Users%2F..%2FPayments", "v1"),
        ("GET", "a", "/m", "v1"),
        ("get", "a", "/m", "v1"),
        ("Get", "a", "/m", "v1"),
        ("get", "a", "/v1/Users", "v1"),
    ] {
        // Envoy closes the connection after some of these.
        let mut connection = Connection::open(testbed.envoy.address()).await;
        let ask = async move { connection.ask(method, authority, path, &[]).await };
        let body = tokio::spawn(ask).await.unwrap_or_default();
        let case = format!("{method} {authority} {path}");
        match serde_json::from_slice::<Value>(&body) {
            Ok(reached) => assert_eq!(reached["version"], version, "{case}"),
            // Envoy itself rejects it.
            Err(_) => assert_eq!(version, "v1", "{case}: {}", String::from_utf8_lossy(&body)),
        }
    }
    let decisions = testbed.decisions().await;
    // The filter rejects all but those: at least the two methods, the joined hosts, and the paths.
    let doubtful = decisions
        .get("-.v1.no_rollout")
        .copied()
        .unwrap_or_default();
    assert!(doubtful >= 9, "{decisions:?}");
    assert_eq!(decisions.get("all.v2.on"), Some(&2), "{decisions:?}");
}

/// The client's side of one connection, with one request at a time.
pub(crate) struct Connection {
    stream: TcpStream,
    next: u32,
}

impl Connection {
    pub(crate) async fn open(target: SocketAddr) -> Self {
        let mut stream = TcpStream::connect(target).await.expect("a connection");
        let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
        let settings = frame(SETTINGS, 0, 0, &[]);
        let opening = [&preface[..], &settings].concat();
        stream
            .write_all(&opening)
            .await
            .expect("an open connection");
        Self { stream, next: 1 }
    }

    /// Sends a request and returns the upstream's response.
    pub(crate) async fn get(&mut self, path: &str, headers: &[(&str, &str)]) -> Value {
        let body = self.ask("GET", "a", path, headers).await;
        serde_json::from_slice(&body).expect("a response in JSON")
    }

    /// Sends a request and returns the body of the response, whoever sent it.
    async fn ask(
        &mut self,
        method: &str,
        authority: &str,
        path: &str,
        headers: &[(&str, &str)],
    ) -> Vec<u8> {
        let number = self.next;
        self.next += 2;
        let pseudo = [
            (":method", method),
            (":scheme", "http"),
            (":authority", authority),
            (":path", path),
        ];
        let block: Vec<u8> = pseudo.iter().chain(headers).flat_map(literal).collect();
        let request = frame(HEADERS, END_STREAM | END_HEADERS, number, &block);
        self.stream.write_all(&request).await.expect("a request");
        let mut body = Vec::new();
        loop {
            let (kind, flags, of, payload) = self.read().await;
            assert!(
                kind != GO_AWAY && kind != RESET,
                "frame {kind}: {payload:?}"
            );
            if of != number {
                continue;
            }
            if kind == DATA {
                body.extend_from_slice(&payload);
            }
            if flags & END_STREAM != 0 {
                return body;
            }
        }
    }

    /// Type, flags, stream and payload of the next frame.
    async fn read(&mut self) -> (u8, u8, u32, Vec<u8>) {
        let mut head = [0; 9];
        self.stream.read_exact(&mut head).await.expect("a frame");
        let [a, b, c, kind, flags, stream @ ..] = head;
        let mut payload = vec![0; u32::from_be_bytes([0, a, b, c]) as usize];
        self.stream.read_exact(&mut payload).await.expect("its end");
        (kind, flags, u32::from_be_bytes(stream), payload)
    }
}

pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("a short frame");
    let [_, length @ ..] = length.to_be_bytes();
    let mut frame = length.to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// A header without compression and without indexing.
pub(crate) fn literal((name, value): &(&str, &str)) -> Vec<u8> {
    let text = |text: &str| {
        let length = u8::try_from(text.len()).expect("a short text");
        assert!(length < 127, "longer texts have another form");
        [&[length], text.as_bytes()].concat()
    };
    [vec![0], text(name), text(value)].concat()
}
