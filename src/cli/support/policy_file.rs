//! Policies, as arguments.

use std::path::Path;

use turnout_core::lint::{Options, lint};
use turnout_core::{Diagnostics, Plan, Rollout, inline_accounts};

use crate::support::account_file_access::Access;
use crate::support::account_files::{self, Found};
use crate::support::exit::{Exit, refuse};
use crate::support::{render_diagnostics, text_io};

/// A longer list goes to proxies packed: as JSON it would be read slowly by each worker.
const LONGEST_LIST: usize = 1_000;

/// A policy that was read, with the files that it names.
pub(crate) struct Policy {
    name: String,
    text: String,
    found: Found,
}

impl Policy {
    /// That it cannot be read is shown.
    pub(crate) fn read(path: &Path, access: Access<'_>) -> Result<Self, Exit> {
        let text = text_io::read(path).map_err(|error| refuse(&error))?;
        let found = account_files::read(path, &text, access);
        Ok(Self {
            name: text_io::name_of(path),
            found: found.map_err(|error| refuse(&error))?,
            text,
        })
    }

    /// Compiles it. What is wrong with it is shown.
    pub(crate) fn plan(&self) -> Result<Plan, Exit> {
        Plan::with_files(&self.text, &self.found.files).map_err(|diagnostics| {
            self.print(&diagnostics);
            Exit::BadInput
        })
    }

    /// Its errors and warnings; what was found in its files is added to the options.
    pub(crate) fn lint(&self, options: Options<'_>) -> Diagnostics {
        let options = Options {
            files: Some(&self.found.files),
            ..options
        };
        lint(self.text.as_bytes(), &options)
    }

    /// Shows what is wrong with it.
    pub(crate) fn print(&self, diagnostics: &Diagnostics) {
        render_diagnostics::show(&self.name, &self.text, diagnostics);
        self.found.print_bad_lines();
        render_diagnostics::sum_up(&self.name, diagnostics);
    }

    /// How it is called in a sentence.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// As its author wrote it.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// As proxies get it: the accounts of its files in it, long lists packed, and its revision given, so
    /// that it stays the same where the text is laid out anew on its way. What is wrong with it is shown.
    pub(crate) fn for_proxies(&self) -> Result<(String, Plan), Exit> {
        let mut plan = self.plan()?;
        let text = inline_accounts(self.text.trim(), &self.found.files, LONGEST_LIST);
        if text != self.text.trim() {
            // What goes out is looked at once more: its revision is that of its own text.
            plan = Plan::from_json(&text).map_err(|diagnostics| {
                render_diagnostics::print(&self.name, &text, &diagnostics);
                Exit::BadInput
            })?;
        }
        Ok((plan.revision().insert_into(&text).into_owned(), plan))
    }

    /// With every list of SIDs packed, whatever its length.
    pub(crate) fn packed(&self) -> Result<String, Exit> {
        self.plan()?;
        Ok(inline_accounts(&self.text, &self.found.files, 0).into_owned())
    }
}

/// Reads and compiles a policy, placed in a region if one is given. What is wrong with it is shown.
pub(crate) fn plan(path: &Path, region: Option<&str>, access: Access<'_>) -> Result<Plan, Exit> {
    let mut plan = Policy::read(path, access)?.plan()?;
    if let Some(region) = region {
        plan.set_region(region);
    }
    Ok(plan)
}

/// A rollout of the policy in this file, by its name.
pub(crate) fn rollout<'p>(plan: &'p Plan, path: &Path, name: &str) -> Result<&'p Rollout, Exit> {
    plan.rollout(name).map_err(|problem| {
        let file = text_io::name_of(path);
        refuse(&format!("{file}: {problem}; {}", problem.help()))
    })
}
