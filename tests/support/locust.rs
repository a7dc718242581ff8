//! A steady load by Locust, an independent load generator.

use std::fs::File;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use serde::Deserialize;

use crate::temp_folder::Folder;

/// Requests per second of each user.
const RATE: u32 = 10;

/// A running load. Dropping it ends the load.
#[derive(Debug)]
pub struct Load {
    child: Child,
    folder: Folder,
}

/// One request and its result.
#[derive(Clone, Debug, Deserialize)]
pub struct Response {
    /// The account of the request.
    pub account: String,
    /// The time just before it was sent, in seconds since 1970.
    pub began: f64,
    /// The time of the response.
    pub ended: f64,
    /// 0 without a response.
    pub status: u16,
    /// Locust's description of a failure.
    pub error: Option<String>,
    /// The header `x-version`: who responded.
    pub version: Option<String>,
    /// The revision in `x-turnout-logged`: the policy that decided.
    pub revision: Option<String>,
}

impl Load {
    /// Starts so many users, each with [`RATE`] requests per second.
    #[must_use]
    pub fn start(proxy: SocketAddr, users: u32) -> Self {
        let folder = Folder::new();
        let repository = crate::envoy::repository();
        let locust = repository.join(".locust");
        assert!(
            locust.is_dir(),
            "there is no {}: run `make locust`",
            locust.display()
        );
        let file = |name: &str| File::create(folder.path().join(name)).expect("a file");
        let users = users.to_string();
        let child = Command::new(python())
            .args(["-m", "locust", "--headless", "--only-summary"])
            .arg("-f")
            .arg(repository.join("tests/support/locustfile.py"))
            // Starts all users at once.
            .args(["--users", &users, "--spawn-rate", &users])
            .args(["--host", &format!("http://{proxy}")])
            // Waits for requests in flight at the end.
            .args(["--stop-timeout", "20"])
            .current_dir(folder.path())
            .env("PYTHONPATH", &locust)
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env("RATE", RATE.to_string())
            .env("OUTPUT", responses_file(&folder))
            .stdin(Stdio::null())
            .stdout(file("summary"))
            .stderr(file("log"))
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {}: {error}", python()));
        Self { child, folder }
    }

    /// Ends the load. Returns all requests in the order of their responses, and the summary that
    /// Locust prints.
    #[must_use]
    pub fn finish(mut self) -> (Vec<Response>, String) {
        let id = self.child.id().to_string();
        let killed = Command::new("kill").args(["-TERM", &id]).status();
        assert!(
            killed.is_ok_and(|status| status.success()),
            "kill -TERM {id}"
        );
        self.child.wait().expect("the end of a child");
        let read = |name: &str| std::fs::read_to_string(self.folder.path().join(name));
        let lines = std::fs::read_to_string(responses_file(&self.folder))
            .unwrap_or_else(|error| panic!("{error}; output of Locust:\n{:?}", read("log")));
        let parsed = lines.lines().map(serde_json::from_str);
        let answered = parsed
            .collect::<Result<_, _>>()
            .expect("lines of responses");
        (answered, read("log").unwrap_or_default())
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn responses_file(folder: &Folder) -> PathBuf {
    folder.path().join("responses.jsonl")
}

fn python() -> String {
    std::env::var("PYTHON").unwrap_or_else(|_| String::from("python3"))
}
