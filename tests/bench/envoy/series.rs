//! The figures of one round, and the series of a variant.

use serde::Serialize;
use support::bench::series;

use crate::variants::Variant;

/// One round of one variant.
pub(crate) type Round = series::Round<Figures>;
/// All rounds of one variant.
pub(crate) type Series = series::Series<Variant, Figures>;

/// What a round measures.
#[derive(Serialize)]
pub(crate) struct Figures {
    /// CPU time of the whole Envoy process per request, in the closed loop.
    pub(crate) cpu_us: f64,
    pub(crate) requests_per_second: f64,
    /// The share of one core that Envoy took meanwhile, in percent.
    pub(crate) busy: f64,
    /// Latency at the fixed rate.
    pub(crate) p50_us: f64,
    pub(crate) p99_us: f64,
    /// The 99th percentile of how late the client sent.
    pub(crate) client_late_us: f64,
}

/// The series of the variant with this name, if it was measured.
pub(crate) fn find<'a>(series: &'a [Series], name: &str) -> Option<&'a Series> {
    series.iter().find(|one| one.variant.name == name)
}
