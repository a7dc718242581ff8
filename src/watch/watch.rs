//! Looks at each proxy again and again, each in a thread of its own: one that does not answer holds
//! no other up.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use turnout_admin::distinct_admins;
use turnout_core::Time;
use turnout_live::Directory;

use crate::history::History;
use crate::proxy::{Proxy, Seen};
use crate::view::{View, view};

/// Proxies that are being watched, until this is dropped.
#[derive(Debug)]
pub struct Watch {
    proxies: Vec<(String, Arc<Watched>)>,
    since: Time,
    history: Option<History>,
}

#[derive(Debug, Default)]
struct Watched {
    seen: Mutex<Seen>,
    has_looked: Condvar,
    is_over: AtomicBool,
}

impl Watch {
    /// Begins to look at the proxies of these admin addresses, again after each interval.
    ///
    /// # Errors
    /// A sentence: that one of the addresses is none.
    pub fn start(addresses: &[String], interval: Duration) -> Result<Self, String> {
        let addresses = distinct_admins(addresses);
        let proxies = addresses.iter().map(|address| Proxy::new(address));
        let proxies = proxies.collect::<Result<Vec<_>, _>>()?;
        let watched = proxies.into_iter().map(|proxy| {
            let name = proxy.name().to_owned();
            let watched = Arc::new(Watched::default());
            let shared = Arc::clone(&watched);
            thread::spawn(move || keep_looking(proxy, &shared, interval));
            (name, watched)
        });
        Ok(Self {
            proxies: watched.collect(),
            since: now(),
            history: None,
        })
    }

    /// Says also who changed the policy last, and why, from the history of this folder.
    #[must_use]
    pub fn with_history(mut self, directory: Directory) -> Self {
        self.history = Some(History::new(directory));
        self
    }

    /// What the proxies come to now.
    #[must_use]
    pub fn view(&self) -> View {
        let proxies = self.proxies.iter();
        let proxies: Vec<_> = proxies
            .map(|(name, watched)| (name.clone(), watched.seen().clone()))
            .collect();
        let mut view = view(now(), self.since, &proxies);
        view.last_change = self.history.as_ref().and_then(History::last_change);
        view
    }

    /// Waits until each proxy was looked at so many times more, whether it answered or not; at most so
    /// long.
    pub fn wait_for_looks(&self, looks: u64, longest: Duration) {
        let deadline = Instant::now().checked_add(longest);
        let wanted = self.proxies.iter().map(|(_, watched)| {
            let looks = watched.seen().looks.saturating_add(looks);
            (watched, looks)
        });
        let wanted: Vec<_> = wanted.collect();
        for (watched, looks) in wanted {
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            let left = left.unwrap_or_default();
            let is_missing = |seen: &mut Seen| seen.looks < looks;
            // Who has panicked in there does not look any more.
            let _ = watched
                .has_looked
                .wait_timeout_while(watched.seen(), left, is_missing);
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        for (_, watched) in &self.proxies {
            watched.is_over.store(true, Ordering::SeqCst);
            watched.has_looked.notify_all();
        }
    }
}

impl Watched {
    fn seen(&self) -> std::sync::MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn keep_looking(mut proxy: Proxy, watched: &Watched, interval: Duration) {
    while !watched.is_over.load(Ordering::SeqCst) {
        let began = Instant::now();
        let mut seen = proxy.look(now()).clone();
        let mut place = watched.seen();
        seen.looks = place.looks.saturating_add(1);
        *place = seen;
        watched.has_looked.notify_all();
        let pause = interval.saturating_sub(began.elapsed());
        let is_going_on = |_: &mut Seen| !watched.is_over.load(Ordering::SeqCst);
        let waited = watched
            .has_looked
            .wait_timeout_while(place, pause, is_going_on);
        drop(waited);
    }
}

/// The clock.
pub(crate) fn now() -> Time {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH);
    let seconds = since_1970.map_or(0, |since| since.as_secs());
    Time::from_seconds(i64::try_from(seconds).unwrap_or_default())
}
