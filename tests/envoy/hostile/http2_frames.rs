//! HTTP/2 frames that no client library sends: invalid header blocks, wrong lengths, streams that are reset at
//! once. None is served, and the next connection works.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::OwnedReadHalf;
use tokio::time::timeout;

use crate::http2::{Connection, DATA, END_HEADERS, END_STREAM, HEADERS, RESET, SETTINGS, frame};
use crate::testbed::{INSIDE, Testbed, policy, strip, traps};

const CONTINUATION: u8 = 9;
/// Far longer than a loaded machine needs.
const PATIENCE: Duration = Duration::from_secs(20);
const RESETS: u32 = 400;
/// The stream of the good request that follows each attack.
const LAST: u32 = 100_001;

type Pair = (Vec<u8>, Vec<u8>);

fn pair(name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Pair {
    (name.as_ref().to_vec(), value.as_ref().to_vec())
}

/// A request that the rollout would send to v2.
fn good() -> Vec<Pair> {
    vec![
        pair(":method", "GET"),
        pair(":scheme", "http"),
        pair(":authority", "a"),
        pair(":path", "/v1/Channels"),
        pair("x-account-sid", INSIDE),
    ]
}

/// The good request with one more header.
fn with(name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Vec<Pair> {
    [good(), vec![pair(name, value)]].concat()
}

fn without(name: &str) -> Vec<Pair> {
    let mut pairs = good();
    pairs.retain(|(own, _)| own != name.as_bytes());
    pairs
}

fn but(name: &str, value: &str) -> Vec<Pair> {
    let mut pairs = good();
    for (own, old) in &mut pairs {
        if own == name.as_bytes() {
            *old = value.as_bytes().to_vec();
        }
    }
    pairs
}

/// Invalid header blocks.
fn bad_blocks() -> Vec<(&'static str, Vec<Pair>)> {
    let many = |count: usize| {
        let more = (0..count).map(|number| pair(format!("x-{number}"), "1"));
        [good(), more.collect()].concat()
    };
    vec![
        (
            "a newline in a value",
            with("x-a", "1\nx-turnout-cluster: channels-v2"),
        ),
        (
            "CR and LF in a value",
            with("x-a", "1\r\nx-turnout-cluster: channels-v2"),
        ),
        ("NUL in a value", with("x-a", "1\0")),
        ("NUL in the account", but("x-account-sid", "AC\0")),
        (
            "a newline in a name",
            with("x-a\nx-turnout-cluster", "channels-v2"),
        ),
        ("a colon in a name", with("x-a:", "1")),
        (
            "a space in a name",
            with("x-turnout-cluster ", "channels-v2"),
        ),
        ("an empty name", with("", "1")),
        (
            "upper case in a name",
            with("X-Turnout-Cluster", "channels-v2"),
        ),
        ("two paths", with(":path", "/other")),
        ("two methods", with(":method", "POST")),
        ("two schemes", with(":scheme", "https")),
        ("a status", with(":status", "200")),
        ("an unknown pseudo-header", with(":turnout", "v2")),
        ("no path", without(":path")),
        ("no method", without(":method")),
        ("no scheme", without(":scheme")),
        ("an empty path", but(":path", "")),
        ("a path with a newline", but(":path", "/v1/Channels\n")),
        ("a path with a space", but(":path", "/v1/Channels x")),
        ("a path with NUL", but(":path", "/v1/Channels\0")),
        (
            "a method that is none",
            but(":method", "GET /other HTTP/1.1"),
        ),
        (
            "a header of the connection",
            with("connection", "x-account-sid"),
        ),
        ("chunks", with("transfer-encoding", "chunked")),
        ("an upgrade", with("upgrade", "h2c")),
        ("more headers than there may be", many(120)),
        ("a length that is a word", with("content-length", "many")),
        ("a length below nothing", with("content-length", "-1")),
        ("a length and no body", with("content-length", "10")),
    ]
}

/// The bytes after the preface.
fn bad_frames() -> Vec<(&'static str, Vec<u8>)> {
    let open = |pairs: &[Pair]| frame(HEADERS, END_HEADERS, 1, &block(pairs));
    let posted = |length: &str, data: &[u8]| {
        let mut pairs = but(":method", "POST");
        pairs.push(pair("content-length", length));
        [open(&pairs), frame(DATA, END_STREAM, 1, data)].concat()
    };
    let whole = |stream: u32| frame(HEADERS, END_HEADERS | END_STREAM, stream, &block(&good()));
    let endless = {
        let mut frames = frame(HEADERS, 0, 1, &block(&good()));
        for number in 0..20_000 {
            let more = block(&[pair(format!("x-{number}"), "1")]);
            frames.extend(frame(CONTINUATION, 0, 1, &more));
        }
        frames
    };
    vec![
        ("less than announced", posted("10", b"hello")),
        ("more than announced", posted("2", b"hello")),
        ("a stream of the server's", whole(2)),
        ("the connection as a stream", whole(0)),
        ("data before headers", frame(DATA, END_STREAM, 1, b"hello")),
        (
            "a block that ends amid a header",
            frame(HEADERS, END_HEADERS | END_STREAM, 1, &[0, 9, b'x']),
        ),
        (
            "an index that is not there",
            frame(
                HEADERS,
                END_HEADERS | END_STREAM,
                1,
                &[0xff, 0xff, 0xff, 0x7f],
            ),
        ),
        (
            "a reset of an unknown stream",
            frame(RESET, 0, 7, &[0, 0, 0, 8]),
        ),
        (
            "settings of a wrong length",
            frame(SETTINGS, 0, 0, &[0, 1, 0]),
        ),
        ("a block without end", endless),
        (
            "trailers with a pseudo-header",
            [
                open(&but(":method", "POST")),
                frame(
                    HEADERS,
                    END_HEADERS | END_STREAM,
                    1,
                    &block(&[pair(":path", "/other")]),
                ),
            ]
            .concat(),
        ),
    ]
}

#[tokio::test]
async fn invalid_header_blocks_reach_no_upstream() {
    let testbed = testbed().await;
    let target = testbed.envoy.address();
    // The request that the others vary is served.
    let mut good_frame = Connection::open(target).await;
    let sid = [("x-account-sid", INSIDE)];
    assert_eq!(good_frame.get("/v1/Channels", &sid).await["version"], "v2");
    let first = frame(HEADERS, END_HEADERS | END_STREAM, 1, &block(&good()));
    let before = forwarded(&testbed).await;
    send(target, &first).await;
    assert_eq!(forwarded(&testbed).await, before + 2);
    for (what, pairs) in bad_blocks() {
        let before = forwarded(&testbed).await;
        let bytes = frame(HEADERS, END_HEADERS | END_STREAM, 1, &block(&pairs));
        let response = send(target, &bytes).await;
        assert!(!is_served(&response), "{what}");
        // Besides the last request, unless Envoy closed the connection.
        let last = u64::from(response.iter().any(|frame| frame.stream == LAST));
        // Envoy 1.36 forwards the headers before it notices that the body is missing.
        let headers_only = u64::from(is_old() && what == "a length and no body");
        let after = forwarded(&testbed).await;
        assert_eq!(after, before + last + headers_only, "{what}");
    }
    is_well(&testbed).await;
}

/// Envoy 1.36 does not mind the order of headers. Then the request is decided like any other.
#[tokio::test]
async fn a_pseudo_header_behind_others_is_invalid_or_decided() {
    let testbed = testbed().await;
    let mut pairs = without(":path");
    pairs.push(pair(":path", "/v1/Channels"));
    let bytes = frame(HEADERS, END_HEADERS | END_STREAM, 1, &block(&pairs));
    let response = send(testbed.envoy.address(), &bytes).await;
    let is_v2 = response.iter().any(|frame| {
        let version = br#""version":"v2""#;
        frame.stream == 1
            && frame
                .payload
                .windows(version.len())
                .any(|part| part == version)
    });
    assert_eq!((is_served(&response), is_v2), (is_old(), is_old()));
    is_well(&testbed).await;
}

#[tokio::test]
async fn frames_that_break_the_protocol_are_not_served() {
    let testbed = testbed().await;
    for (what, bytes) in bad_frames() {
        let response = send(testbed.envoy.address(), &bytes).await;
        assert!(!is_served(&response), "{what}");
    }
    is_well(&testbed).await;
}

/// Envoy may close such a connection. Nothing remains of the streams.
#[tokio::test]
async fn streams_that_are_reset_at_once_leave_nothing_behind() {
    let testbed = testbed().await;
    let mut bytes = Vec::new();
    for number in 0..RESETS {
        let stream = 2 * number + 1;
        bytes.extend(frame(
            HEADERS,
            END_HEADERS,
            stream,
            &block(&but(":method", "POST")),
        ));
        bytes.extend(frame(RESET, 0, stream, &[0, 0, 0, 8]));
    }
    for _ in 0..4 {
        let response = send(testbed.envoy.address(), &bytes).await;
        assert!(!is_served(&response));
    }
    is_well(&testbed).await;
    let active = testbed
        .envoy
        .admin()
        .stats(r"^http\.http\.downstream_rq_active$")
        .await;
    assert_eq!(active.values().sum::<u64>(), 0, "{active:?}");
}

async fn testbed() -> Testbed {
    Testbed::of("cluster-header.yaml", &strip(&policy(&json!({}))), |b| {
        b.without_native_strip().concurrency(1)
    })
    .await
}

/// The next request is served, and the filter has not trapped.
async fn is_well(testbed: &Testbed) {
    let mut connection = Connection::open(testbed.envoy.address()).await;
    let sid = [("x-account-sid", INSIDE)];
    assert_eq!(connection.get("/v1/Channels", &sid).await["version"], "v2");
    let log = testbed.envoy.settled_log().await;
    assert_eq!(traps(&log), Vec::<&String>::new());
}

/// Sends frames and a good request on a new connection, and returns all frames up to the end of that request or of
/// the connection.
async fn send(target: SocketAddr, bytes: &[u8]) -> Vec<Frame> {
    let stream = TcpStream::connect(target).await.expect("a connection");
    let (mut reader, mut writer) = stream.into_split();
    let opening = [
        &b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"[..],
        &frame(SETTINGS, 0, 0, &[]),
        bytes,
        &frame(HEADERS, END_HEADERS | END_STREAM, LAST, &block(&good())),
    ]
    .concat();
    // Envoy may close the connection before it has read everything.
    let write = async {
        let _ = writer.write_all(&opening).await;
        std::future::pending::<()>().await;
    };
    let mut frames = Vec::new();
    let read = async {
        while let Some((flags, frame)) = next(&mut reader).await {
            let is_end = frame.kind == RESET || flags & END_STREAM != 0;
            let is_last = frame.stream == LAST && frame.kind != SETTINGS;
            frames.push(frame);
            if is_last && is_end {
                return;
            }
        }
    };
    let either = async {
        tokio::select! { () = write => {}, () = read => {} }
    };
    timeout(PATIENCE, either)
        .await
        .expect("a response or an end");
    frames
}

struct Frame {
    kind: u8,
    stream: u32,
    payload: Vec<u8>,
}

/// A frame with its flags; `None` at the end of the connection.
async fn next(reader: &mut OwnedReadHalf) -> Option<(u8, Frame)> {
    let mut head = [0; 9];
    reader.read_exact(&mut head).await.ok()?;
    let [a, b, c, kind, flags, stream @ ..] = head;
    let mut payload = vec![0; u32::from_be_bytes([0, a, b, c]) as usize];
    reader.read_exact(&mut payload).await.ok()?;
    let stream = u32::from_be_bytes(stream);
    let frame = Frame {
        kind,
        stream,
        payload,
    };
    Some((flags, frame))
}

/// Whether an upstream responded to one of the requests before the last.
/// Envoy 1.36 checks less.
fn is_old() -> bool {
    std::env::var("ENVOY_VERSION").is_ok_and(|version| version.starts_with("1.36."))
}

fn is_served(frames: &[Frame]) -> bool {
    let says = |frame: &Frame| {
        let found = frame.payload.windows(9).any(|part| part == b"\"version\"");
        frame.kind == DATA && frame.stream != LAST && found
    };
    frames.iter().any(says)
}

/// The number of requests that Envoy sent or tried to send to an upstream.
async fn forwarded(testbed: &Testbed) -> u64 {
    let stats = r"^cluster\.channels-v[12]\.upstream_rq_total$";
    testbed.envoy.admin().stats(stats).await.values().sum()
}

/// A header without compression and without indexing.
fn block(pairs: &[Pair]) -> Vec<u8> {
    let text = |text: &[u8]| {
        let length = u8::try_from(text.len()).expect("a short text");
        assert!(length < 127, "longer texts have another form");
        [&[length], text].concat()
    };
    let literal = |(name, value): &Pair| [vec![0], text(name), text(value)].concat();
    pairs.iter().flat_map(literal).collect()
}
