//! Reads the policy that an argument names, with its account files.

use std::borrow::Cow;
use std::path::Path;

use turnout_core::lint::{LintReport, Options};
use turnout_core::{Diagnostics, ParsedPolicy, Plan, Rollout};

use crate::support::account_file_access::Access;
use crate::support::account_files::{self, Found};
use crate::support::exit::{Exit, refuse};
use crate::support::{render_diagnostics, text_io};

/// A longer list is packed for proxies, because every worker would parse it slowly as JSON.
const LONGEST_LIST: usize = 1_000;

/// The text of a policy file.
pub(crate) struct PolicyFile<'p> {
    path: &'p Path,
    text: String,
}

impl<'p> PolicyFile<'p> {
    /// Reads the file; `-` is standard input. Prints the error if it cannot be read.
    pub(crate) fn read(path: &'p Path) -> Result<Self, Exit> {
        let text = text_io::read(path).map_err(|error| refuse(&error))?;
        Ok(Self { path, text })
    }

    /// Parses the policy and reads its account files. Problems of either are found by compiling.
    pub(crate) fn parse(&self, access: Access<'_>) -> Result<Policy<'_>, Exit> {
        let parsed = ParsedPolicy::parse(&self.text);
        let found = account_files::read(self.path, &parsed, access);
        Ok(Policy {
            name: text_io::name_of(self.path),
            text: &self.text,
            found: found.map_err(|error| refuse(&error))?,
            parsed,
        })
    }
}

/// A parsed policy, with what its account files have.
pub(crate) struct Policy<'f> {
    name: String,
    text: &'f str,
    parsed: ParsedPolicy<'f>,
    found: Found,
}

impl Policy<'_> {
    /// Compiles the policy. Prints its problems if it has any.
    pub(crate) fn plan(&self) -> Result<Plan, Exit> {
        self.parsed
            .compile(&self.found.files)
            .map_err(|diagnostics| {
                self.print(&diagnostics);
                Exit::BadInput
            })
    }

    /// Lints and compiles the policy, with what its files have.
    pub(crate) fn lint(&self, options: Options<'_>) -> LintReport {
        self.parsed.lint(&Options {
            files: Some(&self.found.files),
            ..options
        })
    }

    /// Prints the problems of the policy.
    pub(crate) fn print(&self, diagnostics: &Diagnostics) {
        render_diagnostics::show(&self.name, self.text, diagnostics);
        self.found.print_bad_lines();
        render_diagnostics::sum_up(&self.name, diagnostics);
    }

    /// The name of the file in messages.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The text as its author wrote it.
    pub(crate) fn text(&self) -> &str {
        self.text
    }

    /// The text that proxies get, and its plan; `plan` is that of the author's text. The text has the accounts of
    /// the policy's files, and its long lists packed. It also has its revision, so that the revision stays the same
    /// when the JSON is reformatted on its way. Prints the problems if there are any.
    pub(crate) fn for_proxies(&self, plan: Plan) -> Result<(String, Plan), Exit> {
        let inlined = self.parsed.inline_accounts(&self.found.files, LONGEST_LIST);
        let text = inlined.trim();
        let plan = match inlined {
            Cow::Borrowed(_) => plan,
            // This is another text, with a revision of its own, and a proxy must be able to read it.
            Cow::Owned(_) => Plan::from_json(text).map_err(|diagnostics| {
                render_diagnostics::print(&self.name, text, &diagnostics);
                Exit::BadInput
            })?,
        };
        Ok((plan.revision().insert_into(text).into_owned(), plan))
    }

    /// The text with every list of SIDs packed, whatever its length. Prints the problems if there are any.
    pub(crate) fn packed(&self) -> Result<String, Exit> {
        self.plan()?;
        let packed = self.parsed.inline_accounts(&self.found.files, 0);
        Ok(packed.into_owned())
    }
}

/// Reads and compiles a policy, and sets the region if there is one. Prints the errors of the policy.
pub(crate) fn plan(path: &Path, region: Option<&str>, access: Access<'_>) -> Result<Plan, Exit> {
    let mut plan = PolicyFile::read(path)?.parse(access)?.plan()?;
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
