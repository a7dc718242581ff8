//! An upstream whose behaviour the test chooses: it answers what a closure says, remembers what has
//! reached it, and breaks down on request.
//!
//! HTTP/1.1 and HTTP/2 with prior knowledge, on one port.

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
pub use response::Answer;
use server::{Command, Shared};

/// Far beyond what a loaded machine needs: reaching it means that it will not happen.
const PATIENCE: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(5);

/// How a [`Scripted`] upstream fails.
///
/// The first three are of connections, and cut those that are open. The others are of requests that
/// arrive from then on: they are recorded, and the closure is asked all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Connections are refused: nobody listens, though the port stays ours.
    Refuse,
    /// Connections are accepted and at once reset.
    Reset,
    /// Whatever is asked is answered with bytes that are no HTTP.
    Garbage,
    /// No request is answered. Those that wait when the fault ends are cut off.
    Silence,
    /// Answers come, so much too late.
    Late(Duration),
    /// Of each body only a beginning comes, less than `content-length` has announced: then the
    /// connection ends.
    Cut,
    /// Each body has so many bytes, made while they are sent.
    Long(u64),
    /// Bodies do not end.
    Endless,
    /// Every answer has this status, and no body.
    Status(u16),
}

impl Fault {
    /// Whether it is one of connections, not of requests.
    const fn is_of_connections(self) -> bool {
        matches!(self, Self::Refuse | Self::Reset | Self::Garbage)
    }
}

/// A running upstream. Dropped, it ends at once with all that it has begun.
#[derive(Debug)]
pub struct Scripted {
    address: SocketAddr,
    shared: Arc<Shared>,
    commands: tokio::sync::mpsc::UnboundedSender<Command>,
    // A thread of its own: the upstream serves and ends whatever runtime its user has.
    server: Option<JoinHandle<()>>,
}

impl Scripted {
    /// Starts one on a free port of the loopback interface. Connections are accepted when this
    /// returns. The closure must not block: all requests wait for it.
    #[must_use]
    pub fn start(handler: impl Fn(&Received) -> Answer + Send + Sync + 'static) -> Self {
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

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Lets another closure answer from now on.
    pub fn answer_with(&self, handler: impl Fn(&Received) -> Answer + Send + Sync + 'static) {
        *self.shared.handler.write().expect("a handler") = Box::new(handler);
    }

    /// Breaks down in this way, in force when this returns. It replaces a fault before it.
    pub fn fail(&self, fault: Fault) {
        self.command(Some(fault));
    }

    /// Works again, from when this returns.
    pub fn heal(&self) {
        self.command(None);
    }

    fn command(&self, fault: Option<Fault>) {
        let (done, in_force) = mpsc::channel();
        let sent = self.commands.send(Command { fault, done });
        sent.expect("a server that runs");
        in_force.recv().expect("a server that runs");
    }

    /// How many requests have reached it, those of a fault included.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.shared.requests.load(Ordering::SeqCst)
    }

    /// How many connections it has accepted.
    #[must_use]
    pub fn connections(&self) -> u64 {
        self.shared.connections.load(Ordering::SeqCst)
    }

    /// How many requests wait for their answer now.
    #[must_use]
    pub fn in_flight(&self) -> u64 {
        self.shared.in_flight.load(Ordering::SeqCst)
    }

    /// How many have waited at the same time, at most.
    #[must_use]
    pub fn most_in_flight(&self) -> u64 {
        self.shared.most_in_flight.load(Ordering::SeqCst)
    }

    /// The requests that have reached it, in their order; of very many the last ones.
    #[must_use]
    pub fn received(&self) -> Vec<Received> {
        self.shared.record.lock().expect("the record").all()
    }

    /// How many of the remembered requests are as asked.
    #[must_use]
    pub fn count(&self, like: impl Fn(&Received) -> bool) -> usize {
        self.received().iter().filter(|one| like(one)).count()
    }

    /// Forgets what it remembers of requests. The counts go on.
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
        // The end of the commands is what ends the server.
        self.commands = tokio::sync::mpsc::unbounded_channel().0;
        if let Some(server) = self.server.take() {
            // A panic in there has shown itself as a missing answer.
            let _ = server.join();
        }
    }
}
