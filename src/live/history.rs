//! The folder `history`: one entry per change, and the text of each policy once.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::atomic_file;
use crate::error::Error;
use crate::failpoint;
use crate::filter_file::fingerprint;
use crate::folder_handle::{FolderHandle, Links};
use crate::history_entry::HistoryEntry;
use crate::remembered_admins;

const TEXT_END: &str = ".policy.json";
const ENTRY_END: &str = ".json";
/// The largest file of an entry, in bytes. An entry has at most 100 reasons of 2,000 characters.
const LARGEST_ENTRY: u64 = 4 << 20;
/// The largest sequence number. A file with a larger one is not an entry, or the numbers could be exhausted.
const LAST: u64 = 1 << 48;

/// The names of the files in the history. The files are read on demand.
#[derive(Debug)]
pub(crate) struct History {
    folder: PathBuf,
    sequences: BTreeSet<u64>,
    /// The hashes of the policy texts.
    texts: BTreeSet<String>,
    /// Files that do not belong to the history.
    foreign: Vec<PathBuf>,
}

impl History {
    /// Checks that the folder, if it exists, is not a link: a link could make the commands write and remove files
    /// elsewhere.
    pub(crate) fn check_folder(folder: &Path) -> Result<(), Error> {
        match fs::symlink_metadata(folder) {
            Ok(there) if there.is_symlink() => Err(Error::HistoryLinked {
                path: folder.to_owned(),
            }),
            Ok(there) if !there.is_dir() => Err(Error::HistoryNoFolder {
                path: folder.to_owned(),
            }),
            _ => Ok(()),
        }
    }

    /// Lists the files. A folder that does not exist is an empty history.
    pub(crate) fn open(folder: PathBuf) -> Result<Self, Error> {
        Self::check_folder(&folder)?;
        let mut history = Self {
            folder,
            sequences: BTreeSet::new(),
            texts: BTreeSet::new(),
            foreign: Vec::new(),
        };
        let entries = match fs::read_dir(&history.folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(history),
            Err(error) => return Err(Error::cannot("read", &history.folder, error)),
            Ok(entries) => entries,
        };
        for entry in entries {
            let entry = entry.map_err(|error| Error::cannot("read", &history.folder, error))?;
            let name = entry.file_name();
            match history_file(&name.to_string_lossy()) {
                HistoryFile::Entry(sequence) => drop(history.sequences.insert(sequence)),
                HistoryFile::Text(hash) => drop(history.texts.insert(hash)),
                HistoryFile::Unfinished | HistoryFile::Remembered => {}
                HistoryFile::Foreign => history.foreign.push(entry.path()),
            }
        }
        history.foreign.sort();
        Ok(history)
    }

    /// An empty history, for an urgent command that cannot read the history.
    pub(crate) fn none(folder: PathBuf) -> Self {
        Self {
            folder,
            sequences: BTreeSet::new(),
            texts: BTreeSet::new(),
            foreign: Vec::new(),
        }
    }

    pub(crate) fn foreign(&self) -> &[PathBuf] {
        &self.foreign
    }

    pub(crate) fn sequences(&self) -> &BTreeSet<u64> {
        &self.sequences
    }

    /// Returns the hashes of the policy texts.
    pub(crate) fn texts(&self) -> &BTreeSet<String> {
        &self.texts
    }

    pub(crate) fn last(&self) -> u64 {
        self.sequences.last().copied().unwrap_or_default()
    }

    pub(crate) fn entry_path(&self, sequence: u64) -> PathBuf {
        self.folder.join(format!("{sequence:06}{ENTRY_END}"))
    }

    fn text_path(&self, hash: &str) -> PathBuf {
        self.folder.join(format!("{hash}{TEXT_END}"))
    }

    /// Reads an entry. The error says what is wrong with it.
    pub(crate) fn entry(&self, sequence: u64) -> Result<HistoryEntry, String> {
        match atomic_file::read_at_most(&self.entry_path(sequence), LARGEST_ENTRY) {
            Ok(Some(text)) => HistoryEntry::read(&text, sequence),
            Ok(None) => Err("it does not exist any more".into()),
            Err(error) => Err(error.to_string()),
        }
    }

    /// Returns the readable entries, newest first.
    pub(crate) fn entries(&self) -> impl Iterator<Item = HistoryEntry> {
        let newest_first = self.sequences.iter().rev();
        newest_first.filter_map(|sequence| self.entry(*sequence).ok())
    }

