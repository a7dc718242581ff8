//! What was read, added up.

use std::collections::BTreeMap;
use std::io::{self, BufRead};

use turnout_text::{counted, thousands};

use crate::counters::{Counters, Sample, TwoReadings};
use crate::findings::{Findings, Place, What};
use crate::input::{Doubt, Input, Writer};
use crate::latency::Histogram;
use crate::lookalike::Lookalikes;
use crate::outcomes::{Outcomes, named};
use crate::record::{Difference, Options, Record, Summary};
use crate::words::excerpt;

/// Rollouts that are kept.
const MOST_ROLLOUTS: usize = 1_000;
/// Pairs of segment and route that are kept of a rollout, and declared routes, and options.
const MOST_ROWS: usize = 2_000;
/// Ways that a record can go.
const MOST_WAYS: usize = 16;

/// Why a log has no records, and what to change.
pub const HIDDEN: &str = "A log without records is of a proxy that hides them: Istio runs Envoy at the level \
warning, and records are written at info by default. Start Envoy with --component-log-level wasm:info (in Istio: the \
annotation sidecar.istio.io/componentLogLevel: wasm:info), or write records at a level that the proxy shows: \
`turnout render` and `turnout apply` take --record-level warn.";

/// All that was read.
#[derive(Default)]
pub struct Totals {
    pub(crate) inputs: Vec<Input>,
    pub(crate) rollouts: BTreeMap<String, Rollout>,
    /// Records by what became of them, as the counters say.
    pub(crate) ways: BTreeMap<String, u64>,
    /// Records and samples of rollouts that there was no room for.
    pub(crate) beyond: u64,
    /// A counter without labels whose name two rollouts could have.
    pub(crate) two_readings: Option<TwoReadings>,
    /// Lines of counters that cannot be read: any of them may be one of failures.
    pub(crate) unreadable_counters: u64,
    /// Samples that are native histograms.
    pub(crate) native_histograms: u64,
    /// Pairs of inputs with the same counters, of which only the first counts.
    pub(crate) same_counters: Vec<[String; 2]>,
}

/// One rollout.
#[derive(Default)]
pub(crate) struct Rollout {
    pub(crate) counters: Option<Counters>,
    pub(crate) summed: Row,
    pub(crate) summaries: u64,
    pub(crate) rows: BTreeMap<Place, Row>,
    /// Rows of summaries that there was no room for.
    pub(crate) beyond: u64,
    /// Outcomes that this version does not know.
    pub(crate) unknown: u64,
    pub(crate) findings: Findings,
    /// Differences by their own records.
    pub(crate) differences: u64,
    pub(crate) declared: Declared,
    /// When the first and the last record were written.
    pub(crate) times: Option<(u64, u64)>,
}

/// One row of summaries.
#[derive(Clone)]
pub(crate) struct Row {
    pub(crate) outcomes: Outcomes,
    pub(crate) v1: Histogram,
    pub(crate) v2: Histogram,
}

impl Default for Row {
    fn default() -> Self {
        Self {
            outcomes: Outcomes::default(),
            v1: Histogram::of_summaries(),
            v2: Histogram::of_summaries(),
        }
    }
}

/// What the policy declares, as the newest record of it says.
#[derive(Default)]
pub(crate) struct Declared {
    newest_ms: Option<u64>,
    pub(crate) routes: Vec<String>,
    pub(crate) options: Vec<(String, String)>,
    /// How often each option matched, older ones too.
    pub(crate) matched: BTreeMap<(String, String), u64>,
}

impl Totals {
    /// Adds an input: Envoy's log, an access log among it or not, bare records or Prometheus text.
    ///
    /// # Errors
    ///
    /// That of reading. The records that were read until then count.
    pub fn read(&mut self, name: &str, input: impl BufRead) -> io::Result<()> {
        self.add(name, Writer::Anyone, input)
    }

    /// Adds an input that has no line of an access log: a log of Envoy in any format, or what was extracted
    /// from one.
    ///
    /// # Errors
    ///
    /// That of reading. The records that were read until then count.
    pub fn read_own_log(&mut self, name: &str, input: impl BufRead) -> io::Result<()> {
        self.add(name, Writer::Envoy, input)
    }

    fn add(&mut self, name: &str, writer: Writer, input: impl BufRead) -> io::Result<()> {
        let (found, samples) = Input::read(name, writer, input, |record| self.record(&record))?;
        let mut inputs = self.inputs.iter();
        let same = inputs.find(|other| {
            found.counters > 0
                && (other.counters, other.counters_hash) == (found.counters, found.counters_hash)
        });
        match same {
            Some(same) => self
                .same_counters
                .push([same.name.clone(), found.name.clone()]),
            None => samples.iter().for_each(|sample| self.sample(sample)),
        }
        self.inputs.push(found);
        Ok(())
    }

