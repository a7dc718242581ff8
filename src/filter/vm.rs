//! One worker's VM: the plugins in it, and the requests on their way.

use std::cell::RefCell;
use std::collections::BTreeMap;

use turnout_core::Table;

use crate::copies::Copies;
use crate::root::Root;
use crate::stream::Stream;

/// Contexts by the number that the proxy gave them.
#[derive(Default)]
pub(crate) struct Vm {
    /// One for each configuration in use: during a swap the one before finishes its requests.
    roots: Table<u32, Root>,
    streams: BTreeMap<u32, Stream>,
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
            self.streams.insert(context, Stream::new(parent));
        }
    }

    pub(crate) fn configure(&mut self, context: u32, size: usize) -> bool {
        let root = self.roots.get_mut(&context);
        root.is_some_and(|root| root.configure(size))
    }

    pub(crate) fn request_headers(&mut self, context: u32, end: bool) {
        if let Some(stream) = self.streams.get_mut(&context)
            && let Some(root) = self.roots.get_mut(&stream.root)
        {
            stream.request_headers(root, end);
        }
    }

    /// Something more of a request, or of its answer: of no concern unless it is copied.
    pub(crate) fn copied(&mut self, context: u32, see: impl FnOnce(&mut Copies, u32)) {
        if let Some(stream) = self.streams.get(&context)
            && let Some(job) = stream.job
            && let Some(copies) = self.copies(stream.root)
        {
            see(copies, job);
        }
    }

    pub(crate) fn call_answered(&mut self, root: u32, token: u32, is_answered: bool, size: usize) {
        if let Some(copies) = self.copies(root) {
            copies.call_answered(token, is_answered, size);
        }
    }

    pub(crate) fn tick(&mut self, root: u32) {
        if let Some(root) = self.roots.get_mut(&root) {
            root.tick();
        }
    }

    pub(crate) fn delete(&mut self, context: u32) {
        self.copied(context, Copies::stream_ended);
        if self.streams.remove(&context).is_none() {
            if let Some(root) = self.roots.get_mut(&context) {
                root.end();
            }
            self.roots.remove(&context);
        }
    }

    fn copies(&mut self, root: u32) -> Option<&mut Copies> {
        let active = self.roots.get_mut(&root)?.active.as_mut()?;
        Some(&mut active.copies)
    }
}
