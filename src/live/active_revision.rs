//! The revision of the active policy, and what it halts.

use crate::atomic_file;
use crate::directory::Directory;
use crate::error::Error;
use crate::filter_file;
use crate::halts::Halts;
use crate::policy_text::PolicyText;
use crate::state_revision::root;

/// The revision of the policy in `filter.json`, and what it halts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActiveRevision {
    /// The revision.
    pub revision: String,
    /// The revision without the marks of halts, resumes and rearms: all states of one policy have the same.
    pub root: String,
    /// The number of the revision, as the gauge has it.
    pub number: u64,
    /// What is halted.
    pub halts: Halts,
    /// The sequence number of the change that wrote it. A change and its reversal leave the same revision with another
    /// number.
    pub sequence: u64,
}

impl Directory {
    /// Returns the revision of the policy in `filter.json`, or `None` if the file does not exist. Compiles nothing, so it
    /// can be called every few seconds.
    ///
    /// # Errors
    /// If this is not a folder, or the file has no policy.
    pub fn active_revision(&self) -> Result<Option<ActiveRevision>, Error> {
        match self.check() {
            Err(Error::NoFolder(_)) => return Ok(None),
            checked => checked?,
        }
        let Some(file) = atomic_file::read(&self.filter())? else {
            return Ok(None);
        };
        let active = filter_file::read(&file).map_err(|_| Error::NotAPolicy)?;
        let text = PolicyText::read(&active.policy).map_err(|_| Error::NotAPolicy)?;
        Ok(Some(ActiveRevision {
            root: root(text.revision.as_str()).to_owned(),
            number: text.revision.number(),
            revision: text.revision.to_string(),
            halts: text.halts,
            sequence: active.mark,
        }))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use crate::tests::{apply, author, folder};
    use crate::{Error, Outcome};

    #[test]
    fn all_states_of_a_policy_have_one_root() {
        let (_kept, directory) = folder();
        assert!(matches!(directory.active_revision(), Ok(None)));
        apply(&directory, "r1", Outcome::Accepted);
        let active = directory.active_revision().unwrap().unwrap();
        assert_eq!((&*active.revision, &*active.root), ("r1", "r1"));
        assert!(!active.halts.is_any());
        directory.halt(&author()).unwrap();
        let halted = directory.active_revision().unwrap().unwrap();
        assert_eq!((&*halted.revision, &*halted.root), ("r1-halted", "r1"));
        assert!(halted.halts.everyone && halted.number != active.number);
        directory.resume(&author()).unwrap();
        let resumed = directory.active_revision().unwrap().unwrap();
        assert_eq!(resumed.revision, active.revision);
        assert!(resumed.sequence > halted.sequence && halted.sequence > active.sequence);
        fs::write(directory.filter(), "{").unwrap();
        assert!(matches!(
            directory.active_revision(),
            Err(Error::NotAPolicy)
        ));
    }
}
