//! What an operator has to know about the guard of a rollout, and what to do.

use std::fmt;

use turnout_core::guard::{GuardAction, GuardState};
use turnout_text::{counted, join_first, plural, thousands};

use crate::guard_lines::STATES;
use crate::guard_view::{GuardOfProxy, GuardReport, GuardView};

/// The largest number of proxies that a warning names.
const MOST_NAMED: usize = 3;

/// A warning about a guard.
pub(crate) struct GuardWarning {
    pub(crate) words: String,
    /// The command that the words end with.
    pub(crate) command: Option<String>,
}

impl From<String> for GuardWarning {
    fn from(words: String) -> Self {
        Self {
            words,
            command: None,
        }
    }
}

impl fmt::Display for GuardWarning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.command {
            Some(command) => write!(f, "{} {command}", self.words),
            None => f.write_str(&self.words),
        }
    }
}

/// Returns the warnings about the guard of a rollout.
pub(crate) fn guard_warnings(rollout: &str, guard: &GuardView) -> Vec<GuardWarning> {
    let mut warnings = Vec::new();
    for state in STATES {
        let with_state: Vec<_> = guard.with(GuardReport::State(state)).collect();
        for action in [Some(GuardAction::Halt), Some(GuardAction::Report), None] {
            let of_action = with_state.iter().filter(|proxy| proxy.action == action);
            let proxies: Vec<_> = of_action.copied().collect();
            let is_partial = proxies.len() < guard.proxies.len();
            let what = state_in_words(state, action, is_partial);
            if let Some(what) = what.filter(|_| !proxies.is_empty()) {
                let rearm = format!("turnout rearm --dir FOLDER --rollout {rollout}");
                let name = state.as_str().to_uppercase();
                warnings.push(GuardWarning {
                    words: format!("guard {name}{}: {what}", on(&proxies, guard)),
                    command: (state != GuardState::Holding).then_some(rearm),
                });
            }
        }
    }
    let silent: Vec<_> = guard.with(GuardReport::NotReported).collect();
    if !silent.is_empty() {
        let silent_proxies = plural(count(silent.len()), "the proxy does", "the proxies do");
        let words = format!(
            "guard STATE UNKNOWN{}: {silent_proxies} not report it. Is the build of the filter old, or does a \
             `stats_matcher` of Envoy exclude wasmcustom.turnout?",
            on(&silent, guard),
        );
        warnings.push(words.into());
    }
    let without: Vec<_> = guard.with(GuardReport::NoGuard).collect();
    if !without.is_empty() {
        let policies = plural(
            count(without.len()),
            "its policy has",
            "their policies have",
        );
        let place = on(&without, guard);
        warnings.push(format!("NO GUARD{place}: {policies} none in this rollout").into());
    }
    warnings
}

/// Describes what a state means for users, and when to re-arm the guard. `None` if it needs no warning.
fn state_in_words(
    state: GuardState,
    action: Option<GuardAction>,
    is_partial: bool,
) -> Option<String> {
    let there = if is_partial { " there" } else { "" };
    Some(match (state, action) {
        (GuardState::Armed, _) => return None,
        (GuardState::Holding, Some(GuardAction::Halt)) => format!(
            "v2 looks worse, so everyone takes v1{there} until it is known how the open requests end"
        ),
        (GuardState::Holding, _) => {
            "v2 looks worse; the open requests decide whether it trips".to_owned()
        }
        (GuardState::Tripped, action) => {
            let effect = match action {
                Some(GuardAction::Halt) => format!(", so everyone takes v1{there}"),
                Some(GuardAction::Report) => {
                    "; its action is `report`, so requests still take v2".to_owned()
                }
                None => String::new(),
            };
            format!("v2 is worse{effect}. When v2 is fixed:")
        }
        (GuardState::Invalid, _) => {
            "the arms are out of balance, so it cannot compare and never acts. Envoy's log \
                                     has the counts. When the cause is removed:"
                .to_owned()
        }
    })
}

/// Returns the number and the addresses of proxies; nothing if they are all proxies.
fn on(proxies: &[&GuardOfProxy], guard: &GuardView) -> String {
    let all = guard.proxies.len();
    if proxies.len() == all {
        return String::new();
    }
    let addresses: Vec<_> = proxies.iter().map(|proxy| proxy.admin.as_str()).collect();
    format!(
        " on {} of {} ({})",
        thousands(count(proxies.len())),
        counted_proxies(all),
        join_first(&addresses, MOST_NAMED)
    )
}

pub(crate) fn counted_proxies(number: usize) -> String {
    counted(count(number), "proxy", "proxies")
}

pub(crate) fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;
    use crate::tests::sample_views::guard;

    #[test]
    fn a_guard_that_only_reports_changes_no_decision() {
        let warnings = |state, action| {
            let mut view = guard(&[GuardReport::State(state)]);
            view.proxies[0].action = action;
            let warnings = guard_warnings("r", &view).into_iter();
            warnings
                .map(|warning| format!("{warning}\n"))
                .collect::<String>()
        };
        let report = Some(GuardAction::Report);
        let all = [
            warnings(GuardState::Armed, report),
            warnings(GuardState::Holding, report),
            warnings(GuardState::Tripped, report),
            warnings(GuardState::Tripped, None),
        ];
        expect![[r#"
            guard HOLDING: v2 looks worse; the open requests decide whether it trips
            guard TRIPPED: v2 is worse; its action is `report`, so requests still take v2. When v2 is fixed: turnout rearm --dir FOLDER --rollout r
            guard TRIPPED: v2 is worse. When v2 is fixed: turnout rearm --dir FOLDER --rollout r
        "#]].assert_eq(&all.concat());
    }
}
