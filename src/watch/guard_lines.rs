//! The lines about the guard of a rollout.

use ratatui::style::Color;
use ratatui::text::Span;
use turnout_core::guard::{ArmCounts, Arms, GuardState};
use turnout_core::{Fraction, Treatment};
use turnout_text::{counted, format_decimal, percent, thousands, thousandths};

use crate::bar::{Fill, bar};
use crate::format::{MANY_FAILED, rate};
use crate::guard_view::{GuardReport, GuardView, of_stratum};
use crate::guard_warnings::{count, counted_proxies, guard_warnings};
use crate::wrap::{LineWrapper, bold, dim, loud, text};

/// The order of states: first what an operator has to know.
pub(crate) const STATES: [GuardState; 4] = [
    GuardState::Tripped,
    GuardState::Invalid,
    GuardState::Holding,
    GuardState::Armed,
];
/// The largest number of strata that get a line each.
const MOST_STRATA: usize = 4;

/// Draws the state of a guard, the bar of its evidence, and its warnings.
pub(crate) fn draw_guard(wrapper: &mut LineWrapper, rollout: &str, guard: &GuardView) {
    let [evidence, threshold] = guard.nearest().unwrap_or_default();
    let has_tripped = guard
        .with(GuardReport::State(GuardState::Tripped))
        .next()
        .is_some();
    let share = match has_tripped {
        true => Some(1_000),
        // Rounded down, so that only enough evidence fills the bar.
        false => evidence
            .min(threshold)
            .saturating_mul(1_000)
            .checked_div(threshold),
    };
    let colour = if has_tripped { Color::Red } else { Color::Cyan };
    let mut pieces = vec![bar(wrapper.width(), share, Fill::Solid(colour))];
    pieces.extend(
        states(guard)
            .into_iter()
            .map(|(words, is_warning)| match is_warning {
                true => loud(words),
                false => bold(words),
            }),
    );
    pieces.extend(evidence_in_words(guard).map(text));
    if guard.strata().is_empty() {
        pieces.push(dim("no request compared yet"));
    }
    wrapper.labelled("guard", pieces);
    for warning in guard_warnings(rollout, guard) {
        // The command is a piece of its own, so that it is on one line if possible.
        let pieces = [Some(warning.words), warning.command].into_iter();
        wrapper.labelled("!", pieces.flatten().map(loud).collect());
    }
}

/// Returns the states with the number of their proxies, and whether each is a warning.
pub(crate) fn states(guard: &GuardView) -> Vec<(String, bool)> {
    let all = guard.proxies.len();
    let reports = STATES.map(GuardReport::State).into_iter().chain([
        GuardReport::NotReported,
        GuardReport::NoGuard,
        GuardReport::NoResponse,
    ]);
    let mut states = Vec::new();
    for report in reports {
        let proxies = guard.with(report).count();
        if proxies == 0 {
            continue;
        }
        let words = match report {
            GuardReport::State(GuardState::Armed) => "armed".to_owned(),
            GuardReport::State(state) => state.as_str().to_uppercase(),
            GuardReport::NotReported => "STATE UNKNOWN".to_owned(),
            GuardReport::NoGuard => "NO GUARD".to_owned(),
            GuardReport::NoResponse => "NO RESPONSE".to_owned(),
        };
        let place = match (proxies == all, states.is_empty()) {
            (true, _) => String::new(),
            (false, true) => format!(
                " on {} of {}",
                thousands(count(proxies)),
                counted_proxies(all)
            ),
            (false, false) => format!(" on {}", thousands(count(proxies))),
        };
        let is_warning = report != GuardReport::State(GuardState::Armed);
        states.push((format!("{words}{place}"), is_warning));
    }
    states
}

/// Returns the evidence of the guard that is nearest to its threshold.
pub(crate) fn evidence_in_words(guard: &GuardView) -> Option<String> {
    let [evidence, threshold] = guard.nearest()?;
    // Rounded down, so that it looks like the threshold only when it has reached it.
    let tenths = evidence / 100;
    Some(match tenths {
        0 => "no evidence against v2".to_owned(),
        tenths => format!(
            "evidence 10^{}.{} of 10^{}",
            tenths / 10,
            tenths % 10,
            format_decimal(threshold, 3)
        ),
    })
}

