//! All rounds of one variant.

use serde_json::{Value, json};

use crate::round::Round;
use crate::variants::Variant;

/// See the module.
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

    pub(crate) fn to_json(&self) -> Value {
        json!({
            "name": self.variant.name,
            "memory_kib": self.memory_kib,
            "rounds": self.rounds,
        })
    }
}
