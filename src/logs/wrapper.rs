//! The known wrappers.

use crate::MOST_LAYERS;

/// What has wrapped the line of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Wrapper {
    /// Docker's `json-file`: `{"log":"…\n","stream":"stdout","time":"…"}`.
    Docker,
    /// The Container Runtime Interface, as in `/var/log/pods`: `2026-… stdout F …`.
    Cri,
    /// `kubectl logs --prefix`: `[pod/NAME/CONTAINER] …`.
    Kubectl,
    /// `--timestamps` of `kubectl logs` and `docker logs`: `2026-…Z …`.
    Timestamps,
    /// Docker Compose: `SERVICE-1  | …`.
    Compose,
    /// journald, as `journalctl` prints it as text and as JSON, and syslog.
    Journal,
    /// A collector's JSON object that has the line in a field such as `log` or `message`.
    Collector,
    /// OpenTelemetry's log records as JSON.
    Otlp,
}

impl Wrapper {
    /// All wrappers.
    pub const ALL: [Self; 8] = [
        Self::Docker,
        Self::Cri,
        Self::Kubectl,
        Self::Timestamps,
        Self::Compose,
        Self::Journal,
        Self::Collector,
        Self::Otlp,
    ];

    /// Returns the name of its writer.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Docker => "Docker",
            Self::Cri => "CRI",
            Self::Kubectl => "kubectl --prefix",
            Self::Timestamps => "--timestamps",
            Self::Compose => "Docker Compose",
            Self::Journal => "journald",
            Self::Collector => "a collector",
            Self::Otlp => "OpenTelemetry",
        }
    }
}

/// The wrappers of one line, from the outside in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Wrappers([Option<Wrapper>; MOST_LAYERS]);

impl Wrappers {
    /// Whether there are none.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self == Self::default()
    }

    /// Whether this is one of them.
    #[must_use]
    pub fn contains(self, wrapper: Wrapper) -> bool {
        self.0.contains(&Some(wrapper))
    }

    /// Whether the outermost wrappers are these, in this order.
    #[must_use]
    pub fn starts_with(self, others: Self) -> bool {
        let pairs = self.0.iter().zip(others.0);
        pairs
            .take_while(|(_, other)| other.is_some())
            .all(|(own, other)| *own == other)
    }

    /// Returns the wrappers without duplicates.
    pub fn iter(self) -> impl Iterator<Item = Wrapper> {
        let all = Wrapper::ALL.into_iter();
        all.filter(move |wrapper| self.contains(*wrapper))
    }

    /// Adds a wrapper inside the others.
    pub(crate) fn push(&mut self, wrapper: Wrapper) {
        if let Some(free) = self.0.iter_mut().find(|place| place.is_none()) {
            *free = Some(wrapper);
        }
    }
}
