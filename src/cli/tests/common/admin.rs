//! A simulated admin endpoint: an Envoy that watches a folder, or another server.

#[path = "page_server.rs"]
mod page_server;

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use page_server::{Page, serve_pages};
use serde_json::Value;
use turnout_core::Revision;

/// A dump with one route, which selects the cluster by the filter's header.
pub(crate) const ROUTED: &str = r#"{"configs": [{"static_route_configs": [{"route_config": {"name": "http", "virtual_hosts": [
    {"name": "all", "domains": ["*"], "routes": [{"match": {"prefix": "/"},
     "route": {"cluster_header": "x-turnout-cluster"}}]}]}}]}]}"#;

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
        let asked = Arc::new(AtomicUsize::new(0));
        let count = asked.clone();
        let address = serve_pages(move |page| {
            count.fetch_add(1, Ordering::SeqCst);
            pages(page)
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
