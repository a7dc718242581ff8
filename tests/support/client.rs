//! The clients of the end-to-end tests: [`Client`] for well-formed requests over connections that stay open, and
//! [`raw`] for bytes that no HTTP library would send.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, Uri};
use hyper_util::client::legacy::Client as Pool;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Far longer than a loaded machine needs. Reaching it means that no response will come.
const PATIENCE: Duration = Duration::from_secs(30);

/// One request. `host` is a header like the others.
#[derive(Clone, Debug)]
pub struct Request {
    method: Method,
    path: String,
    headers: HeaderMap,
    body: Bytes,
}

impl Request {
    /// A request with any method.
    #[must_use]
    pub fn new(method: &str, path: impl Into<String>) -> Self {
        Self {
            method: method.parse().expect("an HTTP method"),
            path: path.into(),
            headers: HeaderMap::new(),
            body: Bytes::new(),
        }
    }

    /// A `GET`.
    #[must_use]
    pub fn get(path: impl Into<String>) -> Self {
        Self::new("GET", path)
    }

    /// A `POST` with this body.
    #[must_use]
    pub fn post(path: impl Into<String>, body: impl Into<Bytes>) -> Self {
        let mut request = Self::new("POST", path);
        request.body = body.into();
        request
    }

    /// Adds a header and keeps others with the same name. The value may contain every byte that HTTP allows,
    /// including non-UTF-8 bytes. For other bytes use [`raw`].
    #[must_use]
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        let name = HeaderName::from_bytes(name.as_bytes()).expect("a header name");
        let value = HeaderValue::from_bytes(value.as_ref()).expect("a header value");
        self.headers.append(name, value);
        self
    }

    fn into_http(self, target: SocketAddr) -> hyper::Request<Full<Bytes>> {
        let uri: Uri = format!("http://{target}{}", self.path)
            .parse()
            .expect("a path and query");
        let mut request = hyper::Request::new(Full::new(self.body));
        *request.method_mut() = self.method;
        *request.uri_mut() = uri;
        *request.headers_mut() = self.headers;
        request
    }
}

/// A response.
#[derive(Clone, Debug)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// All headers.
    pub headers: HeaderMap,
    /// The whole body.
    pub body: Bytes,
}

impl Response {
    /// The body as JSON. Panics and shows the body if it is not JSON.
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| {
            panic!(
                "status {}, and no JSON: {error}\n{}",
                self.status,
                self.text()
            )
        })
    }

    /// The body as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// Sends requests to one address. Clones share their connections.
#[derive(Clone, Debug)]
pub struct Client {
    target: SocketAddr,
    pool: Pool<HttpConnector, Full<Bytes>>,
}

impl Client {
    /// Opens no connection until the first request.
    #[must_use]
    pub fn new(target: SocketAddr) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        let pool = Pool::builder(TokioExecutor::new()).build(connector);
        Self { target, pool }
    }

    /// Sends one request. Panics if there is no response.
    pub async fn send(&self, request: Request) -> Response {
        self.try_send(request)
            .await
            .unwrap_or_else(|error| panic!("no response from {}: {error}", self.target))
    }

    /// Sends one request. The error is the reason why there is no response.
    pub async fn try_send(&self, request: Request) -> Result<Response, String> {
        timeout(PATIENCE, self.exchange(request))
            .await
            .map_err(|_| format!("nothing within {PATIENCE:?}"))?
    }

    async fn exchange(&self, request: Request) -> Result<Response, String> {
        let request = request.into_http(self.target);
        let response = self.pool.request(request).await;
        let (head, body) = response
            .map_err(|error| format!("{error}: {:?}", std::error::Error::source(&error)))?
            .into_parts();
        let body = body.collect().await.map_err(|error| error.to_string())?;
        Ok(Response {
            status: head.status.as_u16(),
            headers: head.headers,
            body: body.to_bytes(),
        })
    }

    /// Sends all requests, at most `concurrency` at a time. The responses are in the order of the requests.
    pub async fn send_all(&self, requests: Vec<Request>, concurrency: usize) -> Vec<Response> {
        let requests = Arc::new(requests);
        let next = Arc::new(AtomicUsize::new(0));
        let senders: Vec<_> = (0..concurrency)
            .map(|_| tokio::spawn(send_in_turn(self.clone(), requests.clone(), next.clone())))
            .collect();
        let mut responses = Vec::with_capacity(requests.len());
        for sender in senders {
            responses.extend(sender.await.expect("a sender that got all its responses"));
        }
        responses.sort_unstable_by_key(|(place, _)| *place);
        responses
            .into_iter()
            .map(|(_, response)| response)
            .collect()
    }
}

