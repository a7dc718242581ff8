//! The queries in the documentation.

use std::fs;
use std::path::Path;

use crate::mesh::Mesh;
use crate::server::Prometheus;

/// The queries in tables with a column `PromQL`, each with the name of its page.
fn queries() -> Vec<(String, String)> {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs");
    let mut queries = Vec::new();
    for entry in fs::read_dir(docs).expect("the folder docs") {
        let path = entry.expect("an entry").path();
        if path.extension().is_none_or(|extension| extension != "md") {
            continue;
        }
        let page = fs::read_to_string(&path).expect("a page");
        let mut is_in_table = false;
        for line in page.lines() {
            is_in_table = line.starts_with('|') && (is_in_table || line.contains("| PromQL |"));
            let cell = line.trim_end_matches([' ', '|']).rsplit("| ").next();
            let query = cell.and_then(|cell| cell.strip_prefix('`')?.strip_suffix('`'));
            if let Some(query) = query.filter(|_| is_in_table) {
                queries.push((path.display().to_string(), query.replace("\\|", "|")));
            }
        }
    }
    queries
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn prometheus_accepts_each_query_and_finds_its_series() {
    let mut mesh = Mesh::start(&["a"]).await;
    let prometheus = Prometheus::start(&mesh.targets()).await;
    prometheus.wait_for("up", &[("a", 1)]).await;
    mesh.send("a", 100).await;
    mesh.wait_until_scraped(&prometheus, &[("a", 100)]).await;
    let queries = queries();
    let of_guard = queries
        .iter()
        .filter(|(page, _)| page.ends_with("guard.md"));
    assert!(of_guard.count() >= 6, "{queries:?}");
    for (page, query) in &queries {
        let response = prometheus.query(query).await;
        assert_eq!(response["status"], "success", "{page}: {query}: {response}");
        for name in names(query) {
            let found = prometheus.query(name).await;
            let series = found["data"]["result"].as_array().map_or(0, Vec::len);
            assert!(series > 0, "{page}: {query}: there is no series {name}");
        }
    }
}

/// The names of metrics of Turnout in a query.
fn names(query: &str) -> impl Iterator<Item = &str> {
    let words = query.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.filter(|word| word.starts_with("turnout_"))
}
