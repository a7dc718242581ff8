//! The plugin in one worker's VM: accepts a configuration, or refuses it with the reasons.

use std::rc::Rc;

use turnout_core::{ByteBudget, Charge, Configuration, Time};

use crate::counters::{Counters, publish_revision};
use crate::host::{self, LogLevel};
use crate::read_configuration::{Refusal, read};
use crate::shadowing::Shadowing;

/// The period of flushing counters, checking ramps, writing summaries, and exporting records.
const TICK_MS: u32 = 1_000;

#[derive(Default)]
pub(crate) struct Root {
    pub(crate) active: Option<Active>,
}

/// The state that all requests under one configuration share.
pub(crate) struct Active {
    pub(crate) configuration: Rc<Configuration>,
    /// The plugin's name in the proxy's configuration.
    pub(crate) plugin: String,
    pub(crate) counters: Counters,
    pub(crate) shadowing: Shadowing,
    /// The time of the last tick, so that ramps need no clock reading per request.
    pub(crate) at: Time,
    /// The access-log entry. Its memory is reused for each request.
    pub(crate) entry: Vec<u8>,
    /// The bytes of the policy itself.
    _policy: Charge,
}

impl Root {
    /// Loads a configuration of this size. If it is refused, Envoy keeps the previous one.
    pub(crate) fn configure(&mut self, size: usize, budget: &ByteBudget) -> bool {
        let begin = host::now();
        match read(size, budget) {
            Ok((configuration, _)) if report_unsupported(&configuration) => false,
            Ok((mut configuration, charge)) => {
                configuration.plan.set_region(&host::region());
                let active = Active::new(configuration, charge, budget);
                publish_revision(&active.plugin, active.configuration.plan.revision());
                let took = host::now().saturating_sub(begin);
                log_accepted(&active.configuration, took);
                // One plugin in two listeners has one context and is configured twice.
                if let Some(mut before) = self.active.replace(active) {
                    before.end();
                }
                true
            }
            Err(Refusal::TooLarge([needed, most])) => {
                error(&format!(
                    "the policy takes {needed} bytes in each worker while it is loaded, and max_held_bytes is {most}; \
                     raise it (turnout apply --max-held-bytes), lower max_body_bytes, or list fewer accounts and \
                     rollouts"
                ));
                log_refused(1);
                false
            }
            Err(Refusal::Wrong(diagnostics)) => {
                for diagnostic in diagnostics.as_slice() {
                    error(&diagnostic.to_string());
                }
                let found = diagnostics.as_slice().len();
                let found = found.saturating_add(diagnostics.omitted());
                log_refused(found);
                false
            }
        }
    }

    pub(crate) fn tick(&mut self) {
        if let Some(active) = &mut self.active {
            active.tick();
        }
    }

    /// Ends the plugin.
    pub(crate) fn end(&mut self) {
        if let Some(active) = &mut self.active {
            // The proxy keeps ticking for a plugin that has ended.
            host::set_tick_period(0);
            active.end();
        }
    }
}

impl Active {
    fn new(configuration: Configuration, policy: Charge, budget: &ByteBudget) -> Self {
        let configuration = Rc::new(configuration);
        let active = Self {
            counters: Counters::define(&configuration),
            shadowing: Shadowing::new(&configuration, budget),
            configuration,
            plugin: host::plugin_name(),
            at: Time::from_nanoseconds(host::now()),
            entry: Vec::new(),
            _policy: policy,
        };
        host::set_tick_period(TICK_MS);
        active
    }

    pub(crate) fn max_held_bytes(&self) -> usize {
        self.configuration.max_held_bytes.bytes()
    }

    /// Iterates over the names of the rollouts.
    pub(crate) fn rollouts(&self) -> impl Iterator<Item = &str> {
        let rollouts = self.configuration.plan.rollouts().iter();
        rollouts.map(|rollout| rollout.name.as_str())
    }

    /// Flushes the counters and ends shadowing.
    fn end(&mut self) {
        self.counters.flush(&self.configuration.plan);
        self.shadowing.end();
    }

    fn tick(&mut self) {
        self.counters.flush(&self.configuration.plan);
        // This continues after the last step of a ramp: a clock that was ahead may be set back.
        if self.shadowing.are_wanted() || self.configuration.plan.has_ramps() {
            let now = host::now();
            self.at = Time::from_nanoseconds(now);
            self.shadowing.tick(now);
        }
    }
}

/// Logs what the policy needs and this build does not support. Returns whether there is anything.
fn report_unsupported(configuration: &Configuration) -> bool {
    let unsupported = Shadowing::unsupported(&configuration.plan);
    unsupported.iter().for_each(|line| error(line));
    if !unsupported.is_empty() {
        log_refused(unsupported.len());
    }
    !unsupported.is_empty()
}

fn log_refused(problems: usize) {
    error(&format!("configuration refused: {problems} problem(s)"));
}

fn error(line: &str) {
    host::log(LogLevel::Error, &format!("turnout: {line}"));
}

/// Logs that a configuration was accepted. `took` is the time that this took, in nanoseconds; this worker did
/// nothing else meanwhile.
fn log_accepted(configuration: &Configuration, took: u64) {
    let rollouts = configuration.plan.rollouts().len();
    let inbound = configuration.inbound.as_str();
    let revision = configuration.plan.revision();
    let (ms, tenths) = (took / 1_000_000, took / 100_000 % 10);
    let line = format!(
        "turnout: configuration accepted: revision {revision}, {rollouts} rollout(s), inbound {inbound}, \
         in {ms}.{tenths} ms"
    );
    host::log(LogLevel::Info, &line);
    if configuration.plan.needs_region() {
        let line = "turnout: a rule of the policy names regions, and this proxy has no region, so such a \
            rule decides v1; set `node.locality.region` in the proxy's bootstrap";
        host::log(LogLevel::Warn, line);
    }
}
