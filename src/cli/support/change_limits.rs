//! What a change of the policy is not to do, as arguments.

use std::io::empty;
use std::path::PathBuf;

use clap::Args;
use serde_json::Value;
use turnout_core::Plan;
use turnout_live::Preview;
use turnout_simulate::{Change, Forbidden, Version};
use turnout_text::nearest;

use crate::support::account_file_access::LineOptions;
use crate::support::bulk_input;
use crate::support::exit::{Exit, refuse};
use crate::support::time_arg::now;

/// What a change is not to do, as `turnout plan` takes it.
#[derive(Args)]
pub(crate) struct Limits {
    /// The accounts that --max-new counts, one in each line; `-` is standard input.
    #[arg(long, value_name = "FILE")]
    accounts: Option<PathBuf>,
    /// The column of accounts in CSV: its name in the first line, or its number from 1.
    #[arg(long, value_name = "NAME|NUMBER", requires = "accounts")]
    column: Option<String>,
    #[command(flatten)]
    lines: LineOptions,
    /// The region of the proxies, for --forbid and --max-new; unknown unless given.
    #[arg(long, value_name = "REGION")]
    region: Option<String>,
    /// Write nothing if an account of this segment moves, to v2 or back. All its accounts are looked
    /// at. May be given more than once.
    #[arg(long, value_name = "SEGMENT")]
    forbid: Vec<String>,
    /// Write nothing if more accounts than this newly take v2.
    #[arg(long, value_name = "NUMBER", requires = "accounts")]
    max_new: Option<u64>,
}

impl Limits {
    /// Whether the policy is also an input of the command that has these arguments.
    pub(crate) fn accounts(&self) -> Option<&PathBuf> {
        self.accounts.as_ref()
    }

    /// Whether the lines of that file are shown.
    pub(crate) fn lines(&self) -> &LineOptions {
        &self.lines
    }

    /// Whether anything is to be looked at.
    pub(crate) fn is_given(&self) -> bool {
        self.accounts.is_some() || !self.forbid.is_empty()
    }

    /// What a change does though it is forbidden, in sentences.
    pub(crate) fn refused(&self, preview: &Preview) -> Result<Vec<String>, Exit> {
        let new = &preview.after.policy;
        let old = match &preview.before {
            Some(before) => before.policy.clone(),
            // Before the first policy everyone is on v1, as if it were halted.
            None => halted(new),
        };
        let [old, new] = [&old, new].map(|policy| Plan::from_json(policy));
        let (Ok(mut old), Ok(mut new)) = (old, new) else {
            return Err(refuse(
                "the policy in force cannot be read, so --forbid and --max-new cannot be checked; leave \
                 them out",
            ));
        };
        check_segments(&self.forbid, [&old, &new])?;
        if let Some(region) = &self.region {
            old.set_region(region);
            new.set_region(region);
        }
        bulk_input::warn_missing_region(&[&old, &new]);
        let at = now();
        let [old, new] = [&old, &new].map(|plan| Version { plan, at });
        let forbidden = Forbidden {
            segments: self.forbid.clone(),
            max_new: self.max_new,
        };
        let list = bulk_input::list_options(self.column.as_ref(), self.lines.text());
        let Some(path) = &self.accounts else {
            let change = Change::between(old, new, &list, &forbidden, empty());
            let change = change.map_err(|error| refuse(&error.to_string()))?;
            return Ok(change.refused);
        };
        let accounts = bulk_input::open(path)?;
        let change = Change::between(old, new, &list, &forbidden, accounts);
        let change = change.map_err(|error| refuse(&bulk_input::cannot_read(path, &error)))?;
        bulk_input::report_account_lines(path, &change.read, &list)?;
        Ok(change.refused)
    }
}

fn halted(policy: &str) -> String {
    let mut policy: Value = serde_json::from_str(policy).unwrap_or_default();
    if let Some(fields) = policy.as_object_mut() {
        fields.insert("halted".into(), true.into());
    }
    policy.to_string()
}

/// That each segment is one of either policy.
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
            None => String::from("write a segment of the policies"),
        };
        return Err(refuse(&format!(
            "--forbid {name}: neither policy has this segment; {help}"
        )));
    }
    Ok(())
}
