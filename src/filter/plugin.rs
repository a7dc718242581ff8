//! A plugin with its configuration, in one worker's VM.

use std::cell::RefCell;
use std::rc::Rc;

use turnout_core::{ByteBudget, Charge, Configuration, Time};

use crate::counters::Counters;
use crate::guards::Guards;
use crate::host;
use crate::shadowing::Shadowing;

/// A plugin under one configuration, shared by its root context and its requests. It is empty before
/// the first configuration and after its configuration has ended.
#[derive(Clone, Default)]
pub(crate) struct Plugin(Rc<RefCell<Option<ActivePlugin>>>);

/// The state that all requests under one configuration share.
pub(crate) struct ActivePlugin {
    pub(crate) configuration: Rc<Configuration>,
    /// The plugin's name in the proxy's configuration.
    pub(crate) name: String,
    pub(crate) counters: Counters,
    pub(crate) shadowing: Shadowing,
    pub(crate) guards: Guards,
    /// The time of the last tick, so that ramps need no clock reading per request.
    pub(crate) at: Time,
    /// The access-log entry. Its memory is reused for each request.
    pub(crate) entry: Vec<u8>,
    /// The bytes of the policy itself.
    _policy: Charge,
}

impl Plugin {
    pub(crate) fn new(active: ActivePlugin) -> Self {
        Self(Rc::new(RefCell::new(Some(active))))
    }

    /// Runs a part of a callback with the active configuration. Returns `None` if there is none, or if it
    /// is in use: the proxy does not call back while a callback runs.
    pub(crate) fn with<T>(&self, run: impl FnOnce(&mut ActivePlugin) -> T) -> Option<T> {
        self.0.try_borrow_mut().ok()?.as_mut().map(run)
    }

    /// Flushes the counters and ends shadowing. Requests that are still open are not observed from then on.
    pub(crate) fn end(&self) {
        self.with(ActivePlugin::end);
        if let Ok(mut active) = self.0.try_borrow_mut() {
            *active = None;
        }
    }
}

impl ActivePlugin {
    pub(crate) fn new(
        configuration: Configuration,
        name: String,
        policy: Charge,
        budget: &ByteBudget,
        guards: Guards,
    ) -> Self {
        let configuration = Rc::new(configuration);
        Self {
            counters: Counters::define(&configuration),
            shadowing: Shadowing::new(&configuration, budget),
            guards,
            configuration,
            name,
            at: Time::from_nanoseconds(host::now()),
            entry: Vec::new(),
            _policy: policy,
        }
    }

    pub(crate) fn max_held_bytes(&self) -> usize {
        self.configuration.max_held_bytes.bytes()
    }

    /// Iterates over the names of the rollouts.
    pub(crate) fn rollouts(&self) -> impl Iterator<Item = &str> {
        let rollouts = self.configuration.plan.rollouts().iter();
        rollouts.map(|rollout| rollout.name.as_str())
    }

    pub(crate) fn tick(&mut self) {
        self.counters.flush();
        // This continues after the last step of a ramp: a clock that was ahead may be set back.
        if self.shadowing.are_wanted() || self.configuration.plan.has_ramps() {
            let now = host::now();
            self.at = Time::from_nanoseconds(now);
            self.shadowing.tick(now);
        }
    }

    fn end(&mut self) {
        self.counters.flush();
        self.shadowing.end();
    }
}
