//! A simulated admin endpoint: an Envoy that watches a folder, or another server.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use serde_json::Value;
use turnout_core::Revision;

/// A dump with one route, which selects the cluster by the filter's header.
const ROUTED: &str = r#"{"configs": [{"static_route_configs": [{"route_config": {"name": "http", "virtual_hosts": [
    {"name": "all", "domains": ["*"], "routes": [{"match": {"prefix": "/"},
     "route": {"cluster_header": "x-turnout-cluster"}}]}]}}]}]}"#;

/// A status and a body.
type Page = (u16, String);

pub(crate) struct Admin {
    pub(crate) address: String,
    asked: Arc<AtomicUsize>,
}

impl Admin {
    /// The number of requests so far.
    pub(crate) fn times_asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    /// Serves these pages until the test ends.
    pub(crate) fn serving(pages: impl Fn(&str) -> Page + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        let asked = Arc::new(AtomicUsize::new(0));
        let (pages, count) = (Arc::new(pages), asked.clone());
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                count.fetch_add(1, Ordering::SeqCst);
                let pages = pages.clone();
                thread::spawn(move || serve(stream, &*pages));
            }
        });
        Self { address, asked }
    }

    /// An Envoy that runs the policy in this `filter.json`.
    pub(crate) fn watching(filter: PathBuf) -> Self {
        Self::with_routes(filter, ROUTED)
    }

    /// Like [`watching`](Self::watching), with this dump of routes.
    pub(crate) fn with_routes(filter: PathBuf, routes: &'static str) -> Self {
        Self::serving(move |page| match page {
            page if page.starts_with("/stats") => (200, stats(&filter)),
            page if page.starts_with("/config_dump") => (200, routes.to_owned()),
            _ => (404, String::new()),
        })
    }

    /// An Envoy that runs this revision and accepts no other.
    pub(crate) fn running(revision: &'static str) -> Self {
        Self::serving(move |page| match page.starts_with("/stats") {
            true => (200, page_of(revision)),
            false => (200, ROUTED.to_owned()),
        })
    }
}

fn stats(filter: &PathBuf) -> String {
    let file: Value = fs::read(filter)
        .ok()
        .and_then(|text| serde_json::from_slice(&text).ok())
        .unwrap_or_default();
    page_of(
        file.get("version_info")
            .and_then(Value::as_str)
            .unwrap_or_default(),
    )
}

fn page_of(revision: &str) -> String {
    let number = Revision::from_name(revision).map_or(0, |revision| revision.number());
    let prefix = "extension_config_discovery.http_filter.turnout";
    format!(
        "{prefix}.version_text: \"{revision}\"\n{prefix}.config_reload: 1\n\
         {prefix}.update_attempt: 1\n{prefix}.update_success: 1\n\
         wasmcustom.turnout.revision.turnout: {number}\nserver.live: 1\n"
    )
}

fn serve(mut stream: TcpStream, pages: &dyn Fn(&str) -> Page) {
    let mut reader = BufReader::new(stream.try_clone().expect("a stream"));
    let mut request = String::new();
    if reader.read_line(&mut request).is_err() {
        return;
    }
    let mut line = String::new();
    while reader.read_line(&mut line).is_ok_and(|read| read > 2) {
        line.clear();
    }
    let page = request.split(' ').nth(1).unwrap_or_default();
    let (status, body) = pages(page);
    let _ = write!(
        stream,
        "HTTP/1.1 {status} x\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    );
}
