//! The plugin in one worker's VM: takes the configuration, or refuses it and says why.

use std::rc::Rc;

use turnout_core::{ByteBudget, Charge, Configuration, Time};

use crate::copies::Copies;
use crate::counters::{Counters, tell_revision};
use crate::host::{self, LogLevel};
use crate::reading::{Refusal, read};

/// How often the proxy is told what was counted, ramps are looked at, summaries looked for, and records
/// exported.
const TICK_MS: u32 = 1_000;

#[derive(Default)]
pub(crate) struct Root {
    pub(crate) active: Option<Active>,
}

/// What all requests under one configuration share.
pub(crate) struct Active {
    pub(crate) configuration: Rc<Configuration>,
    /// What the proxy's configuration calls the plugin.
    pub(crate) plugin: String,
    pub(crate) counters: Counters,
    pub(crate) copies: Copies,
    /// As of the last tick: ramps cost no request a look at the clock.
    pub(crate) at: Time,
    /// What the access log is told, written anew for each request where the last one was.
    pub(crate) entry: Vec<u8>,
    /// The policy's own bytes.
    _policy: Charge,
}

impl Root {
    /// Envoy keeps the configuration before when this one, of so many bytes, is refused.
    pub(crate) fn configure(&mut self, size: usize, budget: &ByteBudget) -> bool {
        let begin = host::now();
        match read(size, budget) {
            Ok((configuration, _)) if is_beyond(&configuration) => false,
            Ok((mut configuration, charge)) => {
                configuration.plan.set_region(&host::region());
                let active = Active::new(configuration, charge, budget);
                tell_revision(&active.plugin, active.configuration.plan.revision());
                let took = host::now().saturating_sub(begin);
                announce(&active.configuration, took);
                // The same plugin may come twice, as in two listeners: it is the same context.
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
                refused(1);
                false
            }
            Err(Refusal::Wrong(diagnostics)) => {
                for diagnostic in diagnostics.as_slice() {
                    error(&diagnostic.to_string());
                }
                let found = diagnostics.as_slice().len();
                let found = found.saturating_add(diagnostics.omitted());
                refused(found);
                false
            }
        }
    }

    pub(crate) fn tick(&mut self) {
        if let Some(active) = &mut self.active {
            active.tick();
        }
    }

    /// The plugin goes.
    pub(crate) fn end(&mut self) {
        if let Some(active) = &mut self.active {
            // The proxy goes on ticking for a plugin that is gone.
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
            copies: Copies::new(&configuration, budget),
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

    /// The names of the rollouts.
    pub(crate) fn rollouts(&self) -> impl Iterator<Item = &str> {
        let rollouts = self.configuration.plan.rollouts().iter();
        rollouts.map(|rollout| rollout.name.as_str())
    }

    /// Tells what is not told yet.
    fn end(&mut self) {
        self.counters.flush(&self.configuration.plan);
        self.copies.end();
    }

    fn tick(&mut self) {
        self.counters.flush(&self.configuration.plan);
        // Also when a ramp's last step has begun: a clock that was ahead may be set back.
        if self.copies.are_wanted() || self.configuration.plan.has_ramps() {
            let now = host::now();
            self.at = Time::from_nanoseconds(now);
            self.copies.tick(now);
        }
    }
}

/// Whether the policy asks for what this build does not have; then it is said in the log.
fn is_beyond(configuration: &Configuration) -> bool {
    let lacks = Copies::lacks(&configuration.plan);
    lacks.iter().for_each(|line| error(line));
    if !lacks.is_empty() {
        refused(lacks.len());
    }
    !lacks.is_empty()
}

fn refused(problems: usize) {
    error(&format!("configuration refused: {problems} problem(s)"));
}

fn error(line: &str) {
    host::log(LogLevel::Error, &format!("turnout: {line}"));
}

/// `took` is the nanoseconds for which this worker did nothing else.
fn announce(configuration: &Configuration, took: u64) {
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
        let line = "turnout: the policy names regions, and this proxy is in none; rules that name \
            them decide v1; give the proxy's node a locality with a region";
        host::log(LogLevel::Warn, line);
    }
}