    /// Reads the text of a policy. The error says what is wrong with it.
    pub(crate) fn text(&self, hash: &str) -> Result<String, String> {
        if !is_hash(hash) {
            return Err("it has no valid policy hash".into());
        }
        match atomic_file::read(&self.text_path(hash)) {
            Ok(Some(text)) if fingerprint(&text) == hash => {
                String::from_utf8(text).map_err(|_| "its policy is damaged".into())
            }
            Ok(Some(_)) => Err("its policy is damaged".into()),
            Ok(None) => Err("its policy does not exist any more".into()),
            Err(error) => Err(error.to_string()),
        }
    }

    /// Writes the text of a policy, unless the history has it, and returns its hash.
    pub(crate) fn keep_text(&self, text: &str) -> Result<String, Error> {
        let hash = fingerprint(text.as_bytes());
        let path = self.text_path(&hash);
        let is_kept = matches!(atomic_file::read(&path), Ok(Some(kept)) if kept == text.as_bytes());
        if !is_kept {
            self.make_folder()?;
            atomic_file::replace(&path, Links::Refused, text.as_bytes())?;
        }
        Ok(hash)
    }

    pub(crate) fn write(&mut self, entry: &HistoryEntry) -> Result<(), Error> {
        self.make_folder()?;
        let path = self.entry_path(entry.sequence);
        let mut text = serde_json::to_vec_pretty(entry)
            .map_err(|error| Error::cannot("write", &path, error.into()))?;
        text.push(b'\n');
        atomic_file::replace(&path, Links::Refused, &text)?;
        self.sequences.insert(entry.sequence);
        Ok(())
    }

    fn make_folder(&self) -> Result<(), Error> {
        Self::check_folder(&self.folder)?;
        fs::create_dir_all(&self.folder)
            .map_err(|error| Error::cannot("create", &self.folder, error))
    }

    /// Removes the oldest entries, and the texts that no entry refers to. The `needed` entries stay, and so do
    /// unreadable ones.
    pub(crate) fn prune(&mut self, keep: usize, needed: &[u64]) -> Result<(), Error> {
        let surplus = self.sequences.len().saturating_sub(keep);
        let oldest: Vec<u64> = self.sequences.iter().copied().take(surplus).collect();
        for sequence in oldest {
            if !needed.contains(&sequence) && self.entry(sequence).is_ok() {
                self.remove(&self.entry_path(sequence))?;
                self.sequences.remove(&sequence);
            }
        }
        let mut named = BTreeSet::new();
        for sequence in &self.sequences {
            match self.entry(*sequence) {
                Ok(entry) => drop(named.insert(entry.policy)),
                // It is unknown which text it refers to.
                Err(_) => return Ok(()),
            }
        }
        for hash in self.texts.difference(&named) {
            self.remove(&self.text_path(hash))?;
        }
        self.texts.retain(|hash| named.contains(hash));
        Ok(())
    }

    fn remove(&self, path: &Path) -> Result<(), Error> {
        let name = path.file_name().unwrap_or_default();
        let removed = failpoint::step()
            .and_then(|()| FolderHandle::open(&self.folder, Links::Refused))
            .and_then(|folder| folder.remove(name));
        match removed {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(Error::cannot("remove", path, error))
            }
            _ => Ok(()),
        }
    }
}

enum HistoryFile {
    Entry(u64),
    Text(String),
    Unfinished,
    /// The addresses of proxies.
    Remembered,
    Foreign,
}

fn history_file(name: &str) -> HistoryFile {
    if let Some(hash) = name.strip_suffix(TEXT_END) {
        return match is_hash(hash) {
            true => HistoryFile::Text(hash.to_owned()),
            false => HistoryFile::Foreign,
        };
    }
    if atomic_file::is_unfinished(name) {
        return HistoryFile::Unfinished;
    }
    if name == remembered_admins::FILE {
        return HistoryFile::Remembered;
    }
    let digits = name.strip_suffix(ENTRY_END).unwrap_or_default();
    let is_number = digits.len() >= 6 && digits.bytes().all(|digit| digit.is_ascii_digit());
    match digits.parse() {
        // Only the canonical form is valid, because otherwise two files could have the same number.
        Ok(sequence)
            if is_number
                && format!("{sequence:06}") == digits
                && (1..=LAST).contains(&sequence) =>
        {
            HistoryFile::Entry(sequence)
        }
        _ => HistoryFile::Foreign,
    }
}

fn is_hash(text: &str) -> bool {
    text.len() == 32
        && text
            .bytes()
            .all(|c| c.is_ascii_digit() || (b'a'..=b'f').contains(&c))
}
