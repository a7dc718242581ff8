//! A client in a separate process. It is the same binary as the bench, with other arguments.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde::Serialize;
use serde::de::DeserializeOwned;

/// A client process that is ready to send. Dropping it ends the process.
pub struct Client {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Client {
    /// Starts the process and waits until its connections are warm.
    pub fn start(arguments: impl IntoIterator<Item = String>) -> Result<Self, String> {
        let error = |error: std::io::Error| format!("cannot start the client: {error}");
        let mut child = Command::new(std::env::current_exe().map_err(error)?)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(error)?;
        let input = child.stdin.take();
        let output = BufReader::new(child.stdout.take().ok_or("no pipe")?);
        let mut client = Self {
            child,
            input,
            output,
        };
        match client.output.read_line(&mut String::new()) {
            Ok(1..) => Ok(client),
            Ok(0) => Err("the client has ended".to_owned()),
            Err(why) => Err(error(why)),
        }
    }

    /// Lets the client send, and returns its measurements when it has all responses.
    pub fn run<Seen: DeserializeOwned>(mut self) -> Result<Seen, String> {
        let mut input = self.input.as_ref().ok_or("no pipe")?;
        writeln!(input).map_err(|error| format!("cannot start the client: {error}"))?;
        let mut text = String::new();
        let read = self.output.read_to_string(&mut text);
        let status = self.child.wait();
        match (read, status) {
            (Ok(_), Ok(status)) if status.success() => serde_json::from_str(&text)
                .map_err(|error| format!("cannot read what the client saw: {error}")),
            _ => Err("the client has failed".to_owned()),
        }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        drop(self.input.take());
        let _ = self.child.wait();
    }
}

/// In the client process: reports that it is ready, and waits for the start.
pub fn wait_for_start() -> Result<(), String> {
    println!("ready");
    match std::io::stdin().read_line(&mut String::new()) {
        Ok(1..) => Ok(()),
        _ => Err("the bench has ended".to_owned()),
    }
}

/// In the client process: reports the measurements.
pub fn finish(seen: &impl Serialize) -> Result<(), String> {
    let text = serde_json::to_string(seen).map_err(|error| error.to_string())?;
    println!("{text}");
    Ok(())
}
