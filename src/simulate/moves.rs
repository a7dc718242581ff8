//! What a change does to one account, and to many.

use serde::Serialize;
use turnout_core::{Account, Fraction, Reason, Rollout};
use turnout_text::{counted, plural, thousands};

use crate::counts::increase;
use crate::version::Version;

/// Accounts by what a change does to them. "On v2" is who may have a request that v2 answers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Moves {
    /// The segment, in rows that are one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub segment: Option<String>,
    /// All.
    pub accounts: u64,
    /// On v1 before, on v2 after.
    pub newly_v2: u64,
    /// On v2 before, on v1 after.
    pub back_to_v1: u64,
    /// On v2 before and after.
    pub stay_v2: u64,
    /// On v1 before and after.
    pub stay_v1: u64,
    /// Of those who stay on v2: with another share of their requests.
    pub other_share: u64,
}

/// What a change does to an account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Move {
    /// Whom, not escaped.
    pub account: String,
    /// `v2`, `v1`, or `share` for one who stays on v2 with another share of requests.
    pub to: &'static str,
    /// Why it was so.
    pub reason: &'static str,
    /// Why it will be so.
    pub reason_new: &'static str,
    /// Of its requests on v2 before, in millionths of a percent.
    pub requests_millionths: u32,
    /// Of its requests on v2 after, in millionths of a percent.
    pub requests_millionths_new: u32,
}

/// Where an account stands in one version of a rollout, as it is served.
#[derive(Clone, Copy)]
pub(crate) struct Served {
    requests: Fraction,
    reason: Reason,
}

impl Served {
    /// Where there is no such rollout.
    pub(crate) const NONE: Self = Self {
        requests: Fraction::NONE,
        reason: Reason::NoRollout,
    };

    pub(crate) fn of(version: Version<'_>, rollout: &Rollout, account: &Account<'_>) -> Self {
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
            increase(&mut self.other_share);
        }
    }

    /// Who moves, in words; `None` where nobody does.
    pub(crate) fn sentence(&self) -> Option<String> {
        let name = self.segment.as_deref().unwrap_or_default();
        let accounts = |count| format!("{} of `{name}`", counted(count, "account", "accounts"));
        let newly = |count| format!("newly {} v2", plural(count, "takes", "take"));
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
            (true, true) if old.requests != new.requests => "share",
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
