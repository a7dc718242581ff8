//! Reads the proxies of a roll: by their admin endpoints, or from Prometheus.

use turnout_core::Time;
use turnout_judge::{AdminSource, BearerToken, MetricNames, PrometheusSource, Scrape, Since};
use turnout_roll::ProxyReadings;

use super::Arguments;
use super::plan_of_roll::PlanOfRoll;

/// How far back Prometheus is read, in seconds. Its server looks back as far for the last sample.
const LOOKBACK: u32 = 300;

/// Where the readings of the proxies come from.
pub(super) enum ProxySource {
    Admin(AdminSource),
    Prometheus(Box<PrometheusSource>),
}

impl ProxySource {
    /// Prepares reading. The error is a sentence.
    pub(super) fn new(arguments: &Arguments, plan: &PlanOfRoll) -> Result<Self, String> {
        let Some(url) = &arguments.prometheus else {
            return AdminSource::new(&arguments.admin).map(Self::Admin);
        };
        let token = arguments.prometheus_token.as_deref();
        let token = token.map(BearerToken::read).transpose()?;
        let names = plan.compiled.first().map(MetricNames::of);
        let names = names.ok_or("the plan has no steps")?;
        let source = PrometheusSource::new(url, token, &arguments.matchers, names)?;
        Ok(Self::Prometheus(Box::new(source)))
    }

    /// Returns the readings with which a measurement of the traffic begins. The error is a sentence.
    pub(super) fn first(&mut self) -> Result<Vec<Scrape>, String> {
        match self {
            Self::Admin(source) => Ok(source.read()),
            Self::Prometheus(source) => Ok(source.read(Since::SecondsAgo(LOOKBACK))?.baseline),
        }
    }

    /// Whether time has to pass between the two readings of a measurement.
    pub(super) const fn needs_pause(&self) -> bool {
        matches!(self, Self::Admin(_))
    }

    /// Returns the last reading of each proxy, and those that are missing.
    pub(super) fn read(&mut self) -> Vec<Scrape> {
        self.readings(None).current
    }

    /// Reads the proxies. Prometheus also has their readings since this time, in milliseconds since 1970, so that a roll
    /// that was down misses none.
    pub(super) fn readings(&mut self, since_ms: Option<u64>) -> ProxyReadings {
        let source = match self {
            Self::Admin(source) => {
                return ProxyReadings {
                    earlier: Vec::new(),
                    current: source.read(),
                };
            }
            Self::Prometheus(source) => source,
        };
        let since = match since_ms {
            None => Since::SecondsAgo(LOOKBACK),
            Some(since_ms) => {
                let seconds = (since_ms / 1_000).saturating_sub(LOOKBACK.into());
                Since::At(Time::from_seconds(
                    i64::try_from(seconds).unwrap_or_default(),
                ))
            }
        };
        match source.read(since) {
            Ok(readings) => ProxyReadings {
                earlier: [readings.baseline, readings.history].concat(),
                current: readings.current,
            },
            Err(why) => ProxyReadings {
                earlier: Vec::new(),
                current: vec![Scrape::Missing {
                    proxy: "prometheus".into(),
                    why,
                }],
            },
        }
    }
}
