//! The client of an open loop: a separate process that sends evenly spaced requests at a constant rate.
//!
//! The time at which a request is due does not depend on responses, and its latency counts from then. So a late
//! response also delays the requests behind it. Each connection has a blocking thread, which keeps time better
//! than the timer of an async runtime.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::process::{finish, wait_for_start};

/// Requests of each connection before measuring starts, so that the upstream connections are open.
const WARM_UP: u32 = 20;
/// A response that takes this long is lost.
const PATIENCE: Duration = Duration::from_secs(10);

/// The work of one client process.
pub struct Job {
    /// The address of the proxy.
    pub target: SocketAddr,
    /// Requests per second, evenly spaced.
    pub rate: u32,
    /// The number of measured requests.
    pub requests: u32,
    /// The number of connections, which stay open.
    pub connections: u32,
}

/// Writes requests and checks responses.
pub trait Traffic: Send + Sync + 'static {
    /// Writes one complete request. Requests are numbered from 0.
    fn request(&self, number: u32, into: &mut Vec<u8>);

    /// Checks a response. The error says what is wrong with it.
    fn check(&self, number: u32, response: &[u8]) -> Result<(), String>;
}

/// The measurements of the client.
#[derive(Default, Serialize, Deserialize)]
pub struct Seen {
    /// From the time when a request was due until its response was complete.
    pub latency_ns: Vec<u64>,
    /// From the time when a request was due until it was sent.
    pub late_ns: Vec<u64>,
}

impl Job {
    /// The arguments that [`Job::read`] parses.
    #[must_use]
    pub fn to_arguments(&self) -> [String; 4] {
        [
            self.target.to_string(),
            self.rate.to_string(),
            self.requests.to_string(),
            self.connections.to_string(),
        ]
    }

    /// Parses the arguments of [`Job::to_arguments`].
    pub fn read([target, rate, requests, connections]: [&str; 4]) -> Result<Self, String> {
        let number = |text: &str| -> Result<u32, String> {
            text.parse()
                .map_err(|_| format!("{text:?} is no number of a client"))
        };
        Ok(Self {
            target: target
                .parse()
                .map_err(|_| format!("{target:?} is no address"))?,
            rate: number(rate)?,
            requests: number(requests)?,
            connections: number(connections)?,
        })
    }

    /// The number of all requests, including the warm-up.
    #[must_use]
    pub fn sent(&self) -> u64 {
        u64::from(self.requests) + u64::from(WARM_UP * self.connections)
    }
}

/// Runs the client process.
pub fn run(job: &Job, traffic: impl Traffic) -> Result<(), String> {
    // By default the kernel lets a thread oversleep by 50 µs. Threads inherit this setting. Without it the client
    // is only less precise, and reports by how much.
    let _ = std::fs::write("/proc/self/timerslack_ns", "1");
    let traffic = Arc::new(traffic);
    let mut connections = Vec::new();
    for number in 0..job.connections {
        let mut connection = Connection::open(job.target, traffic.clone())?;
        for place in 0..WARM_UP {
            connection.exchange(number * WARM_UP + place)?;
        }
        connections.push(connection);
    }
    wait_for_start()?;

    let gap = Duration::from_secs(1) / job.rate;
    let requests = job.requests;
    let start = Instant::now() + Duration::from_millis(50);
    let senders: Vec<_> = (0..job.connections)
        .zip(connections)
        .map(|(number, connection)| {
            let places = (number..).step_by(job.connections as usize);
            let due = places
                .take_while(move |place| *place < requests)
                .map(move |place| (place, start + gap * place));
            std::thread::spawn(move || send(connection, due))
        })
        .collect();
    let mut all = Seen::default();
    for sender in senders {
        let seen = sender.join().map_err(|_| "a thread has failed")??;
        all.latency_ns.extend(seen.latency_ns);
        all.late_ns.extend(seen.late_ns);
    }
    finish(&all)
}

fn send<T: Traffic>(
    mut connection: Connection<T>,
    due: impl Iterator<Item = (u32, Instant)>,
) -> Result<Seen, String> {
    let mut seen = Seen::default();
    for (place, due) in due {
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        let sent = Instant::now();
        connection.exchange(place)?;
        let answered = Instant::now();
        seen.latency_ns.push(nanoseconds(answered - due));
        seen.late_ns.push(nanoseconds(sent - due));
    }
    Ok(seen)
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

struct Connection<T> {
    stream: TcpStream,
    traffic: Arc<T>,
    sent: Vec<u8>,
    received: Vec<u8>,
}

impl<T: Traffic> Connection<T> {
    fn open(target: SocketAddr, traffic: Arc<T>) -> Result<Self, String> {
        let stream = TcpStream::connect(target)
            .and_then(|stream| {
                stream.set_nodelay(true)?;
                stream.set_read_timeout(Some(PATIENCE))?;
                Ok(stream)
            })
            .map_err(|error| format!("cannot connect to {target}: {error}"))?;
        Ok(Self {
            stream,
            traffic,
            sent: Vec::with_capacity(2 * 1024),
            received: Vec::with_capacity(16 * 1024),
        })
    }

    /// Sends one request and reads its response.
    fn exchange(&mut self, place: u32) -> Result<(), String> {
        self.sent.clear();
        self.traffic.request(place, &mut self.sent);
        self.stream
            .write_all(&self.sent)
            .map_err(|error| format!("request {place} is not sent: {error}"))?;
        self.received.clear();
        while length(&self.received).is_none_or(|length| self.received.len() < length) {
            let mut part = [0; 16 * 1024];
            match self.stream.read(&mut part) {
                Ok(0) => return Err(format!("the response to request {place} is lost: closed")),
                Ok(length) => self.received.extend_from_slice(&part[..length]),
                Err(error) => return Err(format!("the response to {place} is lost: {error}")),
            }
        }
        self.traffic.check(place, &self.received)
    }
}

/// The length of a response with a known length, once its head is complete.
#[must_use]
pub fn length(received: &[u8]) -> Option<usize> {
    let end = received.windows(4).position(|bytes| bytes == b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(&received[..end]);
    let length: usize = head
        .split("\r\n")
        .find_map(|line| line.strip_prefix("content-length: ")?.parse().ok())?;
    Some(end + 4 + length)
}
