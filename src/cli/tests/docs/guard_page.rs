//! `docs/guard.md` shows what the guard computes, what `turnout watch` prints, and metrics that exist.

use turnout_core::Fraction;
use turnout_core::guard::{
    ArmCounts, Arms, GuardAction, GuardCounts, GuardSettings, GuardState, GuardTest,
};
use turnout_watch::{GuardOfProxy, GuardReport, GuardView, RolloutView, View, report};

use crate::pages::read;

#[test]
fn the_numbers_of_errors_are_those_of_the_test() {
    let page = read("docs/guard.md");
    let row = |start: &str| -> Vec<String> {
        let mut rows = page.lines().map(str::trim);
        let row = rows.find(|row| row.starts_with(start)).expect(start);
        let cells = row.trim_matches('|').split('|').skip(1);
        cells.map(|cell| cell.trim().to_owned()).collect()
    };
    let test = GuardTest::new(&GuardSettings::default());
    let percentages = row("| `requests` |");
    let needed: Vec<_> = percentages
        .iter()
        .map(|percentage| {
            let percentage = percentage.trim_end_matches(" %");
            let requests = Fraction::from_percentage(percentage).expect("a percentage");
            let needed = test.errors_needed(requests).expect("a number");
            needed.to_string()
        })
        .collect();
    assert_eq!(row("| errors of v2 |"), needed);
    assert!(needed.len() > 4, "{needed:?}");
}

#[test]
fn every_metric_in_a_query_exists() {
    let reference = read("docs/reference.md");
    let rows = reference
        .lines()
        .filter(|row| row.starts_with("| `turnout."));
    let known = rows.filter_map(|row| {
        let name = row.split('`').nth(1)?;
        let parts: Vec<_> = name
            .split('.')
            .filter(|part| !part.starts_with('<'))
            .collect();
        Some(parts.join("_"))
    });
    let known: Vec<_> = known.collect();
    let page = read("docs/guard.md");
    let is_of_name = |c: char| c.is_ascii_lowercase() || c == '_';
    let words = page.split(|c: char| !is_of_name(c));
    let metrics: Vec<_> = words.filter(|word| word.starts_with("turnout_")).collect();
    for metric in &metrics {
        assert!(known.iter().any(|name| name == metric), "{metric}");
    }
    assert!(metrics.len() > 5, "{metrics:?}");
}

/// Whether `turnout watch` prints these lines for these counts: 0.1 % of 27,000 requests, and 0.4 % of 3,000.
pub(crate) fn watched(text: &str) -> Result<(), String> {
    let requests = Fraction::from_percentage("10").expect("a percentage");
    let counts = |v1: [u64; 2], v2: [u64; 2]| {
        let arm = |[all, errors]: [u64; 2]| ArmCounts {
            all,
            errors,
            slow: 0,
        };
        let mut counts = GuardCounts::default();
        let arms = Arms {
            v1: arm(v1),
            v2: arm(v2),
        };
        counts.add(requests, arms);
        counts
    };
    let total = counts([27_000, 27], [3_000, 12]);
    let test = GuardTest::new(&GuardSettings::default());
    let guard = GuardView {
        proxies: vec![GuardOfProxy {
            admin: String::from("http://127.0.0.1:9901"),
            report: GuardReport::State(GuardState::Armed),
            action: Some(GuardAction::Halt),
            evidence_milli: Some(test.evidence(&total).milli_log10()),
            threshold_milli: Some(test.threshold_milli_log10()),
        }],
        recent: counts([270, 1], [30, 0]),
        rates: counts([270_000, 1_000], [30_000, 0]),
        since: total.clone(),
        total,
    };
    let view = View {
        rollouts: vec![RolloutView {
            guard: Some(guard),
            ..RolloutView::default()
        }],
        ..View::default()
    };
    let printed = report(&view, 100);
    match printed.contains(text) {
        true => Ok(()),
        false => Err(format!("`turnout watch` prints\n{printed}")),
    }
}
