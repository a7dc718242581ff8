//! Makes the report of the totals.

use std::collections::{BTreeMap, BTreeSet};

use turnout_core::shadow::Outcome;
use turnout_text::{counted, join_first, thousands};

use crate::allow::Allow;
use crate::bounds::CONFIDENCE_PERCENT;
use crate::coverage;
use crate::findings::{Findings, Place, Seen, What};
use crate::input::Input;
use crate::judge::{Judgement, Verdict};
use crate::latency::Histogram;
use crate::model::{
    AtPlace, Cell, Choice, Count, Finding, Latencies, Report, Rollout, Row, Tally, UnknownRollout,
};
use crate::outcomes::Outcomes;
use crate::totals::{self, Totals};
use crate::uncertain;
use crate::words::{NO_ROUTE, NO_SEGMENT, excerpt};

/// Findings that are listed with one segment or route, and places with one finding.
const FEW: usize = 5;
/// Findings that are listed of one rollout.
const MOST_LISTED: usize = 1_000;

impl Report {
    /// Judges every rollout, or the one of this name.
    ///
    /// # Errors
    ///
    /// When there is no rollout of that name.
    pub fn new(totals: &Totals, allow: Allow, only: Option<&str>) -> Result<Self, UnknownRollout> {
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
            counters: totals.unreadable_counters,
            records: totals.doubt(),
        };
        let rollouts = totals.rollouts.iter();
        let rollouts: Vec<_> = rollouts
            .filter(|(name, _)| only.as_ref().is_none_or(|only| only == *name))
            .map(|(name, rollout)| judged(name, rollout, allow, &doubts))
            .collect();
        Ok(Self {
            version: 1,
            ready: rollouts
                .iter()
                .all(|rollout| rollout.tally.verdict == Verdict::Ready),
            allow_percent: allow.percent(),
            confidence_percent: CONFIDENCE_PERCENT,
            rollouts,
            inputs: totals.inputs.clone(),
            records: totals.ways.clone(),
            notes: notes(totals),
        })
    }
}

