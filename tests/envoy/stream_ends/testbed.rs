//! An Envoy with the probe, and an upstream that does what the header `x-upstream` of a request names.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use hyper::body::Incoming;
use hyper::{Request, Response};
use support::envoy::{Bootstrap, Envoy};
use support::raw_upstream::{Raw, RawUpstream};
use support::temp_folder::Folder;
use tokio::net::TcpSocket;
use tokio::time::sleep;

use super::client::{Asked, Client, Protocol};
use crate::shadow::streaming_upstream::{Frames, Streaming};

const PATIENCE: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(5);
/// The beginning of a line of the probe.
const LINE: &str = "stream end: ";

pub(super) struct Testbed {
    envoy: Envoy,
    requests: Arc<AtomicU64>,
    raw: RawUpstream,
    // They end the requests.
    _up: Streaming,
    _refused: TcpSocket,
    _folder: Folder,
    ends: usize,
}

/// The properties of a stream that has ended; `None` for what Envoy does not have.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Properties {
    /// Whether the filter saw the headers of the request.
    pub(super) is_seen: bool,
    pub(super) code: Option<u64>,
    pub(super) flags: Option<u64>,
    pub(super) details: Option<String>,
    pub(super) grpc_status: Option<u64>,
    pub(super) has_duration: bool,
    pub(super) has_upstream: bool,
    /// The status of gRPC in the headers or trailers.
    pub(super) seen_status: Option<u32>,
}

impl Testbed {
    pub(super) async fn start() -> Self {
        let folder = Folder::new();
        let wasm = wat::parse_str(include_str!("probe.wat")).expect("a module");
        let probe = folder.path().join("probe.wasm");
        std::fs::write(&probe, wasm).expect("its file");

        let requests = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&requests);
        let up = Streaming::start_fallible(move |request| {
            count.fetch_add(1, Ordering::SeqCst);
            respond(request)
        })
        .await;
        let raw = RawUpstream::start(respond_raw).await;
        // Nobody listens there, and nobody else can.
        let refused = TcpSocket::new_v4().expect("a socket");
        refused
            .bind(SocketAddr::from(([127, 0, 0, 1], 0)))
            .expect("a free port");
        let refused_address = refused.local_addr().expect("its address");

        let up_address = SocketAddr::from(&up);
        let text = include_str!("probe.yaml")
            .replace("@PROBE@", probe.to_str().expect("a path in UTF-8"))
            .replace("@UP@", &up_address.port().to_string())
            .replace("@REFUSED@", &refused_address.port().to_string());
        let bootstrap = Bootstrap::new(text, &up, &up)
            .cluster("raw", &raw)
            .cluster("refused", refused_address)
            .concurrency(1);
        Self {
            envoy: Envoy::start(bootstrap).await,
            requests,
            raw,
            _up: up,
            _refused: refused,
            _folder: folder,
            ends: 0,
        }
    }

    /// Sends one request, and returns the properties of its stream after its end.
    pub(super) async fn end_of(
        &mut self,
        client: Client,
        protocol: Protocol,
        asked: &Asked,
    ) -> Properties {
        let requests = || self.requests.load(Ordering::SeqCst) + self.raw.requests();
        let before = requests();
        let arrived = async {
            while requests() == before {
                sleep(POLL).await;
            }
        };
        let run = client.run(self.envoy.address(), protocol, asked, arrived);
        let ended = async {
            let deadline = Instant::now() + PATIENCE;
            loop {
                let log = self.envoy.log();
                let lines: Vec<&str> = log.split(LINE).skip(1 + self.ends).collect();
                if let [line] = lines[..] {
                    let line = line.lines().next().unwrap_or_default();
                    return Properties::of(line);
                }
                assert!(lines.is_empty(), "{lines:?}");
                assert!(Instant::now() < deadline, "no end of {asked:?}:\n{log}");
                sleep(POLL).await;
            }
        };
        let properties = {
            tokio::pin!(run, ended);
            tokio::select! {
                () = &mut run => ended.await,
                properties = &mut ended => properties,
            }
        };
        self.ends += 1;
        properties
    }
}

