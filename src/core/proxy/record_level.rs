//! The level at which a proxy writes shadow records to Envoy's log.

/// A level of Envoy's log. Envoy drops lines below its own level.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RecordLevel {
    /// The lowest.
    Trace,
    /// Above `trace`.
    Debug,
    /// The level at which Envoy runs by default.
    #[default]
    Info,
    /// The level at which Istio runs Envoy.
    Warn,
    /// Above `warn`.
    Error,
    /// The highest.
    Critical,
}

impl RecordLevel {
    /// All levels, the lowest first.
    pub const ALL: [Self; 6] = [
        Self::Trace,
        Self::Debug,
        Self::Info,
        Self::Warn,
        Self::Error,
        Self::Critical,
    ];

    /// The name in the configuration.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Trace => "trace",
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
            Self::Critical => "critical",
        }
    }

    /// Parses the name of a level.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.as_str() == word)
    }
}
