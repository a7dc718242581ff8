//! A real Envoy that runs the files of the folder `envoy/`.

mod admin;
mod bootstrap;
mod process;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::Value;
use turnout_core::AccessLogEntry;

pub use admin::Admin;
pub use bootstrap::{Bootstrap, LOGGED_HEADER};
use process::Process;

use crate::client::{Client, Request};
use crate::temp_folder::Folder;

/// The default version. `ENVOY_VERSION` selects another.
pub const VERSION: &str = "1.40.0";

/// Far longer than a loaded machine needs. Reaching it means that the event will not happen.
const PATIENCE: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(5);
/// Envoy's counters of the filter that `live-policy.yaml` discovers.
const DISCOVERY: &str = "extension_config_discovery.http_filter.turnout.";

/// An admin endpoint that accepts only `POST`.
const NOT_TO_GET: &str = "/reset_counters";

/// What a running Envoy did with a filter, and so with a policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Swap {
    /// The policy is active for every request from now on.
    Accepted,
    /// Envoy rejected it and keeps the policy before it.
    Rejected,
}

/// A running Envoy that accepts connections. Dropping it kills the process and removes its folder.
#[derive(Debug)]
pub struct Envoy {
    process: Process,
    admin: Admin,
    address: SocketAddr,
    // Dropped after the process, which reads and writes there.
    folder: Folder,
}

impl Envoy {
    /// Starts Envoy and waits until it accepts connections. Panics and shows the log if it does
    /// not.
    pub async fn start(bootstrap: Bootstrap) -> Self {
        let folder = Folder::new();
        let (mut process, admin_file) = spawn(&bootstrap, &folder);
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(ended) = process.ended() {
                process.log.finish();
                panic!("Envoy {ended}:\n{}", tail(&process.log.all()));
            }
            if let Some(admin) = admin_page(&admin_file)
                && let Some(address) = admin.listener().await
            {
                return Self {
                    process,
                    admin,
                    address,
                    folder,
                };
            }
            let log = || tail(&process.log.all());
            pause(deadline, || format!("Envoy is not ready:\n{}", log())).await;
        }
    }

    /// Starts Envoy with a configuration that it must reject, and returns the log. Panics if Envoy
    /// accepts it.
    pub async fn expect_refusal(bootstrap: Bootstrap) -> String {
        let folder = Folder::new();
        let (mut process, admin_file) = spawn(&bootstrap, &folder);
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(ended) = process.ended() {
                process.log.finish();
                let log = process.log.all().join("\n");
                assert!(!ended.success(), "Envoy ended as if all was well:\n{log}");
                return log;
            }
            if let Some(admin) = admin_page(&admin_file) {
                let taken = admin.listener().await.is_some();
                assert!(!taken, "Envoy took the configuration");
            }
            pause(deadline, || "Envoy neither took nor refused it".to_owned()).await;
        }
    }

    /// The address of the listener.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The version of this Envoy.
    ///
    /// # Errors
    /// When the admin endpoint does not report it.
    pub async fn version(&self) -> Result<String, String> {
        let text = self.admin().get("/server_info").await;
        let info: serde_json::Value =
            serde_json::from_str(&text).map_err(|error| error.to_string())?;
        // The field has the commit, the version and the kind of build.
        let version = info["version"].as_str().unwrap_or_default();
        Ok(version.split('/').nth(1).unwrap_or(version).to_owned())
    }

    /// The watched folder with the filter's file, of an Envoy of [`Bootstrap::live`].
    #[must_use]
    pub fn watched(&self) -> PathBuf {
        bootstrap::watched(&self.folder)
    }

    /// A client of the listener.
    #[must_use]
    pub fn client(&self) -> Client {
        Client::new(self.address)
    }

    /// The admin endpoint.
    #[must_use]
    pub fn admin(&self) -> &Admin {
        &self.admin
    }

    /// The process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// Waits until the process has exited by itself.
    pub async fn wait_for_end(&mut self) {
        let deadline = Instant::now() + PATIENCE;
        while self.process.ended().is_none() {
            pause(deadline, || "Envoy does not end".to_owned()).await;
        }
    }

    /// The log so far, without the access log.
    #[must_use]
    pub fn log(&self) -> String {
        self.process.log.all().join("\n")
    }

    /// The complete log up to now: no line is still on its way.
    pub async fn settled_log(&self) -> Vec<String> {
        // An invalid admin request writes one line after all earlier ones.
        let is_mark = |line: &String| line.contains(NOT_TO_GET);
        let marks = |lines: &[String]| lines.iter().filter(|line| is_mark(line)).count();
        let before = marks(&self.process.log.all());
        let admin = Client::new(self.admin.address());
        let response = admin.send(Request::get(NOT_TO_GET)).await;
        assert_eq!(response.status, 405, "GET {NOT_TO_GET}");
        let deadline = Instant::now() + PATIENCE;
        loop {
            let mut lines = self.process.log.all();
            if marks(&lines) > before {
                lines.retain(|line| !is_mark(line));
                return lines;
            }
            pause(deadline, || "Envoy does not log".to_owned()).await;
        }
    }

    /// Waits until the log contains a text.
    pub async fn wait_for_log(&self, text: &str) {
        let deadline = Instant::now() + PATIENCE;
        while !self.log().contains(text) {
            pause(deadline, || {
                format!("no {text:?} in the log:\n{}", tail(&self.process.log.all()))
            })
            .await;
        }
    }

    /// The access log, once it has at least so many lines. Concurrent requests come
    /// in any order.
    pub async fn access_log(&self, lines: usize) -> Vec<Value> {
        let all = self.access_log_lines(lines).await;
        all.iter().map(|line| parsed(line)).collect()
    }

    /// Like [`access_log`](Self::access_log), for any format: the lines as they are.
    pub async fn access_log_lines(&self, lines: usize) -> Vec<String> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let all = self.process.output.all();
            if all.len() >= lines {
                return all;
            }
            pause(deadline, || {
                format!("{} lines of {lines} in the access log", all.len())
            })
            .await;
        }
    }

    /// Gives an Envoy of [`Bootstrap::live`] another filter, in the format of [`discovered`](crate::render::discovered),
    /// and waits for the result.
    pub async fn swap_filter(&self, filter: &str) -> Swap {
        let before = self.discoveries().await;
        bootstrap::write_filter(&self.folder, filter);
        let deadline = Instant::now() + PATIENCE;
        loop {
            let now = self.discoveries().await;
            if now.refused > before.refused {
                return Swap::Rejected;
            }
            // By then each worker has the new filter in its queue, before later requests.
            if now.accepted > before.accepted {
                return Swap::Accepted;
            }
            pause(deadline, || "Envoy has not seen the new filter".to_owned()).await;
        }
    }

    async fn discoveries(&self) -> Discoveries {
        let stats = self.admin.stats(&format!("^{DISCOVERY}")).await;
        let count = |name: &str| {
            let name = format!("{DISCOVERY}{name}");
            *stats
                .get(&name)
                .unwrap_or_else(|| panic!("no {name}: is this an Envoy of Bootstrap::live?"))
        };
        Discoveries {
            accepted: count("update_success"),
            // The filter causes the first counter, Envoy's own parser the second.
            refused: count("update_rejected") + count("update_failure"),
        }
    }
}

