//! Ends the command between two looks when a signal comes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

/// Whether a signal has come that ends the command.
pub(super) struct Termination(Arc<AtomicBool>);

impl Termination {
    /// Handles the signals from now on. A second signal ends the process at once, which loses nothing: the state is on
    /// disk.
    pub(super) fn watch() -> Result<Self, String> {
        let has_come = Arc::new(AtomicBool::new(false));
        for signal in [SIGTERM, SIGINT, SIGHUP] {
            let registered =
                signal_hook::flag::register_conditional_default(signal, Arc::clone(&has_come))
                    .and_then(|_| signal_hook::flag::register(signal, Arc::clone(&has_come)));
            registered.map_err(|error| format!("cannot handle signals: {error}"))?;
        }
        Ok(Self(has_come))
    }

    /// Whether a signal has come.
    pub(super) fn has_come(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}