async fn send_in_turn(
    client: Client,
    requests: Arc<Vec<Request>>,
    next: Arc<AtomicUsize>,
) -> Vec<(usize, Response)> {
    let mut responses = Vec::new();
    loop {
        let place = next.fetch_add(1, Ordering::Relaxed);
        let Some(request) = requests.get(place) else {
            return responses;
        };
        responses.push((place, client.send(request.clone()).await));
    }
}

/// Sends bytes unchanged and returns what comes back: one whole response, or everything up to the end of the
/// connection. Panics if neither comes.
pub async fn raw(target: SocketAddr, bytes: &[u8]) -> Vec<u8> {
    let mut received = Vec::new();
    timeout(PATIENCE, exchange_raw(target, bytes, &mut received))
        .await
        .unwrap_or_else(|_| {
            let so_far = String::from_utf8_lossy(&received);
            panic!("no whole response from {target} within {PATIENCE:?}, but:\n{so_far}")
        });
    received
}

/// Sends bytes unchanged and returns everything up to the end of the connection, which the request must ask
/// for. Panics if the connection stays open.
pub async fn raw_to_end(target: SocketAddr, bytes: &[u8]) -> Vec<u8> {
    let mut received = Vec::new();
    let exchange = async {
        let stream = TcpStream::connect(target).await;
        let mut stream =
            stream.unwrap_or_else(|error| panic!("cannot connect to {target}: {error}"));
        let _ = stream.write_all(bytes).await;
        // A reset ends the connection too.
        let _ = stream.read_to_end(&mut received).await;
    };
    let ended = timeout(PATIENCE, exchange).await;
    ended.unwrap_or_else(|_| panic!("{target} does not close within {PATIENCE:?}"));
    received
}

async fn exchange_raw(target: SocketAddr, bytes: &[u8], received: &mut Vec<u8>) {
    let stream = TcpStream::connect(target).await;
    let (mut reader, mut writer) = stream
        .unwrap_or_else(|error| panic!("cannot connect to {target}: {error}"))
        .into_split();
    // A server that refuses a request may respond and close before it has read everything. So this reads while it
    // writes, and a failed write is not an error.
    let write = async {
        let _ = writer.write_all(bytes).await;
        std::future::pending::<()>().await;
    };
    let read = async {
        // A reset after the response is not an error.
        while let Ok(1..) = reader.read_buf(received).await {
            if is_whole_response(received) {
                return;
            }
        }
    };
    tokio::select! { () = write => {}, () = read => {} }
}

/// Whether a response of known length is complete. A response of unknown length ends with the
/// connection.
fn is_whole_response(received: &[u8]) -> bool {
    let Some(head_end) = find(received, b"\r\n\r\n") else {
        return false;
    };
    let head = String::from_utf8_lossy(&received[..head_end]).to_ascii_lowercase();
    let body = &received[head_end + 4..];
    if head.contains("\r\ntransfer-encoding: chunked") {
        return body.ends_with(b"0\r\n\r\n");
    }
    let length = head
        .split("\r\n")
        .find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
    length.is_some_and(|length: usize| body.len() >= length)
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack
        .windows(needle.len())
        .position(|window| window == needle)
}
