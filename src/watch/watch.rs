//! Reads each proxy at an interval, in a thread of its own, so that a proxy that does not respond delays no other.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use turnout_admin::distinct_admins;
use turnout_core::Time;
use turnout_live::Directory;

use crate::last_change::LastChange;
use crate::proxy_watcher::{ProxyStatus, ProxyWatcher};
use crate::view::{View, view};

/// Watches proxies until it is dropped.
#[derive(Debug)]
pub struct Watch {
    proxies: Vec<(String, Arc<Watched>)>,
    since: Time,
    history: Option<LastChange>,
}

#[derive(Debug, Default)]
struct Watched {
    seen: Mutex<ProxyStatus>,
    has_read: Condvar,
    is_over: AtomicBool,
}

impl Watch {
    /// Starts to read the proxies at these admin addresses, again after each interval.
    ///
    /// # Errors
    /// A sentence, if one of the addresses is invalid.
    pub fn start(addresses: &[String], interval: Duration) -> Result<Self, String> {
        let addresses = distinct_admins(addresses);
        let proxies = addresses.iter().map(|address| ProxyWatcher::new(address));
        let proxies = proxies.collect::<Result<Vec<_>, _>>()?;
        let watched = proxies.into_iter().map(|proxy| {
            let name = proxy.name().to_owned();
            let watched = Arc::new(Watched::default());
            let shared = Arc::clone(&watched);
            thread::spawn(move || keep_reading(proxy, &shared, interval));
            (name, watched)
        });
        Ok(Self {
            proxies: watched.collect(),
            since: now(),
            history: None,
        })
    }

    /// Adds the last change of the policy to the view, from the history of this folder.
    #[must_use]
    pub fn with_history(mut self, directory: Directory) -> Self {
        self.history = Some(LastChange::new(directory));
        self
    }

    /// Returns the current view of the proxies.
    #[must_use]
    pub fn view(&self) -> View {
        let proxies = self.proxies.iter();
        let proxies: Vec<_> = proxies
            .map(|(name, watched)| (name.clone(), watched.seen().clone()))
            .collect();
        let mut view = view(now(), self.since, &proxies);
        view.last_change = self.history.as_ref().and_then(LastChange::describe);
        view
    }

    /// Waits until each proxy has been read this many more times, whether it responds or not, at most `longest`.
    pub fn wait_for_readings(&self, readings: u64, longest: Duration) {
        let deadline = Instant::now().checked_add(longest);
        let wanted = self.proxies.iter().map(|(_, watched)| {
            let readings = watched.seen().readings.saturating_add(readings);
            (watched, readings)
        });
        let wanted: Vec<_> = wanted.collect();
        for (watched, readings) in wanted {
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            let left = left.unwrap_or_default();
            let is_missing = |seen: &mut ProxyStatus| seen.readings < readings;
            // A thread that panicked does not read any more.
            let _ = watched
                .has_read
                .wait_timeout_while(watched.seen(), left, is_missing);
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        for (_, watched) in &self.proxies {
            watched.is_over.store(true, Ordering::SeqCst);
            watched.has_read.notify_all();
        }
    }
}

impl Watched {
    fn seen(&self) -> std::sync::MutexGuard<'_, ProxyStatus> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn keep_reading(mut proxy: ProxyWatcher, watched: &Watched, interval: Duration) {
    while !watched.is_over.load(Ordering::SeqCst) {
        let began = Instant::now();
        let mut seen = proxy.read_once(now()).clone();
        let mut place = watched.seen();
        seen.readings = place.readings.saturating_add(1);
        *place = seen;
        watched.has_read.notify_all();
        let pause = interval.saturating_sub(began.elapsed());
        let is_going_on = |_: &mut ProxyStatus| !watched.is_over.load(Ordering::SeqCst);
        let waited = watched
            .has_read
            .wait_timeout_while(place, pause, is_going_on);
        drop(waited);
    }
}

/// Returns the current time.
pub(crate) fn now() -> Time {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH);
    let seconds = since_1970.map_or(0, |since| since.as_secs());
    Time::from_seconds(i64::try_from(seconds).unwrap_or_default())
}
