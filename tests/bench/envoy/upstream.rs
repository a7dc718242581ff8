//! v1 and v2: separate processes that count requests and respond at once, so that the proxy takes most of the
//! time.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use support::bench;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const BODY: &str =
    r#"{"channel_sid":"CHb7342e9713fa896e4af00c654c444aada","messages":[],"page":0}"#;

/// Who responded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Version {
    V1,
    V2,
}

impl Version {
    /// Who sent this response. An error if neither v1 nor v2 did, or if it is not complete.
    pub(crate) fn of(response: &[u8]) -> Result<Self, String> {
        let head = response.strip_suffix(BODY.as_bytes()).unwrap_or_default();
        let has = |text: &[u8]| head.windows(text.len()).any(|part| part == text);
        let is_good = response.starts_with(b"HTTP/1.1 200 ");
        match () {
            () if is_good && has(b"\r\nx-version: v1\r\n") => Ok(Self::V1),
            () if is_good && has(b"\r\nx-version: v2\r\n") => Ok(Self::V2),
            () => Err(format!(
                "not a response of v1 or v2:\n{}",
                String::from_utf8_lossy(response)
            )),
        }
    }
}

/// Whether a response is complete.
pub(crate) fn is_whole(received: &[u8]) -> bool {
    received.ends_with(BODY.as_bytes())
}

/// Serves as v1 or v2.
pub(crate) fn serve(version: &str) -> Result<(), String> {
    bench::serve(version, |listener, requests| {
        listen(version, listener, requests)
    })
}

async fn listen(
    version: &str,
    listener: TcpListener,
    requests: Arc<AtomicU64>,
) -> std::io::Result<()> {
    let response: Arc<str> = format!(
        "HTTP/1.1 200 OK\r\n\
         content-type: application/json\r\n\
         content-length: {}\r\n\
         x-version: {version}\r\n\r\n{BODY}",
        BODY.len()
    )
    .into();
    loop {
        let (stream, _) = listener.accept().await?;
        // Otherwise a small response may wait for the acknowledgement of the one before.
        stream.set_nodelay(true)?;
        tokio::spawn(respond_all(stream, response.clone(), requests.clone()));
    }
}

/// Responds to the requests of one connection, which have no bodies.
async fn respond_all(mut stream: TcpStream, response: Arc<str>, requests: Arc<AtomicU64>) {
    let mut received = Vec::with_capacity(4 * 1024);
    while matches!(stream.read_buf(&mut received).await, Ok(1..)) {
        if !received.ends_with(b"\r\n\r\n") {
            continue;
        }
        received.clear();
        requests.fetch_add(1, Ordering::SeqCst);
        if stream.write_all(response.as_bytes()).await.is_err() {
            return;
        }
    }
}
