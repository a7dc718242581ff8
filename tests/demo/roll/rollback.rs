//! How v2 was rolled back in the second act: what users saw, and what the roll knew.

use std::time::Instant;

use turnout_core::guard::{ArmCounts, Arms, GuardCounts, GuardSettings, GuardTest};
use turnout_core::{Fraction, Treatment};

use crate::check::{self, Decided};
use crate::plan::{Active, COMPARED, STEPS, WORSE_AT};
use crate::roll_command::Ended;
use crate::traffic::Exchange;

/// How v2 was rolled back.
pub(crate) struct Rollback {
    /// The number of errors that users saw, when the first came, and when the last.
    pub(crate) errors: usize,
    pub(crate) first_error: Instant,
    pub(crate) last_error: Instant,
    /// The requests that the guards sent to v1.
    pub(crate) guarded: usize,
    /// The number of errors of v2 that the roll knew of. `None` if no number has the evidence that it had.
    pub(crate) judged_errors: Option<u64>,
    /// When the last request was decided by the step.
    pub(crate) left: Instant,
    /// The requests since the roll has ended, how many of them v2 served, how many failed, and how many were not decided
    /// by the step before.
    pub(crate) after: usize,
    pub(crate) v2_after: usize,
    pub(crate) failed_after: usize,
    pub(crate) elsewhere_after: usize,
    /// Differences between the record of the step and what the clients saw.
    differences: Vec<String>,
}

impl Rollback {
    /// # Errors
    /// When v2 has not failed.
    pub(crate) fn of(decided: &[Decided<'_>], ended: &Ended) -> Result<Self, String> {
        let exchanges = || decided.iter().map(|one| one.exchange);
        let errors: Vec<&Exchange> = exchanges().filter(|one| one.is_error()).collect();
        let received = || errors.iter().map(|one| one.received);
        let none = || "v2 has not failed".to_owned();
        let in_step = decided.iter().filter(|one| one.is_in(WORSE_AT));
        let left = in_step.map(|one| one.exchange.received).max();
        let after = decided.iter().filter(|one| one.exchange.sent > ended.at);
        let count = |is: &dyn Fn(&Decided<'_>) -> bool| after.clone().filter(|one| is(one)).count();
        let record = ended
            .records
            .get(WORSE_AT)
            .ok_or("the state has no such step")?;
        let mut differences = check::record_of_step(decided, WORSE_AT, record);
        if record.verdict != "regressed" {
            differences.push(format!("the verdict is {}", record.verdict));
        }
        Ok(Self {
            errors: errors.len(),
            first_error: received().min().ok_or_else(none)?,
            last_error: received().max().ok_or_else(none)?,
            guarded: exchanges().filter(|one| one.has_reason("guard")).count(),
            judged_errors: errors_of_evidence(record.log_evidence, errors.len() as u64),
            left: left.ok_or_else(none)?,
            after: after.clone().count(),
            v2_after: count(&|one| one.exchange.is_by(Treatment::V2)),
            failed_after: count(&|one| one.exchange.is_error()),
            elsewhere_after: count(&|one| one.active != Some(Active::Step(WORSE_AT - 1))),
            differences,
        })
    }

    /// What is not as expected.
    pub(crate) fn wrong(&self, most_errors: usize) -> Vec<String> {
        let mut wrong = self.differences.clone();
        if self.errors > most_errors {
            wrong.push(format!(
                "{} errors are more than {most_errors}",
                self.errors
            ));
        }
        if self.judged_errors.is_none() {
            wrong
                .push("no number of errors that users saw has the evidence of the roll".to_owned());
        }
        let is_well = self.failed_after + self.elsewhere_after == 0;
        if !is_well || self.after == 0 || self.v2_after == 0 {
            wrong.push(format!(
                "of {} requests afterwards {} failed, v2 served {}, and the step {} did not decide {}",
                self.after,
                self.failed_after,
                self.v2_after,
                STEPS[WORSE_AT - 1].name,
                self.elsewhere_after
            ));
        }
        wrong
    }
}

/// The number of errors of v2, up to this many, that have this evidence if v1 has none.
fn errors_of_evidence(log_evidence: f64, most: u64) -> Option<u64> {
    let test = GuardTest::new(&GuardSettings::default());
    let requests = Fraction::from_percentage(&COMPARED.to_string())?;
    (1..=most).find(|errors| {
        let v2 = ArmCounts {
            all: most,
            errors: *errors,
            slow: 0,
        };
        let mut counts = GuardCounts::default();
        let v1 = ArmCounts::default();
        counts.add(requests, Arms { v1, v2 });
        (test.evidence(&counts).total - log_evidence).abs() < 1e-9
    })
}