/// Draws the errors and the slow requests of the compared requests, and returns whether there are any.
pub(crate) fn draw_compared(wrapper: &mut LineWrapper, guard: &GuardView) -> bool {
    let strata = guard.strata();
    for requests in strata.iter().take(MOST_STRATA) {
        let mut pieces = arms(guard, *requests, |arm| arm.errors);
        pieces.push(text(format!(
            "compared at {requests} % (since the proxies started)"
        )));
        wrapper.labelled("errors", pieces);
        let total = of_stratum(&guard.total, *requests);
        if total.v1.slow > 0 || total.v2.slow > 0 {
            let mut pieces = arms(guard, *requests, |arm| arm.slow);
            pieces.push(text(format!("compared at {requests} %")));
            wrapper.labelled("slow", pieces);
        }
    }
    if let Some(more @ 1..) = strata.len().checked_sub(MOST_STRATA) {
        let more = counted(count(more), "more stratum", "more strata");
        wrapper.labelled(
            "errors",
            vec![text(format!("{more} with compared requests"))],
        );
    }
    !strata.is_empty()
}

fn arms(
    guard: &GuardView,
    requests: Fraction,
    events: impl Fn(&ArmCounts) -> u64,
) -> Vec<Span<'static>> {
    let [recent, rates, total] =
        [&guard.recent, &guard.rates, &guard.total].map(|counts| of_stratum(counts, requests));
    let arms = Treatment::ALL.map(|arm| {
        let [recent, rates, total] = [&recent, &rates, &total].map(|of| *Arms::get(of, arm));
        let now = match percent(events(&recent), recent.all) {
            Some(share) => format!("{arm} {share} of {}", rate(rates.all)),
            None => format!("{arm} none now"),
        };
        let whole = match percent(events(&total), total.all) {
            Some(share) => format!(" ({share} of {})", thousands(total.all)),
            None => String::new(),
        };
        let share = thousandths(events(&recent), recent.all).unwrap_or_default();
        match share >= MANY_FAILED {
            true => loud(format!("{now}{whole}")),
            false => text(format!("{now}{whole}")),
        }
    });
    arms.into()
}

