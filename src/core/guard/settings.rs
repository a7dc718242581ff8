//! The settings of a guard, with their bounds and defaults.

/// A number within bounds, which are part of its type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounded<const LOWEST: u32, const HIGHEST: u32>(u32);

/// The allowed ratio of how often v2 fails to how often v1 does, in thousandths: 1 to 5.
///
/// The test tries ratios up to 30 for errors and up to 10 for slow requests. It can only find a v2 that is
/// worse than allowed if one of them is greater than the allowed ratio.
pub type Ratio = Bounded<1_000, 5_000>;

/// The highest probability that the guard trips although v2 is not worse, in millionths: 0.000001 to 0.5.
pub type Alpha = Bounded<1, 500_000>;

/// The number of seconds after which the outcome of a request no longer counts: 1 to 300.
pub type SettleSeconds = Bounded<1, 300>;

/// The percentage of v2's requests that may fail, in millionths of a percent: above 0, and below 50, because the
/// test compares it with at least twice as much.
pub type ErrorLimit = Bounded<1, 49_999_999>;

/// The highest expected number of accounts of one proxy that are ejected although v2 is not worse for them, until
/// the guard is re-armed, in thousandths: 0.001 to 10.
pub type FalseEjections = Bounded<1, 10_000>;

/// What a guard compares, and what it does when v2 is worse.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GuardSettings {
    /// Compares how often v1 and v2 fail. `Some` unless the policy names only other tests.
    pub errors: Option<Ratio>,
    /// Compares how often v1 and v2 are slow.
    pub slow: Option<SlowSettings>,
    /// Limits how often v2 fails, whatever v1 does.
    pub limit: Option<ErrorLimit>,
    /// The highest probability of a false alarm of one proxy, from the start of its guard, or from the last re-arm.
    /// With many proxies, each of them has this probability.
    pub alpha: Alpha,
    /// The age at which a decision enters the test. It must be at least as long as the slowest failure; otherwise an
    /// outage of both treatments trips the guard if v2 fails faster.
    pub settle_seconds: SettleSeconds,
    /// Whether the guard acts.
    pub action: GuardAction,
    /// Tests single accounts for errors. It has no effect without `errors`.
    pub accounts: Option<FalseEjections>,
}

/// Which requests are slow, and how much more often v2 may be slow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlowSettings {
    /// A request is slow if it takes longer than this. At most `settle_seconds`.
    pub over_ms: u32,
    /// The allowed ratio of how often v2 is slow to how often v1 is.
    pub ratio: Ratio,
}

/// What a guard does when v2 is worse.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum GuardAction {
    /// Sends everyone in the rollout to v1.
    #[default]
    Halt,
    /// Reports it, and changes no decision.
    Report,
}

impl<const LOWEST: u32, const HIGHEST: u32> Bounded<LOWEST, HIGHEST> {
    /// The lowest value.
    pub const LOWEST: u32 = LOWEST;
    /// The highest value.
    pub const HIGHEST: u32 = HIGHEST;

    /// Checks a number; `None` if it is out of bounds.
    #[must_use]
    pub const fn new(value: u32) -> Option<Self> {
        if value < LOWEST || value > HIGHEST {
            return None;
        }
        Some(Self(value))
    }

    /// The number, in the unit of its type.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0
    }
}

impl Default for GuardSettings {
    /// The settings of `"guard": {}`.
    fn default() -> Self {
        Self {
            errors: Some(Bounded(1_200)),
            slow: None,
            limit: None,
            alpha: Bounded(10_000),
            // Envoy's default route timeout is 15 s.
            settle_seconds: Bounded(20),
            action: GuardAction::Halt,
            accounts: None,
        }
    }
}
