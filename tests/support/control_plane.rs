//! A control plane, `tests/support/control_plane_server`: it gives every proxy of `xds-policy.yaml` its filter over
//! gRPC, and says what each of them makes of it. It is a process, so that it can be killed like one.

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

/// Far beyond what a loaded machine needs: reaching it means that it will not happen.
const PATIENCE: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(5);

/// What has become known, in this order for each proxy.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case", tag = "event")]
#[expect(missing_docs, reason = "the fields say what they are")]
pub enum Event {
    /// Proxies can connect.
    Listening { address: SocketAddr },
    /// A proxy has a stream.
    Connected { node: String },
    /// It has taken a version.
    Accepted { node: String, version: String },
    /// It has refused one, and why.
    Refused {
        node: String,
        version: String,
        reason: String,
    },
    /// Its stream has ended.
    Gone { node: String },
}

/// A running control plane; dropped, it is killed.
#[derive(Debug)]
pub struct ControlPlane {
    address: SocketAddr,
    process: Process,
}

impl ControlPlane {
    /// Starts one that has no filter yet. Connections are accepted when this returns.
    #[must_use]
    pub fn start() -> Self {
        let address = address();
        let process = Process::start(address);
        Self { address, process }
    }

    /// Where it listens, also while it does not.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Gives all proxies, those that come later too, the filter with this configuration, good or bad.
    pub fn push(&mut self, version: &str, configuration: &str) {
        let wasm = wasm::filter_wasm();
        let filter = json!({ "version": version, "wasm": wasm, "configuration": configuration });
        let input = &mut self.process.input;
        writeln!(input, "{filter}").expect("a control plane that reads");
    }

    /// As [`push`](Self::push), under the revision of the policy, which has to be valid.
    pub fn push_good(&mut self, configuration: &str) -> String {
        let read = Configuration::from_json(configuration.as_bytes()).expect("a good one");
        let revision = read.plan.revision().to_string();
        self.push(&revision, configuration);
        revision
    }

    /// Kills it: its streams break off.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Starts it anew where it was, with no memory and no filter.
    pub fn restart(&mut self) {
        self.kill();
        self.process = Process::start(self.address);
    }

    /// All that is known since its start.
    #[must_use]
    pub fn events(&self) -> Vec<Event> {
        self.process.events()
    }

    /// Waits until something is known.
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

    /// Waits until a proxy has taken a version.
    pub async fn wait_until_accepted(&self, node: &str, version: &str) {
        let (node, version) = (node.to_owned(), version.to_owned());
        let accepted = Event::Accepted { node, version };
        self.wait_for(|event| *event == accepted).await;
    }

    /// Waits until a proxy has refused a version, and returns its reason.
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
    /// Where it ends, so does the process: a test that is killed leaves none behind.
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

/// One that it can come back to: a port that the system gives to nobody who asks for any, as all those
/// who connect do.
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
