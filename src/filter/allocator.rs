//! The allocator of the VM. It keeps the contexts of requests apart from everything else.
//!
//! The SDK needs a box for the context of each request until the request ends. Such small blocks would
//! lie between the stored bodies of sampled requests. When all bodies are dropped to make room for
//! a new policy, the free memory would be in pieces, none of them large enough for the policy, and the
//! VM would grow beyond `max_held_bytes`.
#![expect(
    unsafe_code,
    reason = "an allocator returns raw memory, and this is the only one"
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::ptr;

use crate::request_context::RequestContext;

#[global_allocator]
static ALLOCATOR: Allocator = Allocator {
    free: Cell::new(ptr::null_mut()),
};

/// The layout of a context. Other values of this layout use these places, too.
const CONTEXT: Layout = Layout::new::<RequestContext>();

/// The number of contexts to allocate at once, 20 KiB. This memory stays for later requests.
const CONTEXTS: usize = 1_024;

struct Allocator {
    /// The first free place. The system allocator never gets a place back.
    free: Cell<*mut Place>,
}

/// Memory for one context. A free place has a link to the next one.
#[repr(C)]
union Place {
    context: [u8; size_of::<RequestContext>()],
    next: *mut Self,
}

const _: () =
    assert!(size_of::<Place>() == CONTEXT.size() && align_of::<Place>() == CONTEXT.align());

// SAFETY: this crate runs only as a Wasm module, which has one thread.
unsafe impl Sync for Allocator {}

// SAFETY: memory with the layout of a context is a `Place` of the free list, which leaves the list while it is
// allocated. All other memory is the system allocator's.
unsafe impl GlobalAlloc for Allocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if layout == CONTEXT {
            return self.take();
        }
        // SAFETY: the caller upholds the contract for this layout.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        if layout == CONTEXT {
            // SAFETY: memory with this layout is a place that nothing uses any more.
            return unsafe { self.give_back(memory.cast()) };
        }
        // SAFETY: the system allocator returned memory with this layout.
        unsafe { System.dealloc(memory, layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if layout == CONTEXT {
            let memory = self.take();
            if !memory.is_null() {
                // SAFETY: a place has this size.
                unsafe { memory.write_bytes(0, CONTEXT.size()) };
            }
            return memory;
        }
        // SAFETY: the caller upholds the contract for this layout.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let is_context = |size| size == CONTEXT.size() && layout.align() == CONTEXT.align();
        if !is_context(layout.size()) && !is_context(size) {
            // SAFETY: neither layout is that of a context, so the memory is the system allocator's before and after.
            return unsafe { System.realloc(memory, layout, size) };
        }
        // SAFETY: the caller guarantees that this size and this alignment are a valid layout.
        let new_layout = unsafe { Layout::from_size_align_unchecked(size, layout.align()) };
        // SAFETY: both blocks have at least as many bytes as are copied, and the first is not used afterwards.
        unsafe {
            let new = self.alloc(new_layout);
            if !new.is_null() {
                ptr::copy_nonoverlapping(memory, new, layout.size().min(size));
                self.dealloc(memory, layout);
            }
            new
        }
    }
}

impl Allocator {
    /// Takes a place out of the list. Null if there is no memory.
    fn take(&self) -> *mut u8 {
        if self.free.get().is_null() {
            self.add_places();
        }
        let place = self.free.get();
        if !place.is_null() {
            // SAFETY: a place of the list is valid, and has a link.
            self.free.set(unsafe { (*place).next });
        }
        place.cast()
    }

    /// # Safety
    /// The place is valid for writes, and nothing else uses it.
    unsafe fn give_back(&self, place: *mut Place) {
        // SAFETY: as the caller has promised.
        unsafe { (*place).next = self.free.get() };
        self.free.set(place);
    }

    /// Adds places to the list, if there is memory.
    #[cold]
    fn add_places(&self) {
        let Ok(layout) = Layout::array::<Place>(CONTEXTS) else {
            return;
        };
        // SAFETY: the size is not zero.
        let first: *mut Place = unsafe { System.alloc(layout) }.cast();
        if first.is_null() {
            return;
        }
        for index in (0..CONTEXTS).rev() {
            // SAFETY: there are `CONTEXTS` places, which nothing uses.
            unsafe { self.give_back(first.add(index)) };
        }
    }
}
