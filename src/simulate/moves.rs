//! The effect of a change on single accounts and on groups of accounts.

use serde::Serialize;
use turnout_core::{Account, Fraction, Reason, Rollout};
use turnout_text::{counted, plural, thousands};

use crate::policy_at::PolicyAt;
use crate::saturating::increase;

/// A group of accounts, counted by the effect of a change. An account is "on v2" if v2 may serve one of its
/// requests.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Moves {
    /// The segment; `None` for other groups.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub segment: Option<String>,
    /// All accounts of the group.
    pub accounts: u64,
    /// On v1 before, on v2 after.
    pub newly_v2: u64,
    /// On v2 before, on v1 after.
    pub back_to_v1: u64,
    /// On v2 before and after.
    pub stay_v2: u64,
    /// On v1 before and after.
    pub stay_v1: u64,
    /// The accounts of `stay_v2` whose percentage of requests changes.
    pub changed_percentage: u64,
}

/// The effect of a change on one account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Move {
    /// The account, not escaped.
    pub account: String,
    /// `v2`, `v1`, or `percentage` if the account stays on v2 with a different percentage of requests.
    pub to: &'static str,
    /// The reason of the decision before.
    pub reason: &'static str,
    /// The reason of the decision after.
    pub reason_new: &'static str,
    /// The percentage of its requests on v2 before, in millionths of a percent.
    pub requests_millionths: u32,
    /// The percentage of its requests on v2 after, in millionths of a percent.
    pub requests_millionths_new: u32,
}

/// How one policy serves an account in a rollout.
#[derive(Clone, Copy)]
pub(crate) struct Served {
    requests: Fraction,
    reason: Reason,
}

impl Served {
    /// For a policy that does not have the rollout.
    pub(crate) const NONE: Self = Self {
        requests: Fraction::NONE,
        reason: Reason::NoRollout,
    };

    pub(crate) fn of(version: PolicyAt<'_>, rollout: &Rollout, account: &Account<'_>) -> Self {
        let standing = version.plan.account_outcome(rollout, account, version.at);
        Self {
            requests: rollout.served(&standing),
            reason: standing.reason,
        }
    }

    pub(crate) fn is_v2(self) -> bool {
        self.requests != Fraction::NONE
    }
}

impl Moves {
    pub(crate) fn add(&mut self, old: Served, new: Served) {
        increase(&mut self.accounts);
        increase(match (old.is_v2(), new.is_v2()) {
            (false, true) => &mut self.newly_v2,
            (true, false) => &mut self.back_to_v1,
            (true, true) => &mut self.stay_v2,
            (false, false) => &mut self.stay_v1,
        });
        if old.is_v2() && new.is_v2() && old.requests != new.requests {
            increase(&mut self.changed_percentage);
        }
    }

    /// Describes who moves; `None` if nobody does.
    pub(crate) fn sentence(&self) -> Option<String> {
        let name = self.segment.as_deref().unwrap_or_default();
        let accounts = |count| format!("{} of `{name}`", counted(count, "account", "accounts"));
        let newly = |count| format!("{} to v2", plural(count, "moves", "move"));
        let back = |count| format!("{} back to v1", plural(count, "goes", "go"));
        match (self.newly_v2, self.back_to_v1) {
            (0, 0) => None,
            (count, 0) => Some(format!("{} {}", accounts(count), newly(count))),
            (0, count) => Some(format!("{} {}", accounts(count), back(count))),
            (new, old) => Some(format!(
                "{} {}, {} {}",
                accounts(new),
                newly(new),
                thousands(old),
                back(old)
            )),
        }
    }
}

impl Move {
    pub(crate) fn of(account: &[u8], old: Served, new: Served) -> Option<Self> {
        let to = match (old.is_v2(), new.is_v2()) {
            (false, true) => "v2",
            (true, false) => "v1",
            (true, true) if old.requests != new.requests => "percentage",
            _ => return None,
        };
        Some(Self {
            account: String::from_utf8_lossy(account).into_owned(),
            to,
            reason: old.reason.as_str(),
            reason_new: new.reason.as_str(),
            requests_millionths: old.requests.millionths(),
            requests_millionths_new: new.requests.millionths(),
        })
    }
}