fn judged(name: &str, rollout: &totals::Rollout, allow: Allow, doubts: &Doubts) -> Rollout {
    let mut notes = Vec::new();
    let (counted_by, mut outcomes) = authority(rollout, &mut notes);
    more_notes(rollout, &mut notes);
    notes.extend(uncertain::notes(&outcomes, allow));
    let counters = rollout.counters.as_ref();
    let unknown = counters.map_or(0, |counters| counters.unknown);
    outcomes.add_unknown(unknown.max(rollout.unknown));
    let mut judgement = Judgement::of(&outcomes, allow).without(doubts.counters);
    if counted_by == "records" {
        judgement = judgement.doubting(doubts.records.as_deref());
    }
    let verdict = judgement.verdict;
    let because = judgement.sentence(&outcomes, allow);
    let sampled = match (&rollout.counters, counted_by) {
        (Some(counters), "counters") => counters.sampled,
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
        .filter(|row| row.name != "-" && row.tally.judged == 0)
        .map(|row| row.name.clone())
        .collect();
    let open = match counted_by {
        "counters" => sampled.saturating_sub(outcomes.total()),
        _ => 0,
    };
    let mut coverage = coverage::sentence(&outcomes, open, &rollout.declared, &never_seen);
    let rows = [
        ("segment", NO_SEGMENT, segments.as_slice()),
        ("route", NO_ROUTE, routes.as_slice()),
    ];
    let more = [
        coverage::never_compared(&never_compared),
        coverage::hidden(verdict, rows),
    ];
    for sentence in more.into_iter().flatten() {
        coverage.push(' ');
        coverage.push_str(&sentence);
    }
    Rollout {
        name: name.to_owned(),
        because,
        coverage,
        counted_by,
        first_ms: rollout.times.map(|(first, _)| first),
        last_ms: rollout.times.map(|(_, last)| last),
        tally: Tally::new(&outcomes, judgement),
        sampled,
        outcomes: Outcome::ALL
            .into_iter()
            .map(|outcome| (outcome.as_str(), outcomes.get(outcome)))
            .collect(),
        latency: latency(rollout),
        segments,
        routes,
        segments_of_routes: cells(rollout, allow, doubts),
        routes_never_seen: never_seen,
        routes_never_compared: never_compared,
        findings: findings(&rollout.findings, &mut notes),
        options: options(rollout),
        notes,
    }
}

/// Why a verdict is not READY, whatever the numbers say.
struct Doubts {
    /// Lines of counters that cannot be read.
    counters: u64,
    /// Why the records may not be the filter's.
    records: Option<String>,
}

/// Whose numbers count. The counters', which miss nothing; but a proxy that restarts begins them
/// anew, and a proxy that was not asked is not in them. Where the records have more, they count.
fn authority(rollout: &totals::Rollout, notes: &mut Vec<String>) -> (&'static str, Outcomes) {
    let mut recorded = rollout.summed.outcomes.clone();
    let summed = recorded.get(Outcome::Different);
    let unsummed = rollout.differences.saturating_sub(summed);
    if rollout.summaries > 0 {
        recorded.add(Outcome::Different, unsummed);
    }
    let Some(counters) = &rollout.counters else {
        if unsummed > 0 {
            let differences = counted(unsummed, "difference is", "differences are");
            notes.push(match rollout.summaries {
                0 => format!(
                    "{differences} recorded, but no summary or counter says of how many comparisons."
                ),
                _ => format!("{differences} recorded but in no summary yet; counted all the same."),
            });
        }
        return ("records", recorded);
    };
    let outcomes = &counters.outcomes;
    if rollout.summaries == 0 || recorded == *outcomes {
        return ("counters", outcomes.clone());
    }
    let told = told(outcomes, &recorded);
    if recorded.failed() > outcomes.failed() || recorded.judged() > outcomes.judged() {
        notes.push(format!(
            "{told} The records count: counters begin anew when a proxy restarts, and are only of \
             the proxies that were asked."
        ));
        ("records", recorded)
    } else {
        notes.push(format!(
            "{told} The counters count: summaries come later, and a log may have lost some. \
             Segments, routes and findings are those of the records."
        ));
        ("counters", outcomes.clone())
    }
}

/// In what the counters and the records disagree.
fn told(counted: &Outcomes, recorded: &Outcomes) -> String {
    let verdicts = |outcomes: &Outcomes| (outcomes.failed(), outcomes.judged());
    if verdicts(counted) == verdicts(recorded) {
        return format!(
            "The counters have {} left out, the records {}.",
            thousands(counted.left_out()),
            thousands(recorded.left_out())
        );
    }
    format!(
        "The counters have {} of {} failed, the records {} of {}.",
        thousands(counted.failed()),
        thousands(counted.judged()),
        thousands(recorded.failed()),
        thousands(recorded.judged())
    )
}

fn more_notes(rollout: &totals::Rollout, notes: &mut Vec<String>) {
    let counters = rollout.counters.as_ref();
    let unknown = counters.map_or(0, |counters| counters.unknown);
    let unknown = unknown.max(rollout.unknown);
    if unknown > 0 {
        notes.push(format!(
            "{} in a way that this version does not know.",
            counted(unknown, "request ended", "requests ended")
        ));
    }
    if rollout.summaries == 0 && counters.is_some() {
        notes.push("No summary was read: segments, routes and findings are not known.".into());
    }
    if rollout.beyond > 0 {
        notes.push(format!(
            "{} of further segments and routes are only in the totals.",
            counted(rollout.beyond, "summary", "summaries")
        ));
    }
}

/// Rows that have the same name, added up.
fn rows(
    rollout: &totals::Rollout,
    allow: Allow,
    doubts: &Doubts,
    name: fn(&Place) -> &String,
) -> Vec<Row> {
    let mut sums: BTreeMap<&String, totals::Row> = BTreeMap::new();
    for (place, row) in &rollout.rows {
        sums.entry(name(place)).or_default().add_all(row);
    }
    let mut findings: BTreeMap<&String, BTreeMap<&What, u64>> = BTreeMap::new();
    for (what, seen) in &rollout.findings.known {
        for (place, requests) in &seen.places {
            let of_name = findings.entry(name(place)).or_default();
            let total = of_name.entry(what).or_default();
            *total = total.saturating_add(*requests);
        }
    }
    let rows = sums.into_iter().map(|(name, row)| Row {
        name: name.clone(),
        tally: tally(&row.outcomes, allow, doubts),
        latency: Latencies::of(&row.v1, &row.v2),
        findings: most_frequent(findings.get(name)),
    });
    rows.collect()
}

fn most_frequent(findings: Option<&BTreeMap<&What, u64>>) -> Vec<Count> {
    let mut counts: Vec<_> = findings.into_iter().flatten().collect();
    counts.sort_by_key(|(_, requests)| std::cmp::Reverse(**requests));
    let counts = counts.into_iter().take(FEW);
    counts
        .map(|(what, requests)| Count {
            what: (*what).clone(),
            requests: *requests,
        })
        .collect()
}

fn cells(rollout: &totals::Rollout, allow: Allow, doubts: &Doubts) -> Vec<Cell> {
    let rows = rollout.rows.iter();
    rows.map(|((segment, route), row)| Cell {
        segment: segment.clone(),
        route: route.clone(),
        tally: tally(&row.outcomes, allow, doubts),
    })
    .collect()
}

fn tally(outcomes: &Outcomes, allow: Allow, doubts: &Doubts) -> Tally {
    let judgement = Judgement::of(outcomes, allow).doubting(doubts.records.as_deref());
    Tally::new(outcomes, judgement)
}

/// That of the summaries, whose buckets are finer; else that of the counters.
fn latency(rollout: &totals::Rollout) -> Option<Latencies> {
    Latencies::of(&rollout.summed.v1, &rollout.summed.v2).or_else(|| {
        let counters = rollout.counters.as_ref()?;
        let v1 = Histogram::of_cumulative(&counters.v1);
        Latencies::of(&v1, &Histogram::of_cumulative(&counters.v2))
    })
}

/// The most frequent first, and of those the gravest.
fn findings(findings: &Findings, notes: &mut Vec<String>) -> Vec<Finding> {
    let mut listed: Vec<_> = findings.known.iter().collect();
    listed.sort_by_key(|(what, seen)| {
        let grave = ["breaking", "changed", "additive"];
        let grave = grave.iter().position(|known| *known == what.severity);
        (
            std::cmp::Reverse(seen.requests()),
            grave.unwrap_or(usize::MAX),
        )
    });
    let unlisted = listed.len().saturating_sub(MOST_LISTED);
    if unlisted > 0 || findings.beyond > 0 {
        notes.push(format!(
            "{} are not listed, and {} were not kept.",
            counted(
                u64::try_from(unlisted).unwrap_or(u64::MAX),
                "finding",
                "findings"
            ),
            thousands(findings.beyond)
        ));
    }
    let listed = listed.into_iter().take(MOST_LISTED);
    listed
        .map(|(what, seen)| Finding {
            what: what.clone(),
            requests: seen.requests(),
            places: places(seen),
            example: seen.example.clone(),
        })
        .collect()
}

fn places(seen: &Seen) -> Vec<AtPlace> {
    let mut places: Vec<_> = seen.places.iter().collect();
    places.sort_by_key(|(_, requests)| std::cmp::Reverse(**requests));
    let places = places.into_iter().take(FEW);
    places
        .map(|((segment, route), requests)| AtPlace {
            segment: segment.clone(),
            route: route.clone(),
            requests: *requests,
        })
        .collect()
}

fn options(rollout: &totals::Rollout) -> Vec<Choice> {
    let declared = &rollout.declared;
    let options = declared.options.iter().map(|option| Choice {
        option: option.0.clone(),
        path: option.1.clone(),
        matched: declared.matched.get(option).copied().unwrap_or(0),
    });
    options.collect()
}

/// Notes on what was read, whichever rollout it is of.
fn notes(totals: &Totals) -> Vec<String> {
    let mut notes = Vec::new();
    let sum = |count: fn(&Input) -> u64| {
        let inputs = totals.inputs.iter();
        inputs.fold(0_u64, |sum, input| sum.saturating_add(count(input)))
    };
    let unreadable = sum(|input| input.unreadable);
    if unreadable > 0 {
        notes.push(format!(
            "{} cut off or damaged, and not counted.",
            counted(unreadable, "line was", "lines were")
        ));
    }
    notes.extend(totals.lookalikes().notes());
    notes.extend(totals.word_of_the_log());
    notes.extend(totals.same_counters.iter().map(|[one, other]| {
        format!("{other} has the same counters as {one}, and is not counted: give one dump of each proxy.")
    }));
    let unlabelled = sum(|input| input.unlabelled);
    if unlabelled > 0 {
        notes.push(format!(
            "{} not say of which rollout; take over the stats_tags of envoy/*.yaml.",
            counted(unlabelled, "counter does", "counters do")
        ));
    }
    notes.extend(totals.two_readings());
    notes.extend(totals.native_histograms());
    notes.extend(totals.records_elsewhere());
    let nothing: Vec<_> = totals
        .inputs
        .iter()
        .filter(|input| input.records == 0 && input.counters == 0)
        .map(|input| input.name.clone())
        .collect();
    if !nothing.is_empty() {
        notes.push(format!(
            "Nothing of Turnout was found in {}.",
            join_first(&nothing, FEW)
        ));
    }
    if let Some(lost) = totals.ways.get("lost").filter(|lost| **lost > 0) {
        notes.push(format!(
            "{} lost on the way to the collector, as the counters say.",
            counted(*lost, "record was", "records were")
        ));
    }
    if totals.beyond > 0 {
        notes.push(format!(
            "{} of further rollouts were not kept.",
            counted(totals.beyond, "line", "lines")
        ));
    }
    notes
}
