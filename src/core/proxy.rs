//! What a proxy is, beside the policy, which is the same in all of them.

pub(crate) mod access_log_entry;
pub(crate) mod configuration;
pub(crate) mod decision_header;
pub(crate) mod max_held_bytes;
pub(crate) mod record_level;
pub mod render;
pub(crate) mod revision;
pub(crate) mod wire_names;

use crate::proxy::decision_header::Inbound;
use crate::proxy::max_held_bytes::MaxHeldBytes;
use crate::proxy::record_level::RecordLevel;

/// What a proxy is told beside its policy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Proxy {
    /// Whether earlier hops are believed.
    pub inbound: Inbound,
    /// What it writes for its routes, and for later hops.
    pub headers: EmittedHeaders,
    /// The level of its records in Envoy's log.
    pub record_level: RecordLevel,
    /// How many bytes it holds in one worker at most.
    pub max_held_bytes: MaxHeldBytes,
}

impl Proxy {
    /// Whether decisions are passed on where they are believed. A proxy that believes those of earlier hops
    /// and does not write its own would pass on theirs where its own stands above them, as a halt does.
    #[must_use]
    pub fn passes_on(self) -> bool {
        self.inbound == Inbound::Strip || self.headers.decision
    }
}

/// It writes all headers, records at the default level, and holds as many bytes as by default.
impl From<Inbound> for Proxy {
    fn from(inbound: Inbound) -> Self {
        Self {
            inbound,
            headers: EmittedHeaders::ALL,
            record_level: RecordLevel::default(),
            max_held_bytes: MaxHeldBytes::default(),
        }
    }
}

/// Which headers a proxy writes into a request of a rollout. Each costs the request a call of the proxy, so
/// one that nobody reads may be left out. What clients send under these names is removed all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EmittedHeaders {
    /// `x-turnout-cluster`, for a route's `cluster_header`.
    pub cluster: bool,
    /// `x-turnout-treatment`, for header matches of routes.
    pub treatment: bool,
    /// `x-turnout-decision`, for later hops.
    pub decision: bool,
}

impl EmittedHeaders {
    /// All of them.
    pub const ALL: Self = Self {
        cluster: true,
        treatment: true,
        decision: true,
    };
    const NONE: Self = Self {
        cluster: false,
        treatment: false,
        decision: false,
    };
    /// Their words, in the order in which they are written.
    pub const WORDS: [&'static str; 3] = ["cluster", "treatment", "decision"];

    /// Those that are named; `None` where a word is none of them, or no route could follow a decision:
    /// then neither `cluster` nor `treatment` is named.
    pub fn from_words<'w>(words: impl IntoIterator<Item = &'w str>) -> Option<Self> {
        let mut written = Self::NONE;
        for word in words {
            *written.place(word)? = true;
        }
        written.is_routed().then_some(written)
    }

    /// The words of those that are written.
    pub fn words(self) -> impl Iterator<Item = &'static str> {
        let Self {
            cluster,
            treatment,
            decision,
        } = self;
        let all = Self::WORDS.into_iter().zip([cluster, treatment, decision]);
        all.filter_map(|(word, is_written)| is_written.then_some(word))
    }

    pub(crate) fn is_routed(self) -> bool {
        self.cluster || self.treatment
    }

    fn place(&mut self, word: &str) -> Option<&mut bool> {
        match word {
            "cluster" => Some(&mut self.cluster),
            "treatment" => Some(&mut self.treatment),
            "decision" => Some(&mut self.decision),
            _ => None,
        }
    }
}

impl Default for EmittedHeaders {
    fn default() -> Self {
        Self::ALL
    }
}
