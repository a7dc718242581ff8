//! Describes a guard, and lists the differences between two guards.

use turnout_text::{format_decimal, format_millionths};

use crate::guard::{ErrorLimit, FalseEjections, GuardAction, GuardSettings, Ratio};
use crate::plan::guard_plan::GuardPlan;

use super::describe_change;

/// Describes a guard: `guard errors ratio 1.2, alpha 0.01, settle 20 s, action halt`.
pub(super) fn describe_guard(guard: &GuardPlan) -> String {
    let parts = parts(&guard.settings).into_iter();
    let parts = parts.filter_map(|(name, value)| Some(format!("{name} {}", value?)));
    format!("guard {}", parts.collect::<Vec<_>>().join(", "))
}

/// Adds the differences between a guard in the older and in the newer policy, and whether it re-arms. In the modes
/// without a guard, both are `None`.
pub(super) fn list_guard_changes(
    before: Option<&GuardPlan>,
    after: Option<&GuardPlan>,
    differences: &mut Vec<String>,
) {
    let (before, after) = match (before, after) {
        (None, None) => return,
        (None, Some(after)) => {
            differences.push(describe_guard(after));
            return;
        }
        (Some(_), None) => {
            differences.push("no longer guarded".to_owned());
            return;
        }
        (Some(before), Some(after)) => (before, after),
    };
    let pairs = parts(&before.settings)
        .into_iter()
        .zip(parts(&after.settings));
    for ((name, before), (_, after)) in pairs {
        if before != after {
            let change = describe_change(name, before.as_deref(), after.as_deref());
            differences.push(format!("guard {change}"));
        }
    }
    if before.epoch != after.epoch {
        differences.push("the guard re-arms".to_owned());
    }
}

/// The settings of a guard, each with its name; `None` for a test that it does not have.
fn parts(settings: &GuardSettings) -> [(&'static str, Option<String>); 8] {
    let ratio = |ratio: Ratio| format_decimal(ratio.get().into(), 3);
    let limit = |limit: ErrorLimit| format!("{} %", format_millionths(limit.get()));
    let ejections = |most: FalseEjections| {
        let most = format_decimal(most.get().into(), 3);
        format!("{most} false ejections")
    };
    let action = match settings.action {
        GuardAction::Halt => "halt",
        GuardAction::Report => "report",
    };
    let seconds = settings.settle_seconds.get();
    [
        ("errors ratio", settings.errors.map(ratio)),
        (
            "slow over",
            settings.slow.map(|slow| format!("{} ms", slow.over_ms)),
        ),
        ("slow ratio", settings.slow.map(|slow| ratio(slow.ratio))),
        ("limit", settings.limit.map(limit)),
        ("alpha", Some(format_millionths(settings.alpha.get()))),
        ("settle", Some(format!("{seconds} s"))),
        ("action", Some(action.to_owned())),
        ("accounts", settings.accounts.map(ejections)),
    ]
}
