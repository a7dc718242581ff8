//! v1 and v2: each a process of its own that counts, and answers at once or fails as it is told to.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::Router;
use axum::body::Bytes;
use axum::http::Uri;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::serve::ListenerExt;
use harness::bench::tell;
use harness::scripted::{Answer, Fault, Scripted};
use tokio::net::TcpListener;

use crate::document;
use crate::variants::{self, V2};

/// The version that answers with another order where it is asked to.
const OTHER: &str = "v2";

/// Serves until the standard input ends. Says where first, then, for each line of input, how many
/// requests there were so far.
pub(crate) fn serve(version: &str) -> Result<(), String> {
    if let Some(V2::Own(fault)) = variants::find(version).map(|variant| variant.v2) {
        fail(fault);
    }
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .and_then(|runtime| runtime.block_on(listen(version)))
        .map_err(|error| format!("{version}: {error}"))
}

/// Serves as a v2 that fails, or as one alike that does not.
fn fail(fault: Option<Fault>) -> ! {
    let page = Bytes::from(document::page(false));
    let v2 = Scripted::start(move |_| {
        let answer = Answer::text(page.clone()).content_type("application/json");
        answer.header("x-version", OTHER)
    });
    if let Some(fault) = fault {
        v2.fail(fault);
    }
    println!("{}", v2.address());
    tell(|| match fault {
        // It does not read what it is asked: each connection is for one request.
        Some(Fault::Garbage) => v2.connections(),
        _ => v2.requests(),
    })
}

async fn listen(version: &str) -> std::io::Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    println!("{}", listener.local_addr()?);
    let requests = Arc::new(AtomicU64::new(0));
    std::thread::spawn({
        let requests = requests.clone();
        move || tell(|| requests.load(Ordering::SeqCst))
    });

    let usual = Bytes::from(document::page(false));
    let other = Bytes::from(document::page(version == OTHER));
    let version: Arc<str> = version.into();
    let answer = async move |uri: Uri| {
        requests.fetch_add(1, Ordering::SeqCst);
        let body = match uri.query() {
            Some(document::OTHER_ORDER) => other.clone(),
            _ => usual.clone(),
        };
        let headers = [
            (CONTENT_TYPE.as_str(), "application/json"),
            ("x-version", &*version),
        ];
        (headers, body).into_response()
    };
    let listener = listener.tap_io(|stream| {
        // Else a small answer may wait for the acknowledgement of the one before.
        let _ = stream.set_nodelay(true);
    });
    axum::serve(listener, Router::new().fallback(answer)).await
}
