//! The wrappers that are known.

/// What carries lines of other processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
    /// All of them.
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

    /// The name of what writes it.
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

    const fn bit(self) -> u8 {
        1_u8.wrapping_shl(self as u32)
    }
}

/// A set of wrappers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wrappers(u8);

impl Wrappers {
    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether this is one of them.
    #[must_use]
    pub const fn contains(self, wrapper: Wrapper) -> bool {
        self.0 & wrapper.bit() != 0
    }

    /// Each of them once.
    pub fn iter(self) -> impl Iterator<Item = Wrapper> {
        let all = Wrapper::ALL.into_iter();
        all.filter(move |wrapper| self.contains(*wrapper))
    }

    pub(crate) const fn insert(&mut self, wrapper: Wrapper) {
        self.0 |= wrapper.bit();
    }
}
