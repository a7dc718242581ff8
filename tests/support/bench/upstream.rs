//! An upstream in a process of its own. It is the same binary as the bench, with the arguments `upstream
//! NAME`. It prints its address, then the number of requests so far for each line of input, and ends
//! with its input.

use std::future::Future;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::net::TcpListener;

/// A running upstream. Dropping it ends the process.
pub struct Upstream {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    address: SocketAddr,
}

impl Upstream {
    /// Starts the upstream of this name and waits until it serves.
    pub fn start(name: &str) -> Result<Self, String> {
        let error = |error: std::io::Error| format!("cannot start {name}: {error}");
        let mut child = Command::new(std::env::current_exe().map_err(error)?)
            .args(["upstream", name])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(error)?;
        let input = child.stdin.take();
        let mut output = BufReader::new(child.stdout.take().ok_or("no pipe")?);
        let address = line(&mut output)?
            .parse()
            .map_err(|_| format!("{name} did not print its address"))?;
        Ok(Self {
            child,
            input,
            output,
            address,
        })
    }

    /// Its address.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// How many requests have reached it so far.
    pub fn requests(&mut self) -> Result<u64, String> {
        let mut input = self.input.as_ref().ok_or("no pipe")?;
        writeln!(input).map_err(|error| format!("cannot ask an upstream: {error}"))?;
        let count = line(&mut self.output)?;
        count.parse().map_err(|_| format!("{count:?} is no count"))
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        drop(self.input.take());
        let _ = self.child.wait();
    }
}

/// In the upstream process: listens, prints the address and serves until the input ends. `listen` gets
/// the counter of requests.
///
/// # Errors
/// When it cannot listen.
pub fn serve<F: Future<Output = io::Result<()>>>(
    name: &str,
    listen: impl FnOnce(TcpListener, Arc<AtomicU64>) -> F,
) -> Result<(), String> {
    let run = async {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        println!("{}", listener.local_addr()?);
        let requests = Arc::new(AtomicU64::new(0));
        std::thread::spawn({
            let requests = requests.clone();
            move || report_requests(|| requests.load(Ordering::SeqCst))
        });
        listen(listener, requests).await
    };
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .and_then(|runtime| runtime.block_on(run))
        .map_err(|error| format!("{name}: {error}"))
}

/// In the upstream process: prints the number of requests so far for each line of input, and ends with
/// the input.
pub fn report_requests(requests: impl Fn() -> u64) -> ! {
    for _ in std::io::stdin().lines().map_while(Result::ok) {
        println!("{}", requests());
    }
    std::process::exit(0)
}

fn line(from: &mut impl BufRead) -> Result<String, String> {
    let mut line = String::new();
    match from.read_line(&mut line) {
        Ok(1..) => Ok(line.trim_end().to_owned()),
        Ok(0) => Err("an upstream has ended".to_owned()),
        Err(error) => Err(format!("cannot read from an upstream: {error}")),
    }
}
