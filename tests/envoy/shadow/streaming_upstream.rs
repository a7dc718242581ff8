//! Messages frame by frame, and an upstream that can respond before it has read the request, hang within a response,
//! and end with trailers.

use std::collections::VecDeque;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use hyper::body::{Body, Bytes, Frame, Incoming};
use hyper::header::{HeaderMap, HeaderName};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};

/// A body in pieces.
#[derive(Debug, Default)]
pub(crate) struct Frames {
    rest: VecDeque<Frame<Bytes>>,
    end: End,
    /// A pause, so that earlier frames have left before the next.
    is_paused: bool,
}

#[derive(Clone, Copy, Debug, Default)]
enum End {
    #[default]
    Clean,
    Never,
    Broken,
}

impl Frames {
    pub(crate) fn of(pieces: &[&str]) -> Self {
        let data = |piece: &&str| Frame::data(Bytes::copy_from_slice(piece.as_bytes()));
        Self {
            rest: pieces.iter().map(data).collect(),
            ..Self::default()
        }
    }

    pub(crate) fn trailer(self, name: &str, value: &str) -> Self {
        self.trailers(&[(name, value)])
    }

    /// A name may occur more than once.
    pub(crate) fn trailers(mut self, pairs: &[(&str, &str)]) -> Self {
        let mut trailers = HeaderMap::new();
        for (name, value) in pairs {
            let name: HeaderName = name.parse().expect("a header name");
            trailers.append(name, value.parse().expect("a header value"));
        }
        self.rest.push_back(Frame::trailers(trailers));
        self
    }

    /// Never ends the body.
    pub(crate) fn hangs(mut self) -> Self {
        self.end = End::Never;
        self
    }

    /// Ends with an error.
    pub(crate) fn breaks(mut self) -> Self {
        self.end = End::Broken;
        self
    }
}

impl Body for Frames {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        if std::mem::replace(&mut self.is_paused, false) {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        match (self.rest.pop_front(), self.end) {
            (Some(frame), _) => {
                self.is_paused = true;
                Poll::Ready(Some(Ok(frame)))
            }
            (None, End::Clean) => Poll::Ready(None),
            (None, End::Never) => Poll::Pending,
            (None, End::Broken) => Poll::Ready(Some(Err(io::ErrorKind::ConnectionAborted.into()))),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && matches!(self.end, End::Clean)
    }
}

type Responding = Pin<Box<dyn Future<Output = io::Result<Response<Frames>>> + Send>>;

/// A running upstream. Dropping it stops it at once.
#[derive(Debug)]
pub(crate) struct Streaming {
    address: SocketAddr,
    server: JoinHandle<()>,
}

impl Streaming {
    /// The handler gets the request after its head.
    pub(crate) async fn start<F>(
        handler: impl Fn(Request<Incoming>) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Response<Frames>> + Send + 'static,
    {
        Self::start_fallible(move |request| {
            let response = handler(request);
            async { Ok(response.await) }
        })
        .await
    }

    /// Like [`start`](Self::start). An error ends the connection without a response, or the stream in HTTP/2.
    pub(crate) async fn start_fallible<F>(
        handler: impl Fn(Request<Incoming>) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = io::Result<Response<Frames>>> + Send + 'static,
    {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
        let listener = listener.expect("a free port");
        let address = listener.local_addr().expect("the port's address");
        let handler: Arc<dyn Fn(Request<Incoming>) -> Responding + Send + Sync> =
            Arc::new(move |request| Box::pin(handler(request)));
        let server = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let handler = Arc::clone(&handler);
                connections.spawn(async move {
                    let service = service_fn(|request| handler(request));
                    let http = auto::Builder::new(TokioExecutor::new());
                    let _ = http
                        .serve_connection_with_upgrades(TokioIo::new(stream), service)
                        .await;
                });
            }
        });
        Self { address, server }
    }
}

impl From<&Streaming> for SocketAddr {
    fn from(upstream: &Streaming) -> Self {
        upstream.address
    }
}

impl Drop for Streaming {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// 200 with this body.
pub(crate) fn ok(content_type: &str, body: Frames) -> Response<Frames> {
    Response::builder()
        .header("content-type", content_type)
        .body(body)
        .expect("a response")
}
