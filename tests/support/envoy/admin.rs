//! Envoy's admin endpoint.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::client::{Client, Request};

/// The bytes that the value of a query parameter escapes.
const IN_QUERY: &AsciiSet = &NON_ALPHANUMERIC.remove(b'_').remove(b'.').remove(b'-');

/// The statistics prefix of the listener in the files.
const CAME_IN: &str = "http.http.downstream_rq_total";
/// Longer than the filter keeps counts to itself, even on a loaded machine.
const UNPUBLISHED: Duration = Duration::from_secs(5);
const POLL: Duration = Duration::from_millis(20);

/// The admin endpoint of one Envoy.
#[derive(Clone, Debug)]
pub struct Admin {
    address: SocketAddr,
    client: Client,
}

impl Admin {
    pub(super) fn new(address: SocketAddr) -> Self {
        Self {
            address,
            client: Client::new(address),
        }
    }

    /// Its address.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Counters and gauges whose names match the regular expression.
    pub async fn stats(&self, filter: &str) -> BTreeMap<String, u64> {
        let path = format!("/stats?filter={}", utf8_percent_encode(filter, IN_QUERY));
        let text = self.get(&path).await;
        text.lines()
            .filter_map(|line| line.split_once(": "))
            .filter_map(|(name, value)| Some((name.to_owned(), value.parse().ok()?)))
            .collect()
    }

    /// Like [`stats`](Self::stats), once the filter has reported every request to Envoy. The filter counts
    /// in memory and reports once a second. If a request never reached the filter, this returns the current values
    /// after some seconds.
    pub async fn settled_stats(&self, filter: &str) -> BTreeMap<String, u64> {
        self.settle().await;
        self.stats(filter).await
    }

    /// The Prometheus text, once the filter has reported every request.
    pub async fn settled_prometheus(&self) -> String {
        self.settle().await;
        self.prometheus().await
    }

    async fn settle(&self) {
        const PUBLISHED: &str = "wasmcustom.turnout.decisions.";
        let deadline = Instant::now() + UNPUBLISHED;
        loop {
            let both = self.stats(&format!("^({PUBLISHED}|{CAME_IN}$)")).await;
            let published = both.iter().filter(|(name, _)| name.starts_with(PUBLISHED));
            let published: u64 = published.map(|(_, count)| count).sum();
            let came_in = both.get(CAME_IN).copied().unwrap_or_default();
            if published >= came_in || Instant::now() > deadline {
                return;
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// The Prometheus text.
    pub async fn prometheus(&self) -> String {
        self.get("/stats/prometheus").await
    }

    /// Any other page. Panics if it does not exist.
    pub async fn get(&self, path: &str) -> String {
        let response = self.client.send(Request::get(path)).await;
        assert_eq!(response.status, 200, "{path}: {}", response.text());
        response.text()
    }

    /// The address of the listener, once it accepts connections. An Envoy that is about to reject its
    /// configuration may respond here once and exit before the next request.
    pub(super) async fn listener(&self) -> Option<SocketAddr> {
        // The admin endpoint is ready shortly before the workers accept connections.
        self.try_get("/ready").await?;
        let started = "listener_manager.workers_started";
        let stats = self.try_get(&format!("/stats?filter={started}")).await?;
        let (_, workers) = stats.trim().split_once(": ")?;
        if workers != "1" {
            return None;
        }
        let listeners = self.try_get("/listeners").await?;
        address_in(listeners.lines().next()?)
    }

    /// The addresses of all listeners.
    pub async fn listeners(&self) -> Vec<SocketAddr> {
        let listeners = self.get("/listeners").await;
        listeners.lines().filter_map(address_in).collect()
    }

    async fn try_get(&self, path: &str) -> Option<String> {
        let response = self.client.try_send(Request::get(path)).await.ok()?;
        (response.status == 200).then(|| response.text())
    }
}

/// The address in a line of the list of listeners.
fn address_in(line: &str) -> Option<SocketAddr> {
    let (_, address) = line.split_once("::")?;
    address.parse().ok()
}