    /// Why records that count may be those of a client, or count twice; no verdict that rests on them is READY.
    pub(crate) fn doubt(&self) -> Option<String> {
        let of_input = |input: &Input| {
            let records = counted(input.records, "record", "records");
            let why = match input.doubt? {
                Doubt::Bare => {
                    "they are without the frame of Envoy's log, and there are lines of something else too".into()
                }
                Doubt::Wrapped => String::from("they are in wrappers that other lines do not have"),
                Doubt::Beginning(line) => format!(
                    "line {} begins with text that a client may have chosen, so a client may have written others",
                    thousands(line)
                ),
            };
            Some(format!(
                "{records} of {} may be those of a client: {why}. Give Envoy's own log without an access log, or \
                 all counters with --admin; if no line is of an access log, add --own-log.",
                input.name
            ))
        };
        self.inputs.iter().find_map(of_input).or_else(|| {
            let [one, other] = self.same_records()?;
            Some(format!(
                "{other} has the same records as {one}: give each once."
            ))
        })
    }

    fn same_records(&self) -> Option<[&str; 2]> {
        let has_records = |input: &&Input| input.records > 0 && input.records_hash != 0;
        let inputs: Vec<_> = self.inputs.iter().filter(has_records).collect();
        let mut others = inputs.iter().enumerate();
        others.find_map(|(index, other)| {
            let mut earlier = inputs.iter().take(index);
            let same = |one: &&&Input| {
                (one.records, one.records_hash) == (other.records, other.records_hash)
            };
            let one = earlier.find(same)?;
            Some([one.name.as_str(), other.name.as_str()])
        })
    }

    /// That the records are taken on the word of a log in which others write too.
    pub(crate) fn word_of_the_log(&self) -> Option<String> {
        let inputs = self.inputs.iter();
        let mut inputs = inputs.filter(|input| input.mixed && input.records > 0);
        let first = inputs.next()?;
        let names = match inputs.count() {
            0 => first.name.clone(),
            more => format!(
                "{} and {} more",
                first.name,
                thousands(u64::try_from(more).unwrap_or(u64::MAX))
            ),
        };
        Some(format!(
            "Records are taken on the word of the log: {names} has lines of something else too. A client can write \
             records if one of them is of an access log whose first field is text of a client."
        ))
    }

    /// The inputs so far.
    #[must_use]
    pub fn inputs(&self) -> &[Input] {
        &self.inputs
    }

    /// The lines of all inputs that look like records, and are not counted.
    #[must_use]
    pub fn lookalikes(&self) -> Lookalikes {
        let mut all = Lookalikes::default();
        self.inputs
            .iter()
            .for_each(|input| all.add(input.lookalikes));
        all
    }

