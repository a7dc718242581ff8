//! Formats a view as plain text: one report, or one line for each rollout.

use ratatui::style::{Color, Modifier};
use ratatui::text::{Line, Span};
use turnout_core::Treatment;
use turnout_text::{escape_for_terminal, percent};

use crate::format::{fraction, rate};
use crate::guard_lines::{evidence_in_words, recent_errors, states};
use crate::guard_warnings::guard_warnings;
use crate::lines::{differing, lines, warnings};
use crate::view::{RolloutView, View};

/// Formats a view as a terminal shows it, as text of this width.
#[must_use]
pub fn report(view: &View, width: u16) -> String {
    let lines = lines(view, width);
    let lines = lines
        .iter()
        .map(|line| format!("{}\n", line.to_string().trim_end()));
    lines.collect()
}

/// Same as [`report`], as lines with the escape sequences for bold and colours.
#[must_use]
pub fn styled(view: &View, width: u16) -> Vec<String> {
    let lines = lines(view, width);
    let line = |line: Line<'_>| line.spans.iter().map(marked).collect();
    lines.into_iter().map(line).collect()
}

fn marked(span: &Span<'_>) -> String {
    let mut marks = Vec::new();
    let modifiers = [(Modifier::BOLD, "1"), (Modifier::DIM, "2")];
    let has = |(modifier, _): &(Modifier, _)| span.style.add_modifier.contains(*modifier);
    marks.extend(modifiers.into_iter().filter(has).map(|(_, mark)| mark));
    marks.extend(match span.style.fg {
        Some(Color::Red) => Some("31"),
        Some(Color::Cyan) => Some("36"),
        Some(Color::DarkGray) => Some("90"),
        _ => None,
    });
    match marks.is_empty() {
        true => span.content.to_string(),
        false => format!("\u{1b}[{}m{}\u{1b}[0m", marks.join(";"), span.content),
    }
}

/// Formats one line for each warning, then one for each rollout.
#[must_use]
pub fn one_line_per_rollout(view: &View) -> String {
    let mut text = String::new();
    let mut say =
        |line: &str| text.push_str(&format!("{} {}\n", view.at, escape_for_terminal(line)));
    for proxy in &view.proxies {
        if let Some(error) = &proxy.error {
            say(&format!("! {}: {error}", proxy.admin));
        }
        for warning in warnings(proxy) {
            say(&format!("! {}: {warning}", proxy.admin));
        }
    }
    if let Some(warning) = differing(view) {
        say(&format!("! {warning}"));
    }
    for rollout in &view.rollouts {
        let name = &rollout.name;
        for warning in rollout
            .guard
            .iter()
            .flat_map(|guard| guard_warnings(name, guard))
        {
            say(&format!("! {name}: {warning}"));
        }
        say(&line_of(view, rollout));
    }
    text
}

