//! v1 and v2: separate processes that count requests, and respond at once or fail on demand.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::Router;
use axum::body::Bytes;
use axum::http::Uri;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::serve::ListenerExt;
use support::bench::{self, report_requests};
use support::scripted_upstream::{Fault, Response, Scripted};
use tokio::net::TcpListener;

use crate::response_body;
use crate::variants::{self, V2};

/// The version that changes the order of keys on demand.
const OTHER: &str = "v2";

/// Serves as v1, v2 or the v2 of a variant.
pub(crate) fn serve(version: &str) -> Result<(), String> {
    if let Some(V2::Own(fault)) = variants::find(version).map(|variant| variant.v2) {
        fail(fault);
    }
    bench::serve(version, |listener, requests| {
        listen(version, listener, requests)
    })
}

/// Serves as a v2 that fails, or as one that does not, in the same way.
fn fail(fault: Option<Fault>) -> ! {
    let page = Bytes::from(response_body::page(false));
    let v2 = Scripted::start(move |_| {
        let response = Response::text(page.clone()).content_type("application/json");
        response.header("x-version", OTHER)
    });
    if let Some(fault) = fault {
        v2.fail(fault);
    }
    println!("{}", v2.address());
    report_requests(|| match fault {
        // It does not read requests: each connection is for one request.
        Some(Fault::Garbage) => v2.connections(),
        _ => v2.requests(),
    })
}

async fn listen(
    version: &str,
    listener: TcpListener,
    requests: Arc<AtomicU64>,
) -> std::io::Result<()> {
    let usual = Bytes::from(response_body::page(false));
    let other = Bytes::from(response_body::page(version == OTHER));
    let version: Arc<str> = version.into();
    let response = async move |uri: Uri| {
        requests.fetch_add(1, Ordering::SeqCst);
        let body = match uri.query() {
            Some(response_body::OTHER_ORDER) => other.clone(),
            _ => usual.clone(),
        };
        let headers = [
            (CONTENT_TYPE.as_str(), "application/json"),
            ("x-version", &*version),
        ];
        (headers, body).into_response()
    };
    let listener = listener.tap_io(|stream| {
        // Otherwise a small response may wait for the acknowledgement of the one before.
        let _ = stream.set_nodelay(true);
    });
    axum::serve(listener, Router::new().fallback(response)).await
}
