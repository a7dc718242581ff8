//! The client of an open loop: a process of its own that sends at a constant rate, evenly spaced.
//!
//! When a request is due does not depend on answers, and its latency counts from when it was due. So
//! an answer that comes late is late for the requests behind it too. Each connection has a thread that
//! blocks, which keeps time better than a runtime's timer.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::process::{finish, wait_for_start};

/// Requests of each connection before the time counts: the connections behind are open then.
const WARM_UP: u32 = 20;
/// An answer that takes as long is lost.
const PATIENCE: Duration = Duration::from_secs(10);

/// What one client process is to send.
pub struct Job {
    /// Where the proxy listens.
    pub target: SocketAddr,
    /// Of a second, evenly spaced.
    pub rate: u32,
    /// Those that are timed.
    pub requests: u32,
    /// That stay open.
    pub connections: u32,
}

/// What the requests are, and their answers.
pub trait Traffic: Send + Sync + 'static {
    /// Writes one request, to its last byte. They are numbered from 0.
    fn request(&self, number: u32, into: &mut Vec<u8>);

    /// Whether it is the right answer. If it is not, what is wrong with it.
    fn check(&self, number: u32, answer: &[u8]) -> Result<(), String>;
}

/// What the client saw.
#[derive(Default, Serialize, Deserialize)]
pub struct Seen {
    /// From when a request was due until its answer was there to the last byte.
    pub latency_ns: Vec<u64>,
    /// From when it was due until it was sent.
    pub late_ns: Vec<u64>,
}

impl Job {
    /// As [`Job::read`] reads it.
    #[must_use]
    pub fn to_arguments(&self) -> [String; 4] {
        [
            self.target.to_string(),
            self.rate.to_string(),
            self.requests.to_string(),
            self.connections.to_string(),
        ]
    }

    /// Reads what [`Job::to_arguments`] made.
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

    /// How many requests it is, those before the time counts included.
    #[must_use]
    pub fn sent(&self) -> u64 {
        u64::from(self.requests) + u64::from(WARM_UP * self.connections)
    }
}

/// The client process.
pub fn run(job: &Job, traffic: impl Traffic) -> Result<(), String> {
    // The kernel lets a thread oversleep by 50 µs unless told. Threads inherit it; without it the
    // client is only less exact, and says how much.
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

    /// Sends one request and reads its answer.
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
                Ok(0) => return Err(format!("the answer to request {place} is lost: closed")),
                Ok(length) => self.received.extend_from_slice(&part[..length]),
                Err(error) => return Err(format!("the answer to {place} is lost: {error}")),
            }
        }
        self.traffic.check(place, &self.received)
    }
}

/// How long an answer is that says how long it is, once its head is there.
#[must_use]
pub fn length(received: &[u8]) -> Option<usize> {
    let end = received.windows(4).position(|bytes| bytes == b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(&received[..end]);
    let length: usize = head
        .split("\r\n")
        .find_map(|line| line.strip_prefix("content-length: ")?.parse().ok())?;
    Some(end + 4 + length)
}
