//! An upstream in a process of its own. It is the same binary as the bench, with the arguments
//! `upstream NAME`: it says where it serves, then, for each line of input, how many requests there
//! were so far, and ends with its input.

use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// A running one. Dropped, it ends.
pub struct Upstream {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    address: SocketAddr,
}

impl Upstream {
    /// Starts the one of this name, and waits until it serves.
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
            .map_err(|_| format!("{name} does not say where it is"))?;
        Ok(Self {
            child,
            input,
            output,
            address,
        })
    }

    /// Where it serves.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The id of its process.
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

/// In the upstream: says, for each line of input, how many requests there were so far. Ends with
/// the input.
pub fn tell(requests: impl Fn() -> u64) -> ! {
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
