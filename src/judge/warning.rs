//! What is worth knowing and changes no verdict.

use turnout_core::Fraction;
use turnout_text::{counted, format_decimal, join_first};

/// The largest number of percentages that a sentence names.
const MOST_NAMED: usize = 5;

/// What is worth knowing and changes no verdict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Warning {
    /// The clusters serve requests that the filter did not decide.
    Uncovered {
        /// The share of the requests that it decided, in thousandths.
        decided_thousandths: u64,
    },
    /// The rollout is halted, so nothing is compared now.
    Halted,
    /// Requests were compared at these percentages, which the active policy does not have.
    EarlierStrata(Vec<Fraction>),
    /// Requests of single accounts took v1 because the guard found v2 worse for them.
    EjectedAccounts {
        /// The number of these requests.
        requests: u64,
    },
}

impl Warning {
    /// The name in JSON.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Uncovered { .. } => "uncovered",
            Self::Halted => "halted",
            Self::EarlierStrata(_) => "earlier_strata",
            Self::EjectedAccounts { .. } => "ejected_accounts",
        }
    }

    /// Returns the warning as sentences.
    #[must_use]
    pub fn sentence(&self) -> String {
        match self {
            Self::Uncovered {
                decided_thousandths,
            } => format!(
                "The filter decided {} % of the requests that the clusters completed. The others are not judged: they \
                 come from routes or proxies without the filter, from proxies that were not read, or are retries or \
                 shadow requests.",
                format_decimal(*decided_thousandths, 1)
            ),
            Self::Halted => {
                "The rollout is halted: everyone takes v1, and no more requests are compared."
                    .to_owned()
            }
            Self::EarlierStrata(strata) => {
                let strata: Vec<_> = strata
                    .iter()
                    .map(|requests| format!("{requests} %"))
                    .collect();
                format!(
                    "The counts at {} are not judged: the active policy does not have {}, so they belong to an \
                     earlier policy.",
                    join_first(&strata, MOST_NAMED),
                    if strata.len() == 1 {
                        "this percentage"
                    } else {
                        "these percentages"
                    }
                )
            }
            Self::EjectedAccounts { requests } => format!(
                "The guard sent {} of single accounts back to v1, because v2 is worse for them. Later requests of \
                 these accounts are not compared. Their earlier errors still count, so the evidence can be stronger \
                 than that of the guards.",
                counted(*requests, "request", "requests")
            ),
        }
    }
}
