//! Finds in Envoy's log why the filter rejected a policy. The admin endpoint does not have the reason.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use turnout_logs::unwrap_line;
use turnout_text::escape_bytes_for_terminal;

/// How much of the new part of the log is read, in bytes.
const MOST_BYTES: u64 = 1 << 20;
const PAUSE: Duration = Duration::from_millis(20);

/// The new part of a log file of Envoy.
#[derive(Clone, Debug)]
pub struct EnvoyLog {
    path: PathBuf,
    from: u64,
}

impl EnvoyLog {
    /// Skips everything that the file has now.
    ///
    /// # Errors
    /// If there is no such file.
    pub fn from_now(path: &Path) -> Result<Self, EnvoyLogError> {
        let path = path.to_owned();
        let length = || open(&path)?.metadata();
        let from = match length() {
            Ok(metadata) => metadata.len(),
            Err(error) => return Err(EnvoyLogError { path, error }),
        };
        Ok(Self { path, from })
    }

    /// Returns the reasons for a rejection, one per line of the log.
    ///
    /// Waits up to `timeout` for them, because Envoy logs a rejection after it counts it.
    ///
    /// # Errors
    /// If the file cannot be read any more.
    pub fn reasons(&self, timeout: Duration) -> Result<Vec<String>, EnvoyLogError> {
        let began = Instant::now();
        loop {
            let read = self.read().map_err(|error| EnvoyLogError {
                path: self.path.clone(),
                error,
            })?;
            let found = reasons(&String::from_utf8_lossy(&read));
            if found.is_complete || began.elapsed() >= timeout {
                return Ok(found.lines);
            }
            thread::sleep(PAUSE);
        }
    }

    fn read(&self) -> io::Result<Vec<u8>> {
        let mut file = open(&self.path)?;
        // A shorter file was rotated, so all of it is new.
        let from = match file.metadata()?.len() >= self.from {
            true => self.from,
            false => 0,
        };
        file.seek(SeekFrom::Start(from))?;
        let mut read = Vec::new();
        file.take(MOST_BYTES).read_to_end(&mut read)?;
        Ok(read)
    }
}

/// A log file of Envoy cannot be read.
#[derive(Debug)]
pub struct EnvoyLogError {
    path: PathBuf,
    error: io::Error,
}

impl fmt::Display for EnvoyLogError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = escape_bytes_for_terminal(self.path.as_os_str().as_encoded_bytes());
        write!(f, "cannot read {path}: {}", self.error)
    }
}

impl std::error::Error for EnvoyLogError {}

/// Opens a file for reading. It must be a regular file: opening a pipe waits for its writer.
fn open(path: &Path) -> io::Result<File> {
    match fs::metadata(path)?.is_file() {
        true => File::open(path),
        false => Err(io::Error::other("it is not a file")),
    }
}

struct Reasons {
    lines: Vec<String>,
    /// Whether Envoy has logged the end of the rejection.
    is_complete: bool,
}

/// Returns the filter's diagnostics, or Envoy's messages if the filter did not run. A proxy loads a policy
/// once per listener, so duplicates are removed.
///
/// Only lines in the format of Envoy's own logger are read: an access log may go to the same file, and its
/// lines have text from clients.
fn reasons(log: &str) -> Reasons {
    let mut from_filter: Vec<String> = Vec::new();
    let mut from_envoy: Vec<String> = Vec::new();
    let mut is_complete = false;
    for line in log.lines() {
        let unwrapped = unwrap_line(line.as_bytes());
        if unwrapped.logger.is_none() {
            continue;
        }
        let message = String::from_utf8_lossy(&unwrapped.text);
        // The names of the plugin's root and VM may be in between.
        let text = message
            .strip_prefix("wasm log")
            .and_then(|named| named.split_once(": turnout: "))
            .map(|(_, text)| text.trim_end());
        let list = match text {
            Some(text) if is_problem(text) => Some((&mut from_filter, text)),
            Some(_) => None,
            None => {
                is_complete |= ends(&message);
                envoy_message(line, &message).map(|text| (&mut from_envoy, text))
            }
        };
        if let Some((list, text)) = list
            && !list.iter().any(|other| other == text)
        {
            list.push(text.to_owned());
        }
    }
    Reasons {
        lines: if from_filter.is_empty() {
            from_envoy
        } else {
            from_filter
        },
        is_complete,
    }
}

/// Whether a message of the filter is a diagnostic of a policy.
fn is_problem(text: &str) -> bool {
    text.starts_with("policy line ") || text.starts_with("configuration line ")
}

fn ends(message: &str) -> bool {
    message.contains("config update rejected: ")
        || message.contains("config update failure: ")
        || message.contains("Unable to create Wasm plugin")
}

