//! A simple upstream: a small messaging API over HTTP/1.1 that echoes the request and its own version.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::IntoResponse;
use axum::serve::ListenerExt;
use serde_json::{Value, json};
use tokio::sync::oneshot;

/// A running upstream. Dropping it finishes the requests in progress and stops it.
///
/// Each response is a JSON object with `version`, `method`, `path` (with its query), `headers` (a list of
/// `[name, value]`, as received) and `body`. Below `/v1/Channels` it also has the data of a messaging API:
/// `channels` for the list, `channel` for one. The header `x-version` has the version too, for tests that
/// need nothing else.
#[derive(Debug)]
pub struct Upstream {
    address: SocketAddr,
    requests: Arc<AtomicU64>,
    last: Arc<Mutex<Bytes>>,
    stop: Option<oneshot::Sender<()>>,
    // A thread of its own makes the upstream independent of the runtime of its user.
    server: Option<JoinHandle<()>>,
}

impl Upstream {
    /// Starts an upstream on a free port of the loopback interface. It accepts connections when this
    /// returns.
    #[must_use]
    pub fn start(version: &'static str) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let address = listener.local_addr().expect("the port's address");
        let requests = Arc::new(AtomicU64::new(0));
        let last = Arc::default();
        let (stop, stopped) = oneshot::channel();
        let api = Api {
            version,
            requests: requests.clone(),
            last: Arc::clone(&last),
        };
        let server = std::thread::spawn(move || serve(listener, api, stopped));
        Self {
            address,
            requests,
            last,
            stop: Some(stop),
            server: Some(server),
        }
    }

    /// Its address.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The number of requests so far.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.requests.load(Ordering::SeqCst)
    }

    /// Its last response body, which a client does not get for a `HEAD`.
    ///
    /// # Panics
    /// When no request has reached it yet.
    #[must_use]
    pub fn last(&self) -> Value {
        let last = self.last.lock().expect("the last response").clone();
        serde_json::from_slice(&last).expect("a response")
    }
}

impl From<&Upstream> for SocketAddr {
    fn from(upstream: &Upstream) -> Self {
        upstream.address()
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(server) = self.server.take() {
            // A panic in the thread has already shown as a missing response.
            let _ = server.join();
        }
    }
}

#[derive(Clone)]
struct Api {
    version: &'static str,
    requests: Arc<AtomicU64>,
    last: Arc<Mutex<Bytes>>,
}

fn serve(listener: TcpListener, api: Api, stopped: oneshot::Receiver<()>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        listener.set_nonblocking(true).expect("a listener to poll");
        let listener = tokio::net::TcpListener::from_std(listener).expect("a listener to poll");
        let listener = listener.tap_io(|stream| {
            // Otherwise a small response may wait for the acknowledgement of the one before.
            let _ = stream.set_nodelay(true);
        });
        let app = Router::new().fallback(respond).with_state(api);
        axum::serve(listener, app)
            .with_graceful_shutdown(async {
                let _ = stopped.await;
            })
            .await
            .expect("a server that only ends on demand");
    });
}

async fn respond(
    State(api): State<Api>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> impl IntoResponse {
    api.requests.fetch_add(1, Ordering::SeqCst);
    let mut document = json!({
        "version": api.version,
        "method": method.as_str(),
        "path": uri.path_and_query().map_or("", |path| path.as_str()),
        "headers": headers.iter().map(|(name, value)| {
            json!([name.as_str(), String::from_utf8_lossy(value.as_bytes())])
        }).collect::<Vec<_>>(),
        "body": String::from_utf8_lossy(&body),
    });
    let (status, messaging) = messaging(&method, uri.path());
    if let Some((name, value)) = messaging {
        document[name] = value;
    }
    let text = Bytes::from(document.to_string());
    api.last
        .lock()
        .expect("the last response")
        .clone_from(&text);
    let headers = [
        (CONTENT_TYPE.as_str(), "application/json"),
        ("x-version", api.version),
    ];
    (status, headers, text)
}

/// The data of the messaging API, and its name.
fn messaging(method: &Method, path: &str) -> (StatusCode, Option<(&'static str, Value)>) {
    let Some(rest) = path.strip_prefix("/v1/Channels") else {
        return (StatusCode::OK, None);
    };
    match (method, rest.trim_matches('/')) {
        (&Method::POST, "") => (StatusCode::CREATED, Some(("channel", channel("support")))),
        (_, "") => {
            let list = ["general", "support", "returns"].map(channel);
            (StatusCode::OK, Some(("channels", json!(list))))
        }
        (_, name) => (StatusCode::OK, Some(("channel", channel(name)))),
    }
}

fn channel(name: &str) -> Value {
    json!({
        "unique_name": name,
        "type": "public",
        "members_count": name.len(),
        "url": format!("/v1/Channels/{name}"),
    })
}
