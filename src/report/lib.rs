//! `turnout report`: reads the records and counters of shadowing, and gives a verdict for each rollout.
//!
//! * [`Totals`] reads Envoy's log, extracted records and Prometheus text, line by line. In a log that may
//!   contain text of clients, it counts only lines that the filter must have written.
//! * [`Report`] is built from the totals: what was compared, what differed, and whether v2 is ready.
//! * A report is formatted as text, as JSON, or as one self-contained HTML page.
//!
//! This crate opens no files and no connections, and its input may be hostile: it counts unreadable lines,
//! and bounds what it keeps of the others.

#![forbid(unsafe_code)]

mod bounded_lines;
mod build_report;
mod client_text;
mod confidence_bounds;
mod counters;
mod counters_or_records;
mod coverage;
mod error_budget;
mod findings;
mod html;
mod input;
mod input_notes;
mod labels;
mod latency;
mod metric_names;
mod outcomes;
mod own_log;
mod record;
mod report;
mod rollout_notes;
mod share;
mod text;
mod totals;
mod untrusted_lines;
mod verdict;

pub use error_budget::{ErrorBudget, InvalidErrorBudget};
pub use input::Input;
pub use input_notes::RECORDS_HIDDEN;
pub use report::{Report, UnknownRollout};
pub use totals::Totals;
pub use untrusted_lines::UntrustedLines;
pub use verdict::Verdict;
