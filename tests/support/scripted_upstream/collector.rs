//! A log collector: OTLP over HTTP, in JSON.

use std::net::SocketAddr;
use std::time::Instant;

use serde_json::{Value, json};

use super::{Fault, PATIENCE, POLL, Received, Response, Scripted};

/// A running collector. Dropping it stops it at once.
///
/// It also records the requests of a fault: it only does not confirm them.
#[derive(Debug)]
pub struct Collector(Scripted);

impl Collector {
    /// Starts a collector on a free port of the loopback interface.
    #[must_use]
    pub fn start() -> Self {
        Self(Scripted::start(take))
    }

    /// Its address.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.0.address()
    }

    /// Fails in this way; [`Fault::Silence`] hangs.
    pub fn fail(&self, fault: Fault) {
        self.0.fail(fault);
    }

    /// Accepts logs again.
    pub fn heal(&self) {
        self.0.heal();
    }

    /// All requests that reached it, including those that it rejected.
    #[must_use]
    pub fn received(&self) -> Vec<Received> {
        self.0.received()
    }

    /// The number of these requests.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.0.requests()
    }

    /// The logs that it got, one document for each request.
    #[must_use]
    pub fn exports(&self) -> Vec<Value> {
        let received = self.received();
        received
            .iter()
            .filter(|one| is_logs(one))
            .map(Received::json)
            .collect()
    }

    /// The texts of all log records, in order.
    ///
    /// # Panics
    /// When one has no text.
    #[must_use]
    pub fn texts(&self) -> Vec<String> {
        self.exports().iter().flat_map(texts).collect()
    }

    /// The texts of all log records, as JSON.
    ///
    /// # Panics
    /// When one is no JSON.
    #[must_use]
    pub fn records(&self) -> Vec<Value> {
        let parsed = |text: &String| {
            serde_json::from_str(text).unwrap_or_else(|error| panic!("no JSON: {error}\n{text}"))
        };
        self.texts().iter().map(parsed).collect()
    }

    /// Waits until the log records satisfy a condition, and returns them all.
    ///
    /// # Panics
    /// When they do not come to that.
    pub async fn wait_for_records(&self, enough: impl Fn(&[Value]) -> bool) -> Vec<Value> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let records = self.records();
            if enough(&records) {
                return records;
            }
            assert!(Instant::now() < deadline, "not enough in {records:#?}");
            tokio::time::sleep(POLL).await;
        }
    }
}

impl From<&Collector> for SocketAddr {
    fn from(collector: &Collector) -> Self {
        collector.address()
    }
}

fn is_logs(request: &Received) -> bool {
    request.method == "POST" && request.route() == "/v1/logs"
}

/// Like a real collector: it rejects what is not JSON.
fn take(request: &Received) -> Response {
    let is_json = request.header("content-type") == Some("application/json")
        && serde_json::from_slice::<Value>(&request.body).is_ok();
    match (is_logs(request), is_json) {
        (false, _) => Response::new(404),
        (true, false) => Response::new(400),
        (true, true) => Response::json(&json!({ "partialSuccess": {} })),
    }
}

fn texts(export: &Value) -> Vec<String> {
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let scopes = list(&export["resourceLogs"])
        .into_iter()
        .flat_map(|one| list(&one["scopeLogs"]));
    let records = scopes.flat_map(|scope| list(&scope["logRecords"]));
    records
        .map(|record| {
            let text = record["body"]["stringValue"].as_str();
            text.unwrap_or_else(|| panic!("no text: {record}"))
                .to_owned()
        })
        .collect()
}
