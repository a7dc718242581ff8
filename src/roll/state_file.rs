//! The file that keeps the state of a roll: `state.json` in the folder `roll`.

use serde::{Deserialize, Serialize};
use turnout_judge::Ledger;
use turnout_live::StateFolder;
use turnout_text::escape_bytes_for_terminal;

use crate::roll_state::RollState;
use crate::steps::Steps;

const NAME: &str = "state.json";
/// The largest file that is read, in bytes. A proxy takes a few kilobytes.
const LARGEST: u64 = 64 << 20;

/// Everything that a roll has to know after a kill. It is written in one piece.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SavedRoll {
    /// The state.
    pub roll: RollState,
    /// What the proxies have counted since the step began, if it has begun.
    pub ledger: Option<Ledger>,
}

/// The file that keeps the state of a roll.
#[derive(Clone, Debug)]
pub struct StateFile {
    folder: StateFolder,
}

impl StateFile {
    /// Returns the state file in this folder. The caller locks the folder before it writes.
    #[must_use]
    pub const fn new(folder: StateFolder) -> Self {
        Self { folder }
    }

    /// Reads the state, or returns `None` if there is none.
    ///
    /// # Errors
    /// A sentence, if the file cannot be read or is damaged. A damaged file is not an empty one: the roll may be in any
    /// step.
    pub fn read(&self) -> Result<Option<SavedRoll>, String> {
        let bytes = self.folder.read(NAME, LARGEST);
        let Some(bytes) = bytes.map_err(|error| error.to_string())? else {
            return Ok(None);
        };
        let saved = serde_json::from_slice(&bytes);
        saved
            .map(Some)
            .map_err(|error| self.damaged(&format!("it is damaged ({error})")))
    }

    /// Reads the state of these steps, or returns `None` if there is none.
    ///
    /// # Errors
    /// As [`read`](Self::read), and if the state contradicts the steps.
    pub fn read_for(&self, steps: &Steps<'_>) -> Result<Option<SavedRoll>, String> {
        let saved = self.read()?;
        if let Some(saved) = &saved
            && saved.roll.plan == steps.fingerprint()
        {
            let checked = saved.roll.check(steps);
            checked.map_err(|why| self.damaged(&why))?;
        }
        Ok(saved)
    }

    /// Replaces the state.
    ///
    /// # Errors
    /// A sentence, if it cannot be written. The old state stays.
    pub fn write(&self, saved: &SavedRoll) -> Result<(), String> {
        let text = serde_json::to_string_pretty(saved);
        let text = text.map_err(|error| self.damaged(&error.to_string()))? + "\n";
        let written = self.folder.replace(NAME, text.as_bytes());
        written.map_err(|error| error.to_string())
    }

    fn damaged(&self, why: &str) -> String {
        let path = self.folder.path().join(NAME);
        let path = escape_bytes_for_terminal(path.as_os_str().as_encoded_bytes());
        format!(
            "cannot use {path}: {why}; check with `turnout log` which step is active, then use --from STEP to continue \
             there"
        )
    }
}
