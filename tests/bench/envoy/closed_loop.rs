//! The client of a closed loop: a separate process, each of whose connections sends the next request as soon as it
//! has a response. So the proxy is never idle, and its cost per request can be measured.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use support::bench::policy::ACCOUNTS;
use support::bench::{finish, request, wait_for_start};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::traffic::{OUTSIDE, Traffic};
use crate::upstream::{Version, is_whole};

/// Requests of each connection before measuring starts, so that the upstream connections are open.
const WARM_UP: u32 = 20;
/// A response that takes this long is lost.
const PATIENCE: Duration = Duration::from_secs(10);

/// The work of one client process.
pub(crate) struct Job {
    pub(crate) target: SocketAddr,
    pub(crate) traffic: Traffic,
    pub(crate) milliseconds: u64,
    pub(crate) connections: u32,
}

/// The measurements of the client.
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct Seen {
    /// Measured requests.
    pub(crate) requests: u64,
    /// Requests of the warm-up.
    pub(crate) warm_up: u64,
    /// Requests of both kinds that v2 served.
    pub(crate) v2: u64,
    /// Requests of both kinds with another treatment than the one before of the same account.
    pub(crate) changed: u64,
    pub(crate) milliseconds: f64,
}

impl Job {
    /// The arguments of the client process.
    pub(crate) fn to_arguments(&self) -> [String; 6] {
        [
            "closed".to_owned(),
            self.traffic.seed.to_string(),
            self.traffic.segment.to_string(),
            self.target.to_string(),
            self.milliseconds.to_string(),
            self.connections.to_string(),
        ]
    }
}

/// Runs the client process.
pub(crate) fn run(job: &Job) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("no runtime: {error}"))?;
    let tasks = tokio::task::LocalSet::new();
    tasks.block_on(&runtime, send(job))
}

async fn send(job: &Job) -> Result<(), String> {
    let book = Rc::new(RefCell::new(Book::new(job.traffic)));
    let mut connections = Vec::new();
    for _ in 0..job.connections {
        let mut connection = Connection::open(job.target, book.clone()).await?;
        for _ in 0..WARM_UP {
            connection.exchange().await?;
        }
        connections.push(connection);
    }
    let warm_up = u64::from(book.borrow().next);

    wait_for_start()?;
    let start = Instant::now();
    let end = start + Duration::from_millis(job.milliseconds);
    let senders: Vec<_> = connections
        .into_iter()
        .map(|connection| tokio::task::spawn_local(keep_sending(connection, end)))
        .collect();
    for sender in senders {
        sender.await.map_err(|error| error.to_string())??;
    }
    let took = start.elapsed();

    let book = book.borrow();
    finish(&Seen {
        requests: u64::from(book.next) - warm_up,
        warm_up,
        v2: book.v2,
        changed: book.changed,
        milliseconds: took.as_secs_f64() * 1e3,
    })
}

async fn keep_sending(mut connection: Connection, end: Instant) -> Result<(), String> {
    while Instant::now() < end {
        connection.exchange().await?;
    }
    Ok(())
}

/// The state that all connections share.
struct Book {
    traffic: Traffic,
    next: u32,
    v2: u64,
    changed: u64,
    /// By account, who responded last.
    versions: Vec<Option<Version>>,
}

impl Book {
    fn new(traffic: Traffic) -> Self {
        Self {
            traffic,
            next: 0,
            v2: 0,
            changed: 0,
            versions: vec![None; (OUTSIDE + ACCOUNTS) as usize],
        }
    }

    /// The account of the next request.
    fn next_account(&mut self) -> u32 {
        let account = self.traffic.account(self.next);
        self.next += 1;
        account
    }

    fn note(&mut self, account: u32, version: Version) {
        self.v2 += u64::from(version == Version::V2);
        let before = self.versions[account as usize].replace(version);
        self.changed += u64::from(before.is_some_and(|before| before != version));
    }
}

struct Connection {
    stream: TcpStream,
    book: Rc<RefCell<Book>>,
    sent: Vec<u8>,
    received: Vec<u8>,
}

impl Connection {
    async fn open(target: SocketAddr, book: Rc<RefCell<Book>>) -> Result<Self, String> {
        let error = |error: std::io::Error| format!("cannot connect to {target}: {error}");
        let stream = TcpStream::connect(target).await.map_err(error)?;
        stream.set_nodelay(true).map_err(error)?;
        Ok(Self {
            stream,
            book,
            sent: Vec::with_capacity(2 * 1024),
            received: Vec::with_capacity(4 * 1024),
        })
    }

    /// Sends one request and reads its response.
    async fn exchange(&mut self) -> Result<(), String> {
        let account = self.book.borrow_mut().next_account();
        self.sent.clear();
        request::write(account, &mut self.sent);
        let lost = |error: std::io::Error| format!("a request or its response is lost: {error}");
        self.stream.write_all(&self.sent).await.map_err(lost)?;
        self.received.clear();
        while !is_whole(&self.received) {
            let read = self.stream.read_buf(&mut self.received);
            match tokio::time::timeout(PATIENCE, read).await {
                Ok(Ok(1..)) => {}
                Ok(Err(error)) => return Err(lost(error)),
                // The partial response explains best what is wrong.
                Ok(Ok(0)) if !self.received.is_empty() => break,
                Err(_) if !self.received.is_empty() => break,
                Ok(Ok(0)) => return Err("a response is lost: closed".to_owned()),
                Err(_) => return Err(format!("a response is lost: none in {PATIENCE:?}")),
            }
        }
        let version = Version::of(&self.received)?;
        self.book.borrow_mut().note(account, version);
        Ok(())
    }
}
