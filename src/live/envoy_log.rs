//! What the filter said when it refused a policy: Envoy's admin page does not have it, its log has.

use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use turnout_logs::unwrap_line;

use crate::error::Error;
use crate::files;

/// How much is read of what was logged meanwhile, in bytes.
const MOST_BYTES: u64 = 1 << 20;
const PAUSE: Duration = Duration::from_millis(20);

/// A file that Envoy logs into, from a moment on.
#[derive(Clone, Debug)]
pub struct EnvoyLog {
    path: PathBuf,
    from: u64,
}

impl EnvoyLog {
    /// What is in it by now is not looked at.
    ///
    /// # Errors
    /// When there is no such file.
    pub fn from_now(path: &Path) -> Result<Self, Error> {
        let length = || {
            let metadata = files::open(path)?.metadata()?;
            Ok(metadata.len())
        };
        let from = length().map_err(|error| Error::cannot("read", path, error))?;
        let path = path.to_owned();
        Ok(Self { path, from })
    }

    /// What has been said of a refusal since. Waits for it, but not for ever: Envoy logs a moment
    /// later than it counts.
    ///
    /// # Errors
    /// When the file cannot be read any more.
    pub fn reasons(&self, patience: Duration) -> Result<Vec<String>, Error> {
        let began = Instant::now();
        loop {
            let read = self
                .read()
                .map_err(|error| Error::cannot("read", &self.path, error))?;
            let found = reasons(&String::from_utf8_lossy(&read));
            if found.is_whole || began.elapsed() >= patience {
                return Ok(found.lines);
            }
            thread::sleep(PAUSE);
        }
    }

    fn read(&self) -> io::Result<Vec<u8>> {
        let mut file = files::open(&self.path)?;
        // A file that was rotated meanwhile begins anew.
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

struct Reasons {
    lines: Vec<String>,
    /// Envoy has said its last word on it.
    is_whole: bool,
}

/// The filter's words where it was asked; else Envoy's, which then knows why. A proxy loads a policy
/// once for each listener, so the same may be said more than once.
///
/// Only lines that begin as Envoy's logger begins them are read: an access log may go to the same file, and
/// its lines hold text of clients.
fn reasons(log: &str) -> Reasons {
    let mut ours: Vec<String> = Vec::new();
    let mut envoys: Vec<String> = Vec::new();
    let mut is_whole = false;
    for line in log.lines() {
        let unwrapped = unwrap_line(line.as_bytes());
        if unwrapped.logger.is_none() {
            continue;
        }
        let message = String::from_utf8_lossy(&unwrapped.text);
        // Between the two there may be the names of the plugin's root and VM.
        let said = message
            .strip_prefix("wasm log")
            .and_then(|named| named.split_once(": turnout: "))
            .map(|(_, said)| said.trim_end());
        let list = match said {
            Some(said) if is_problem(said) => Some((&mut ours, said)),
            Some(_) => None,
            None => {
                is_whole |= ends(&message);
                envoys_word(line, &message).map(|said| (&mut envoys, said))
            }
        };
        if let Some((list, said)) = list
            && !list.iter().any(|other| other == said)
        {
            list.push(said.to_owned());
        }
    }
    Reasons {
        lines: if ours.is_empty() { envoys } else { ours },
        is_whole,
    }
}

/// One of the diagnostics of a policy, of which each has its place.
fn is_problem(said: &str) -> bool {
    said.starts_with("policy line ") || said.starts_with("configuration line ")
}

fn ends(message: &str) -> bool {
    message.contains("config update rejected: ")
        || message.contains("config update failure: ")
        || message.contains("Unable to create Wasm plugin")
}

/// What Envoy says of a refusal: behind these words, or all that its Wasm logger says.
fn envoys_word<'a>(line: &str, message: &'a str) -> Option<&'a str> {
    const SIGNS: [&str; 3] = [
        "config update rejected: ",
        "config update failure: ",
        "Failed to load ",
    ];
    let frame = line.split_once(message).map_or(line, |(frame, _)| frame);
    let is_error = ["[error]", "[critical]", "[warning]"];
    if !is_error.iter().any(|level| frame.contains(level)) {
        return None;
    }
    let said = SIGNS.iter().find_map(|sign| message.split_once(sign));
    let said = match said {
        Some((_, said)) => said,
        None if frame.contains("[wasm] ") => message,
        None => return None,
    };
    Some(said.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As Envoy 1.40.0 logs it.
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
        assert!(!found.is_whole);
        assert!(reasons(&[LOG, END].concat()).is_whole);
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
                assert!(!found.is_whole, "{access}");
            }
        }
    }

    #[test]
    fn a_log_is_read_from_a_moment_on_and_may_be_rotated() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("envoy.log");
        assert!(EnvoyLog::from_now(&path).is_err());
        assert!(EnvoyLog::from_now(folder.path()).is_err());
        std::fs::write(&path, LOG).unwrap();
        let log = EnvoyLog::from_now(&path).unwrap();
        assert_eq!(log.reasons(Duration::ZERO).unwrap(), [""; 0]);
        std::fs::write(&path, END).unwrap();
        let said = log.reasons(Duration::from_secs(60)).unwrap();
        assert_eq!(said, ["Unable to create Wasm plugin turnout"]);
    }
}
