//! An HTTP/2 connection with many concurrent requests.

use std::net::SocketAddr;
use std::time::Duration;

use http_body_util::BodyExt;
use hyper::body::Bytes;
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper::header::HeaderMap;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::streaming_upstream::Frames;

/// Far longer than a loaded machine needs. Reaching it means that nothing will come.
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) struct H2 {
    requests: SendRequest<Frames>,
    connection: JoinHandle<()>,
}

/// A complete response.
#[derive(Debug)]
pub(crate) struct Got {
    pub(crate) status: u16,
    pub(crate) body: Bytes,
    pub(crate) trailers: HeaderMap,
}

impl H2 {
    pub(crate) async fn open(target: SocketAddr) -> Self {
        let stream = TcpStream::connect(target).await.expect("a connection");
        stream.set_nodelay(true).expect("an option of the socket");
        let opened = handshake(TokioExecutor::new(), TokioIo::new(stream)).await;
        let (requests, connection) = opened.expect("a connection of HTTP/2");
        let connection = tokio::spawn(async move {
            // An error whenever the other side closes it.
            let _ = connection.await;
        });
        Self {
            requests,
            connection,
        }
    }

    /// The complete response, or the reason why there is none.
    pub(crate) fn send(
        &self,
        request: Request<Frames>,
    ) -> impl Future<Output = Result<Got, String>> + Send + 'static {
        let mut requests = self.requests.clone();
        let exchange = async move {
            requests.ready().await.map_err(|error| error.to_string())?;
            let response = requests.send_request(request).await;
            read(response.map_err(|error| error.to_string())?).await
        };
        async { timeout(PATIENCE, exchange).await.expect("an end in time") }
    }
}

async fn read<B>(response: Response<B>) -> Result<Got, String>
where
    B: hyper::body::Body<Data = Bytes>,
    B::Error: std::fmt::Display,
{
    let (head, body) = response.into_parts();
    let body = body.collect().await.map_err(|error| error.to_string())?;
    let trailers = body.trailers().cloned().unwrap_or_default();
    Ok(Got {
        status: head.status.as_u16(),
        body: body.to_bytes(),
        trailers,
    })
}

impl Drop for H2 {
    fn drop(&mut self) {
        self.connection.abort();
    }
}

/// A request that matches the rollout.
pub(crate) fn request(method: &str, path: &str, body: Frames) -> Request<Frames> {
    Request::builder()
        .method(method)
        .uri(format!("http://a/v1/Channels{path}"))
        .body(body)
        .expect("a request")
}
