//! The report of a shadow: records and counters go in, a verdict for each rollout comes out.
//!
//! * [`Totals`] reads Envoy's log, bare records and Prometheus text, line by line. Of a log that may have
//!   text of clients in it, only lines count that the filter can have written.
//! * [`Report`] is made of the totals: what was compared, what differed, and whether v2 is ready.
//! * It is printed as text, as JSON, or as one HTML page that needs nothing else.
//!
//! Nothing here opens a file or a connection, and what is read may be hostile: a line that makes no
//! sense is counted, and what is kept of the others is bounded.

#![forbid(unsafe_code)]

mod allow;
mod beginning;
mod bounds;
mod counters;
mod coverage;
mod findings;
mod html;
mod input;
mod judge;
mod latency;
mod line;
mod lookalike;
mod loose;
mod make;
mod model;
mod outcomes;
mod percent;
mod record;
mod text;
mod totals;
mod uncertain;
mod words;

pub use allow::{Allow, BadAllow};
pub use input::Input;
pub use judge::Verdict;
pub use lookalike::Lookalikes;
pub use model::{Report, UnknownRollout};
pub use totals::{HIDDEN, Totals};
