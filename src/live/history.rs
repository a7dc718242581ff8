//! The folder `history`: an entry for each change, and each policy's text once.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::entry::Entry;
use crate::error::Error;
use crate::failpoint;
use crate::files;
use crate::folder::{Folder, Links};
use crate::installed::fingerprint;
use crate::remembered;

const TEXT_END: &str = ".policy.json";
const ENTRY_END: &str = ".json";
/// An entry has at most 100 reasons of 2,000 characters; a larger file is none.
const LARGEST_ENTRY: u64 = 4 << 20;
/// Nobody makes so many changes: such a number is no entry's, and after it there soon were none left.
const LAST: u64 = 1 << 48;

/// What is there, by name; nothing has been read yet.
#[derive(Debug)]
pub(crate) struct History {
    folder: PathBuf,
    sequences: BTreeSet<u64>,
    /// Hashes of the texts that are kept.
    texts: BTreeSet<String>,
    /// Files that are none of the history's.
    foreign: Vec<PathBuf>,
}

impl History {
    /// That a folder, if it is there, is none that a link leads to: whoever put the link there would have other
    /// files written and removed.
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

    /// A history that is not there is empty.
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
            match kind(&name.to_string_lossy()) {
                Kind::Entry(sequence) => drop(history.sequences.insert(sequence)),
                Kind::Text(hash) => drop(history.texts.insert(hash)),
                Kind::Unfinished | Kind::Remembered => {}
                Kind::Foreign => history.foreign.push(entry.path()),
            }
        }
        history.foreign.sort();
        Ok(history)
    }

    /// One that can neither be read nor written, for who is in a hurry.
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

    /// The hashes of the texts that are kept.
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

    /// The error says what is wrong with it.
    pub(crate) fn entry(&self, sequence: u64) -> Result<Entry, String> {
        match files::read_at_most(&self.entry_path(sequence), LARGEST_ENTRY) {
            Ok(Some(text)) => Entry::read(&text, sequence),
            Ok(None) => Err("it is not there any more".into()),
            Err(error) => Err(error.to_string()),
        }
    }

    /// The readable ones, newest first.
    pub(crate) fn entries(&self) -> impl Iterator<Item = Entry> {
        let newest_first = self.sequences.iter().rev();
        newest_first.filter_map(|sequence| self.entry(*sequence).ok())
    }

    /// A policy's text, as it was when it was kept. The error says what is wrong with it.
    pub(crate) fn text(&self, hash: &str) -> Result<String, String> {
        if !is_hash(hash) {
            return Err("it names no policy".into());
        }
        match files::read(&self.text_path(hash)) {
            Ok(Some(text)) if fingerprint(&text) == hash => {
                String::from_utf8(text).map_err(|_| "its policy is damaged".into())
            }
            Ok(Some(_)) => Err("its policy is damaged".into()),
            Ok(None) => Err("its policy is not there any more".into()),
            Err(error) => Err(error.to_string()),
        }
    }

    /// Keeps a text, and gives its hash. One that is kept is not written again.
    pub(crate) fn keep_text(&self, text: &str) -> Result<String, Error> {
        let hash = fingerprint(text.as_bytes());
        let path = self.text_path(&hash);
        let is_kept = matches!(files::read(&path), Ok(Some(kept)) if kept == text.as_bytes());
        if !is_kept {
            self.make_folder()?;
            files::replace(&path, Links::Refused, text.as_bytes())?;
        }
        Ok(hash)
    }

    pub(crate) fn write(&mut self, entry: &Entry) -> Result<(), Error> {
        self.make_folder()?;
        let path = self.entry_path(entry.sequence);
        let mut text = serde_json::to_vec_pretty(entry)
            .map_err(|error| Error::cannot("write", &path, error.into()))?;
        text.push(b'\n');
        files::replace(&path, Links::Refused, &text)?;
        self.sequences.insert(entry.sequence);
        Ok(())
    }

    fn make_folder(&self) -> Result<(), Error> {
        Self::check_folder(&self.folder)?;
        fs::create_dir_all(&self.folder).map_err(|error| Error::cannot("make", &self.folder, error))
    }

    /// Removes what is oldest, and the texts that no entry names any more. `needed` stays, and so
    /// does what cannot be read.
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
                // Nobody knows which text it names.
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
            .and_then(|()| Folder::open(&self.folder, Links::Refused))
            .and_then(|folder| folder.remove(name));
        match removed {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(Error::cannot("remove", path, error))
            }
            _ => Ok(()),
        }
    }
}

enum Kind {
    Entry(u64),
    Text(String),
    Unfinished,
    /// The addresses of proxies.
    Remembered,
    Foreign,
}

fn kind(name: &str) -> Kind {
    if let Some(hash) = name.strip_suffix(TEXT_END) {
        return match is_hash(hash) {
            true => Kind::Text(hash.to_owned()),
            false => Kind::Foreign,
        };
    }
    if files::is_unfinished(name) {
        return Kind::Unfinished;
    }
    if name == remembered::FILE {
        return Kind::Remembered;
    }
    let digits = name.strip_suffix(ENTRY_END).unwrap_or_default();
    let is_number = digits.len() >= 6 && digits.bytes().all(|digit| digit.is_ascii_digit());
    match digits.parse() {
        // As it would be written, or two files had one number.
        Ok(sequence)
            if is_number
                && format!("{sequence:06}") == digits
                && (1..=LAST).contains(&sequence) =>
        {
            Kind::Entry(sequence)
        }
        _ => Kind::Foreign,
    }
}

fn is_hash(text: &str) -> bool {
    text.len() == 32
        && text
            .bytes()
            .all(|c| c.is_ascii_digit() || (b'a'..=b'f').contains(&c))
}
