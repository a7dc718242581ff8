//! The `--forbid` and `--max-new` arguments: limits on what a policy change may do.

use std::io::empty;
use std::path::PathBuf;

use clap::Args;
use serde_json::Value;
use turnout_core::Plan;
use turnout_live::Preview;
use turnout_simulate::{Change, ChangeLimits, PolicyAt};
use turnout_text::nearest;

use crate::support::account_file_access::LineOptions;
use crate::support::bulk_input;
use crate::support::exit::{Exit, refuse};
use crate::support::time_arg::now;

/// The limits of a change, as in `turnout plan`.
#[derive(Args, Default)]
pub(crate) struct Limits {
    /// The accounts that --max-new counts, one per line; `-` reads standard input.
    #[arg(long, value_name = "FILE")]
    accounts: Option<PathBuf>,
    /// The CSV column that has the accounts: its name in the first line, or its number from 1.
    #[arg(long, value_name = "NAME|NUMBER", requires = "accounts")]
    column: Option<String>,
    #[command(flatten)]
    lines: LineOptions,
    /// The region of the proxies, for --forbid and --max-new. Default: unknown.
    #[arg(long, value_name = "REGION")]
    region: Option<String>,
    /// Write nothing if an account of this segment moves, to v2 or back. Checks all accounts of the segment.
    /// May be repeated.
    #[arg(long, value_name = "SEGMENT")]
    forbid: Vec<String>,
    /// Write nothing if more accounts than this move to v2.
    #[arg(long, value_name = "NUMBER", requires = "accounts")]
    max_new: Option<u64>,
}

impl Limits {
    /// The file of `--accounts`, which may be standard input.
    pub(crate) fn accounts(&self) -> Option<&PathBuf> {
        self.accounts.as_ref()
    }

    /// Whether messages show the lines of account files.
    pub(crate) fn lines(&self) -> &LineOptions {
        &self.lines
    }

    /// Whether there is anything to check.
    pub(crate) fn is_given(&self) -> bool {
        self.accounts.is_some() || !self.forbid.is_empty()
    }

    /// The limits that a change violates, as sentences.
    pub(crate) fn violations(&self, preview: &Preview) -> Result<Vec<String>, Exit> {
        let new = &preview.after.policy;
        let old = match &preview.before {
            Some(before) => before.policy.clone(),
            // Before the first policy everyone is on v1, as with a halted policy.
            None => halted(new),
        };
        let [old, new] = [&old, new].map(|policy| Plan::from_json(policy));
        let (Ok(mut old), Ok(mut new)) = (old, new) else {
            return Err(refuse(
                "the active policy cannot be read, so --forbid and --max-new cannot be checked; remove them",
            ));
        };
        check_segments(&self.forbid, [&old, &new])?;
        if let Some(region) = &self.region {
            old.set_region(region);
            new.set_region(region);
        }
        bulk_input::warn_missing_region(&[&old, &new]);
        let at = now();
        let [old, new] = [&old, &new].map(|plan| PolicyAt { plan, at });
        let limits = ChangeLimits {
            forbidden_segments: self.forbid.clone(),
            max_new: self.max_new,
        };
        let list = bulk_input::list_options(self.column.as_ref(), self.lines.text());
        let Some(path) = &self.accounts else {
            let change = Change::between(old, new, &list, &limits, empty());
            let change = change.map_err(|error| refuse(&error.to_string()))?;
            return Ok(change.violations);
        };
        let accounts = bulk_input::open(path)?;
        let change = Change::between(old, new, &list, &limits, accounts);
        let change = change.map_err(|error| refuse(&bulk_input::cannot_read(path, &error)))?;
        bulk_input::report_account_lines(path, &change.read, &list)?;
        Ok(change.violations)
    }
}

fn halted(policy: &str) -> String {
    let mut policy: Value = serde_json::from_str(policy).unwrap_or_default();
    if let Some(fields) = policy.as_object_mut() {
        fields.insert("halted".into(), true.into());
    }
    policy.to_string()
}

/// Checks that each segment exists in at least one of the policies.
pub(crate) fn check_segments(names: &[String], plans: [&Plan; 2]) -> Result<(), Exit> {
    let known = || {
        plans
            .into_iter()
            .flat_map(|plan| plan.segment_names())
            .map(String::as_str)
    };
    for name in names {
        if known().any(|known| known == name) {
            continue;
        }
        let help = match nearest(name, known()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => String::from("name a segment of the policies"),
        };
        return Err(refuse(&format!(
            "--forbid {name}: neither policy has this segment; {help}"
        )));
    }
    Ok(())
}
