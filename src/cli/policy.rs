//! Policies, as arguments.

use std::path::Path;

use turnout_core::{Plan, Rollout};

use crate::exit::{Exit, refuse};
use crate::{problems, text};

/// Reads and compiles a policy, placed in a region if one is given. What is wrong with it is shown.
pub(crate) fn plan(path: &Path, region: Option<&str>) -> Result<Plan, Exit> {
    let policy = text::read(path).map_err(|error| refuse(&error))?;
    let mut plan = compiled(path, &policy)?;
    if let Some(region) = region {
        plan.place_in(region);
    }
    Ok(plan)
}

/// Compiles the text of a policy. What is wrong with it is shown.
pub(crate) fn compiled(path: &Path, policy: &str) -> Result<Plan, Exit> {
    Plan::from_json(policy).map_err(|diagnostics| {
        problems::print(&text::name_of(path), policy, &diagnostics);
        Exit::BadInput
    })
}

/// A rollout of the policy in this file, by its name.
pub(crate) fn rollout<'p>(plan: &'p Plan, path: &Path, name: &str) -> Result<&'p Rollout, Exit> {
    plan.rollout(name).map_err(|problem| {
        let file = text::name_of(path);
        refuse(&format!("{file}: {problem}; {}", problem.help()))
    })
}
