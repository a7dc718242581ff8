//! Errors of changing or reading a folder.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use turnout_text::{escape_bytes_for_terminal, escape_for_terminal, join_first, nearest};

/// Why a folder was not changed or read. `Display` says what is wrong and what to do.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// An error of the operating system.
    Io {
        /// The operation: `read`, `write`.
        doing: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The error.
        error: io::Error,
    },
    /// The folder does not exist.
    NoFolder(PathBuf),
    /// It is not a folder.
    NotAFolder(PathBuf),
    /// `filter.json` is a link.
    Linked {
        /// The link.
        path: PathBuf,
        /// Its target.
        to: PathBuf,
    },
    /// The history is a link.
    HistoryLinked {
        /// The link.
        path: PathBuf,
    },
    /// The history is not a folder.
    HistoryNoFolder {
        /// Its path.
        path: PathBuf,
    },
    /// Another command holds the lock.
    Locked {
        /// The command.
        holder: String,
    },
    /// Another command has locked a state folder.
    InUse {
        /// The command.
        holder: String,
        /// The folder.
        folder: PathBuf,
    },
    /// There is no policy to halt, to resume, to re-arm or to roll back.
    NoActivePolicy {
        /// The folder.
        folder: PathBuf,
        /// What is wrong with `filter.json`, if it exists.
        found: Option<String>,
    },
    /// Another policy has, or had, this revision.
    RevisionTaken {
        /// The revision.
        revision: String,
        /// The entry of the other policy.
        sequence: u64,
        /// The revision of that entry. It may become the same only by a halt, resume or rearm.
        other: String,
    },
    /// There is no policy before the active one.
    NoEarlierPolicy {
        /// The active revision.
        revision: String,
    },
    /// The entry to roll back to does not exist any more, or cannot be read.
    Lost {
        /// Its sequence number.
        sequence: u64,
        /// What is wrong with it.
        why: String,
    },
    /// No entry has this number or revision.
    UnknownTarget(String),
    /// One entry has this number, and another has this revision.
    AmbiguousTarget(String),
    /// The proxies rejected the policy to roll back to.
    RejectedTarget(String),
    /// The path of the filter is unknown: the first policy needs it.
    NoWasm,
    /// The proxies trust earlier hops, but do not forward decisions.
    DecisionNotForwarded,
    /// The file is not the filter.
    NotWasm {
        /// Its path.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The text to apply is not a policy.
    NotAPolicy,
    /// `--resume` contradicts `"halted": true` in the policy.
    HaltsItself,
    /// `--resume-rollout` contradicts `"halted": true` in a rollout of the policy.
    RolloutHaltsItself(String),
    /// The policy has no rollout of this name.
    UnknownRollout {
        /// The name.
        name: String,
        /// The names of its rollouts.
        known: Vec<String>,
    },
    /// The rollout to re-arm has no guard.
    NoGuard {
        /// Its name.
        name: String,
        /// The names of the rollouts that have one.
        guarded: Vec<String>,
    },
    /// The guard cannot be re-armed again, because its `rearmed` is the largest possible number.
    RearmedTooOften(String),
    /// These rollouts are halted, and the policy has no rollouts of these names, so other rollouts could
    /// get their requests.
    LosesHalts {
        /// Their names.
        rollouts: Vec<String>,
        /// The revision of the policy.
        revision: String,
    },
    /// The folder has changed since the preview.
    ChangedMeanwhile,
}

impl Error {
    pub(crate) fn cannot(doing: &'static str, path: &Path, error: io::Error) -> Self {
        let path = path.to_owned();
        Self::Io { doing, path, error }
    }
}

/// Formats a path for a terminal.
pub(crate) fn shown(path: &Path) -> String {
    escape_bytes_for_terminal(path.as_os_str().as_encoded_bytes())
}

