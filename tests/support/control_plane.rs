//! A control plane, `tests/support/control_plane_server`: it sends every proxy of `xds-policy.yaml` its filter over
//! gRPC, and reports whether the proxy accepts it. It is a process, so that a test can kill it.

use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use serde::Deserialize;
use serde_json::json;
use turnout_core::Configuration;

use crate::process_output::Lines;
use crate::wasm;

/// Far longer than a loaded machine needs. Reaching it means that the event will not happen.
const PATIENCE: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(5);

/// An event of a proxy. Each proxy has its events in this order.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case", tag = "event")]
#[expect(missing_docs, reason = "the fields say what they are")]
pub enum Event {
    /// The server accepts connections.
    Listening { address: SocketAddr },
    /// A proxy opened a stream.
    Connected { node: String },
    /// A proxy accepted a version.
    Accepted { node: String, version: String },
    /// A proxy rejected a version, with the reason.
    Refused {
        node: String,
        version: String,
        reason: String,
    },
    /// The stream of a proxy ended.
    Gone { node: String },
}

/// A running control plane. Dropping it kills it.
#[derive(Debug)]
pub struct ControlPlane {
    address: SocketAddr,
    process: Process,
}

impl ControlPlane {
    /// Starts a control plane without a filter. It accepts connections when this returns.
    #[must_use]
    pub fn start() -> Self {
        let address = address();
        let process = Process::start(address);
        Self { address, process }
    }

    /// The address on which it listens. It keeps the address across restarts.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Sends all current and later proxies the filter with this configuration, valid or not.
    pub fn push(&mut self, version: &str, configuration: &str) {
        let wasm = wasm::filter_wasm();
        let filter = json!({ "version": version, "wasm": wasm, "configuration": configuration });
        let input = &mut self.process.input;
        writeln!(input, "{filter}").expect("a control plane that reads");
    }

    /// Like [`push`](Self::push), with the revision of the policy as the version. The policy must be valid.
    pub fn push_good(&mut self, configuration: &str) -> String {
        let read = Configuration::from_json(configuration.as_bytes()).expect("a good one");
        let revision = read.plan.revision().to_string();
        self.push(&revision, configuration);
        revision
    }

    /// Kills the process, which breaks off its streams.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Restarts the process on the same address, without a filter.
    pub fn restart(&mut self) {
        self.kill();
        self.process = Process::start(self.address);
    }

    /// The events since the last start.
    #[must_use]
    pub fn events(&self) -> Vec<Event> {
        self.process.events()
    }

    /// Waits for an event.
    pub async fn wait_for(&self, wanted: impl Fn(&Event) -> bool) -> Event {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let mut events = self.events();
            if let Some(place) = events.iter().position(&wanted) {
                return events.swap_remove(place);
            }
            assert!(Instant::now() < deadline, "not among {events:#?}");
            tokio::time::sleep(POLL).await;
        }
    }

    /// Waits until a proxy has accepted a version.
    pub async fn wait_until_accepted(&self, node: &str, version: &str) {
        let (node, version) = (node.to_owned(), version.to_owned());
        let accepted = Event::Accepted { node, version };
        self.wait_for(|event| *event == accepted).await;
    }

    /// Waits until a proxy has rejected a version, and returns the reason.
    pub async fn wait_until_refused(&self, node: &str, version: &str) -> String {
        let is_refused = |event: &Event| matches!(event, Event::Refused { node: by, version: of, .. } if by == node && of == version);
        match self.wait_for(is_refused).await {
            Event::Refused { reason, .. } => reason,
            other => panic!("{other:?}"),
        }
    }
}

#[derive(Debug)]
struct Process {
    child: Child,
    /// The process ends with this input, so a test that is killed leaves no process behind.
    input: ChildStdin,
    output: Lines,
}

impl Process {
    fn start(address: SocketAddr) -> Self {
        let mut child = Command::new(binary())
            .arg(address.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the control plane starts");
        let process = Self {
            input: child.stdin.take().expect("a pipe"),
            output: Lines::of(child.stdout.take().expect("a pipe")),
            child,
        };
        process.wait_until_listening()
    }

    fn wait_until_listening(mut self) -> Self {
        let deadline = Instant::now() + PATIENCE;
        while self.events().is_empty() {
            let ended = self.child.try_wait().expect("the state of a child");
            assert!(ended.is_none(), "the control plane has ended: {ended:?}");
            assert!(Instant::now() < deadline, "it does not listen");
            std::thread::sleep(POLL);
        }
        self
    }

    fn events(&self) -> Vec<Event> {
        let event = |line: &String| serde_json::from_str(line).expect("an event");
        self.output.all().iter().map(event).collect()
    }

    fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        self.output.finish();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

fn binary() -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    let build = || {
        let manifest = "tests/support/control_plane_server/Cargo.toml";
        wasm::cargo_build(&["--locked", "--manifest-path", manifest]);
        let binary = wasm::target_directory().join("debug/control-plane");
        assert!(binary.is_file(), "cargo built no {}", binary.display());
        binary
    };
    BUILT.get_or_init(build).clone()
}

/// A port to which the control plane can return after a restart: outside of the range of ports that the system
/// assigns to clients.
fn address() -> SocketAddr {
    const FIRST: u16 = 15_000;
    const PORTS: u16 = 17_000;
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let of_process = std::process::id().wrapping_mul(97) % u32::from(PORTS);
    let of_process = u16::try_from(of_process).expect("less than all ports");
    loop {
        let port = FIRST + (of_process + NEXT.fetch_add(1, Ordering::Relaxed) % PORTS) % PORTS;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        if TcpListener::bind(address).is_ok() {
            return address;
        }
    }
}