struct Discoveries {
    accepted: u64,
    refused: u64,
}

/// The text of a file in the folder `envoy/`.
#[must_use]
pub fn file(name: &str) -> String {
    let path = repository().join("envoy").join(name);
    std::fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()))
}

/// The sorted names of the files in the folder `envoy/` with this ending.
#[must_use]
pub fn files(ending: &str) -> Vec<String> {
    let folder = repository().join("envoy");
    let entries = std::fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("cannot read {}: {error}", folder.display()));
    let name = |entry: std::io::Result<std::fs::DirEntry>| {
        let name = entry.expect("an entry").file_name();
        name.into_string().expect("a name in UTF-8")
    };
    let mut names: Vec<String> = entries.map(name).collect();
    names.retain(|name| name.ends_with(ending));
    names.sort();
    names
}

pub(crate) fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the folder above the tests")
}

fn spawn(bootstrap: &Bootstrap, folder: &Folder) -> (Process, PathBuf) {
    let configuration = bootstrap.write(folder);
    let admin_file = folder.path().join("admin");
    let process = Process::start(bootstrap, &configuration, &admin_file, folder.path());
    (process, admin_file)
}

/// The admin endpoint, once Envoy has written its address.
fn admin_page(file: &Path) -> Option<Admin> {
    let address = std::fs::read_to_string(file).ok()?;
    address.parse().ok().map(Admin::new)
}

async fn pause(deadline: Instant, complaint: impl FnOnce() -> String) {
    assert!(Instant::now() < deadline, "{}", complaint());
    tokio::time::sleep(POLL).await;
}

/// The end of a log, which begins with a long list of built-in extensions.
fn tail(lines: &[String]) -> String {
    lines[lines.len().saturating_sub(20)..].join("\n")
}

/// A line of the JSON access log. The entry of the filter is one field, and each of its keys is also a field of its
/// own.
#[must_use]
pub fn parsed(line: &str) -> Value {
    let mut parsed: Value = serde_json::from_str(line)
        .unwrap_or_else(|error| panic!("no JSON in the access log: {error}\n{line}"));
    if let Some(entry) = parsed["turnout"].as_str().map(str::to_owned) {
        for (key, value) in logged(entry.as_bytes()) {
            parsed[key] = value.into();
        }
    }
    parsed
}

/// The keys and values of an access-log entry of the filter. Panics if the entry is invalid.
#[must_use]
pub fn logged(entry: &[u8]) -> BTreeMap<&'static str, String> {
    let parsed = AccessLogEntry::parse(entry);
    let AccessLogEntry {
        rollout,
        treatment,
        reason,
        revision,
        account,
    } = parsed.expect("an entry");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let known = [
        ("rollout", rollout),
        ("treatment", treatment),
        ("reason", reason),
        ("revision", revision),
    ];
    let account = account.map(|account| ("account", text(&account)));
    let known = known.map(|(key, value)| (key, text(value)));
    known.into_iter().chain(account).collect()
}
