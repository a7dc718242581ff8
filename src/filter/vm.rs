//! One worker's VM: its plugins and the requests in flight.

use std::cell::RefCell;

use turnout_core::VecMap;

use crate::held_bytes::HeldBytes;
use crate::neighbours::Neighbours;
use crate::root::{Active, Root};
use crate::shadowing::Shadowing;

/// The result of a callback: continue.
pub(crate) const CONTINUE: u32 = 0;

/// The contexts of the VM, by the ids that the proxy assigns.
#[derive(Default)]
pub(crate) struct Vm {
    /// One for each configuration in use: after a swap, the previous one finishes its requests.
    roots: VecMap<u32, Root>,
    /// Requests without a decision, each with the plugin whose configuration it started with. The proxy
    /// decides a request right after creating its context, so there is rarely more than one. Nothing is
    /// kept of a request that is decided and not sampled.
    undecided: VecMap<u32, u32>,
    /// Sampled requests.
    shadowed: VecMap<u32, ShadowedStream>,
    neighbours: Neighbours,
    /// The bytes that all of them hold.
    held: HeldBytes,
}

#[derive(Clone, Copy)]
struct ShadowedStream {
    root: u32,
    job: u32,
}

thread_local! {
    static VM: RefCell<Vm> = RefCell::default();
}

impl Vm {
    /// Runs a callback. Does nothing if the VM is in use: the proxy does not call back while a callback
    /// runs.
    pub(crate) fn with<T>(callback: impl FnOnce(&mut Self) -> T) -> Option<T> {
        VM.with(|vm| vm.try_borrow_mut().ok().map(|mut vm| callback(&mut vm)))
    }

    pub(crate) fn create(&mut self, context: u32, parent: u32) {
        if parent == 0 {
            self.roots.insert(context, Root::default());
        } else {
            self.undecided.insert(context, parent);
        }
    }

    pub(crate) fn configure(&mut self, context: u32, size: usize) -> bool {
        self.held.define();
        self.make_room_for_configuration(size);
        let root = self.roots.get_mut(&context);
        let is_taken = root.is_some_and(|root| root.configure(size, &self.held.budget));
        if is_taken
            && let Some(taken) = self
                .roots
                .get(&context)
                .and_then(|root| root.active.as_ref())
        {
            let others = self
                .roots
                .iter()
                .filter_map(|(_, root)| root.active.as_ref());
            self.neighbours.check(taken, others);
        }
        is_taken
    }

    /// Drops all samples if they leave no room for a configuration of this size. Bytes that clients
    /// make the worker hold must not block a new policy or a halt.
    fn make_room_for_configuration(&mut self, size: usize) {
        // The text, what is parsed of it, and the plan, plus the memory that a callback may need.
        const OF_EACH_BYTE: usize = 4;
        const WORKING: usize = 16 << 20;
        let needed = size.saturating_mul(OF_EACH_BYTE).saturating_add(WORKING);
        let active = |root: &Root| root.active.as_ref().map(Active::max_held_bytes);
        let most = self.roots.iter().filter_map(|(_, root)| active(root)).min();
        if most.is_none_or(|most| self.held.budget.fits(needed, most)) {
            return;
        }
        let roots: Vec<u32> = self.roots.iter().map(|(root, _)| *root).collect();
        for root in roots {
            if let Some(shadowing) = self.shadowing(root) {
                shadowing.drop_all();
            }
        }
    }

    pub(crate) fn request_headers(&mut self, context: u32, end: bool) {
        if let Some(root) = self.undecided.remove(&context)
            && let Some(active) = self.active(root)
            && let Some(job) = active.route(end)
        {
            self.shadowed.insert(context, ShadowedStream { root, job });
        }
    }

    /// Passes an event of a request to its job, if it is sampled.
    pub(crate) fn observe_shadowed(
        &mut self,
        context: u32,
        observe: impl FnOnce(&mut Shadowing, u32),
    ) {
        if let Some(ShadowedStream { root, job }) = self.shadowed.get(&context).copied()
            && let Some(shadowing) = self.shadowing(root)
        {
            observe(shadowing, job);
        }
    }

    #[cfg(feature = "shadowing")]
    pub(crate) fn call_finished(&mut self, root: u32, token: u32, is_answered: bool, size: usize) {
        if let Some(shadowing) = self.shadowing(root) {
            shadowing.call_finished(token, is_answered, size);
        }
    }

    pub(crate) fn tick(&mut self, root: u32) {
        if let Some(root) = self.roots.get_mut(&root) {
            root.tick();
        }
        self.held.publish();
    }

    pub(crate) fn delete(&mut self, context: u32) {
        if let Some(ShadowedStream { root, job }) = self.shadowed.remove(&context) {
            if let Some(shadowing) = self.shadowing(root) {
                shadowing.stream_ended(job);
            }
        } else if self.undecided.remove(&context).is_none()
            && let Some(mut root) = self.roots.remove(&context)
        {
            root.end();
            drop(root);
            self.held.publish();
        }
    }

    fn shadowing(&mut self, root: u32) -> Option<&mut Shadowing> {
        Some(&mut self.active(root)?.shadowing)
    }

    fn active(&mut self, root: u32) -> Option<&mut Active> {
        self.roots.get_mut(&root)?.active.as_mut()
    }
}
