//! Clients that read, leave, wait, or break off.

use std::net::SocketAddr;

use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::http2::{DATA, END_HEADERS, END_STREAM, HEADERS, SETTINGS, frame, literal};
use crate::shadow::streaming_upstream::Frames;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    Http1,
    Http2,
}

/// What a client does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Client {
    /// Sends the whole request and reads the whole response.
    Reads,
    /// Closes the connection before the response.
    Leaves,
    /// Resets the stream before the response.
    Cancels,
    /// Closes the connection within the body of the response.
    LeavesWithin,
    /// Resets the stream within the body of the response.
    CancelsWithin,
    /// Reads the headers of the response, and nothing else.
    StopsReading,
    /// Sends the beginning of a body, and reads the response.
    Withholds,
    /// Sends the beginning of a body, and leaves.
    WithholdsAndLeaves,
    /// Sends a body that violates the protocol.
    Violates,
    /// Opens a WebSocket and reads to the end.
    Upgrades,
    /// Opens a WebSocket and closes the connection.
    UpgradesAndLeaves,
}

/// A request by a path and headers.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) path: &'static str,
    pub(super) headers: Vec<(&'static str, String)>,
}

impl Asked {
    pub(super) fn is_grpc(&self) -> bool {
        let mut headers = self.headers.iter();
        headers.any(|(name, value)| *name == "content-type" && value == "application/grpc")
    }
}

enum Sender {
    Http1(http1::SendRequest<Frames>),
    Http2(http2::SendRequest<Frames>),
}

impl Sender {
    async fn open(target: SocketAddr, protocol: Protocol) -> Self {
        let stream = TcpStream::connect(target).await.expect("a connection");
        stream.set_nodelay(true).expect("an option of the socket");
        let stream = TokioIo::new(stream);
        // The connection ends with an error whenever the other side closes it.
        match protocol {
            Protocol::Http1 => {
                let opened = http1::handshake(stream).await;
                let (sender, connection) = opened.expect("a connection of HTTP/1.1");
                tokio::spawn(async { drop(connection.await) });
                Self::Http1(sender)
            }
            Protocol::Http2 => {
                let opened = http2::handshake(TokioExecutor::new(), stream).await;
                let (sender, connection) = opened.expect("a connection of HTTP/2");
                tokio::spawn(async { drop(connection.await) });
                Self::Http2(sender)
            }
        }
    }

    async fn send(&mut self, request: Request<Frames>) -> hyper::Result<Response<Incoming>> {
        match self {
            Self::Http1(sender) => sender.send_request(request).await,
            Self::Http2(sender) => sender.send_request(request).await,
        }
    }
}

impl Client {
    /// Sends a request, and returns when the client is done. `arrived` waits until the request is at the upstream.
    pub(super) async fn run(
        self,
        target: SocketAddr,
        protocol: Protocol,
        asked: &Asked,
        arrived: impl Future<Output = ()>,
    ) {
        match self {
            Self::Leaves
            | Self::LeavesWithin
            | Self::Violates
            | Self::Upgrades
            | Self::UpgradesAndLeaves => {
                let mut raw = RawClient::open(target, protocol).await;
                raw.send(self, asked).await;
                match self {
                    Self::Leaves => arrived.await,
                    Self::LeavesWithin | Self::UpgradesAndLeaves => raw.read_up_to_the_body().await,
                    _ => raw.read_to_end().await,
                }
            }
            Self::Cancels | Self::CancelsWithin | Self::WithholdsAndLeaves => {
                let mut sender = Sender::open(target, protocol).await;
                let response = sender.send(self.request(asked));
                if self == Self::CancelsWithin {
                    let mut response = response.await.expect("a response");
                    let _ = response.body_mut().frame().await;
                } else {
                    tokio::select! {
                        response = response => panic!("a response: {response:?}"),
                        () = arrived => {}
                    }
                }
                // The stream is reset, and the connection stays open.
                std::future::pending().await
            }
            Self::StopsReading => {
                let mut sender = Sender::open(target, protocol).await;
                let _response = sender.send(self.request(asked)).await.expect("a response");
                std::future::pending().await
            }
            Self::Reads | Self::Withholds => {
                let mut sender = Sender::open(target, protocol).await;
                // An error if the response breaks off.
                if let Ok(response) = sender.send(self.request(asked)).await {
                    let _ = response.into_body().collect().await;
                }
                // Otherwise a request that is not complete would end here.
                std::future::pending().await
            }
        }
    }

