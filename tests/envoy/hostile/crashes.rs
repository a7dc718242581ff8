//! v1, v2 and the collector as processes that are killed under load, again and again. Requests that do not need the
//! dead process get a response, and each request is counted once.

use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::json;
use support::client::{Client, Response};
use support::envoy::{Bootstrap, Envoy};
use support::render::rendered;
use tokio::net::TcpSocket;

use super::{outcomes_of, stats};
use crate::steady_traffic::Steady;
use crate::testbed::{INSIDE, policy, request_of, strip, traps};

const KILLS: usize = 3;
/// How long a process is dead, and how long it runs.
const SPELL: Duration = Duration::from_millis(150);

/// A server that responds to everything with one document. It ends with its standard input.
const SERVER: &str = r#"
import os, sys, threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    def answer(self):
        self.rfile.read(int(self.headers.get("content-length", 0)))
        body = b'{"a": 1}'
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()
    do_GET = do_POST = answer
    def log_message(self, *_):
        pass

class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

def end_with_input():
    sys.stdin.read()
    os._exit(0)

server = Server(("127.0.0.1", int(sys.argv[1])), Handler)
threading.Thread(target=end_with_input, daemon=True).start()
print("ready", flush=True)
server.serve_forever()
"#;

/// A server process. Dropping it kills it.
struct Server {
    address: SocketAddr,
    // Bound without listening: the port stays reserved while the process is dead.
    _reservation: TcpSocket,
    process: Option<Child>,
}

impl Server {
    fn start() -> Self {
        let reservation = TcpSocket::new_v4().expect("a socket");
        reservation.set_reuseaddr(true).expect("an option");
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        reservation.bind(any).expect("a free port");
        let mut server = Self {
            address: reservation.local_addr().expect("its address"),
            _reservation: reservation,
            process: None,
        };
        server.begin();
        server
    }

    /// Returns when connections are accepted.
    fn begin(&mut self) {
        let python = std::env::var_os("PYTHON").filter(|own| !own.is_empty());
        let mut child = Command::new(python.unwrap_or_else(|| "python3".into()))
            .args(["-c", SERVER, &self.address.port().to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("python");
        let output = child.stdout.take().expect("a pipe");
        self.process = Some(child);
        let mut line = String::new();
        let read = BufReader::new(output).read_line(&mut line);
        assert_eq!((read.expect("a pipe"), line.trim()), (6, "ready"));
    }

    /// Kills it with a signal that it cannot catch.
    fn kill(&mut self) {
        if let Some(mut child) = self.process.take() {
            child.kill().expect("a process");
            child.wait().expect("its end");
        }
    }

    async fn die_and_rise(&mut self) {
        tokio::time::sleep(SPELL).await;
        self.kill();
        tokio::time::sleep(SPELL).await;
        self.begin();
    }
}

impl From<&Server> for SocketAddr {
    fn from(server: &Server) -> Self {
        server.address
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_request_gets_one_response_and_one_count_whichever_process_is_killed() {
    let [mut v1, mut v2, mut collector] = [Server::start(), Server::start(), Server::start()];
    let mut policy = policy(&json!({
        "mode": "shadow",
        "shadow": {
            "requests": 100,
            "max_in_flight": 1_000,
            "back_off_ms": 0,
            "timeout_ms": 2_000,
            "summary_seconds": 1,
        },
    }));
    policy["collector"] = json!("collector");
    let text = rendered("cluster-header.yaml", &strip(&policy));
    let bootstrap = Bootstrap::new(text, &v1, &v2).cluster("collector", &collector);
    let envoy = Envoy::start(bootstrap.concurrency(4)).await;

    let load = || Steady::start([envoy.client(), envoy.client()], |_| request_of(INSIDE));
    // No user notices the end of these.
    let steady = load();
    for _ in 0..KILLS {
        v2.die_and_rise().await;
        collector.die_and_rise().await;
    }
    let mut responses = steady.end_without_loss().await;
    let unharmed = responses.len();
    // Only requests in flight notice the end of this one.
    let steady = load();
    for _ in 0..KILLS {
        v1.die_and_rise().await;
    }
    let harmed: Vec<Response> = steady
        .end()
        .await
        .into_iter()
        .map(|response| response.unwrap_or_else(|error| panic!("{error}")))
        .collect();
    let failed = harmed.iter().filter(|response| response.status != 200);
    let statuses: Vec<u16> = failed.map(|response| response.status).collect();
    assert!(!statuses.is_empty(), "v1 was not dead");
    assert!(statuses.iter().all(|status| *status == 503), "{statuses:?}");
    responses.extend(harmed);
    is_well(&envoy.client()).await;

    let sent = responses.len() as u64 + 1;
    let outcomes = outcomes_of(&envoy, "chat", sent).await;
    println!(
        "{unharmed} of {sent} with v1 alive, {} responses of 503: {outcomes:?}",
        statuses.len()
    );
    assert_eq!(outcomes.values().sum::<u64>(), sent, "{outcomes:?}");
    assert!(
        outcomes.get("v2_error").is_some_and(|count| *count > 0),
        "{outcomes:?}"
    );
    assert!(
        outcomes.get("equal").is_some_and(|count| *count > 100),
        "{outcomes:?}"
    );
    let decisions = stats(&envoy, "decisions.").await;
    assert_eq!(decisions.values().sum::<u64>(), sent, "{decisions:?}");
    let log = envoy.settled_log().await;
    assert_eq!(traps(&log), Vec::<&String>::new());
}

async fn is_well(client: &Client) {
    assert_eq!(client.send(request_of(INSIDE)).await.status, 200);
}