/// Formats names as a list, with at most 20 of them.
fn listed(names: &[String]) -> String {
    let names = names.iter();
    let names: Vec<String> = names
        .map(|name| format!("`{}`", escape_for_terminal(name)))
        .collect();
    join_first(&names, 20)
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io { doing, path, error } => {
                write!(f, "cannot {doing} {}: {error}", shown(path))?;
                match error.kind() {
                    io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => f.write_str(
                        "; the active policy stays active. Free some space, then try again",
                    ),
                    _ => Ok(()),
                }
            }
            Self::NoFolder(path) => write!(
                f,
                "folder {} does not exist; `turnout apply` creates it with the first policy",
                shown(path)
            ),
            Self::NotAFolder(path) => write!(
                f,
                "{} is not a folder; pass the folder that Envoy watches",
                shown(path)
            ),
            Self::Linked { path, to } => write!(
                f,
                "{} is a link to {}, so something else manages it, as Kubernetes manages the files of a ConfigMap; \
                 change it there, with the output of `turnout render`",
                shown(path),
                shown(to)
            ),
            Self::HistoryLinked { path } => write!(
                f,
                "{} is a link, but the history must be a folder; replace the link with the folder that it points to",
                shown(path)
            ),
            Self::HistoryNoFolder { path } => write!(
                f,
                "cannot read {}: it is not a folder; move it away, and the next change creates the folder",
                shown(path)
            ),
            Self::Locked { holder } => write!(
                f,
                "{holder} is changing the policy and does not finish; end that process, then try again"
            ),
            Self::InUse { holder, folder } => write!(
                f,
                "{holder} is using {}; wait until it ends, or end that process, then try again",
                shown(folder)
            ),
            Self::NoActivePolicy { folder, found } => {
                write!(f, "{} has no active policy", shown(folder))?;
                if let Some(found) = found {
                    write!(f, " ({found})")?;
                }
                f.write_str("; apply one with `turnout apply`")
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
                        "revision {shown} already identifies another policy (entry {sequence})"
                    ),
                    false => write!(
                        f,
                        "revision {shown} is that of {other_shown} (entry {sequence}) after a halt, resume or rearm"
                    ),
                }?;
                f.write_str("; use another revision, or omit `revision`")
            }
            Self::NoEarlierPolicy { revision } => write!(
                f,
                "there is no policy before {revision} to roll back to; `turnout halt` sends everyone to v1, and \
                 `turnout log` lists the entries for --to"
            ),
            Self::Lost { sequence, why } => write!(
                f,
                "entry {sequence} of the history is lost: {why}; `turnout log` lists the entries for --to"
            ),
            Self::UnknownTarget(name) => write!(
                f,
                "the history has no entry and no revision {}; `turnout log` lists the entries",
                escape_for_terminal(name)
            ),
            Self::AmbiguousTarget(name) => write!(
                f,
                "{name} is the number of one entry and the revision of another; write #{name} for the number",
                name = escape_for_terminal(name)
            ),
            Self::RejectedTarget(name) => write!(
                f,
                "proxies rejected {}, so a rollback to it is not possible; `turnout log` lists the other entries",
                escape_for_terminal(name)
            ),
            Self::NoWasm => f.write_str(
                "the path of the filter on the proxies is unknown; pass --wasm with this first policy",
            ),
            Self::DecisionNotForwarded => f.write_str(
                "proxies that trust earlier hops must forward decisions; pass --headers with `decision`, or \
                 --inbound strip",
            ),
            Self::NotWasm { path, why } => write!(
                f,
                "{} is not the .wasm file of the filter: {why}; pass its path, or --wasm-elsewhere if the path exists \
                 only on the proxies",
                shown(path)
            ),
            Self::HaltsItself => f.write_str(
                "the policy has `\"halted\": true`, which contradicts --resume; remove it from the policy, or omit \
                 --resume",
            ),
            Self::RolloutHaltsItself(name) => {
                let name = escape_for_terminal(name);
                write!(
                    f,
                    "rollout `{name}` has `\"halted\": true` in the policy, which contradicts --resume-rollout {name}; \
                     remove it from the policy, or omit --resume-rollout {name}"
                )
            }
            Self::UnknownRollout { name, known } => {
                write!(f, "the policy has no rollout `{}`; ", escape_for_terminal(name))?;
                if let Some(nearest) = nearest(name, known) {
                    write!(f, "did you mean `{}`? ", escape_for_terminal(nearest))?;
                }
                match known.is_empty() {
                    true => f.write_str("it has none"),
                    false => write!(f, "it has {}", listed(known)),
                }
            }
            Self::NoGuard { name, guarded } => {
                let name = escape_for_terminal(name);
                write!(f, "rollout `{name}` has no guard to re-arm; ")?;
                match guarded.as_slice() {
                    [] => f.write_str("no rollout of the active policy has one"),
                    [_] => write!(f, "{} has one", listed(guarded)),
                    _ => write!(f, "{} have one", listed(guarded)),
                }?;
                write!(
                    f,
                    "; to guard `{name}`, add `\"guard\": {{}}` to the rollout, then apply the policy"
                )
            }
            Self::RearmedTooOften(name) => write!(
                f,
                "the guard of rollout `{}` has the largest `rearmed` that there is; to re-arm it, apply a policy that \
                 changes its rollout in another way",
                escape_for_terminal(name)
            ),
            Self::LosesHalts { rollouts, revision } => {
                let (subject, are, has, lifts) = match rollouts.as_slice() {
                    [_] => ("rollout", "is", "rollout of this name", "its halt"),
                    _ => ("rollouts", "are", "rollouts of these names", "their halts"),
                };
                let names = listed(rollouts);
                let options = rollouts
                    .iter()
                    .map(|name| format!("--resume-rollout {}", escape_for_terminal(name)));
                write!(
                    f,
                    "{subject} {names} {are} halted, and the policy {} has no {has}, so requests of {names} could go to \
                     another rollout's v2; keep the name in the policy, or use {} to lift {lifts}",
                    escape_for_terminal(revision),
                    options.collect::<Vec<_>>().join(" ")
                )
            }
            Self::ChangedMeanwhile => f.write_str(
                "another change was made in the meantime, so nothing was written; check `turnout log`, then try again",
            ),
            Self::NotAPolicy => f.write_str("this is not a policy; `turnout lint` shows what is wrong"),
        }
    }
}

impl std::error::Error for Error {}
