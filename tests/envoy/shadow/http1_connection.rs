//! An HTTP/1.1 connection, byte by byte: Envoy reads exactly what a test writes.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Far longer than a loaded machine needs. Reaching it means that nothing will come.
const PATIENCE: Duration = Duration::from_secs(30);

pub(super) struct Wire {
    stream: TcpStream,
    /// Received and not yet used.
    read: Vec<u8>,
}

/// A response as received.
#[derive(Debug)]
pub(super) struct Got {
    pub(super) status: u16,
    /// In lower case.
    pub(super) head: String,
    pub(super) body: Vec<u8>,
}

impl Got {
    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.split("\r\n");
        lines.find_map(|line| Some(line.strip_prefix(name)?.strip_prefix(':')?.trim()))
    }
}

impl Wire {
    pub(super) async fn open(target: SocketAddr) -> Self {
        let stream = TcpStream::connect(target).await.expect("a connection");
        stream.set_nodelay(true).expect("an option of the socket");
        Self {
            stream,
            read: Vec::new(),
        }
    }

    /// Writes these bytes.
    pub(super) async fn write(&mut self, bytes: impl AsRef<[u8]>) {
        let written = self.stream.write_all(bytes.as_ref()).await;
        written.expect("an open connection");
    }

    /// The next complete response, or an interim one.
    pub(super) async fn read_response(&mut self, method: &str) -> Got {
        let mut got = self.head().await;
        let status = got.status;
        got.body = if method == "HEAD" || status < 200 || status == 204 || status == 304 {
            Vec::new()
        } else if let Some(length) = got.header("content-length") {
            let length = length.parse().expect("a length");
            self.take(length).await
        } else {
            assert_eq!(got.header("transfer-encoding"), Some("chunked"), "{got:?}");
            self.chunks().await
        };
        got
    }

    /// The head of the next response.
    pub(super) async fn head(&mut self) -> Got {
        let head = self.line_of(b"\r\n\r\n").await.to_ascii_lowercase();
        let status = head.split(' ').nth(1).and_then(|code| code.parse().ok());
        Got {
            status: status.unwrap_or_else(|| panic!("no status: {head}")),
            head,
            body: Vec::new(),
        }
    }

    /// So many bytes.
    pub(super) async fn take(&mut self, length: usize) -> Vec<u8> {
        while self.read.len() < length {
            self.more().await;
        }
        self.read.drain(..length).collect()
    }

    async fn chunks(&mut self) -> Vec<u8> {
        let mut body = Vec::new();
        loop {
            let size = self.line_of(b"\r\n").await;
            let size = usize::from_str_radix(size.trim(), 16).expect("a chunk's size");
            body.extend(self.take(size).await);
            self.take(2).await;
            if size == 0 {
                return body;
            }
        }
    }

    async fn line_of(&mut self, end: &[u8]) -> String {
        loop {
            if let Some(place) = self.read.windows(end.len()).position(|seen| seen == end) {
                let line = self.read.drain(..place + end.len()).collect();
                return String::from_utf8(line).expect("text");
            }
            self.more().await;
        }
    }

    async fn more(&mut self) {
        let count = timeout(PATIENCE, self.stream.read_buf(&mut self.read)).await;
        let count = count.expect("a response in time").expect("no reset");
        assert!(
            count > 0,
            "closed after {:?}",
            String::from_utf8_lossy(&self.read)
        );
    }

    /// Everything up to the end of the connection.
    pub(super) async fn rest(mut self) -> Vec<u8> {
        let read = self.stream.read_to_end(&mut self.read);
        // A reset ends the connection too.
        let _ = timeout(PATIENCE, read).await.expect("an end");
        self.read
    }
}

/// The head of a request that matches the rollout, with additional lines.
pub(super) fn head(method: &str, path: &str, lines: &[&str]) -> String {
    let lines: String = lines.iter().map(|line| format!("{line}\r\n")).collect();
    format!("{method} /v1/Channels{path} HTTP/1.1\r\nhost: a\r\n{lines}\r\n")
}