    fn request(self, asked: &Asked) -> Request<Frames> {
        let (method, body) = match self {
            Self::Withholds | Self::WithholdsAndLeaves => ("POST", Frames::of(&["part"]).hangs()),
            _ => ("GET", Frames::default()),
        };
        let mut request = Request::builder().method(method);
        for (name, value) in &asked.headers {
            request = request.header(*name, value);
        }
        let request = request.uri(format!("http://a{}", asked.path));
        let request = request.header("host", "a").body(body);
        request.expect("a request")
    }
}

/// A client that can close its connection at any time, and violate the protocol.
struct RawClient {
    stream: TcpStream,
    protocol: Protocol,
}

impl RawClient {
    async fn open(target: SocketAddr, protocol: Protocol) -> Self {
        let stream = TcpStream::connect(target).await.expect("a connection");
        Self { stream, protocol }
    }

    async fn send(&mut self, client: Client, asked: &Asked) {
        let request = match self.protocol {
            Protocol::Http1 => http1(client, asked),
            Protocol::Http2 => http2(client, asked),
        };
        self.stream.write_all(&request).await.expect("a request");
    }

    /// Envoy sends no data without a body.
    async fn read_up_to_the_body(&mut self) {
        let mut received = Vec::new();
        let is_there = |received: &[u8]| match self.protocol {
            Protocol::Http1 => received.windows(5).any(|five| five[..4] == *b"\r\n\r\n"),
            Protocol::Http2 => frames(received).contains(&DATA),
        };
        while !is_there(&received) {
            let read = self.stream.read_buf(&mut received).await;
            assert!(matches!(read, Ok(1..)), "{}", received.escape_ascii());
        }
    }

    async fn read_to_end(&mut self) {
        let _ = self.stream.read_to_end(&mut Vec::new()).await;
    }
}

fn http1(client: Client, asked: &Asked) -> Vec<u8> {
    let (method, rest) = match client {
        // A chunk without a length.
        Client::Violates => (
            "POST",
            "transfer-encoding: chunked\r\n\r\n4\r\npart\r\nno length\r\n",
        ),
        Client::Upgrades | Client::UpgradesAndLeaves => {
            ("GET", "connection: upgrade\r\nupgrade: websocket\r\n\r\n")
        }
        _ => ("GET", "\r\n"),
    };
    let line = |(name, value): &(&str, String)| format!("{name}: {value}\r\n");
    let headers: String = asked.headers.iter().map(line).collect();
    let request = format!(
        "{method} {} HTTP/1.1\r\nhost: a\r\n{headers}{rest}",
        asked.path
    );
    request.into_bytes()
}

fn http2(client: Client, asked: &Asked) -> Vec<u8> {
    let (method, special, flags) = match client {
        // More bytes than the header announces.
        Client::Violates => ("POST", Some(("content-length", "1")), 0),
        Client::Upgrades | Client::UpgradesAndLeaves => {
            ("CONNECT", Some((":protocol", "websocket")), 0)
        }
        _ => ("GET", None, END_STREAM),
    };
    let pseudo = [
        (":method", method),
        (":scheme", "http"),
        (":authority", "a"),
        (":path", asked.path),
    ];
    let headers = asked.headers.iter();
    let headers = headers.map(|(name, value)| (*name, value.as_str()));
    let all = pseudo.into_iter().chain(special).chain(headers);
    let block: Vec<u8> = all.flat_map(|header| literal(&header)).collect();
    let mut request = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    request.extend(frame(SETTINGS, 0, 0, &[]));
    request.extend(frame(HEADERS, END_HEADERS | flags, 1, &block));
    if client == Client::Violates {
        request.extend(frame(DATA, 0, 1, b"part"));
    }
    request
}

/// The types of the frames that are complete.
fn frames(mut received: &[u8]) -> Vec<u8> {
    let mut kinds = Vec::new();
    while let [a, b, c, kind, ..] = *received {
        let length = u32::from_be_bytes([0, a, b, c]) as usize;
        let Some(rest) = received.get(9 + length..) else {
            break;
        };
        kinds.push(kind);
        received = rest;
    }
    kinds
}
