//! Reads the policy that an argument names, with its account files.

use std::path::Path;

use turnout_core::lint::{Options, lint};
use turnout_core::{Diagnostics, Plan, Rollout, inline_accounts};

use crate::support::account_file_access::Access;
use crate::support::account_files::{self, Found};
use crate::support::exit::{Exit, refuse};
use crate::support::{render_diagnostics, text_io};

/// A longer list is packed for proxies, because every worker would parse it slowly as JSON.
const LONGEST_LIST: usize = 1_000;

/// A policy text and the account files that it names.
pub(crate) struct Policy {
    name: String,
    text: String,
    found: Found,
}

impl Policy {
    /// Reads a policy, and prints the error if it cannot be read.
    pub(crate) fn read(path: &Path, access: Access<'_>) -> Result<Self, Exit> {
        let text = text_io::read(path).map_err(|error| refuse(&error))?;
        let found = account_files::read(path, &text, access);
        Ok(Self {
            name: text_io::name_of(path),
            found: found.map_err(|error| refuse(&error))?,
            text,
        })
    }

    /// Compiles the policy, and prints its errors.
    pub(crate) fn plan(&self) -> Result<Plan, Exit> {
        Plan::with_files(&self.text, &self.found.files).map_err(|diagnostics| {
            self.print(&diagnostics);
            Exit::BadInput
        })
    }

    /// Lints the policy with its account files.
    pub(crate) fn lint(&self, options: Options<'_>) -> Diagnostics {
        let options = Options {
            files: Some(&self.found.files),
            ..options
        };
        lint(self.text.as_bytes(), &options)
    }

    /// Prints errors and warnings.
    pub(crate) fn print(&self, diagnostics: &Diagnostics) {
        render_diagnostics::show(&self.name, &self.text, diagnostics);
        self.found.print_bad_lines();
        render_diagnostics::sum_up(&self.name, diagnostics);
    }

    /// The name of the file in a sentence.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The text as its author wrote it.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// The policy for proxies: with the accounts of its files, long lists packed, and an explicit revision, so
    /// that reformatting the text does not change the revision. Prints the errors of the policy.
    pub(crate) fn for_proxies(&self) -> Result<(String, Plan), Exit> {
        let mut plan = self.plan()?;
        let text = inline_accounts(self.text.trim(), &self.found.files, LONGEST_LIST);
        if text != self.text.trim() {
            // The revision is that of the new text, so the new text is compiled.
            plan = Plan::from_json(&text).map_err(|diagnostics| {
                render_diagnostics::print(&self.name, &text, &diagnostics);
                Exit::BadInput
            })?;
        }
        Ok((plan.revision().insert_into(&text).into_owned(), plan))
    }

    /// The policy with every list of SIDs packed, whatever its length.
    pub(crate) fn packed(&self) -> Result<String, Exit> {
        self.plan()?;
        Ok(inline_accounts(&self.text, &self.found.files, 0).into_owned())
    }
}

/// Reads and compiles a policy, and sets the region if there is one. Prints the errors of the policy.
pub(crate) fn plan(path: &Path, region: Option<&str>, access: Access<'_>) -> Result<Plan, Exit> {
    let mut plan = Policy::read(path, access)?.plan()?;
    if let Some(region) = region {
        plan.set_region(region);
    }
    Ok(plan)
}

/// Finds a rollout by its name, and prints the error if there is none.
pub(crate) fn rollout<'p>(plan: &'p Plan, path: &Path, name: &str) -> Result<&'p Rollout, Exit> {
    plan.rollout(name).map_err(|problem| {
        let file = text_io::name_of(path);
        refuse(&format!("{file}: {problem}; {}", problem.help()))
    })
}
