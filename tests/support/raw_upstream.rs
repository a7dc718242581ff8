//! An upstream that responds with arbitrary bytes, which no HTTP library would send.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// The bytes of a response, and how the connection ends.
#[derive(Clone, Debug)]
pub struct Raw {
    bytes: Vec<u8>,
    again: Vec<u8>,
    times: Option<u64>,
    last: Vec<u8>,
    pause: Duration,
    end: End,
}

#[derive(Clone, Copy, Debug)]
enum End {
    Close,
    Reset,
    Hold,
}

impl Raw {
    /// Sends these bytes and then closes the connection.
    #[must_use]
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self {
            bytes: bytes.into(),
            again: Vec::new(),
            times: Some(0),
            last: Vec::new(),
            pause: Duration::ZERO,
            end: End::Close,
        }
    }

    /// Then sends these bytes so many times.
    #[must_use]
    pub fn repeat(mut self, again: impl Into<Vec<u8>>, times: u64) -> Self {
        (self.again, self.times) = (again.into(), Some(times));
        self
    }

    /// Then sends these bytes without end.
    #[must_use]
    pub fn endless(mut self, again: impl Into<Vec<u8>>, pause: Duration) -> Self {
        (self.again, self.times, self.pause) = (again.into(), None, pause);
        self
    }

    /// Then sends these bytes.
    #[must_use]
    pub fn then(mut self, last: impl Into<Vec<u8>>) -> Self {
        self.last = last.into();
        self
    }

    /// Resets the connection instead of closing it.
    #[must_use]
    pub fn reset(mut self) -> Self {
        self.end = End::Reset;
        self
    }

    /// Leaves the connection open and reads what comes.
    #[must_use]
    pub fn hold(mut self) -> Self {
        self.end = End::Hold;
        self
    }
}

/// A running upstream. Dropping it ends it. It needs a tokio runtime.
#[derive(Debug)]
pub struct RawUpstream {
    address: SocketAddr,
    requests: Arc<AtomicU64>,
    server: JoinHandle<()>,
}

impl RawUpstream {
    /// Responds to each request by its path. It accepts connections when this returns.
    ///
    /// # Panics
    /// When there is no free port.
    pub async fn start(respond: impl Fn(&str) -> Raw + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
        let listener = listener.expect("a free port");
        let address = listener.local_addr().expect("the port's address");
        let requests = Arc::new(AtomicU64::new(0));
        let (respond, count) = (Arc::new(respond), Arc::clone(&requests));
        let server = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            loop {
                tokio::select! {
                    Ok((stream, _)) = listener.accept() => {
                        let (respond, count) = (Arc::clone(&respond), Arc::clone(&count));
                        connections.spawn(serve(stream, respond, count));
                    }
                    Some(_) = connections.join_next() => {}
                }
            }
        });
        Self {
            address,
            requests,
            server,
        }
    }

    /// The number of requests so far.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.requests.load(Ordering::SeqCst)
    }
}

impl From<&RawUpstream> for SocketAddr {
    fn from(upstream: &RawUpstream) -> Self {
        upstream.address
    }
}

impl Drop for RawUpstream {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// One request, which has no body, and its response.
async fn serve(
    mut stream: TcpStream,
    respond: Arc<impl Fn(&str) -> Raw>,
    requests: Arc<AtomicU64>,
) {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        if !matches!(stream.read_buf(&mut request).await, Ok(1..)) {
            return;
        }
    }
    requests.fetch_add(1, Ordering::SeqCst);
    let request = String::from_utf8_lossy(&request);
    let response = respond(request.split(' ').nth(1).unwrap_or_default());
    // Envoy may close the connection at any byte.
    let _ = send(&mut stream, &response).await;
    match response.end {
        End::Close => {}
        End::Reset => drop(stream.set_zero_linger()),
        End::Hold => while let Ok(1..) = stream.read_buf(&mut Vec::new()).await {},
    }
}

async fn send(stream: &mut TcpStream, response: &Raw) -> std::io::Result<()> {
    stream.write_all(&response.bytes).await?;
    let mut times = 0;
    while response.times.is_none_or(|most| times < most) {
        stream.write_all(&response.again).await?;
        if !response.pause.is_zero() {
            tokio::time::sleep(response.pause).await;
        }
        times += 1;
    }
    stream.write_all(&response.last).await?;
    stream.flush().await
}
