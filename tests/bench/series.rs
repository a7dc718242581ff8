//! What was measured of one variant.

use harness::bench::statistics::Spread;
use serde::Serialize;
use serde_json::{Value, json};

use crate::variants::Variant;

/// One round.
#[derive(Serialize)]
pub(crate) struct Round {
    /// CPU time of the whole Envoy process per request, while clients ask as fast as they are answered.
    pub(crate) cpu_us: f64,
    pub(crate) requests_per_second: f64,
    /// How many percent of one core Envoy had meanwhile.
    pub(crate) busy: f64,
    /// At the fixed rate.
    pub(crate) p50_us: f64,
    pub(crate) p99_us: f64,
    /// The 99th percentile of how late the client was to send.
    pub(crate) client_late_us: f64,
    /// How much of the machine was taken by what is no part of the bench, in percent.
    pub(crate) others: f64,
    /// How often it was sent before, and others had too much of the machine.
    pub(crate) repeated: u32,
}

/// All rounds of one variant.
pub(crate) struct Series {
    pub(crate) variant: Variant,
    pub(crate) rounds: Vec<Round>,
    /// At the end of the last round.
    pub(crate) memory_kib: u64,
}

impl Series {
    pub(crate) fn new(variant: &Variant) -> Self {
        Self {
            variant: *variant,
            rounds: Vec::new(),
            memory_kib: 0,
        }
    }

    pub(crate) fn spread(&self, figure: fn(&Round) -> f64) -> Spread {
        Spread::of(self.rounds.iter().map(figure))
    }

    /// The ratios to another in the same rounds.
    pub(crate) fn ratio(&self, to: &Self, figure: fn(&Round) -> f64) -> Spread {
        let pairs = self.rounds.iter().zip(&to.rounds);
        Spread::of(pairs.map(|(own, other)| figure(own) / figure(other)))
    }

    pub(crate) fn to_json(&self) -> Value {
        json!({
            "name": self.variant.name,
            "what": self.variant.what,
            "memory_kib": self.memory_kib,
            "rounds": self.rounds,
        })
    }
}

/// The variant of this name, where it was measured.
pub(crate) fn find<'a>(series: &'a [Series], name: &str) -> Option<&'a Series> {
    series.iter().find(|one| one.variant.name == name)
}
