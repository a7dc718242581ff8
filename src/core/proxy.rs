//! The settings of a single proxy, in contrast to the policy, which all proxies share.

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

/// The settings of a proxy in its plugin configuration.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Proxy {
    /// Whether the decisions of earlier hops are trusted.
    pub inbound: Inbound,
    /// The headers that it writes, for its routes and for later hops.
    pub headers: EmittedHeaders,
    /// The level of its shadow records in Envoy's log.
    pub record_level: RecordLevel,
    /// The maximum number of bytes that it holds in one worker.
    pub max_held_bytes: MaxHeldBytes,
}

impl Proxy {
    /// Whether the decision header that leaves this proxy is its own. A proxy that trusts earlier hops but does
    /// not write the header would forward theirs, even where its own decision has precedence, as in a halt.
    #[must_use]
    pub fn passes_on(self) -> bool {
        self.inbound == Inbound::Strip || self.headers.decision
    }
}

/// Uses the defaults for everything else.
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

/// The headers that a proxy adds to the requests of rollouts. Each one costs a host call, so a header that nobody
/// reads can be disabled. Headers with these names from clients are always removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EmittedHeaders {
    /// `x-turnout-cluster`, for the `cluster_header` of a route.
    pub cluster: bool,
    /// `x-turnout-treatment`, for the header matches of routes.
    pub treatment: bool,
    /// `x-turnout-decision`, for later hops.
    pub decision: bool,
}

impl EmittedHeaders {
    /// All headers.
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
    /// The names in a configuration, in the order in which the headers are written.
    pub const WORDS: [&'static str; 3] = ["cluster", "treatment", "decision"];

    /// Parses the names of headers; `None` if a name is unknown, or if neither `cluster` nor `treatment` is
    /// included, because then no route could depend on the decision.
    pub fn from_words<'w>(words: impl IntoIterator<Item = &'w str>) -> Option<Self> {
        let mut headers = Self::NONE;
        for word in words {
            *headers.flag_mut(word)? = true;
        }
        headers.has_routing_header().then_some(headers)
    }

    /// Returns the names of the headers that are enabled.
    pub fn words(self) -> impl Iterator<Item = &'static str> {
        let Self {
            cluster,
            treatment,
            decision,
        } = self;
        let all = Self::WORDS.into_iter().zip([cluster, treatment, decision]);
        all.filter_map(|(word, is_enabled)| is_enabled.then_some(word))
    }

    /// Whether a route can depend on the decision.
    pub(crate) fn has_routing_header(self) -> bool {
        self.cluster || self.treatment
    }

    fn flag_mut(&mut self, word: &str) -> Option<&mut bool> {
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
