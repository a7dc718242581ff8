//! The context of a plugin: accepts a configuration, or refuses it with the reasons.

use std::time::Duration;

use log::{error, info, warn};
use proxy_wasm::hostcalls;
use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::ContextType;
use turnout_core::Configuration;

use crate::counters::publish_revision;
use crate::guards::{Guards, NOT_COMPARED};
use crate::host;
use crate::plugin::{ActivePlugin, Plugin};
use crate::read_configuration::{Refusal, read};
use crate::request_context::RequestContext;
use crate::shadowing::Shadowing;
use crate::worker::Worker;

/// The period of flushing counters, checking ramps, writing summaries, and exporting records.
const TICK: Duration = Duration::from_secs(1);

pub(crate) struct PluginContext {
    id: u32,
    plugin: Plugin,
}

impl PluginContext {
    pub(crate) fn new(id: u32) -> Self {
        Self {
            id,
            plugin: Plugin::default(),
        }
    }

    /// Loads a configuration of this size. Returns `None` if it is refused.
    fn load(worker: &mut Worker, size: usize) -> Option<ActivePlugin> {
        let budget = &worker.held.budget;
        match read(size, budget) {
            Ok((configuration, _)) if report_unsupported(&configuration) => None,
            Ok((mut configuration, charge)) => {
                configuration.plan.set_region(&region());
                let name = text_property(&["plugin_name"]).unwrap_or_default();
                let guards = worker.guards.of_policy(&name, &configuration.plan);
                let guards = Guards::new(guards);
                Some(ActivePlugin::new(
                    configuration,
                    name,
                    charge,
                    budget,
                    guards,
                ))
            }
            Err(Refusal::TooLarge([needed, most])) => {
                error!(
                    "turnout: the policy takes {needed} bytes in each worker while it is loaded, and \
                     max_held_bytes is {most}; raise it (turnout apply --max-held-bytes), lower max_body_bytes, or \
                     list fewer accounts and rollouts"
                );
                log_refused(1);
                None
            }
            Err(Refusal::Wrong(diagnostics)) => {
                for diagnostic in diagnostics.as_slice() {
                    error!("turnout: {diagnostic}");
                }
                let found = diagnostics.as_slice().len();
                log_refused(found.saturating_add(diagnostics.omitted()));
                None
            }
        }
    }
}

impl Context for PluginContext {}

impl RootContext for PluginContext {
    /// If a configuration is refused, Envoy keeps the previous one.
    fn on_configure(&mut self, size: usize) -> bool {
        let begin = host::now();
        let loaded = Worker::with(|worker| {
            worker.held.define();
            worker.make_room_for_configuration(size);
            Self::load(worker, size)
        });
        let Some(active) = loaded.flatten() else {
            return false;
        };
        self.set_tick_period(TICK);
        publish_revision(&active.name, active.configuration.plan.revision());
        log_accepted(&active.configuration, host::now().saturating_sub(begin));
        // Envoy configures a context once. If it did so again, the counts of the previous configuration would
        // still be reported.
        self.plugin.end();
        self.plugin = Plugin::new(active);
        Worker::with(|worker| worker.add(self.id, self.plugin.clone()));
        true
    }

    fn on_tick(&mut self) {
        self.plugin.with(ActivePlugin::tick);
        Worker::with(|worker| worker.tick(self.id));
    }

    fn create_http_context(&self, _id: u32) -> Option<Box<dyn HttpContext>> {
        Some(Box::new(RequestContext::new(self.plugin.clone())))
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }
}

/// The proxy deletes the context after the last request of its configuration.
impl Drop for PluginContext {
    fn drop(&mut self) {
        // Envoy does not stop the timer of a context that it deletes.
        host::stop_ticks();
        let name = self.plugin.with(|active| active.name.clone());
        self.plugin.end();
        Worker::with(|worker| {
            worker.remove(self.id, name.as_deref());
            worker.held.publish();
        });
    }
}

/// Returns the region of the proxy's locality, or an empty string.
fn region() -> String {
    // The second is the path in older proxies.
    const PATHS: [&[&str]; 2] = [
        &["xds", "node", "locality", "region"],
        &["node", "locality", "region"],
    ];
    let region = PATHS.into_iter().find_map(text_property);
    region.unwrap_or_default()
}

/// Reads a property. Returns `None` if the proxy does not have it, or it is empty or no text.
fn text_property(path: &[&str]) -> Option<String> {
    let value = hostcalls::get_property(path.to_vec()).ok()??;
    String::from_utf8(value)
        .ok()
        .filter(|text| !text.is_empty())
}

/// Logs what the policy needs and this build does not support. Returns whether there is anything.
fn report_unsupported(configuration: &Configuration) -> bool {
    let unsupported = Shadowing::unsupported(&configuration.plan);
    for line in &unsupported {
        error!("turnout: {line}");
    }
    if !unsupported.is_empty() {
        log_refused(unsupported.len());
    }
    !unsupported.is_empty()
}

fn log_refused(problems: usize) {
    error!("turnout: configuration refused: {problems} problem(s)");
}

/// Logs that a configuration was accepted. `took` is the time that this took, in nanoseconds; this worker did
/// nothing else meanwhile.
fn log_accepted(configuration: &Configuration, took: u64) {
    let rollouts = configuration.plan.rollouts().len();
    let inbound = configuration.inbound.as_str();
    let revision = configuration.plan.revision();
    let (ms, tenths) = (took / 1_000_000, took / 100_000 % 10);
    info!(
        "turnout: configuration accepted: revision {revision}, {rollouts} rollout(s), inbound {inbound}, \
         in {ms}.{tenths} ms"
    );
    if configuration.plan.needs_region() {
        warn!(
            "turnout: a rule of the policy names regions, and this proxy has no region, so such a rule decides v1; \
             set `node.locality.region` in the proxy's bootstrap"
        );
    }
    let mut rollouts = configuration.plan.rollouts().iter();
    if let Some(limit) = NOT_COMPARED.filter(|_| rollouts.any(|rollout| rollout.guard.is_some())) {
        warn!("turnout: {limit}");
    }
}
