//! A real Prometheus.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};
use support::client::{Client, Request};
use support::process_output::Lines;
use support::temp_folder::Folder;
use support::watchdog::Watchdog;

/// Far longer than a loaded machine needs. Reaching it means that the event will not happen.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(50);

/// The names of instances, with the addresses of their admin endpoints.
pub(crate) type Targets = BTreeMap<String, SocketAddr>;

/// A running Prometheus that scrapes targets twice a second. Dropping it kills the process and removes its folder.
pub(crate) struct Prometheus {
    process: Child,
    watchdog: Watchdog,
    log: Lines,
    address: SocketAddr,
    client: Client,
    folder: Folder,
}

impl Prometheus {
    /// Starts Prometheus with these targets, and waits until it is ready.
    pub(crate) async fn start(targets: &Targets) -> Self {
        let folder = Folder::new();
        write_targets(&folder, targets);
        let configuration = format!(
            "global: {{ scrape_interval: 500ms, scrape_timeout: 500ms }}
scrape_configs:
- job_name: envoy
  metrics_path: /stats/prometheus
  file_sd_configs:
  - files: [{:?}]
    refresh_interval: 1s
",
            folder.path().join("targets.json")
        );
        let configuration = folder.replace_file("prometheus.yml", &configuration);
        // Prometheus does not report the port that it has, so it cannot choose one.
        let address = free_address();
        let mut process = Command::new(binary())
            .arg(format!("--config.file={}", configuration.display()))
            .arg(format!(
                "--storage.tsdb.path={}",
                folder.path().join("data").display()
            ))
            .arg(format!("--web.listen-address={address}"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            // Ctrl-C in a terminal is meant for the test. The watchdog then stops Prometheus.
            .process_group(0)
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {}: {error}", binary().display()));
        let mut server = Self {
            watchdog: Watchdog::start(process.id(), folder.path()),
            log: Lines::of(process.stderr.take().expect("a pipe")),
            process,
            address,
            client: Client::new(address),
            folder,
        };
        server.wait_until_ready().await;
        server
    }

    async fn wait_until_ready(&mut self) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let ended = self.process.try_wait().expect("the state of a child");
            let log = || self.log.all().join("\n");
            assert!(ended.is_none(), "Prometheus has ended:\n{}", log());
            let response = self.client.try_send(Request::get("/-/ready")).await;
            if response.is_ok_and(|response| response.status == 200) {
                return;
            }
            assert!(
                Instant::now() < deadline,
                "Prometheus is not ready:\n{}",
                log()
            );
            tokio::time::sleep(POLL).await;
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Scrapes these targets from now on, and no others.
    pub(crate) fn scrape(&self, targets: &Targets) {
        write_targets(&self.folder, targets);
    }

    /// The response to an instant query.
    pub(crate) async fn query(&self, query: &str) -> Value {
        let query = utf8_percent_encode(query, NON_ALPHANUMERIC);
        let request = Request::get(format!("/api/v1/query?query={query}"));
        self.client.send(request).await.json()
    }

    /// The values of the result of a query, by instance.
    pub(crate) async fn values(&self, query: &str) -> BTreeMap<String, String> {
        let response = self.query(query).await;
        let result = response["data"]["result"].as_array();
        let result = result.unwrap_or_else(|| panic!("{query}: {response}"));
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let values = result
            .iter()
            .map(|one| (text(&one["metric"]["instance"]), text(&one["value"][1])));
        values.collect()
    }

    /// Waits until a query has these values, by instance.
    pub(crate) async fn wait_for(&self, query: &str, expected: &[(&str, u64)]) {
        let expected = expected.iter();
        let expected: BTreeMap<_, _> = expected
            .map(|(instance, value)| ((*instance).to_owned(), value.to_string()))
            .collect();
        let deadline = Instant::now() + PATIENCE;
        loop {
            let values = self.values(query).await;
            if values == expected {
                return;
            }
            assert!(
                Instant::now() < deadline,
                "{query}: {values:?}, and not {expected:?}"
            );
            tokio::time::sleep(POLL).await;
        }
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        self.watchdog.stop();
        let _ = self.process.kill();
        let _ = self.process.wait();
        self.log.finish();
    }
}

fn write_targets(folder: &Folder, targets: &Targets) {
    let targets = targets.iter().map(|(instance, address)| {
        json!({ "targets": [address.to_string()], "labels": { "instance": instance } })
    });
    let targets: Value = targets.collect();
    folder.replace_file("targets.json", &targets.to_string());
}

fn free_address() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    listener.local_addr().expect("the port's address")
}

/// `PROMETHEUS`, or the binary that `make prometheus` has fetched. A missing binary is an error, never a skipped test.
fn binary() -> PathBuf {
    if let Some(own) = std::env::var_os("PROMETHEUS").filter(|own| !own.is_empty()) {
        return own.into();
    }
    let repository = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("a repository");
    let binary = repository.join(".prometheus/prometheus");
    assert!(
        binary.is_file(),
        "there is no {}: run `make prometheus`, or name a Prometheus of your own in PROMETHEUS",
        binary.display()
    );
    binary
}
