//! Reads the plan of a roll, with the policy and the account files that it names.

use std::path::{Path, PathBuf};

use turnout_core::{AccountFiles, ParsedPolicy};
use turnout_roll::{Checked, ParsedPlan};

use crate::support::account_file_access::Access;
use crate::support::account_files::{self, Found};
use crate::support::render_diagnostics;
use crate::support::text_io::{self, is_dash};

/// A plan, checked with its policy.
pub(crate) struct RollPlanFile {
    pub(crate) name: String,
    pub(crate) text: String,
    pub(crate) checked: Checked,
    /// `None` if the plan does not name a policy, or if the plan has errors and the policy cannot be read.
    pub(crate) policy: Option<PolicyOfPlan>,
}

/// The policy that a plan names.
pub(crate) struct PolicyOfPlan {
    pub(crate) path: PathBuf,
    pub(crate) name: String,
    pub(crate) text: String,
    pub(crate) found: Found,
}

/// Reads a plan and its policy, and checks both. The error is the sentence to print.
pub(crate) fn read(path: &Path, access: Access<'_>) -> Result<RollPlanFile, String> {
    let text = text_io::read(path)?;
    let plan = ParsedPlan::parse(&text);
    let policy = match plan.policy_path() {
        Some(named) => match policy_of(path, named, access) {
            // The errors of the plan are more useful.
            Err(_) if !plan.is_valid() => None,
            read => Some(read?),
        },
        None => None,
    };
    let no_policy = (String::new(), AccountFiles::default());
    let (policy_text, files) = match &policy {
        Some(policy) => (&policy.text, &policy.found.files),
        None => (&no_policy.0, &no_policy.1),
    };
    let checked = match policy.is_some() {
        true => plan.check(&ParsedPolicy::parse(policy_text), files),
        false => plan.without_policy(),
    };
    Ok(RollPlanFile {
        name: text_io::name_of(path),
        checked,
        policy,
        text,
    })
}

fn policy_of(plan: &Path, named: &str, access: Access<'_>) -> Result<PolicyOfPlan, String> {
    let folder = match is_dash(plan) {
        true => Path::new(""),
        false => plan.parent().unwrap_or(Path::new("")),
    };
    let path = folder.join(named);
    let text = text_io::read(&path)?;
    let found = account_files::read(&path, &ParsedPolicy::parse(&text), access)?;
    Ok(PolicyOfPlan {
        name: text_io::name_of(&path),
        path,
        text,
        found,
    })
}

impl RollPlanFile {
    /// Prints the problems of the plan and of its policy to standard error.
    pub(crate) fn show(&self) {
        render_diagnostics::show(&self.name, &self.text, &self.checked.diagnostics);
        if let Some(policy) = &self.policy {
            let diagnostics = &self.checked.policy_diagnostics;
            render_diagnostics::show(&policy.name, &policy.text, diagnostics);
            policy.found.print_bad_lines();
        }
    }
}