fn line_of(view: &View, rollout: &RolloutView) -> String {
    let mut words = vec![rollout.name.clone()];
    for (_, status) in &rollout.statuses {
        if status.is_halted {
            words.push("halted".to_owned());
        }
        words.push(status.mode.as_str().to_owned());
        words.push(format!(
            "accounts {}",
            fraction(status.unsegmented.accounts)
        ));
    }
    let recent = &rollout.recent;
    let share = percent(recent.of(Treatment::V2), recent.requests());
    words.push(match share {
        Some(share) => format!("requests {share} of {}", rate(recent.rate())),
        None => "no requests".to_owned(),
    });
    let mut compared = Vec::new();
    if let Some(guard) = &rollout.guard {
        let states: Vec<_> = states(guard).into_iter().map(|(state, _)| state).collect();
        words.push(format!("guard {}", states.join(", ")));
        words.extend(evidence_in_words(guard));
        compared = recent_errors(guard);
    }
    for cluster in &rollout.clusters {
        let [all, failed] = cluster.recent;
        let share = percent(failed, all).unwrap_or_else(|| "-".to_owned());
        match cluster.is_known {
            true if compared.is_empty() => {
                words.push(format!("errors of {} {share}", cluster.treatment));
            }
            true => {}
            false => words.push(format!("no cluster {}", cluster.name)),
        }
    }
    words.extend(compared);
    let mut revisions = view
        .proxies
        .iter()
        .filter_map(|proxy| proxy.revision.as_deref());
    if let Some(revision) = revisions.next() {
        words.push(format!("revision {revision}"));
    }
    words.join("  ")
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;
    use crate::json::json;
    use crate::tests::sample_views;
    use crate::tests::sample_views::{proxy, view};

    #[test]
    fn each_rollout_and_each_problem_has_a_line() {
        expect![[r#"
            2026-11-21T13:01:40Z chat-users-dynamodb  split  accounts 50 %  requests 5.0 % of 300/s  errors of v1 0 %  errors of v2 20.0 %  revision 2026-11-21.3
        "#]].assert_eq(&one_line_per_rollout(&view()));
        expect![[r#"
            2026-11-21T13:01:40Z ! http://10.0.0.7:9901: 3 updates REJECTED since it started, 1 while watched
            2026-11-21T13:01:40Z ! http://10.0.0.7:9901: restarted 1 time while watched
            2026-11-21T13:01:40Z ! http://10.0.0.8:9901: cannot read it: Connection refused\u{1b}]0;title\u{7}
            2026-11-21T13:01:40Z ! http://10.0.0.7:9903: it has no filter of Turnout
            2026-11-21T13:01:40Z ! DIFFERENT REVISIONS: 2026-11-21.3 in 1 proxy, 2026-11-21.4 in 1 proxy
            2026-11-21T13:01:40Z chat-users-dynamodb  split  accounts 50 %  halted  split  accounts 0 %  requests 5.0 % of 302/s  errors of v1 0 %  no cluster chat-v2  revision 2026-11-21.3
        "#]].assert_eq(&one_line_per_rollout(&sample_views::troubled()));
    }

    #[test]
    fn healthy_proxies_share_a_line() {
        let mut view = view();
        view.proxies = (1..=20).map(proxy).collect();
        view.proxies[3].rejected = 1;
        view.rollouts.clear();
        expect![[r#"
            turnout watch   13:01:40Z
            http://10.0.0.7:4   revision 2026-11-21.3   since 13:00:53Z (47 s)   up 2 h 1 min
              !         1 update REJECTED since it started
            19 proxies   revision 2026-11-21.3
        "#]]
        .assert_eq(&report(&view, 100));
    }

    #[test]
    fn text_from_proxies_is_escaped() {
        let mut troubled = sample_views::troubled();
        let mut guard = sample_views::guard(&sample_views::EVERY_REPORT);
        for proxy in &mut guard.proxies {
            proxy.admin.push_str("\u{1b}]0;title\u{7}");
        }
        troubled.rollouts[0].guard = Some(guard);
        let texts = [
            report(&troubled, 100),
            one_line_per_rollout(&troubled),
            json(&troubled),
        ];
        for text in texts {
            assert!(
                !text.contains(|c: char| c.is_control() && c != '\n'),
                "{text:?}"
            );
        }
        assert!(
            styled(&troubled, 100)
                .iter()
                .all(|line| !line.contains("\u{1b}]"))
        );
    }

    #[test]
    fn json_is_one_line() {
        expect![[r#"
            {"at":"2026-11-21T13:01:40Z","last_change":null,"no_rollout":0,"proxies":[{"admin":"http://10.0.0.7:9901","error":null,"note":null,"rejected":0,"rejected_while_watched":0,"responds":true,"restarts_while_watched":0,"revision":"2026-11-21.3","revision_number":7,"revision_since":"2026-11-21T13:00:53Z","uptime_seconds":7300}],"rollouts":[{"clusters":[{"causes":{},"cluster":"chat-v1","known":true,"recent":{"completed":285,"failed":0},"since":{"completed":2850,"failed":0},"thousandths_per_second":285000,"treatment":"v1"},{"causes":{},"cluster":"chat-v2","known":true,"recent":{"completed":15,"failed":3},"since":{"completed":150,"failed":3},"thousandths_per_second":15000,"treatment":"v2"}],"guard":null,"policies":[{"decided_accounts_millionths":50000000,"depends_on_headers":false,"guard":null,"halted":false,"mode":"split","needs_region":false,"proxies":1,"requests_millionths":10000000,"segments":[{"accounts":2,"on_v2":0,"segment":"hvc"}],"served_accounts_millionths":50000000}],"recent":{"decisions":{"v1.outside_accounts":285,"v2.rule":15},"requests":300,"v1":285,"v2":15},"rollout":"chat-users-dynamodb","shadow":{},"since":{"decisions":{"v1.outside_accounts":2851,"v2.rule":149},"requests":3000,"v1":2851,"v2":149},"thousandths_per_second":300000}],"since":"2026-11-21T13:00:00Z"}
        "#]].assert_eq(&json(&view()));
        assert_eq!(json(&sample_views::troubled()).lines().count(), 1);
    }

    #[test]
    fn json_has_each_guard_and_its_counts() {
        let view = sample_views::guarded(sample_views::guard(&sample_views::EVERY_REPORT));
        let json: serde_json::Value = serde_json::from_str(&json(&view)).unwrap();
        let guard = json.pointer("/rollouts/0/guard").unwrap();
        expect![[r#"{"proxies":[{"action":"halt","admin":"http://10.0.0.7:9901","evidence_milli":1349,"state":"armed","threshold_milli":2000},{"action":"halt","admin":"http://10.0.0.7:9902","evidence_milli":1999,"state":"holding","threshold_milli":2000},{"action":"halt","admin":"http://10.0.0.7:9903","evidence_milli":2301,"state":"tripped","threshold_milli":2000},{"action":"halt","admin":"http://10.0.0.7:9904","evidence_milli":1999,"state":"invalid","threshold_milli":2000},{"action":"halt","admin":"http://10.0.0.7:9905","evidence_milli":null,"state":"not_reported","threshold_milli":null},{"action":null,"admin":"http://10.0.0.7:9906","evidence_milli":null,"state":"no_guard","threshold_milli":null},{"action":null,"admin":"http://10.0.0.7:9907","evidence_milli":null,"state":"no_response","threshold_milli":null}],"strata":[{"recent":{"v1":{"all":270,"errors":0,"slow":3},"v2":{"all":30,"errors":3,"slow":9}},"requests_millionths":10000000,"since":{"v1":{"all":2700,"errors":1,"slow":30},"v2":{"all":300,"errors":30,"slow":90}},"total":{"v1":{"all":27000,"errors":4,"slow":300},"v2":{"all":3000,"errors":120,"slow":400}}}]}"#]].assert_eq(&guard.to_string());
    }
}