/// Returns the share of errors of the compared requests between the last two readings, as one line has it.
pub(crate) fn recent_errors(guard: &GuardView) -> Vec<String> {
    let strata = guard.strata();
    let is_one = strata.len() == 1;
    let strata = strata.into_iter().take(MOST_STRATA);
    let words = strata.flat_map(|requests| {
        let counts = of_stratum(&guard.recent, requests);
        Treatment::ALL.map(|arm| {
            let counts = counts.get(arm);
            let share = percent(counts.errors, counts.all).unwrap_or_else(|| "-".to_owned());
            match is_one {
                true => format!("compared errors of {arm} {share}"),
                false => format!("compared errors of {arm} at {requests} % {share}"),
            }
        })
    });
    words.collect()
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;
    use crate::plain_text::{one_line_per_rollout, report, styled};
    use crate::tests::sample_views::{self, counts, guard, guarded};
    use crate::view::View;

    const ARMED: GuardReport = GuardReport::State(GuardState::Armed);
    const HOLDING: GuardReport = GuardReport::State(GuardState::Holding);
    const TRIPPED: GuardReport = GuardReport::State(GuardState::Tripped);
    const INVALID: GuardReport = GuardReport::State(GuardState::Invalid);

    /// The lines from the guard's to the last about errors. A line before them keeps their indentation.
    fn lines_of(view: &View, width: u16) -> String {
        let report = report(view, width);
        let (_, lines) = report.split_once("  guard  ").unwrap();
        format!("…\n  guard  {lines}")
    }

    fn shows(reports: &[GuardReport], expected: &Expect) {
        expected.assert_eq(&lines_of(&guarded(guard(reports)), 100));
    }

    #[test]
    fn each_state_is_shown() {
        shows(
            &[ARMED],
            &expect![[r#"
                …
                  guard     ████████████████████▏░░░░░░░░░   armed   evidence 10^1.3 of 10^2
                  errors    v1 0 % of 270/s (<0.1 % of 27,000)   v2 10.0 % of 30/s (4.0 % of 3,000)
                            compared at 10 % (since the proxies started)
                  slow      v1 1.1 % of 270/s (1.1 % of 27,000)   v2 30.0 % of 30/s (13.3 % of 3,000)
                            compared at 10 %
            "#]],
        );
        shows(
            &[HOLDING],
            &expect![[r#"
                …
                  guard     █████████████████████████████▉   HOLDING   evidence 10^1.9 of 10^2
                  !         guard HOLDING: v2 looks worse, so everyone takes v1 until it is known how the open
                            requests end
                  errors    v1 0 % of 270/s (<0.1 % of 27,000)   v2 10.0 % of 30/s (4.0 % of 3,000)
                            compared at 10 % (since the proxies started)
                  slow      v1 1.1 % of 270/s (1.1 % of 27,000)   v2 30.0 % of 30/s (13.3 % of 3,000)
                            compared at 10 %
            "#]],
        );
        shows(
            &[TRIPPED],
            &expect![[r#"
                …
                  guard     ██████████████████████████████   TRIPPED   evidence 10^2.3 of 10^2
                  !         guard TRIPPED: v2 is worse, so everyone takes v1. When v2 is fixed:
                            turnout rearm --dir FOLDER --rollout chat-users-dynamodb
                  errors    v1 0 % of 270/s (<0.1 % of 27,000)   v2 10.0 % of 30/s (4.0 % of 3,000)
                            compared at 10 % (since the proxies started)
                  slow      v1 1.1 % of 270/s (1.1 % of 27,000)   v2 30.0 % of 30/s (13.3 % of 3,000)
                            compared at 10 %
            "#]],
        );
        shows(
            &[INVALID],
            &expect![[r#"
                …
                  guard     ░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░   INVALID
                  !         guard INVALID: the arms are out of balance, so it cannot compare and never acts.
                            Envoy's log has the counts. When the cause is removed:
                            turnout rearm --dir FOLDER --rollout chat-users-dynamodb
                  errors    v1 0 % of 270/s (<0.1 % of 27,000)   v2 10.0 % of 30/s (4.0 % of 3,000)
                            compared at 10 % (since the proxies started)
                  slow      v1 1.1 % of 270/s (1.1 % of 27,000)   v2 30.0 % of 30/s (13.3 % of 3,000)
                            compared at 10 %
            "#]],
        );
    }

    #[test]
    fn proxies_that_differ_are_told_apart() {
        shows(
            &[ARMED, ARMED],
            &expect![[r#"
                …
                  guard     ████████████████████▏░░░░░░░░░   armed   evidence 10^1.3 of 10^2
                  errors    v1 0 % of 270/s (<0.1 % of 27,000)   v2 10.0 % of 30/s (4.0 % of 3,000)
                            compared at 10 % (since the proxies started)
                  slow      v1 1.1 % of 270/s (1.1 % of 27,000)   v2 30.0 % of 30/s (13.3 % of 3,000)
                            compared at 10 %
            "#]],
        );
        shows(
            &[TRIPPED, ARMED, TRIPPED],
            &expect![[r#"
                …
                  guard     ██████████████████████████████   TRIPPED on 2 of 3 proxies   armed on 1
                            evidence 10^2.3 of 10^2
                  !         guard TRIPPED on 2 of 3 proxies (http://10.0.0.7:9901 and http://10.0.0.7:9903): v2 is
                            worse, so everyone takes v1 there. When v2 is fixed:
                            turnout rearm --dir FOLDER --rollout chat-users-dynamodb
                  errors    v1 0 % of 270/s (<0.1 % of 27,000)   v2 10.0 % of 30/s (4.0 % of 3,000)
                            compared at 10 % (since the proxies started)
                  slow      v1 1.1 % of 270/s (1.1 % of 27,000)   v2 30.0 % of 30/s (13.3 % of 3,000)
                            compared at 10 %
            "#]],
        );
        shows(
            &sample_views::EVERY_REPORT,
            &expect![[r#"
                …
                  guard     ██████████████████████████████   TRIPPED on 1 of 7 proxies   INVALID on 1   HOLDING on 1
                            armed on 1   STATE UNKNOWN on 1   NO GUARD on 1   NO RESPONSE on 1
                            evidence 10^2.3 of 10^2
                  !         guard TRIPPED on 1 of 7 proxies (http://10.0.0.7:9903): v2 is worse, so everyone takes
                            v1 there. When v2 is fixed:   turnout rearm --dir FOLDER --rollout chat-users-dynamodb
                  !         guard INVALID on 1 of 7 proxies (http://10.0.0.7:9904): the arms are out of balance, so
                            it cannot compare and never acts. Envoy's log has the counts. When the cause is removed:
                            turnout rearm --dir FOLDER --rollout chat-users-dynamodb
                  !         guard HOLDING on 1 of 7 proxies (http://10.0.0.7:9902): v2 looks worse, so everyone
                            takes v1 there until it is known how the open requests end
                  !         guard STATE UNKNOWN on 1 of 7 proxies (http://10.0.0.7:9905): the proxy does not report
                            it. Is the build of the filter old, or does a `stats_matcher` of Envoy exclude
                            wasmcustom.turnout?
                  !         NO GUARD on 1 of 7 proxies (http://10.0.0.7:9906): its policy has none in this rollout
                  errors    v1 0 % of 270/s (<0.1 % of 27,000)   v2 10.0 % of 30/s (4.0 % of 3,000)
                            compared at 10 % (since the proxies started)
                  slow      v1 1.1 % of 270/s (1.1 % of 27,000)   v2 30.0 % of 30/s (13.3 % of 3,000)
                            compared at 10 %
            "#]],
        );
    }

    #[test]
    fn a_narrow_terminal() {
        expect![[r#"
            …
              guard     ████████████████
                        TRIPPED on 1 of 2 proxies
                        armed on 1
                        evidence 10^2.3 of 10^2
              !         guard TRIPPED on 1 of 2
                        proxies
                        (http://10.0.0.7:9901): v2
                        is worse, so everyone takes
                        v1 there. When v2 is fixed:
                        turnout rearm --dir FOLDER
                        --rollout
                        chat-users-dynamodb
              errors    v1 0 % of 270/s (<0.1 % of
                        27,000)
                        v2 10.0 % of 30/s (4.0 % of
                        3,000)
                        compared at 10 % (since the
                        proxies started)
              slow      v1 1.1 % of 270/s (1.1 % of
                        27,000)
                        v2 30.0 % of 30/s (13.3 %
                        of 3,000)   compared at 10 %
        "#]]
        .assert_eq(&lines_of(&guarded(guard(&[TRIPPED, ARMED])), 40));
    }

    #[test]
    fn one_line_has_the_state_and_what_to_do() {
        let line = |reports: &[GuardReport]| one_line_per_rollout(&guarded(guard(reports)));
        expect![[r#"
            2026-11-21T13:01:40Z chat-users-dynamodb  split  accounts 50 %  requests 5.0 % of 300/s  guard armed  evidence 10^1.3 of 10^2  compared errors of v1 0 %  compared errors of v2 10.0 %  revision 2026-11-21.3
        "#]].assert_eq(&line(&[ARMED]));
        expect![[r#"
            2026-11-21T13:01:40Z ! chat-users-dynamodb: guard TRIPPED on 2 of 3 proxies (http://10.0.0.7:9901 and http://10.0.0.7:9903): v2 is worse, so everyone takes v1 there. When v2 is fixed: turnout rearm --dir FOLDER --rollout chat-users-dynamodb
            2026-11-21T13:01:40Z chat-users-dynamodb  split  accounts 50 %  requests 5.0 % of 300/s  guard TRIPPED on 2 of 3 proxies, armed on 1  evidence 10^2.3 of 10^2  compared errors of v1 0 %  compared errors of v2 10.0 %  revision 2026-11-21.3
        "#]].assert_eq(&line(&[TRIPPED, ARMED, TRIPPED]));
    }

    #[test]
    fn a_trip_is_red_and_in_words() {
        for reports in [&[TRIPPED][..], &[INVALID], &[TRIPPED, ARMED]] {
            let lines = styled(&guarded(guard(reports)), 100).join("\n");
            let state = reports[0].as_str().to_uppercase();
            for words in [state.clone(), format!("guard {state}")] {
                assert!(lines.contains(&format!("\u{1b}[1;31m{words}")), "{lines:?}");
            }
        }
        let lines = styled(&guarded(guard(&[ARMED])), 100).join("\n");
        assert!(lines.contains("\u{1b}[1marmed\u{1b}[0m"), "{lines:?}");
    }

    #[test]
    fn a_rollout_that_has_tripped_is_found_among_many() {
        let mut view = guarded(guard(&[TRIPPED]));
        view.rollouts.push(sample_views::rollout("other"));
        let report = report(&view, 100);
        let warning = "  !         guard TRIPPED in 1 rollout: chat-users-dynamodb\n";
        assert!(report.contains(warning), "{report}");
    }

    #[test]
    fn each_stratum_with_requests_has_its_errors() {
        let mut view = guard(&[ARMED]);
        view.recent.add_all(&counts("50", [5, 0, 0], [5, 1, 0]));
        view.rates
            .add_all(&counts("50", [5_000, 0, 0], [5_000, 1_000, 0]));
        view.total.add_all(&counts("50", [50, 0, 0], [50, 1, 0]));
        view.total.add_all(&counts("1", [990, 0, 0], [10, 0, 0]));
        expect![[r#"
            …
              guard     ████████████████████▏░░░░░░░░░   armed   evidence 10^1.3 of 10^2
              errors    v1 0 % of 270/s (<0.1 % of 27,000)   v2 10.0 % of 30/s (4.0 % of 3,000)
                        compared at 10 % (since the proxies started)
              slow      v1 1.1 % of 270/s (1.1 % of 27,000)   v2 30.0 % of 30/s (13.3 % of 3,000)
                        compared at 10 %
              errors    v1 0 % of 5.0/s (0 % of 50)   v2 20.0 % of 5.0/s (2.0 % of 50)
                        compared at 50 % (since the proxies started)
        "#]]
        .assert_eq(&lines_of(&guarded(view.clone()), 100));
        // After a trip, nothing is compared, and everything from before is still shown.
        view.recent = turnout_core::guard::GuardCounts::default();
        view.rates = turnout_core::guard::GuardCounts::default();
        expect![[r#"
            …
              guard     ████████████████████▏░░░░░░░░░   armed   evidence 10^1.3 of 10^2
              errors    v1 none now (0 % of 990)   v2 none now (0 % of 10)
                        compared at 1 % (since the proxies started)
              errors    v1 none now (<0.1 % of 27,000)   v2 none now (4.0 % of 3,000)
                        compared at 10 % (since the proxies started)
              slow      v1 none now (1.1 % of 27,000)   v2 none now (13.3 % of 3,000)   compared at 10 %
              errors    v1 none now (0 % of 50)   v2 none now (2.0 % of 50)
                        compared at 50 % (since the proxies started)
        "#]].assert_eq(&lines_of(&guarded(view), 100));
    }

    #[test]
    fn as_long_as_nothing_is_compared_the_errors_are_those_of_the_clusters() {
        let view = GuardView {
            proxies: guard(&[ARMED]).proxies,
            ..GuardView::default()
        };
        expect![[r#"
            …
              guard     ████████████████████▏░░░░░░░░░   armed   evidence 10^1.3 of 10^2
                        no request compared yet
              errors    v1 0 % of 285/s (0 % of 2,850 in total)   v2 20.0 % of 15/s (2.0 % of 150 in total)
        "#]].assert_eq(&lines_of(&guarded(view), 100));
    }

    #[test]
    fn clusters_show_why_requests_fail() {
        let mut view = guarded(guard(&[ARMED]));
        let clusters = &mut view.rollouts[0].clusters;
        clusters[0].is_known = false;
        clusters[1].causes = vec![("timeouts", 12), ("resets", 3)];
        let lines = lines_of(&view, 100);
        let expected = "  clusters  v1: NO CLUSTER chat-v1   chat-v2: 12 timeouts, 3 resets\n";
        assert!(lines.contains(expected), "{lines}");
    }

    #[test]
    fn evidence_reaches_the_threshold_only_when_it_has() {
        let words = |evidence, threshold| {
            let mut view = guard(&[ARMED]);
            view.proxies[0].evidence_milli = Some(evidence);
            view.proxies[0].threshold_milli = threshold;
            evidence_in_words(&view)
        };
        let words = [
            words(0, Some(2_000)),
            words(99, Some(2_000)),
            words(1_999, Some(2_000)),
            words(2_000, Some(2_000)),
            words(12_345, Some(1_301)),
            words(1_000, None),
        ];
        let words = words.map(Option::unwrap_or_default);
        expect![[r#"
            no evidence against v2
            no evidence against v2
            evidence 10^1.9 of 10^2
            evidence 10^2.0 of 10^2
            evidence 10^12.3 of 10^1.301
        "#]]
        .assert_eq(&words.join("\n"));
    }
}
