//! Responses of a scripted upstream, and their bodies.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use hyper::body::{Body, Bytes, Frame, SizeHint};
use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use hyper::{Response as HttpResponse, StatusCode};
use serde_json::Value;
use tokio::time::Sleep;

/// The size of the chunks of a long body.
const PIECE: &[u8] = &[b'x'; 16 * 1024];
/// Delays the end of the connection until the bytes before it have left.
const BEFORE_THE_CUT: Duration = Duration::from_millis(20);

/// A response and its delay.
#[derive(Clone, Debug)]
pub struct Response {
    status: StatusCode,
    headers: HeaderMap,
    content: Content,
    delay: Duration,
}

#[derive(Clone, Debug)]
enum Content {
    Whole(Bytes),
    /// Shorter than announced.
    Cut(Bytes),
    /// Of so many bytes; without end if there is no number.
    Made(Option<u64>),
}

impl Response {
    /// A response with this status and nothing else.
    #[must_use]
    pub fn new(status: u16) -> Self {
        Self {
            status: StatusCode::from_u16(status).expect("a status"),
            headers: HeaderMap::new(),
            content: Content::Whole(Bytes::new()),
            delay: Duration::ZERO,
        }
    }

    /// 200 with this JSON.
    #[must_use]
    pub fn json(document: &Value) -> Self {
        let text = document.to_string();
        Self::new(200).content_type("application/json").body(text)
    }

    /// 200 with this text.
    #[must_use]
    pub fn text(text: impl Into<Bytes>) -> Self {
        Self::new(200).content_type("text/plain").body(text)
    }

    /// Sets another status.
    #[must_use]
    pub fn status(mut self, status: u16) -> Self {
        self.status = StatusCode::from_u16(status).expect("a status");
        self
    }

    /// Adds a header and keeps others with the same name.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        let name = HeaderName::from_bytes(name.as_bytes()).expect("a header name");
        let value = HeaderValue::from_bytes(value.as_ref()).expect("a header value");
        self.headers.append(name, value);
        self
    }

    /// Replaces the content type.
    #[must_use]
    pub fn content_type(mut self, value: &'static str) -> Self {
        let value = HeaderValue::from_static(value);
        self.headers.insert(CONTENT_TYPE, value);
        self
    }

    /// Sets the body.
    #[must_use]
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.content = Content::Whole(body.into());
        self
    }

    /// Sets a body of so many bytes, generated while they are sent.
    #[must_use]
    pub fn long(mut self, bytes: u64) -> Self {
        self.content = Content::Made(Some(bytes));
        self
    }

    /// Sets a body without end.
    #[must_use]
    pub fn endless(mut self) -> Self {
        self.content = Content::Made(None);
        self
    }

    /// Announces more than the body has, and closes the connection after it.
    #[must_use]
    pub fn cut(mut self) -> Self {
        if let Content::Whole(body) = self.content {
            self.content = Content::Cut(body);
        }
        self
    }

    /// Delays the response.
    #[must_use]
    pub fn after(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    pub(super) fn delay(&self) -> Duration {
        self.delay
    }

    pub(super) fn into_response(self) -> HttpResponse<Sending> {
        let mut response = HttpResponse::new(Sending::of(&self.content));
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers;
        if let Content::Cut(sent) = &self.content {
            let more_than_sent = HeaderValue::from(sent.len() + 1_000);
            response
                .headers_mut()
                .insert(CONTENT_LENGTH, more_than_sent);
        }
        response
    }
}

/// A body that is being sent.
pub(super) enum Sending {
    /// The rest of it.
    Whole(Option<Bytes>),
    Cut {
        sent: Option<Bytes>,
        pause: Pin<Box<Sleep>>,
    },
    /// The length of the rest, if it ends at all.
    Made(Option<u64>),
}

impl Sending {
    fn of(content: &Content) -> Self {
        match content {
            Content::Whole(body) => Self::Whole(Some(body.clone()).filter(|body| !body.is_empty())),
            Content::Cut(body) => Self::Cut {
                sent: Some(body.clone()).filter(|body| !body.is_empty()),
                pause: Box::pin(tokio::time::sleep(BEFORE_THE_CUT)),
            },
            Content::Made(bytes) => Self::Made(*bytes),
        }
    }
}

impl Body for Sending {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let next = match self.get_mut() {
            Self::Whole(rest) => rest.take(),
            Self::Cut { sent, pause } => match sent.take() {
                Some(sent) => Some(sent),
                None => {
                    ready!(pause.as_mut().poll(context));
                    return Poll::Ready(Some(Err(io::ErrorKind::ConnectionAborted.into())));
                }
            },
            Self::Made(None) => Some(Bytes::from_static(PIECE)),
            Self::Made(Some(left)) => {
                let size = usize::try_from(*left).map_or(PIECE.len(), |left| left.min(PIECE.len()));
                *left -= size as u64;
                Some(Bytes::from_static(&PIECE[..size])).filter(|piece| !piece.is_empty())
            }
        };
        Poll::Ready(next.map(|data| Ok(Frame::data(data))))
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Whole(None) | Self::Made(Some(0)))
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(rest) => {
                SizeHint::with_exact(rest.as_ref().map_or(0, |rest| rest.len() as u64))
            }
            Self::Made(Some(left)) => SizeHint::with_exact(*left),
            Self::Cut { .. } | Self::Made(None) => SizeHint::default(),
        }
    }
}
