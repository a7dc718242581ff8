//! Ends a long-running command on a signal, or when its terminal or reader is gone.
//!
//! A closed terminal does not always send a signal, and reading from it may block forever. So a separate thread
//! watches, and ends the process if the command does not end by itself.

use std::io::{self, IsTerminal};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

/// How often signals and the terminal are checked.
const POLL: Duration = Duration::from_millis(100);
/// How long the command may take to end by itself.
const GRACE: Duration = Duration::from_millis(700);

/// The signal that ends the command.
#[derive(Clone, Debug, Default)]
pub(crate) struct Termination(Arc<AtomicUsize>);

impl Termination {
    /// Handles the signals, and watches the terminal.
    ///
    /// # Errors
    /// If a signal cannot be handled or the thread cannot be started.
    pub(crate) fn watch() -> io::Result<Self> {
        let ending = Self::default();
        for signal in [SIGTERM, SIGINT, SIGHUP] {
            let number = usize::try_from(signal).unwrap_or_default();
            signal_hook::flag::register_usize(signal, Arc::clone(&ending.0), number)?;
        }
        let watched = ending.clone();
        thread::Builder::new().spawn(move || watched.keep_watching())?;
        Ok(ending)
    }

    /// Returns the signal, if one has arrived.
    pub(crate) fn signal(&self) -> Option<i32> {
        let number = self.0.load(Ordering::SeqCst);
        i32::try_from(number).ok().filter(|number| *number > 0)
    }

    /// Ends the process as the signal would have. The shell reports the exit code 128 plus the signal.
    pub(crate) fn end(signal: i32) -> ! {
        let _ = signal_hook::low_level::emulate_default_handler(signal);
        signal_hook::low_level::exit(signal.saturating_add(128))
    }

    fn keep_watching(&self) {
        while self.signal().is_none() {
            if has_hung_up(POLL) {
                // There is no terminal to restore, and polling for keys would block forever.
                Self::end(SIGHUP);
            }
        }
        thread::sleep(GRACE);
        let signal = self.signal().unwrap_or(SIGHUP);
        // Drawing or polling for keys has blocked, and restoring the terminal may block too.
        let _ = ratatui::crossterm::terminal::disable_raw_mode();
        let restored = thread::Builder::new().spawn(|| drop(ratatui::try_restore()));
        let began = Instant::now();
        while restored.as_ref().is_ok_and(|thread| !thread.is_finished()) && began.elapsed() < GRACE
        {
            thread::sleep(POLL);
        }
        Self::end(signal)
    }
}

/// Waits until nobody reads standard output any more, at most `longest`. Returns whether that happened.
#[must_use]
pub fn reader_leaves_within(longest: Duration) -> bool {
    hangs_up_within(&[stdout().as_fd()], longest)
}

#[expect(
    clippy::disallowed_methods,
    reason = "it is polled, and nothing is written"
)]
fn stdout() -> io::Stdout {
    io::stdout()
}

/// Whether the terminal hangs up within `longest`.
fn has_hung_up(longest: Duration) -> bool {
    let (stdin, stdout) = (io::stdin(), stdout());
    let ends = [stdin.as_fd(), stdout.as_fd()];
    let is_terminal = [stdin.is_terminal(), stdout.is_terminal()];
    let terminals: Vec<_> = ends
        .into_iter()
        .zip(is_terminal)
        .filter_map(|(end, is_terminal)| is_terminal.then_some(end))
        .collect();
    // A closed terminal is no longer a terminal.
    terminals.is_empty() || hangs_up_within(&terminals, longest)
}

fn hangs_up_within(ends: &[BorrowedFd<'_>], longest: Duration) -> bool {
    let began = Instant::now();
    loop {
        let left = longest.saturating_sub(began.elapsed());
        // No events are requested, because a hang-up is always reported.
        let each = ends
            .iter()
            .map(|end| PollFd::from_borrowed_fd(*end, PollFlags::empty()));
        let mut each: Vec<_> = each.collect();
        let is_over = match poll(&mut each, Timespec::try_from(left).ok().as_ref()) {
            Ok(_) => false,
            Err(rustix::io::Errno::INTR) => return false,
            Err(_) => true,
        };
        let gone = PollFlags::HUP | PollFlags::ERR | PollFlags::NVAL;
        if is_over || each.iter().any(|end| end.revents().intersects(gone)) {
            return true;
        }
        if began.elapsed() >= longest {
            return false;
        }
    }
}
