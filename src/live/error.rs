//! Why nothing was changed.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use turnout_text::{escape_bytes_for_terminal, escape_for_terminal};

/// Why a folder was not changed, or not read. Its `Display` says what is wrong and what to do.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The system refused.
    Io {
        /// As a verb: `read`, `write`.
        doing: &'static str,
        /// With which file or folder.
        path: PathBuf,
        /// What it said.
        error: io::Error,
    },
    /// The folder is not there.
    NoFolder(PathBuf),
    /// It is there, and is something else.
    NotAFolder(PathBuf),
    /// `filter.json` is a link.
    Linked {
        /// The link.
        path: PathBuf,
        /// Where it goes.
        to: PathBuf,
    },
    /// The history is a link.
    HistoryLinked {
        /// The link.
        path: PathBuf,
    },
    /// The history is something else than a folder.
    HistoryNoFolder {
        /// What is there.
        path: PathBuf,
    },
    /// Another command does not end.
    Locked {
        /// Who it is.
        holder: String,
    },
    /// There is no policy to halt, to resume or to go back from.
    NothingInForce {
        /// The folder.
        folder: PathBuf,
        /// What is wrong with what is there instead.
        found: Option<String>,
    },
    /// Another text has, or had, this revision.
    RevisionTaken {
        /// The revision.
        revision: String,
        /// The entry with the other text.
        sequence: u64,
        /// The revision of that entry; it may be the same only when halted or resumed.
        other: String,
    },
    /// There is no policy before the one in force.
    NothingBefore {
        /// The revision in force.
        revision: String,
    },
    /// The entry to go back to is there no more, or cannot be read.
    Lost {
        /// Its sequence number.
        sequence: u64,
        /// What is wrong with it.
        why: String,
    },
    /// Nothing in the history is called so.
    UnknownTarget(String),
    /// A sequence number and a revision are called so.
    AmbiguousTarget(String),
    /// The proxies refused what was to be gone back to.
    RejectedTarget(String),
    /// The first policy says neither here nor there where the filter is.
    NoWasm,
    /// They are to trust earlier hops, and not to pass decisions on.
    NotPassedOn,
    /// The filter's file is none.
    NotWasm {
        /// Its path.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// What is to be applied is no policy.
    NoPolicy,
    /// It is to end a halt, and says itself that everyone takes v1.
    HaltsItself,
    /// The folder is not any more as it was looked at.
    ChangedMeanwhile,
}

impl Error {
    pub(crate) fn cannot(doing: &'static str, path: &Path, error: io::Error) -> Self {
        let path = path.to_owned();
        Self::Io { doing, path, error }
    }
}

/// How a path is shown.
pub(crate) fn shown(path: &Path) -> String {
    escape_bytes_for_terminal(path.as_os_str().as_encoded_bytes())
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io { doing, path, error } => {
                write!(f, "cannot {doing} {}: {error}", shown(path))?;
                match error.kind() {
                    io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => f.write_str(
                        "; what is in force stays in force. Make room, then try again",
                    ),
                    _ => Ok(()),
                }
            }
            Self::NoFolder(path) => write!(
                f,
                "there is no folder {}; `turnout apply` makes it with the first policy",
                shown(path)
            ),
            Self::NotAFolder(path) => write!(
                f,
                "{} is not a folder; give the folder that Envoy watches",
                shown(path)
            ),
            Self::Linked { path, to } => write!(
                f,
                "{} is a link to {}, so something else keeps it, as Kubernetes keeps the files of a \
                 ConfigMap; change it there, with what `turnout render` makes",
                shown(path),
                shown(to)
            ),
            Self::HistoryLinked { path } => write!(
                f,
                "{} is a link, and a history is written only in its own place; remove the link, and move the \
                 folder that it leads to there",
                shown(path)
            ),
            Self::HistoryNoFolder { path } => write!(
                f,
                "cannot read {}: it is not a folder; move it away, and the next change makes the folder",
                shown(path)
            ),
            Self::Locked { holder } => write!(
                f,
                "{holder} is changing the policy and does not end; end that process, then try again"
            ),
            Self::NothingInForce { folder, found } => {
                write!(f, "{} has no policy in force", shown(folder))?;
                if let Some(found) = found {
                    write!(f, " ({found})")?;
                }
                f.write_str("; put one in force with `turnout apply`")
            }
            Self::RevisionTaken {
                revision,
                sequence,
                other,
            } => {
                let (shown, other_shown) = (escape_for_terminal(revision), escape_for_terminal(other));
                match revision == other {
                    true => write!(
                        f,
                        "revision {shown} is another text already (entry {sequence})"
                    ),
                    false => write!(
                        f,
                        "revision {shown} is what {other_shown} (entry {sequence}) is called halted or \
                         resumed"
                    ),
                }?;
                f.write_str("; give this one a revision of its own, or leave `revision` out")
            }
            Self::NothingBefore { revision } => write!(
                f,
                "there is no policy before {revision} to go back to; `turnout halt` sends everyone to \
                 v1, and `turnout log` shows what --to can name"
            ),
            Self::Lost { sequence, why } => write!(
                f,
                "entry {sequence} of the history is lost: {why}; `turnout log` shows what --to can name"
            ),
            Self::UnknownTarget(name) => write!(
                f,
                "there is no entry and no revision {} in the history; `turnout log` shows what there is",
                escape_for_terminal(name)
            ),
            Self::AmbiguousTarget(name) => write!(
                f,
                "{name} is an entry of the history and the revision of another; write #{name} for the entry",
                name = escape_for_terminal(name)
            ),
            Self::RejectedTarget(name) => write!(
                f,
                "proxies refused {}, so nothing goes back to it; `turnout log` shows what else there is",
                escape_for_terminal(name)
            ),
            Self::NoWasm => f.write_str(
                "the folder does not say yet where the proxies find the filter; give --wasm with this \
                 first policy",
            ),
            Self::NotPassedOn => f.write_str(
                "proxies that trust earlier hops pass their decisions on, and their own; give --headers with \
                 `decision`, or --inbound strip",
            ),
            Self::NotWasm { path, why } => write!(
                f,
                "{} is not the filter's .wasm: {why}; give its path, or --wasm-elsewhere if only the \
                 proxies see it there",
                shown(path)
            ),
            Self::HaltsItself => f.write_str(
                "the policy itself says `\"halted\": true`, which --resume contradicts; remove it from the \
                 policy, or leave --resume out",
            ),
            Self::ChangedMeanwhile => f.write_str(
                "somebody else has changed the policy in the meantime, so nothing was written; look at \
                 `turnout log`, then try again",
            ),
            Self::NoPolicy => f.write_str("that is no policy; `turnout lint` says what is wrong"),
        }
    }
}

impl std::error::Error for Error {}
