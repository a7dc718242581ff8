//! Remembers the admin addresses of the last apply, so that a halt can ask the same proxies.
//!
//! They are in the history folder, which Envoy does not watch.

use serde::{Deserialize, Serialize};
use turnout_admin::parse_address;

use crate::atomic_file;
use crate::directory::{Directory, HISTORY};
use crate::error::Error;
use crate::folder_handle::Links;
use crate::history::History;

/// The file in the history.
pub(crate) const FILE: &str = "admins.json";
/// The largest size of the file: enough for more proxies than any folder has.
const MOST_BYTES: u64 = 1 << 20;

#[derive(Serialize, Deserialize)]
struct Remembered {
    admins: Vec<String>,
}

impl Directory {
    /// Writes the admin addresses of the proxies that use this folder.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn remember(&self, admins: &[String]) -> Result<(), Error> {
        let _lock = self.lock("apply")?;
        let path = self.remembered_path();
        let remembered = Remembered {
            admins: admins.to_vec(),
        };
        let mut text = serde_json::to_vec_pretty(&remembered)
            .map_err(|error| Error::cannot("write", &path, error.into()))?;
        text.push(b'\n');
        History::check_folder(&self.path().join(HISTORY))?;
        atomic_file::replace(&path, Links::Refused, &text)
    }

    /// Reads the remembered addresses.
    ///
    /// # Errors
    /// A sentence, if the file cannot be read.
    pub fn remembered(&self) -> Result<Vec<String>, String> {
        let path = self.remembered_path();
        History::check_folder(&self.path().join(HISTORY)).map_err(|error| error.to_string())?;
        let text =
            atomic_file::read_at_most(&path, MOST_BYTES).map_err(|error| error.to_string())?;
        let Some(text) = text else {
            return Ok(Vec::new());
        };
        let damaged = || {
            let path = crate::error::shown(&path);
            format!("{path} is damaged, so the proxies of the last apply are unknown")
        };
        let remembered: Remembered = serde_json::from_slice(&text).map_err(|_| damaged())?;
        let admins = remembered.admins.iter().map(|admin| parse_address(admin));
        admins.collect::<Result<_, _>>().map_err(|_| damaged())
    }

    fn remembered_path(&self) -> std::path::PathBuf {
        self.path().join(HISTORY).join(FILE)
    }
}
