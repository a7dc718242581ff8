//! What the filter said when it refused a policy: Envoy's admin page does not have it, its log has.

use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

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
fn reasons(log: &str) -> Reasons {
    let mut ours: Vec<String> = Vec::new();
    let mut envoys: Vec<String> = Vec::new();
    let mut is_whole = false;
    for line in log.lines() {
        // Between the two there may be the names of the plugin's root and VM.
        let said = line
            .split_once(" wasm log")
            .and_then(|(_, named)| named.split_once(": turnout: "))
            .map(|(_, said)| said.trim_end());
        let list = match said {
            Some(said) if is_problem(said) => Some((&mut ours, said)),
            Some(_) => None,
            None => {
                is_whole |= ends(line);
                envoys_word(line).map(|said| (&mut envoys, said))
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

fn ends(line: &str) -> bool {
    line.contains("config update rejected: ")
        || line.contains("config update failure: ")
        || line.contains("Unable to create Wasm plugin")
}

fn envoys_word(line: &str) -> Option<&str> {
    const SIGNS: [&str; 4] = [
        "config update rejected: ",
        "config update failure: ",
        "[wasm] ",
        "Failed to load ",
    ];
    let is_error = ["[error]", "[critical]", "[warning]"];
    if !is_error.iter().any(|level| line.contains(level)) {
        return None;
    }
    let said = SIGNS.iter().find_map(|sign| line.split_once(sign))?.1;
    // What follows a source's name and line is what was said.
    let said = match said.split_once("] ") {
        Some((source, said)) if source.starts_with('[') => said,
        _ => said,
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
