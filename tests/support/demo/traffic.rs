//! Steady traffic: connections that send requests until they are stopped.

use std::future::Future;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval_at};

/// Far longer than a loaded machine needs. Reaching it means that the event will not happen.
const PATIENCE: Duration = Duration::from_secs(40);
const POLL: Duration = Duration::from_millis(20);

/// Connections that send until [`finish`](Self::finish) stops them. `E` is one request with its response.
pub struct Traffic<E> {
    senders: JoinSet<()>,
    stop: Arc<AtomicBool>,
    exchanges: Arc<Mutex<Vec<E>>>,
}

impl<E: Send + 'static> Traffic<E> {
    /// Starts a sender for each connection, which sends a request, waits for the response, and pauses so that its
    /// requests begin this long after each other. `send` gets a connection and the number of the request, which is
    /// taken from `next`.
    pub fn start<C, S, F>(
        connections: Vec<C>,
        pause: Duration,
        next: &Arc<AtomicU64>,
        send: S,
    ) -> Self
    where
        C: Send + Sync + 'static,
        S: Fn(Arc<C>, u64) -> F + Clone + Send + 'static,
        F: Future<Output = E> + Send,
    {
        let stop = Arc::new(AtomicBool::new(false));
        let exchanges = Arc::new(Mutex::new(Vec::new()));
        let mut senders = JoinSet::new();
        let start = tokio::time::Instant::now();
        let count = u32::try_from(connections.len()).unwrap_or(u32::MAX);
        for (connection, delay) in connections.into_iter().zip(0_u32..) {
            let (next, stop) = (Arc::clone(next), Arc::clone(&stop));
            let exchanges = Arc::clone(&exchanges);
            let (connection, send) = (Arc::new(connection), send.clone());
            // Evenly spaced.
            let first = start + pause * delay / count;
            senders.spawn(async move {
                let mut pause = interval_at(first, pause);
                pause.set_missed_tick_behavior(MissedTickBehavior::Delay);
                loop {
                    pause.tick().await;
                    if stop.load(Ordering::SeqCst) {
                        return;
                    }
                    let number = next.fetch_add(1, Ordering::SeqCst);
                    let exchange = send(Arc::clone(&connection), number).await;
                    lock(&exchanges).push(exchange);
                }
            });
        }
        Self {
            senders,
            stop,
            exchanges,
        }
    }

    /// Waits until the requests so far satisfy a condition.
    ///
    /// # Errors
    /// When they never do; `what` describes the condition.
    pub async fn wait_until(
        &self,
        what: &str,
        condition: impl Fn(&[E]) -> bool,
    ) -> Result<(), String> {
        let deadline = Instant::now() + PATIENCE;
        while !condition(&lock(&self.exchanges)) {
            if Instant::now() > deadline {
                let sent = lock(&self.exchanges).len();
                return Err(format!("after {sent} requests, still not: {what}"));
            }
            tokio::time::sleep(POLL).await;
        }
        Ok(())
    }

    /// Waits until so many more requests have a response.
    ///
    /// # Errors
    /// When they never have.
    pub async fn wait_for(&self, more: usize) -> Result<(), String> {
        let enough = lock(&self.exchanges).len() + more;
        self.wait_until("enough requests", |exchanges| exchanges.len() >= enough)
            .await
    }

    /// Stops the connections and returns all requests, in the order of their responses.
    pub async fn finish(self) -> Vec<E> {
        self.stop.store(true, Ordering::SeqCst);
        self.senders.join_all().await;
        std::mem::take(&mut *lock(&self.exchanges))
    }
}

fn lock<E>(exchanges: &Mutex<Vec<E>>) -> MutexGuard<'_, Vec<E>> {
    exchanges.lock().unwrap_or_else(PoisonError::into_inner)
}