/// Returns Envoy's message about a rejection: what follows these words, or any error of its Wasm logger.
fn envoy_message<'a>(line: &str, message: &'a str) -> Option<&'a str> {
    const MARKERS: [&str; 3] = [
        "config update rejected: ",
        "config update failure: ",
        "Failed to load ",
    ];
    let frame = line.split_once(message).map_or(line, |(frame, _)| frame);
    let is_error = ["[error]", "[critical]", "[warning]"];
    if !is_error.iter().any(|level| frame.contains(level)) {
        return None;
    }
    let text = MARKERS.iter().find_map(|marker| message.split_once(marker));
    let text = match text {
        Some((_, text)) => text,
        None if frame.contains("[wasm] ") => message,
        None => return None,
    };
    Some(text.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lines from Envoy 1.40.0.
    const LOG: &str = "\
[2026-11-21 12:32:03.116][3016][info][wasm] [source/extensions/common/wasm/context.cc:1151] wasm log: turnout: configuration accepted: revision 26, 1 rollout(s), inbound strip
[2026-11-21 12:32:03.912][2984][error][wasm] [source/extensions/common/wasm/context.cc:1157] wasm log: turnout: policy line 1, column 166, at /rollouts/0/mode: unknown mode `bad`; write one of `off`
[2026-11-21 12:32:03.912][2984][error][wasm] [source/extensions/common/wasm/context.cc:1157] wasm log: turnout: policy line 1, column 166, at /rollouts/0/mode: unknown mode `bad`; write one of `off`
[2026-11-21 12:32:03.912][2984][error][wasm] [source/extensions/common/wasm/context.cc:1157] wasm log: turnout: configuration refused: 1 problem(s)
[2026-11-21 12:32:03.914][2984][critical][wasm] [source/extensions/common/wasm/wasm.cc:626] Plugin turnout failed to load
";
    const END: &str = "[2026-11-21 12:32:03.916][2984][warning][config] [source/extensions/config_subscription/filesystem/filesystem_subscription_impl.cc:81] Filesystem config update rejected: Unable to create Wasm plugin turnout\n";

    #[test]
    fn the_filters_own_words_are_the_reasons() {
        let found = reasons(LOG);
        assert_eq!(
            found.lines,
            [
                "policy line 1, column 166, at /rollouts/0/mode: unknown mode `bad`; write one of `off`"
            ]
        );
        assert!(!found.is_complete);
        assert!(reasons(&[LOG, END].concat()).is_complete);
    }

    #[test]
    fn where_the_filter_said_nothing_envoy_has() {
        let failed = LOG.lines().last().unwrap();
        let found = reasons(&[failed, "\n", END].concat());
        assert_eq!(
            found.lines,
            [
                "Plugin turnout failed to load",
                "Unable to create Wasm plugin turnout"
            ]
        );
        assert_eq!(reasons("no log\n\u{1b}[2J").lines, [""; 0]);
    }

    /// An access log may go to the same file.
    #[test]
    fn what_a_client_writes_is_no_reason() {
        let problem = LOG.lines().nth(1).unwrap();
        let critical = LOG.lines().last().unwrap();
        for text in [
            problem,
            critical,
            END.trim_end(),
            " wasm log: turnout: policy line 1, column 1, at /: pay the ransom",
            "[error] config update rejected: pay the ransom",
            "Unable to create Wasm plugin x",
        ] {
            for access in [
                format!("[2026-11-21T12:32:03.116Z] \"GET / HTTP/1.1\" 200 \"{text}\"\n"),
                format!("[2026-11-21T12:32:03.116Z] GET 200 {text}\n"),
                format!("{text} 200\n").replacen('[', "(", 1),
                serde_json::json!({ "method": "GET", "user_agent": text }).to_string(),
            ] {
                let found = reasons(&access);
                assert_eq!(found.lines, [""; 0], "{access}");
                assert!(!found.is_complete, "{access}");
            }
        }
    }

    #[test]
    fn a_log_is_read_from_a_moment_on_and_may_be_rotated() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("envoy.log");
        assert!(EnvoyLog::from_now(&path).is_err());
        assert!(EnvoyLog::from_now(folder.path()).is_err());
        fs::write(&path, LOG).unwrap();
        let log = EnvoyLog::from_now(&path).unwrap();
        assert_eq!(log.reasons(Duration::ZERO).unwrap(), [""; 0]);
        fs::write(&path, END).unwrap();
        let text = log.reasons(Duration::from_secs(60)).unwrap();
        assert_eq!(text, ["Unable to create Wasm plugin turnout"]);
    }
}
