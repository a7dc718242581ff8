//! The options for reading from a Prometheus server.

use std::path::PathBuf;

use clap::Args;
use turnout_judge::{
    BearerToken, LabelMatcher, MetricNames, PrometheusReadings, PrometheusSource, Since,
};

/// What to read from a Prometheus server, and how.
#[derive(Args)]
pub(crate) struct PrometheusOptions {
    /// With --prometheus: when the counts begin, as a duration before now such as `2h`, or as a time such as
    /// `2026-12-01T09:00:00Z`; at most 31 days ago. Default: 24h.
    #[arg(long, value_name = "TIME", value_parser = Since::parse)]
    since: Option<Since>,
    /// With --prometheus: read only the proxies with this label, such as `job="envoy"`. The operators `=`, `!=`, `=~`
    /// and `!~` are those of PromQL. May be repeated. Default: all proxies with metrics of Turnout.
    #[arg(long = "match", value_name = "MATCHER", value_parser = LabelMatcher::parse)]
    matchers: Vec<LabelMatcher>,
    /// With --prometheus: a file with a bearer token for the server.
    #[arg(long, value_name = "FILE")]
    prometheus_token: Option<PathBuf>,
}

impl PrometheusOptions {
    /// Returns an error if an option is set. Without --prometheus it would have no effect.
    pub(crate) fn check_unused(&self) -> Result<(), String> {
        let option = match self {
            Self { since: Some(_), .. } => "--since",
            Self { matchers, .. } if !matchers.is_empty() => "--match",
            Self {
                prometheus_token: Some(_),
                ..
            } => "--prometheus-token",
            _ => return Ok(()),
        };
        Err(format!("{option} needs --prometheus URL"))
    }

    /// Reads the server at this address. The error is a sentence.
    pub(crate) fn read(&self, url: &str, names: MetricNames) -> Result<PrometheusReadings, String> {
        let token = self.prometheus_token.as_deref();
        let token = token.map(BearerToken::read).transpose()?;
        let source = PrometheusSource::new(url, token, &self.matchers, names)?;
        source.read(self.since.unwrap_or_default())
    }
}
