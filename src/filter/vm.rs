//! One worker's VM: the plugins in it, and the requests on their way.

use std::cell::RefCell;

use turnout_core::VecMap;

use crate::copies::Copies;
use crate::held::Held;
use crate::neighbours::Neighbours;
use crate::root::{Active, Root};

/// A callback's answer: go on.
pub(crate) const CONTINUE: u32 = 0;

/// Contexts by the number that the proxy gave them.
#[derive(Default)]
pub(crate) struct Vm {
    /// One for each configuration in use: during a swap the one before finishes its requests.
    roots: VecMap<u32, Root>,
    /// Requests that are not decided yet, each with the plugin whose configuration it began with. The
    /// proxy has a request decided as soon as it has made its context, so there is hardly ever more than
    /// one; and of a request that is decided and not copied, nothing is kept.
    undecided: VecMap<u32, u32>,
    /// Requests that are copied.
    copied: VecMap<u32, Copied>,
    neighbours: Neighbours,
    /// What all of them hold.
    held: Held,
}

#[derive(Clone, Copy)]
struct Copied {
    root: u32,
    job: u32,
}

thread_local! {
    static VM: RefCell<Vm> = RefCell::default();
}

impl Vm {
    /// Nothing where the VM is in use: the proxy does not call back while a callback runs.
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
        self.make_way(size);
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

    /// Gives up all samples where they leave no room for a configuration of so many bytes: what clients make
    /// the worker hold must not keep a new policy, or a halt, from it.
    fn make_way(&mut self, size: usize) {
        // Its text, what is read of it, and the plan; and the room that a callback may need.
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
            if let Some(copies) = self.copies(root) {
                copies.give_up_all();
            }
        }
    }

    pub(crate) fn request_headers(&mut self, context: u32, end: bool) {
        if let Some(root) = self.undecided.remove(&context)
            && let Some(active) = self.active(root)
            && let Some(job) = active.route(end)
        {
            self.copied.insert(context, Copied { root, job });
        }
    }

    /// Something more of a request, or of its answer: of no concern unless it is copied.
    pub(crate) fn copied(&mut self, context: u32, see: impl FnOnce(&mut Copies, u32)) {
        if let Some(Copied { root, job }) = self.copied.get(&context).copied()
            && let Some(copies) = self.copies(root)
        {
            see(copies, job);
        }
    }

    #[cfg(feature = "copies")]
    pub(crate) fn call_answered(&mut self, root: u32, token: u32, is_answered: bool, size: usize) {
        if let Some(copies) = self.copies(root) {
            copies.call_answered(token, is_answered, size);
        }
    }

    pub(crate) fn tick(&mut self, root: u32) {
        if let Some(root) = self.roots.get_mut(&root) {
            root.tick();
        }
        self.held.publish();
    }

    pub(crate) fn delete(&mut self, context: u32) {
        if let Some(Copied { root, job }) = self.copied.remove(&context) {
            if let Some(copies) = self.copies(root) {
                copies.stream_ended(job);
            }
        } else if self.undecided.remove(&context).is_none()
            && let Some(mut root) = self.roots.remove(&context)
        {
            root.end();
            drop(root);
            self.held.publish();
        }
    }

    fn copies(&mut self, root: u32) -> Option<&mut Copies> {
        Some(&mut self.active(root)?.copies)
    }

    fn active(&mut self, root: u32) -> Option<&mut Active> {
        self.roots.get_mut(&root)?.active.as_mut()
    }
}
