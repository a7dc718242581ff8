//! The records that the filter writes into Envoy's log: differences and summaries.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::testbed::ROLLOUT;

/// The text before a record in a line of the log.
const MARK: &str = "turnout: ";
const BEGINNING: &str = "{\"turnout\":";

/// Part, pointer and kind of a finding.
pub(crate) type Place = [String; 3];

/// All records of the rollout.
#[derive(Debug, Default)]
pub(crate) struct Records {
    pub(crate) differences: Vec<Difference>,
    /// By segment and route.
    pub(crate) rows: BTreeMap<(String, String), Row>,
}

/// The outcomes of the requests of one segment to one route.
#[derive(Debug, Default)]
pub(crate) struct Row {
    pub(crate) outcomes: BTreeMap<String, u64>,
    /// How many requests have each finding.
    pub(crate) findings: BTreeMap<Place, u64>,
}

/// A difference record.
#[derive(Debug, Deserialize)]
pub(crate) struct Difference {
    rollout: String,
    pub(crate) route: String,
    pub(crate) findings: Vec<Finding>,
}

/// A finding, and the values of v1 and v2.
#[derive(Debug, Deserialize)]
pub(crate) struct Finding {
    part: String,
    pointer: String,
    kind: String,
    v1: Option<Side>,
    v2: Option<Side>,
}

/// The value of v1 or v2, if the policy reveals it.
#[derive(Debug, Deserialize)]
pub(crate) struct Side {
    value: Option<String>,
}

#[derive(Deserialize)]
#[serde(tag = "turnout", rename_all = "snake_case")]
enum Record {
    Difference(Difference),
    Summary(Summary),
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
struct Summary {
    rollout: String,
    segment: String,
    route: String,
    outcomes: BTreeMap<String, u64>,
    /// Part, pointer, kind, severity, and the number of requests.
    findings: Vec<(String, String, String, String, u64)>,
}

impl Records {
    /// Reads a log.
    ///
    /// # Errors
    /// When a line begins as a record and is not one.
    pub(crate) fn of(log: &[String]) -> Result<Self, String> {
        let mut records = Self::default();
        let mark = format!("{MARK}{BEGINNING}");
        for line in log {
            if let Some((_, rest)) = line.split_once(&mark) {
                let text = format!("{BEGINNING}{rest}");
                let record = serde_json::from_str(&text);
                records
                    .add(record.map_err(|error| format!("invalid record: {error} in:\n{line}"))?);
            }
        }
        Ok(records)
    }

    fn add(&mut self, record: Record) {
        match record {
            Record::Difference(difference) if difference.rollout == ROLLOUT => {
                self.differences.push(difference);
            }
            Record::Summary(summary) if summary.rollout == ROLLOUT => {
                let row = self.rows.entry((summary.segment, summary.route));
                let row = row.or_default();
                for (outcome, count) in summary.outcomes {
                    *row.outcomes.entry(outcome).or_default() += count;
                }
                for (part, pointer, kind, _, count) in summary.findings {
                    *row.findings.entry([part, pointer, kind]).or_default() += count;
                }
            }
            _ => {}
        }
    }

    /// All outcomes of a route, or of all routes.
    pub(crate) fn outcomes(&self, route: Option<&str>) -> BTreeMap<String, u64> {
        let mut sums = BTreeMap::new();
        let rows = self.rows.iter();
        for (_, row) in rows.filter(|((_, of), _)| route.is_none_or(|route| of == route)) {
            for (outcome, count) in &row.outcomes {
                *sums.entry(outcome.clone()).or_default() += count;
            }
        }
        sums
    }

    /// How many requests to a route differed there and so.
    pub(crate) fn found(&self, route: &str, place: [&str; 3]) -> u64 {
        let rows = self.rows.iter().filter(|((_, of), _)| of == route);
        rows.flat_map(|(_, row)| &row.findings)
            .filter(|(found, _)| *found == &place)
            .map(|(_, count)| count)
            .sum()
    }

    /// All findings, by route and place.
    pub(crate) fn reported(&self) -> BTreeMap<(String, Place), ()> {
        let of_rows = self.rows.iter().flat_map(|((_, route), row)| {
            let places = row.findings.keys();
            places.map(move |place| (route.clone(), place.clone()))
        });
        let of_differences = self.differences.iter().flat_map(|difference| {
            let places = difference.findings.iter().map(Finding::place);
            places.map(move |place| (difference.route.clone(), place))
        });
        of_rows
            .chain(of_differences)
            .map(|reported| (reported, ()))
            .collect()
    }
}

impl Finding {
    pub(crate) fn place(&self) -> Place {
        [&self.part, &self.pointer, &self.kind].map(Clone::clone)
    }

    /// Whether the record contains a value.
    pub(crate) fn shows_a_value(&self) -> bool {
        let sides = [&self.v1, &self.v2].into_iter().flatten();
        sides.into_iter().any(|side| side.value.is_some())
    }
}
