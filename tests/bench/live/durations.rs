//! Summaries of durations.

use std::fmt;
use std::time::Duration;

/// The median, the longest and the shortest of some durations.
pub(crate) struct Spread {
    best: Duration,
    median: Duration,
    worst: Duration,
    count: usize,
}

impl Spread {
    /// `None` without durations.
    pub(crate) fn of(mut durations: Vec<Duration>) -> Option<Self> {
        durations.sort();
        Some(Self {
            best: *durations.first()?,
            median: *durations.get(durations.len() / 2)?,
            worst: *durations.last()?,
            count: durations.len(),
        })
    }
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = |duration: Duration| duration.as_secs_f64() * 1e3;
        write!(
            f,
            "median {:.1} ms, worst {:.1} ms, best {:.1} ms of {}",
            ms(self.median),
            ms(self.worst),
            ms(self.best),
            self.count
        )
    }
}
