//! The client: a process of its own that sends at a constant rate, evenly spaced.
//!
//! The loop is open: when a request is due does not depend on answers, and its latency counts from
//! when it was due. So an answer that comes late is late for the requests behind it too. Each
//! connection has a thread that blocks, which keeps time better than a runtime's timer.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::arguments::Job;
use crate::document;

/// Requests of each connection before the time counts: the connections behind are open then.
const WARM_UP: u32 = 20;
/// An answer that takes as long is lost.
const PATIENCE: Duration = Duration::from_secs(10);
const ACCOUNTS: u32 = 1_000;
const CHANNELS: u32 = 50;

/// What the client saw.
#[derive(Serialize, Deserialize)]
pub(crate) struct Seen {
    /// From when a request was due until its answer was there to the last byte.
    pub(crate) latency_ns: Vec<u64>,
    /// From when it was due until it was sent.
    pub(crate) late_ns: Vec<u64>,
}

/// A client process that is ready to send.
pub(crate) struct Load {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Load {
    /// Starts it and waits until its connections are warm.
    pub(crate) fn start(job: &Job) -> Result<Self, String> {
        let error = |error: std::io::Error| format!("cannot start the client: {error}");
        let mut child = Command::new(std::env::current_exe().map_err(error)?)
            .args(job.to_arguments())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(error)?;
        let input = child.stdin.take().ok_or("no pipe")?;
        let mut output = BufReader::new(child.stdout.take().ok_or("no pipe")?);
        match output.read_line(&mut String::new()) {
            Ok(1..) => {}
            Ok(0) => return Err("the client has ended".to_owned()),
            Err(why) => return Err(error(why)),
        }
        Ok(Self {
            child,
            input,
            output,
        })
    }

    /// Lets it send, and waits until it has all answers.
    pub(crate) fn run(mut self) -> Result<Seen, String> {
        writeln!(self.input).map_err(|error| format!("cannot tell the client: {error}"))?;
        let mut text = String::new();
        let read = self.output.read_to_string(&mut text);
        let status = self.child.wait();
        match (read, status) {
            (Ok(_), Ok(status)) if status.success() => serde_json::from_str(&text)
                .map_err(|error| format!("cannot read what the client saw: {error}")),
            _ => Err("the client has failed".to_owned()),
        }
    }
}

/// How many requests a job is, those before the time counts included.
pub(crate) fn requests(job: &Job) -> (u64, u64) {
    let timed = u64::from(job.rate) * u64::from(job.seconds);
    (timed, timed + u64::from(WARM_UP * job.connections))
}

/// The client process.
pub(crate) fn run(job: &Job) -> Result<(), String> {
    // The kernel lets a thread oversleep by 50 µs unless told. Threads inherit it; without it the
    // client is only less exact, and says how much.
    let _ = std::fs::write("/proc/self/timerslack_ns", "1");
    let expected = Arc::new(document::page(false));
    let mut connections = Vec::new();
    for number in 0..job.connections {
        let mut connection = Connection::open(job, expected.clone())?;
        for place in 0..WARM_UP {
            connection.exchange(number * WARM_UP + place)?;
        }
        connections.push(connection);
    }

    println!("ready");
    let told = std::io::stdin().read_line(&mut String::new());
    if !matches!(told, Ok(1..)) {
        return Err("nobody waits for the answers".to_owned());
    }

    let (timed, _) = requests(job);
    let gap = Duration::from_secs(1) / job.rate;
    let start = Instant::now() + Duration::from_millis(50);
    let senders: Vec<_> = (0..job.connections)
        .zip(connections)
        .map(|(number, connection)| {
            let places = (number..).step_by(job.connections as usize);
            let due = places
                .take_while(move |place| u64::from(*place) < timed)
                .map(move |place| (place, start + gap * place));
            std::thread::spawn(move || send(connection, due))
        })
        .collect();
    let mut all = Seen {
        latency_ns: Vec::new(),
        late_ns: Vec::new(),
    };
    for sender in senders {
        let seen = sender.join().map_err(|_| "a thread has failed")??;
        all.latency_ns.extend(seen.latency_ns);
        all.late_ns.extend(seen.late_ns);
    }
    let text = serde_json::to_string(&all).map_err(|error| error.to_string())?;
    println!("{text}");
    Ok(())
}

fn send(
    mut connection: Connection,
    due: impl Iterator<Item = (u32, Instant)>,
) -> Result<Seen, String> {
    let mut seen = Seen {
        latency_ns: Vec::new(),
        late_ns: Vec::new(),
    };
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

struct Connection {
    stream: TcpStream,
    query: String,
    received: Vec<u8>,
    expected: Arc<String>,
}

impl Connection {
    fn open(job: &Job, expected: Arc<String>) -> Result<Self, String> {
        let stream = TcpStream::connect(job.target)
            .and_then(|stream| {
                stream.set_nodelay(true)?;
                stream.set_read_timeout(Some(PATIENCE))?;
                Ok(stream)
            })
            .map_err(|error| format!("cannot connect to {}: {error}", job.target))?;
        Ok(Self {
            stream,
            query: job.query.clone(),
            received: Vec::with_capacity(16 * 1024),
            expected,
        })
    }

    /// Sends one request and reads its answer, which has to be that of v1.
    fn exchange(&mut self, place: u32) -> Result<(), String> {
        let request = self.request(place);
        self.stream
            .write_all(request.as_bytes())
            .map_err(|error| format!("request {place} is not sent: {error}"))?;
        self.received.clear();
        while !is_whole(&self.received) {
            let mut part = [0; 16 * 1024];
            match self.stream.read(&mut part) {
                Ok(0) => return Err(format!("the answer to request {place} is lost: closed")),
                Ok(length) => self.received.extend_from_slice(&part[..length]),
                Err(error) => return Err(format!("the answer to {place} is lost: {error}")),
            }
        }
        let text = String::from_utf8_lossy(&self.received);
        let right = text.starts_with("HTTP/1.1 200 ")
            && text.contains("\r\nx-version: v1\r\n")
            && text.ends_with(&format!("\r\n\r\n{}", self.expected));
        match right {
            true => Ok(()),
            false => Err(format!("not the answer of v1 to request {place}:\n{text}")),
        }
    }

    fn request(&self, place: u32) -> String {
        let separator = if self.query.is_empty() { "" } else { "?" };
        let (channel, account) = (place % CHANNELS, place % ACCOUNTS);
        format!(
            "GET /v1/Channels/support-{channel}/Messages{separator}{query} HTTP/1.1\r\n\
             host: flex.example.com\r\n\
             x-account-sid: AC{account:032x}\r\n\
             accept: application/json\r\n\
             accept-encoding: gzip, deflate, br\r\n\
             user-agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101\r\n\
             authorization: Basic dGhpcyBpczpub3Qgc2VjcmV0\r\n\r\n",
            query = self.query,
        )
    }
}

/// Whether an answer of known length is there to its end.
fn is_whole(received: &[u8]) -> bool {
    let Some(end) = received.windows(4).position(|bytes| bytes == b"\r\n\r\n") else {
        return false;
    };
    let head = String::from_utf8_lossy(&received[..end]);
    let length = head
        .split("\r\n")
        .find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
    length.is_some_and(|length: usize| received.len() >= end + 4 + length)
}
