//! Many clients that are slow on purpose: they open connections, send a little, and wait.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{interval, timeout};

/// The number of connections that are opened at the same time: less than the backlog of a listener.
const AT_ONCE: usize = 200;
/// The size of the receive buffer: the smallest that the system allows.
const RECEIVE_BUFFER: u32 = 4_096;
/// Far longer than a loaded machine needs. Reaching it means that the event will not happen.
const PATIENCE: Duration = Duration::from_secs(60);
const PACE: Duration = Duration::from_secs(1);

/// Open connections that have sent the same bytes. Dropping it closes them.
#[derive(Debug)]
pub struct Crowd {
    streams: Vec<TcpStream>,
}

/// A crowd that keeps sending a byte per second on each connection. Dropping it closes them.
#[derive(Debug)]
pub struct Dripping {
    task: JoinHandle<()>,
}

impl Crowd {
    /// Opens so many connections and sends these bytes on each.
    ///
    /// # Panics
    /// When a connection is refused.
    pub async fn open(target: SocketAddr, count: usize, bytes: &[u8]) -> Self {
        let mut opening = JoinSet::new();
        let mut streams = Vec::with_capacity(count);
        for _ in 0..count {
            if opening.len() == AT_ONCE {
                streams.extend(opening.join_next().await.map(opened));
            }
            opening.spawn(open(target, bytes.to_vec()));
        }
        while let Some(stream) = opening.join_next().await {
            streams.push(opened(stream));
        }
        Self { streams }
    }

    /// From now on sends a byte per second on each connection.
    #[must_use]
    pub fn drip(self) -> Dripping {
        let task = tokio::spawn(async move {
            let mut pace = interval(PACE);
            loop {
                pace.tick().await;
                for stream in &self.streams {
                    // A connection that the other side has closed stays in the crowd.
                    let _ = stream.try_write(b"x");
                }
            }
        });
        Dripping { task }
    }

    /// Keeps sending these bytes on each connection until the other side ends it.
    /// Returns what each connection has received before.
    ///
    /// # Panics
    /// When one stays open.
    pub async fn ended(self, sent: &'static [u8]) -> Vec<Vec<u8>> {
        let ends = self
            .streams
            .into_iter()
            .map(|stream| tokio::spawn(end_of(stream, sent)));
        let ends: Vec<_> = ends.collect();
        let mut all = Vec::with_capacity(ends.len());
        for end in ends {
            all.push(end.await.expect("a connection that ends"));
        }
        all
    }
}

async fn end_of(stream: TcpStream, sent: &[u8]) -> Vec<u8> {
    let (mut reader, mut writer) = stream.into_split();
    let mut received = Vec::new();
    let write = async {
        let mut pace = interval(PACE / 10);
        loop {
            pace.tick().await;
            // Reading finds out whether the other side has closed the connection.
            let _ = writer.write_all(sent).await;
        }
    };
    tokio::select! {
        () = write => {}
        // A reset ends the connection too.
        end = timeout(PATIENCE, reader.read_to_end(&mut received)) => {
            assert!(end.is_ok(), "a connection stays open");
        }
    }
    received
}

impl Drop for Dripping {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn opened(stream: Result<TcpStream, tokio::task::JoinError>) -> TcpStream {
    stream.expect("an open connection")
}

async fn open(target: SocketAddr, bytes: Vec<u8>) -> TcpStream {
    let socket = TcpSocket::new_v4().expect("a socket");
    let small = socket.set_recv_buffer_size(RECEIVE_BUFFER);
    small.expect("an option of the socket");
    let mut stream = socket.connect(target).await.expect("a connection");
    // A connection that is closed at once still counts as open.
    let _ = stream.write_all(&bytes).await;
    stream
}
