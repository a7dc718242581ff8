//! Builds the report from the totals.

use std::collections::{BTreeMap, BTreeSet};

use turnout_core::shadow::Outcome;
use turnout_text::counted;

use crate::confidence_bounds::CONFIDENCE_PERCENT;
use crate::counters_or_records::{self, NumberSource};
use crate::coverage;
use crate::error_budget::ErrorBudget;
use crate::findings::{FindingKey, FindingTotals, Findings, SegmentRoute};
use crate::labels::{NO_ROUTE, NO_SEGMENT, excerpt};
use crate::latency::Histogram;
use crate::outcomes::Outcomes;
use crate::report::{
    FindingCount, FindingReport, LatencyComparison, OptionUse, PlaceCount, Report, RolloutReport,
    Row, SegmentRouteRow, UnknownRollout, VerdictNumbers,
};
use crate::rollout_notes;
use crate::totals::{OutcomeTotals, RolloutTotals, Totals};
use crate::verdict::{Judgement, Verdict};

/// The most findings of a segment or route, and the most places of a finding.
const FEW: usize = 5;
/// The most findings of a rollout.
const MOST_FINDINGS: usize = 1_000;

impl Report {
    /// Builds the report on all rollouts, or on the one with this name.
    ///
    /// # Errors
    ///
    /// If there is no rollout with that name.
    pub fn new(
        totals: &Totals,
        allow: ErrorBudget,
        only: Option<&str>,
    ) -> Result<Self, UnknownRollout> {
        let only = only.map(excerpt);
        if let Some(name) = only
            .as_ref()
            .filter(|name| !totals.rollouts.contains_key(*name))
        {
            return Err(UnknownRollout {
                name: name.clone(),
                known: totals.rollouts().map(str::to_owned).collect(),
            });
        }
        let doubts = Doubts {
            unreadable_counters: totals.unreadable_counters,
            records: totals.doubt(),
        };
        let rollouts = totals.rollouts.iter();
        let rollouts: Vec<_> = rollouts
            .filter(|(name, _)| only.as_ref().is_none_or(|only| only == *name))
            .map(|(name, rollout)| rollout_report(name, rollout, allow, &doubts))
            .collect();
        Ok(Self {
            version: 1,
            ready: rollouts
                .iter()
                .all(|rollout| rollout.numbers.verdict == Verdict::Ready),
            allow_percent: allow.percent(),
            confidence_percent: CONFIDENCE_PERCENT,
            rollouts,
            inputs: totals.inputs.clone(),
            records: totals.record_counters.clone(),
            notes: totals.notes(),
        })
    }
}

fn rollout_report(
    name: &str,
    rollout: &RolloutTotals,
    allow: ErrorBudget,
    doubts: &Doubts,
) -> RolloutReport {
    let mut notes = Vec::new();
    let (source, mut outcomes) = counters_or_records::choose(rollout, &mut notes);
    notes.extend(rollout_notes::missing_data(rollout));
    notes.extend(rollout_notes::uncertain_comparisons(&outcomes, allow));
    let counters = rollout.counters.as_ref();
    let unknown = counters.map_or(0, |counters| counters.unknown);
    outcomes.add_unknown(unknown.max(rollout.unknown));
    let mut judgement =
        Judgement::of(&outcomes, allow).with_unreadable_counters(doubts.unreadable_counters);
    if source == NumberSource::Records {
        judgement = judgement.with_doubt(doubts.records.as_deref());
    }
    let verdict = judgement.verdict;
    let explanation = judgement.explanation(&outcomes, allow);
    let sampled = match (&rollout.counters, source) {
        (Some(counters), NumberSource::Counters) => counters.sampled,
        _ => outcomes.total(),
    };
    let segments = rows(rollout, allow, doubts, |(segment, _)| segment);
    let routes = rows(rollout, allow, doubts, |(_, route)| route);
    let seen: BTreeSet<_> = routes.iter().map(|row| row.name.as_str()).collect();
    let declared = rollout.declared.routes.iter();
    let never_seen: Vec<_> = declared
        .filter(|route| !seen.contains(route.as_str()))
        .cloned()
        .collect();
    let never_compared: Vec<_> = routes
        .iter()
        .filter(|row| row.name != "-" && row.numbers.judged == 0)
        .map(|row| row.name.clone())
        .collect();
    let unfinished = match source {
        NumberSource::Counters => sampled.saturating_sub(outcomes.total()),
        NumberSource::Records => 0,
    };
    let mut coverage = coverage::describe(&outcomes, unfinished, &rollout.declared, &never_seen);
    let rows = [
        ("segment", NO_SEGMENT, segments.as_slice()),
        ("route", NO_ROUTE, routes.as_slice()),
    ];
    let more = [
        coverage::never_compared(&never_compared),
        coverage::not_ready_rows(verdict, rows),
    ];
    for sentence in more.into_iter().flatten() {
        coverage.push(' ');
        coverage.push_str(&sentence);
    }
    RolloutReport {
        name: name.to_owned(),
        explanation,
        coverage,
        counted_by: source.as_str(),
        first_ms: rollout.times.map(|(first, _)| first),
        last_ms: rollout.times.map(|(_, last)| last),
        numbers: VerdictNumbers::new(&outcomes, judgement),
        sampled,
        outcomes: Outcome::ALL
            .into_iter()
            .map(|outcome| (outcome.as_str(), outcomes.get(outcome)))
            .collect(),
        latency: latency(rollout),
        segments,
        routes,
        segments_of_routes: segment_route_rows(rollout, allow, doubts),
        routes_never_seen: never_seen,
        routes_never_compared: never_compared,
        findings: findings(&rollout.findings, &mut notes),
        options: options(rollout),
        notes,
    }
}

