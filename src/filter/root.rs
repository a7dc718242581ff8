//! The plugin in one worker's VM: takes the configuration, or refuses it and says why.

use std::rc::Rc;

use turnout_core::Configuration;

use crate::copies::Copies;
use crate::counters::Counters;
use crate::host::{self, LogLevel};

#[derive(Default)]
pub(crate) struct Root {
    pub(crate) active: Option<Active>,
}

/// What all requests under one configuration share.
pub(crate) struct Active {
    pub(crate) configuration: Rc<Configuration>,
    pub(crate) counters: Counters,
    pub(crate) copies: Copies,
}

impl Root {
    /// Envoy keeps the configuration before when this one is refused.
    pub(crate) fn configure(&mut self) -> bool {
        match Configuration::from_json(&host::plugin_configuration()) {
            Ok(configuration) => {
                announce(&configuration);
                let configuration = Rc::new(configuration);
                self.active = Some(Active {
                    counters: Counters::define(&configuration.plan),
                    copies: Copies::new(&configuration),
                    configuration,
                });
                true
            }
            Err(diagnostics) => {
                let error = |line: &str| host::log(LogLevel::Error, &format!("turnout: {line}"));
                for diagnostic in diagnostics.as_slice() {
                    error(&diagnostic.to_string());
                }
                let found = diagnostics.as_slice().len();
                let found = found.saturating_add(diagnostics.omitted());
                error(&format!("configuration refused: {found} problem(s)"));
                false
            }
        }
    }
}

fn announce(configuration: &Configuration) {
    let rollouts = configuration.plan.rollouts().len();
    let inbound = configuration.inbound.as_str();
    let line = format!("turnout: configuration accepted: {rollouts} rollout(s), inbound {inbound}");
    host::log(LogLevel::Info, &line);
}
