//! Requests that reached a scripted upstream.

use std::collections::VecDeque;
use std::time::Instant;

use http_body_util::{BodyExt, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::HeaderMap;
use serde_json::Value;

/// No test sends more headers.
const LONGEST_BODY: usize = 16 << 20;
/// The number of recorded requests. Older ones are forgotten.
const MOST_REQUESTS: usize = 20_000;
const MOST_BYTES: usize = 64 << 20;

/// A request as it reached the upstream.
#[derive(Clone, Debug)]
pub struct Received {
    /// The method.
    pub method: String,
    /// The path with its query.
    pub path: String,
    /// All headers. With HTTP/2, `host` is the value of `:authority`.
    pub headers: HeaderMap,
    /// The whole body.
    pub body: Bytes,
    /// When it was complete.
    pub at: Instant,
}

impl Received {
    pub(super) async fn read(request: hyper::Request<Incoming>) -> Result<Self, String> {
        let (head, body) = request.into_parts();
        let body = Limited::new(body, LONGEST_BODY).collect().await;
        let mut headers = head.headers;
        if let Some(authority) = head.uri.authority()
            && let Ok(host) = authority.as_str().parse()
        {
            headers.entry("host").or_insert(host);
        }
        Ok(Self {
            method: head.method.to_string(),
            path: head
                .uri
                .path_and_query()
                .map_or("", |path| path.as_str())
                .to_owned(),
            headers,
            body: body.map_err(|error| error.to_string())?.to_bytes(),
            at: Instant::now(),
        })
    }

    /// The path without its query.
    #[must_use]
    pub fn route(&self) -> &str {
        self.path.split('?').next().unwrap_or_default()
    }

    /// The value of a header, if there is exactly one and it is text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.get_all(name).iter();
        let value = values.next()?.to_str().ok()?;
        values.next().is_none().then_some(value)
    }

    /// The body as JSON. Panics and shows the body if it is not JSON.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| {
            let body = String::from_utf8_lossy(&self.body);
            panic!("{} {}: no JSON: {error}\n{body}", self.method, self.path)
        })
    }
}

/// The last requests.
#[derive(Debug, Default)]
pub(super) struct Record {
    requests: VecDeque<Received>,
    bytes: usize,
}

impl Record {
    pub(super) fn add(&mut self, request: Received) {
        self.bytes += request.body.len();
        self.requests.push_back(request);
        while self.requests.len() > MOST_REQUESTS || self.bytes > MOST_BYTES {
            let oldest = self.requests.pop_front();
            self.bytes -= oldest.map_or(0, |oldest| oldest.body.len());
        }
    }

    pub(super) fn all(&self) -> Vec<Received> {
        self.requests.iter().cloned().collect()
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}
