//! The upstreams of `routes.yaml`. The one of the cluster `up` does what the header `x-upstream` of a request names.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use hyper::body::Incoming;
use hyper::{Request, Response};
use support::envoy::Bootstrap;
use support::raw_upstream::{Raw, RawUpstream};
use tokio::net::TcpSocket;

use crate::shadow::streaming_upstream::{Frames, Streaming};

pub(super) struct Upstreams {
    up: Streaming,
    raw: RawUpstream,
    refused: TcpSocket,
    /// The ids of the requests at `up`, in order.
    ids: Arc<Mutex<Vec<String>>>,
}

impl Upstreams {
    pub(super) async fn start() -> Self {
        let ids = Arc::new(Mutex::new(Vec::new()));
        let arrived = Arc::clone(&ids);
        let up = Streaming::start_fallible(move |request| {
            let id = header(&request, "x-request-id").unwrap_or_default();
            arrived.lock().expect("the ids").push(id);
            respond(request)
        })
        .await;
        // Nobody listens there, and nobody else can.
        let refused = TcpSocket::new_v4().expect("a socket");
        refused
            .bind(SocketAddr::from(([127, 0, 0, 1], 0)))
            .expect("a free port");
        Self {
            up,
            raw: RawUpstream::start(respond_raw).await,
            refused,
            ids,
        }
    }

    /// `routes.yaml` with this filter, an item of the list of HTTP filters.
    pub(super) fn routes(&self, filter: &str) -> String {
        let up = SocketAddr::from(&self.up).port();
        let refused = self.refused_address().port();
        include_str!("routes.yaml")
            .replace("          @FILTER@\n", filter)
            .replace("@UP@", &up.to_string())
            .replace("@REFUSED@", &refused.to_string())
    }

    /// Adds the clusters to [`routes`](Self::routes).
    pub(super) fn add_to(&self, bootstrap: Bootstrap) -> Bootstrap {
        bootstrap
            .cluster("raw", &self.raw)
            .cluster("refused", self.refused_address())
            .concurrency(1)
    }

    fn refused_address(&self) -> SocketAddr {
        self.refused.local_addr().expect("its address")
    }

    /// The number of requests so far.
    pub(super) fn requests(&self) -> u64 {
        self.ids.lock().expect("the ids").len() as u64 + self.raw.requests()
    }

    /// Whether the request with an id has arrived at `up`.
    pub(super) fn has(&self, id: &str) -> bool {
        let ids = self.ids.lock().expect("the ids");
        ids.iter().any(|arrived| arrived == id)
    }
}

impl From<&Upstreams> for SocketAddr {
    fn from(upstreams: &Upstreams) -> Self {
        Self::from(&upstreams.up)
    }
}

fn header(request: &Request<Incoming>, name: &str) -> Option<String> {
    let value = request.headers().get(name);
    value.map(|value| value.to_str().expect("text").to_owned())
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

/// Does what the header `x-upstream` names.
pub(crate) async fn respond(request: Request<Incoming>) -> io::Result<Response<Frames>> {
    let upstream = header(&request, "x-upstream").unwrap_or_default();
    let is_first = header(&request, "x-envoy-attempt-count").as_deref() == Some("1");
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
