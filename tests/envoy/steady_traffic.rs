//! Steady traffic during a change, which must not lose a request.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use support::client::{Client, Request, Response};
use tokio::task::JoinHandle;
use tokio::time::sleep;

/// The pause between a response and the next request of a sender: a few hundred requests per second in total.
const PAUSE: Duration = Duration::from_millis(10);
/// The number of senders of each client.
const SENDERS: usize = 2;

/// Requests to several proxies, one at a time from each sender.
pub(crate) struct Steady {
    over: Arc<AtomicBool>,
    senders: Vec<JoinHandle<Vec<Result<Response, String>>>>,
}

impl Steady {
    /// Starts. Each sender numbers its requests.
    pub(crate) fn start(
        clients: impl IntoIterator<Item = Client>,
        request: impl Fn(usize) -> Request + Clone + Send + 'static,
    ) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let start = |client: Client| {
            let senders = std::iter::repeat_n(client, SENDERS);
            senders.map(|client| tokio::spawn(send(client, request.clone(), over.clone())))
        };
        let senders = clients.into_iter().flat_map(start).collect();
        Self { over, senders }
    }

    /// Stops, and returns the results of all requests.
    pub(crate) async fn end(self) -> Vec<Result<Response, String>> {
        self.over.store(true, Ordering::Relaxed);
        let mut all = Vec::new();
        for sender in self.senders {
            all.extend(sender.await.expect("a sender"));
        }
        all
    }

    /// Stops. Fails unless every request got a 200.
    pub(crate) async fn end_without_loss(self) -> Vec<Response> {
        let all = self.end().await;
        let sent = all.len();
        assert!(sent > 20, "too little traffic: {sent}");
        let responses: Vec<Response> = all
            .into_iter()
            .map(|response| response.unwrap_or_else(|error| panic!("of {sent}: {error}")))
            .collect();
        let lost: Vec<_> = responses
            .iter()
            .filter(|response| response.status != 200)
            .collect();
        assert!(lost.is_empty(), "{} of {sent}: {:?}", lost.len(), lost[0]);
        responses
    }
}

async fn send(
    client: Client,
    request: impl Fn(usize) -> Request,
    over: Arc<AtomicBool>,
) -> Vec<Result<Response, String>> {
    let mut responses = Vec::new();
    while !over.load(Ordering::Relaxed) {
        responses.push(client.try_send(request(responses.len())).await);
        sleep(PAUSE).await;
    }
    responses
}
