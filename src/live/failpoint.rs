//! Failpoints: steps of a write at which tests simulate a kill or a full disk. Other crates inject faults in their tests
//! with the feature `failpoints`.

use std::io;

/// Called before each step of a write.
#[cfg(not(any(test, feature = "failpoints")))]
#[expect(clippy::unnecessary_wraps, reason = "fails in tests")]
pub(crate) fn step() -> io::Result<()> {
    Ok(())
}

/// Whether the command is still alive to clean up.
#[cfg(not(any(test, feature = "failpoints")))]
pub(crate) fn is_alive() -> bool {
    true
}

#[cfg(any(test, feature = "failpoints"))]
pub use injected::{Fault, is_alive, step, with};

#[cfg(any(test, feature = "failpoints"))]
mod injected {
    use super::io;
    use std::cell::Cell;

    /// A fault at a step, counted from 0.
    #[derive(Clone, Copy, Debug)]
    pub enum Fault {
        /// The command is killed there.
        Killed(usize),
        /// The disk is full from there on.
        Full(usize),
    }

    thread_local! {
        static FAULT: Cell<Option<Fault>> = const { Cell::new(None) };
        static HAS_FAILED: Cell<bool> = const { Cell::new(false) };
    }

    /// Runs with a fault. Returns whether the fault occurred, and the result.
    pub fn with<T>(fault: Fault, run: impl FnOnce() -> T) -> (bool, T) {
        FAULT.set(Some(fault));
        HAS_FAILED.set(false);
        let result = run();
        FAULT.set(None);
        (HAS_FAILED.get(), result)
    }

    /// A step of a write, which fails if the fault is there.
    ///
    /// # Errors
    /// If the command is killed or the disk is full.
    pub fn step() -> io::Result<()> {
        let (fault, error) = match FAULT.get() {
            None => return Ok(()),
            Some(Fault::Killed(0)) => (Fault::Killed(0), Some(io::ErrorKind::Interrupted)),
            Some(Fault::Full(0)) => (Fault::Full(0), Some(io::ErrorKind::StorageFull)),
            Some(Fault::Killed(left)) => (Fault::Killed(left.saturating_sub(1)), None),
            Some(Fault::Full(left)) => (Fault::Full(left.saturating_sub(1)), None),
        };
        FAULT.set(Some(fault));
        HAS_FAILED.set(error.is_some());
        error.map_or(Ok(()), |kind| Err(kind.into()))
    }

    /// Whether the command is not killed.
    #[must_use]
    pub fn is_alive() -> bool {
        !(HAS_FAILED.get() && matches!(FAULT.get(), Some(Fault::Killed(0))))
    }
}
