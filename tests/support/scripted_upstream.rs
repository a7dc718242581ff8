//! An upstream whose behaviour the test chooses: it responds as a closure says, records the requests that reach it,
//! and fails on demand.
//!
//! It speaks HTTP/1.1 and HTTP/2 with prior knowledge on one port.

mod collector;
mod received;
mod response;
mod server;

use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

pub use collector::Collector;
pub use received::Received;
pub use response::Response;
use server::{Command, Shared};

/// Far longer than a loaded machine needs. Reaching it means that the event will not happen.
const PATIENCE: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(5);

/// How a [`Scripted`] upstream fails.
///
/// The first three faults affect connections and cut those that are open. The others affect requests that
/// arrive from then on; these requests are recorded, and the closure is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Refuses connections: nobody listens, although the port stays reserved.
    Refuse,
    /// Accepts connections and resets them at once.
    Reset,
    /// Responds with bytes that are not HTTP.
    Garbage,
    /// Does not respond. Requests that wait when the fault ends are cut off.
    Silence,
    /// Responds so much later.
    Late(Duration),
    /// Sends only the beginning of each body, less than `content-length` announces, and then closes the
    /// connection.
    Cut,
    /// Sends bodies of so many bytes, generated while they are sent.
    Long(u64),
    /// Sends bodies without end.
    Endless,
    /// Responds with this status and no body.
    Status(u16),
}

impl Fault {
    /// Whether the fault affects connections, not requests.
    const fn is_of_connections(self) -> bool {
        matches!(self, Self::Refuse | Self::Reset | Self::Garbage)
    }
}

/// A running upstream. Dropping it stops it at once, with all requests in progress.
#[derive(Debug)]
pub struct Scripted {
    address: SocketAddr,
    shared: Arc<Shared>,
    commands: tokio::sync::mpsc::UnboundedSender<Command>,
    // A thread of its own makes the upstream independent of the runtime of its user.
    server: Option<JoinHandle<()>>,
}

impl Scripted {
    /// Starts an upstream on a free port of the loopback interface. It accepts connections when this
    /// returns. The closure must not block, because all requests wait for it.
    #[must_use]
    pub fn start(handler: impl Fn(&Received) -> Response + Send + Sync + 'static) -> Self {
        let shared = Arc::new(Shared::new(Box::new(handler)));
        let (commands, received) = tokio::sync::mpsc::unbounded_channel();
        let (ready, readiness) = mpsc::channel();
        let served = Arc::clone(&shared);
        let server = std::thread::spawn(move || server::run(&served, received, &ready));
        let address = readiness.recv().expect("a server that listens");
        Self {
            address,
            shared,
            commands,
            server: Some(server),
        }
    }

    /// Its address.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Responds with another closure from now on.
    pub fn respond_with(&self, handler: impl Fn(&Received) -> Response + Send + Sync + 'static) {
        *self.shared.handler.write().expect("a handler") = Box::new(handler);
    }

    /// Fails in this way from now on, in place of an earlier fault.
    pub fn fail(&self, fault: Fault) {
        self.command(Some(fault));
    }

    /// Works again from now on.
    pub fn heal(&self) {
        self.command(None);
    }

    fn command(&self, fault: Option<Fault>) {
        let (done, in_force) = mpsc::channel();
        let sent = self.commands.send(Command { fault, done });
        sent.expect("a server that runs");
        in_force.recv().expect("a server that runs");
    }

    /// The number of requests so far, including those during a fault.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.shared.requests.load(Ordering::SeqCst)
    }

    /// The number of connections so far.
    #[must_use]
    pub fn connections(&self) -> u64 {
        self.shared.connections.load(Ordering::SeqCst)
    }

    /// The number of requests that wait for their response.
    #[must_use]
    pub fn in_flight(&self) -> u64 {
        self.shared.in_flight.load(Ordering::SeqCst)
    }

    /// The largest number of requests that waited at the same time.
    #[must_use]
    pub fn most_in_flight(&self) -> u64 {
        self.shared.most_in_flight.load(Ordering::SeqCst)
    }

    /// The requests that reached it, in order. If there are very many, only the last ones.
    #[must_use]
    pub fn received(&self) -> Vec<Received> {
        self.shared.record.lock().expect("the record").all()
    }

    /// The number of recorded requests that satisfy a condition.
    #[must_use]
    pub fn count(&self, like: impl Fn(&Received) -> bool) -> usize {
        self.received().iter().filter(|one| like(one)).count()
    }

    /// Forgets the recorded requests. The counts continue.
    pub fn forget(&self) {
        self.shared.record.lock().expect("the record").clear();
    }

    /// Waits until so many requests have reached it.
    ///
    /// # Panics
    /// When they do not come.
    pub async fn wait_for_requests(&self, requests: u64) {
        let deadline = Instant::now() + PATIENCE;
        while self.requests() < requests {
            let seen = self.requests();
            assert!(Instant::now() < deadline, "{seen} requests of {requests}");
            tokio::time::sleep(POLL).await;
        }
    }
}

impl From<&Scripted> for SocketAddr {
    fn from(upstream: &Scripted) -> Self {
        upstream.address()
    }
}

impl Drop for Scripted {
    fn drop(&mut self) {
        // Dropping the sender of commands ends the server.
        self.commands = tokio::sync::mpsc::unbounded_channel().0;
        if let Some(server) = self.server.take() {
            // A panic in the thread has already shown as a missing response.
            let _ = server.join();
        }
    }
}
