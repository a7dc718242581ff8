//! What a command would change, before it does.

use crate::change::Author;
use crate::directory::{Directory, State};
use crate::edit::Text;
use crate::error::Error;
use crate::installed::fingerprint;
use crate::intent::{Intent, Step};

/// What an intent comes to in a folder as it is at a moment. Nothing is written.
#[derive(Debug)]
pub struct Preview {
    /// The policy in force, if there is one.
    pub before: Option<Version>,
    /// The policy that would be in force.
    pub after: Version,
    /// It is in force already, so nothing would be written.
    pub is_already: bool,
    /// The fingerprint of `filter.json`.
    file: Option<String>,
}

/// A policy as proxies have it: halted where it is halted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// The policy's text.
    pub policy: String,
    /// Its revision.
    pub revision: String,
    /// The same as a number, as the gauge shows it.
    pub number: u64,
    /// Whether everyone is on v1.
    pub halted: bool,
    /// Whether `filter.json` holds it. Where that is lost, it is what the history says.
    pub is_in_place: bool,
}

impl Directory {
    /// Looks at what an intent comes to. Needs no lock: each file is whole.
    ///
    /// # Errors
    /// Those of the change itself.
    pub fn preview(&self, intent: &Intent<'_>, author: &Author) -> Result<Preview, Error> {
        self.check_intent(intent)?;
        let mut state = State::read(self, intent.is_in_a_hurry())?;
        let file = state.bytes.as_deref().map(fingerprint);
        let step = self.step(&mut state, intent, author)?;
        let Step {
            current,
            entry,
            base,
            is_already,
            ..
        } = step;
        let version = |base: &str, halted, is_in_place| -> Result<Version, Error> {
            let text = Text::with_halted(base, halted).map_err(|_| Error::NoPolicy)?;
            Ok(Version {
                number: text.revision.number(),
                revision: text.revision.to_string(),
                policy: text.text.into_owned(),
                halted,
                is_in_place,
            })
        };
        let before = current.map(|current| {
            let halted = current.entry.halted;
            version(&current.base, halted, current.is_in_place)
        });
        Ok(Preview {
            before: before.transpose()?,
            after: version(&base, entry.halted, is_already)?,
            is_already,
            file,
        })
    }
}

impl Preview {
    /// Whether the folder is still as it was.
    pub(crate) fn is_of(&self, state: &State) -> bool {
        state.bytes.as_deref().map(fingerprint) == self.file
    }
}
