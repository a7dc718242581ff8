//! What the plugins of one worker's VM share.

use std::cell::RefCell;

use turnout_core::VecMap;

use crate::guards::WorkerGuards;
use crate::held_bytes::HeldBytes;
use crate::neighbours::Neighbours;
use crate::plugin::{ActivePlugin, Plugin};

#[derive(Default)]
pub(crate) struct Worker {
    /// By the id of the root context. There is one for each configuration in use: after a swap, the
    /// previous one finishes its requests.
    plugins: VecMap<u32, Plugin>,
    neighbours: Neighbours,
    pub(crate) guards: WorkerGuards,
    /// The bytes that all of them hold.
    pub(crate) held: HeldBytes,
}

thread_local! {
    static WORKER: RefCell<Worker> = RefCell::default();
}

impl Worker {
    /// Runs a part of a callback. Does nothing if the worker is in use: the proxy does not call back while
    /// a callback runs.
    pub(crate) fn with<T>(run: impl FnOnce(&mut Self) -> T) -> Option<T> {
        WORKER.with(|worker| {
            worker
                .try_borrow_mut()
                .ok()
                .map(|mut worker| run(&mut worker))
        })
    }

    /// Sets the plugin of a root context, and warns about the other plugins of this VM.
    pub(crate) fn add(&mut self, root: u32, plugin: Plugin) {
        for (_, other) in self.plugins.iter() {
            plugin.with(|plugin| other.with(|other| self.neighbours.check(plugin, other)));
        }
        self.plugins.insert(root, plugin);
    }

    /// Removes the plugin of a root context. `name` is the plugin's.
    pub(crate) fn remove(&mut self, root: u32, name: Option<&str>) {
        self.plugins.remove(&root);
        let mut others = self.plugins.iter();
        let is_replaced = others.any(|(_, other)| {
            let is_same = other.with(|other| Some(other.name.as_str()) == name);
            is_same.unwrap_or_default()
        });
        self.guards.end_unused(is_replaced);
    }

    /// Ends a second for the whole worker, when the first of its plugins does.
    pub(crate) fn tick(&mut self, root: u32) {
        let first = self.plugins.iter().next();
        if first.is_some_and(|(first, _)| *first == root) {
            self.guards.tick();
        }
        self.held.publish();
    }

    /// Returns the plugin of a root context.
    #[cfg(feature = "shadowing")]
    pub(crate) fn plugin(&self, root: u32) -> Option<Plugin> {
        self.plugins.get(&root).cloned()
    }

    /// Drops all samples if they leave no room for a configuration of this size. Bytes that clients
    /// make the worker hold must not block a new policy or a halt.
    pub(crate) fn make_room_for_configuration(&self, size: usize) {
        // The text, what is parsed of it, and the plan, plus the memory that a callback may need.
        const OF_EACH_BYTE: usize = 4;
        const WORKING: usize = 16 << 20;
        let needed = size.saturating_mul(OF_EACH_BYTE).saturating_add(WORKING);
        let plugins = || self.plugins.iter().map(|(_, plugin)| plugin);
        let limits = plugins().filter_map(|plugin| plugin.with(|active| active.max_held_bytes()));
        if limits
            .min()
            .is_none_or(|most| self.held.budget.fits(needed, most))
        {
            return;
        }
        for plugin in plugins() {
            plugin.with(|active: &mut ActivePlugin| active.shadowing.drop_all());
        }
    }
}