/// Reasons why a verdict is not READY, whatever the numbers are.
struct Doubts {
    /// The number of unreadable lines of counters.
    unreadable_counters: u64,
    /// Why a client may have written the records.
    records: Option<String>,
}

/// The rows by segment or by route.
fn rows(
    rollout: &RolloutTotals,
    allow: ErrorBudget,
    doubts: &Doubts,
    name: fn(&SegmentRoute) -> &String,
) -> Vec<Row> {
    let mut sums: BTreeMap<&String, OutcomeTotals> = BTreeMap::new();
    for (place, row) in &rollout.rows {
        sums.entry(name(place)).or_default().add_all(row);
    }
    let mut findings: BTreeMap<&String, BTreeMap<&FindingKey, u64>> = BTreeMap::new();
    for (key, finding) in &rollout.findings.kept {
        for (place, requests) in &finding.places {
            let counts = findings.entry(name(place)).or_default();
            let total = counts.entry(key).or_default();
            *total = total.saturating_add(*requests);
        }
    }
    let rows = sums.into_iter().map(|(name, row)| Row {
        name: name.clone(),
        numbers: numbers(&row.outcomes, allow, doubts),
        latency: LatencyComparison::of(&row.v1, &row.v2),
        findings: most_frequent(findings.get(name)),
    });
    rows.collect()
}

fn most_frequent(findings: Option<&BTreeMap<&FindingKey, u64>>) -> Vec<FindingCount> {
    let mut counts: Vec<_> = findings.into_iter().flatten().collect();
    counts.sort_by_key(|(_, requests)| std::cmp::Reverse(**requests));
    let counts = counts.into_iter().take(FEW);
    counts
        .map(|(key, requests)| FindingCount {
            key: (*key).clone(),
            requests: *requests,
        })
        .collect()
}

fn segment_route_rows(
    rollout: &RolloutTotals,
    allow: ErrorBudget,
    doubts: &Doubts,
) -> Vec<SegmentRouteRow> {
    let rows = rollout.rows.iter();
    rows.map(|((segment, route), row)| SegmentRouteRow {
        segment: segment.clone(),
        route: route.clone(),
        numbers: numbers(&row.outcomes, allow, doubts),
    })
    .collect()
}

fn numbers(outcomes: &Outcomes, allow: ErrorBudget, doubts: &Doubts) -> VerdictNumbers {
    let judgement = Judgement::of(outcomes, allow).with_doubt(doubts.records.as_deref());
    VerdictNumbers::new(outcomes, judgement)
}

/// The latencies of the summaries, whose buckets are finer, or else of the counters.
fn latency(rollout: &RolloutTotals) -> Option<LatencyComparison> {
    LatencyComparison::of(&rollout.summed.v1, &rollout.summed.v2).or_else(|| {
        let counters = rollout.counters.as_ref()?;
        let v1 = Histogram::from_cumulative(&counters.v1);
        LatencyComparison::of(&v1, &Histogram::from_cumulative(&counters.v2))
    })
}

/// Findings by the number of requests, then by severity.
fn findings(findings: &Findings, notes: &mut Vec<String>) -> Vec<FindingReport> {
    let mut listed: Vec<_> = findings.kept.iter().collect();
    listed.sort_by_key(|(key, finding)| {
        let severities = ["breaking", "changed", "additive"];
        let rank = severities.iter().position(|known| *known == key.severity);
        (
            std::cmp::Reverse(finding.requests()),
            rank.unwrap_or(usize::MAX),
        )
    });
    let unlisted = listed.len().saturating_sub(MOST_FINDINGS);
    if unlisted > 0 || findings.dropped > 0 {
        notes.push(format!(
            "{} not listed, and {} dropped.",
            counted(
                u64::try_from(unlisted).unwrap_or(u64::MAX),
                "finding is",
                "findings are"
            ),
            counted(findings.dropped, "is", "are")
        ));
    }
    let listed = listed.into_iter().take(MOST_FINDINGS);
    listed
        .map(|(key, finding)| FindingReport {
            key: key.clone(),
            requests: finding.requests(),
            places: places(finding),
            example: finding.example.clone(),
        })
        .collect()
}

fn places(finding: &FindingTotals) -> Vec<PlaceCount> {
    let mut places: Vec<_> = finding.places.iter().collect();
    places.sort_by_key(|(_, requests)| std::cmp::Reverse(**requests));
    let places = places.into_iter().take(FEW);
    places
        .map(|((segment, route), requests)| PlaceCount {
            segment: segment.clone(),
            route: route.clone(),
            requests: *requests,
        })
        .collect()
}

fn options(rollout: &RolloutTotals) -> Vec<OptionUse> {
    let declared = &rollout.declared;
    let options = declared.options.iter().map(|option| OptionUse {
        option: option.0.clone(),
        path: option.1.clone(),
        matched: declared.matched.get(option).copied().unwrap_or(0),
    });
    options.collect()
}