impl Properties {
    fn of(line: &str) -> Self {
        let values: Vec<&str> = line.split(' ').collect();
        let [
            seen,
            code,
            flags,
            details,
            grpc_status,
            duration,
            upstream,
            status,
        ] = values[..]
        else {
            panic!("{line}")
        };
        let number = |hex: &str| {
            let bytes = bytes(hex)?;
            let bytes: [u8; 8] = bytes.try_into().expect("eight bytes");
            Some(u64::from_le_bytes(bytes))
        };
        let text = |hex| bytes(hex).map(|bytes| String::from_utf8(bytes).expect("UTF-8"));
        Self {
            is_seen: seen == "+",
            code: number(code),
            flags: number(flags),
            details: text(details),
            grpc_status: number(grpc_status),
            has_duration: number(duration).is_some(),
            has_upstream: bytes(upstream).is_some(),
            seen_status: text(status).map(|status| status.parse().expect("a status")),
        }
    }
}

fn bytes(hex: &str) -> Option<Vec<u8>> {
    let digit = |digit: u8| char::from(digit).to_digit(16).expect("a digit") as u8;
    let pair = |pair: &[u8]| digit(pair[0]) << 4 | digit(pair[1]);
    (hex != "-").then(|| hex.as_bytes().chunks(2).map(pair).collect())
}

/// Responses of bytes, by path.
fn respond_raw(path: &str) -> Raw {
    let upgraded = "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\nhello";
    match path {
        "/raw/reset" => Raw::new("").reset(),
        "/raw/close" => Raw::new(""),
        "/raw/garbage" => Raw::new("garbage\r\n\r\n"),
        "/raw/short" => Raw::new("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\npart"),
        "/raw/short-reset" => Raw::new("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\npart").reset(),
        "/raw/bad-chunk" => Raw::new(
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\npart\r\nno length\r\n",
        ),
        "/raw/short-500" => Raw::new("HTTP/1.1 500 Error\r\ncontent-length: 10\r\n\r\npart"),
        "/raw/short-404" => Raw::new("HTTP/1.1 404 Not\r\ncontent-length: 10\r\n\r\npart"),
        "/raw/until-close" => Raw::new("HTTP/1.1 200 OK\r\n\r\nwhole"),
        "/raw/upgrade" => Raw::new(upgraded),
        "/raw/upgrade-reset" => Raw::new(upgraded).reset(),
        "/raw/upgrade-hold" => Raw::new(upgraded).hold(),
        _ => panic!("{path}"),
    }
}

async fn respond(request: Request<Incoming>) -> io::Result<Response<Frames>> {
    let header = |name: &str| {
        let value = request.headers().get(name);
        value.map(|value| value.to_str().expect("text").to_owned())
    };
    let upstream = header("x-upstream").unwrap_or_default();
    let is_first = header("x-envoy-attempt-count").as_deref() == Some("1");
    let whole = |status: u16, body| {
        let response = Response::builder().status(status).body(body);
        Ok(response.expect("a response"))
    };
    let grpc = |body: Frames, status: Option<&str>| {
        let mut response = Response::builder().header("content-type", "application/grpc");
        if let Some(status) = status {
            response = response.header("grpc-status", status);
        }
        Ok(response.body(body).expect("a response"))
    };
    let words: Vec<&str> = upstream.split(' ').collect();
    match words[..] {
        ["once", how] if is_first => match how {
            "hangs" => std::future::pending().await,
            "fails" => Err(io::ErrorKind::ConnectionAborted.into()),
            status => whole(status.parse().expect("a status"), Frames::of(&["body"])),
        },
        ["once", _] => whole(200, Frames::of(&["body"])),
        ["hangs"] => std::future::pending().await,
        ["fails"] => Err(io::ErrorKind::ConnectionAborted.into()),
        ["redirects"] => Ok(Response::builder()
            .status(302)
            .header("location", "http://a/up")
            .body(Frames::of(&["body"]))
            .expect("a response")),
        ["part"] => whole(200, Frames::of(&["part"]).hangs()),
        ["part", status] => whole(
            status.parse().expect("a status"),
            Frames::of(&["part"]).hangs(),
        ),
        ["breaks"] => whole(200, Frames::of(&["part"]).breaks()),
        ["long"] => {
            let piece = "x".repeat(1 << 16);
            whole(200, Frames::of(&vec![piece.as_str(); 600]))
        }
        ["grpc", "none"] => grpc(Frames::of(&["message"]), None),
        ["grpc", "hangs"] => grpc(Frames::of(&["message"]).hangs(), None),
        ["grpc", "breaks"] => grpc(Frames::of(&["message"]).breaks(), None),
        ["grpc", status] => grpc(
            Frames::of(&["message"]).trailer("grpc-status", status),
            None,
        ),
        ["grpc", status, "only"] => grpc(Frames::default(), Some(status)),
        [status] => whole(status.parse().expect("a status"), Frames::of(&["body"])),
        _ => panic!("{upstream}"),
    }
}