    /// Whether nothing was found that a report can be made of.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rollouts.is_empty()
    }

    /// The names of the rollouts.
    pub fn rollouts(&self) -> impl Iterator<Item = &str> {
        self.rollouts.keys().map(String::as_str)
    }

    /// That a counter could be of either of two rollouts.
    #[must_use]
    pub fn two_readings(&self) -> Option<String> {
        let two = self.two_readings.as_ref()?;
        let [one, other] = &two.rollouts;
        Some(format!(
            "{} may be a counter of the rollout {} or of {}, and is not counted; take over the stats_tags of \
             envoy/*.yaml.",
            excerpt(&two.name),
            excerpt(one),
            excerpt(other)
        ))
    }

    /// That latencies are in a form that only Prometheus has.
    #[must_use]
    pub fn native_histograms(&self) -> Option<String> {
        (self.native_histograms > 0).then(|| {
            "Native histograms are not read, so latencies are not known by the counters; set \
             always_scrape_classic_histograms: true in Prometheus, or ask the proxy with --admin."
                .into()
        })
    }

    /// That the filter has written records, or compared without writing any, and no input has them.
    #[must_use]
    pub fn records_elsewhere(&self) -> Option<String> {
        if self.inputs.iter().any(|input| input.records > 0) {
            return None;
        }
        let written = self.ways.get("logged").copied().unwrap_or_default();
        let sampled = self.rollouts.values().filter_map(|rollout| {
            let counters = rollout.counters.as_ref()?;
            Some(counters.sampled.max(counters.outcomes.total()))
        });
        let sampled = sampled.fold(0, u64::saturating_add);
        let counted = match (written, sampled) {
            (0, 0) => return None,
            (0, sampled) => counted(sampled, "sampled request", "sampled requests"),
            (written, _) => counted(written, "record written", "records written"),
        };
        Some(format!(
            "The counters have {counted}, and no record was read: give the log of the proxy. {HIDDEN}"
        ))
    }

    fn record(&mut self, record: &Record) {
        let (name, time_ms) = match record {
            Record::Difference(record) => (&record.rollout, record.time_ms),
            Record::Summary(record) => (&record.rollout, record.time_ms),
            Record::Options(record) => (&record.rollout, record.time_ms),
        };
        let Some(rollout) = self.rollout(name) else {
            return;
        };
        let (first, last) = rollout.times.unwrap_or((time_ms, time_ms));
        rollout.times = Some((first.min(time_ms), last.max(time_ms)));
        match record {
            Record::Difference(record) => rollout.difference(record),
            Record::Summary(record) => rollout.summary(record),
            Record::Options(record) => rollout.declared.add(record),
        }
    }

    fn sample(&mut self, sample: &Sample) {
        match sample {
            Sample::Rollout(name, count) => {
                if let Some(rollout) = self.rollout(name) {
                    rollout.counters.get_or_insert_default().add(count);
                }
            }
            Sample::Records(way, count) => {
                let way = excerpt(way);
                if self.ways.len() < MOST_WAYS || self.ways.contains_key(&way) {
                    let total = self.ways.entry(way).or_default();
                    *total = total.saturating_add(*count);
                }
            }
            Sample::Unlabelled(two) => {
                if self.two_readings.is_none() {
                    self.two_readings.clone_from(two);
                }
            }
            Sample::NativeHistogram => {
                self.native_histograms = self.native_histograms.saturating_add(1);
            }
            Sample::Unreadable => {
                self.unreadable_counters = self.unreadable_counters.saturating_add(1);
            }
            Sample::Other => {}
        }
    }

    fn rollout(&mut self, name: &str) -> Option<&mut Rollout> {
        let name = excerpt(name);
        if self.rollouts.len() >= MOST_ROLLOUTS && !self.rollouts.contains_key(&name) {
            self.beyond = self.beyond.saturating_add(1);
            return None;
        }
        Some(self.rollouts.entry(name).or_default())
    }
}

impl Rollout {
    fn difference(&mut self, record: &Difference) {
        let requests = record.repeats.saturating_add(1);
        self.differences = self.differences.saturating_add(requests);
        self.findings.add_difference(record);
    }

    fn summary(&mut self, record: &Summary) {
        self.summaries = self.summaries.saturating_add(1);
        let mut row = Row::default();
        for (name, count) in &record.outcomes {
            match named(name) {
                Some(outcome) => row.outcomes.add(outcome, *count),
                None => self.unknown = self.unknown.saturating_add(*count),
            }
        }
        row.outcomes.add_unproven(record.unproven);
        for (bound, count) in &record.v1_us {
            row.v1.add(*bound, *count);
        }
        for (bound, count) in &record.v2_us {
            row.v2.add(*bound, *count);
        }
        let place = (excerpt(&record.segment), excerpt(&record.route));
        for (part, pointer, kind, severity, requests) in &record.findings {
            let what = What::new(part, pointer, kind, severity);
            self.findings.add_summed(&place, what, *requests);
        }
        self.summed.add_all(&row);
        if self.rows.len() < MOST_ROWS || self.rows.contains_key(&place) {
            self.rows.entry(place).or_default().add_all(&row);
        } else {
            self.beyond = self.beyond.saturating_add(1);
        }
    }
}

impl Row {
    pub(crate) fn add_all(&mut self, other: &Self) {
        self.outcomes.add_all(&other.outcomes);
        self.v1.add_all(&other.v1);
        self.v2.add_all(&other.v2);
    }
}

impl Declared {
    /// Whether any record says what is declared.
    pub(crate) const fn is_known(&self) -> bool {
        self.newest_ms.is_some()
    }

    fn add(&mut self, record: &Options) {
        let options = record.options.iter().take(MOST_ROWS);
        let options: Vec<_> = options
            .map(|(what, path, matched)| ((excerpt(what), excerpt(path)), *matched))
            .collect();
        for (option, matched) in &options {
            if self.matched.len() < MOST_ROWS || self.matched.contains_key(option) {
                let total = self.matched.entry(option.clone()).or_default();
                *total = total.saturating_add(*matched);
            }
        }
        if self.newest_ms.is_none_or(|newest| newest <= record.time_ms) {
            self.newest_ms = Some(record.time_ms);
            let routes = record.routes.iter().take(MOST_ROWS);
            self.routes = routes.map(|route| excerpt(route)).collect();
            self.options = options.into_iter().map(|(option, _)| option).collect();
        }
    }
}
