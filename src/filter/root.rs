//! The plugin in one worker's VM: takes the configuration, or refuses it and says why.

use std::rc::Rc;

use log::{error, info};
use proxy_wasm::hostcalls;
use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{BufferType, ContextType};
use turnout_core::Configuration;

use crate::counters::Counters;
use crate::stream::{Active, Stream};

#[derive(Default)]
pub(crate) struct Root {
    /// A stream keeps the one that it began with.
    active: Option<Rc<Active>>,
}

impl Context for Root {}

impl RootContext for Root {
    /// Envoy keeps the configuration before when this one is refused.
    fn on_configure(&mut self, _size: usize) -> bool {
        match Configuration::from_json(&plugin_configuration()) {
            Ok(configuration) => {
                announce(&configuration);
                let counters = Counters::define(&configuration.plan);
                self.active = Some(Rc::new(Active {
                    configuration,
                    counters,
                }));
                true
            }
            Err(diagnostics) => {
                for diagnostic in diagnostics.as_slice() {
                    error!("turnout: {diagnostic}");
                }
                let found = diagnostics.as_slice().len();
                let found = found.saturating_add(diagnostics.omitted());
                error!("turnout: configuration refused: {found} problem(s)");
                false
            }
        }
    }

    fn create_http_context(&self, _context_id: u32) -> Option<Box<dyn HttpContext>> {
        Some(Box::new(Stream::new(self.active.clone())))
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }
}

fn plugin_configuration() -> Vec<u8> {
    hostcalls::get_buffer(BufferType::PluginConfiguration, 0, usize::MAX)
        .ok()
        .flatten()
        .unwrap_or_default()
}

fn announce(configuration: &Configuration) {
    let rollouts = configuration.plan.rollouts();
    let inbound = configuration.inbound.as_str();
    info!(
        "turnout: configuration accepted: {} rollout(s), inbound {inbound}",
        rollouts.len()
    );
}
