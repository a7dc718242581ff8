//! Reads proxies by their admin endpoints.

use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::thread;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use turnout_admin::{ProxyReader, StatsError, StatsPage, distinct_admins};
use turnout_core::Plan;

use crate::reading::{Reading, Scrape};
use crate::same_proxy::without_doubles;

/// How far the clock that a proxy shows in whole seconds may be from the expected time, in milliseconds.
const CLOCK_TOLERANCE_MS: u64 = 2_000;

/// Proxies that are read by their admin endpoints, all at the same time.
#[derive(Debug)]
pub struct AdminSource {
    proxies: Vec<AdminProxy>,
}

#[derive(Debug)]
struct AdminProxy {
    reader: ProxyReader,
    clock: ProxyClock,
}

/// A page with its time in milliseconds, or a sentence.
type DatedPage = Result<(StatsPage, u64), String>;

/// The clock of a proxy, in milliseconds. Between readings, it goes by this machine's monotonic clock, because the
/// proxy shows only whole seconds.
#[derive(Debug, Default)]
struct ProxyClock(Option<(u64, Instant)>);

impl AdminSource {
    /// Creates a source for the proxies at these addresses.
    ///
    /// # Errors
    /// A sentence, if an address is invalid, or two are the same.
    pub fn new(addresses: &[String]) -> Result<Self, String> {
        let addresses = distinct_admins(addresses);
        let proxies = addresses.iter().map(|address| {
            Ok(AdminProxy {
                reader: ProxyReader::new(address)?,
                clock: ProxyClock::default(),
            })
        });
        let proxies: Vec<AdminProxy> = proxies.collect::<Result<_, String>>()?;
        check_distinct(&addresses)?;
        Ok(Self { proxies })
    }

    /// The addresses of the proxies, which are their names in readings.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.proxies.iter().map(|proxy| proxy.reader.address())
    }

    /// Reads each proxy once.
    pub fn read(&mut self) -> Vec<Scrape> {
        let read = thread::scope(|scope| {
            let threads = self.proxies.iter_mut().map(|proxy| {
                let name = proxy.reader.address().to_owned();
                (name, scope.spawn(|| proxy.read()))
            });
            let threads: Vec<_> = threads.collect();
            let read = threads.into_iter().map(|(name, thread)| {
                let panicked = || Err("reading it failed; please report this as a bug".to_owned());
                (name, thread.join().unwrap_or_else(|_| panicked()))
            });
            read.collect::<Vec<_>>()
        });
        scrapes(read)
    }

    /// The active policy of the first proxy that has one. If others have another one, their revision numbers show it.
    #[must_use]
    pub fn policy(&self) -> Option<&Arc<Plan>> {
        self.proxies.iter().find_map(|proxy| proxy.reader.policy())
    }

    /// What is unusual about the policies of the proxies: the address, and a sentence.
    pub fn notes(&self) -> impl Iterator<Item = (&str, &str)> {
        let proxies = self.proxies.iter();
        proxies.filter_map(|proxy| Some((proxy.reader.address(), proxy.reader.note()?)))
    }
}

impl AdminProxy {
    /// Reads the proxy once. The error is a sentence.
    fn read(&mut self) -> DatedPage {
        let page = self.reader.read().map_err(|error| match error {
            StatsError::Unreachable(why) | StatsError::NotEnvoy(why) => why,
        })?;
        let shown_ms = match page.date {
            Some(date) => u64::try_from(date.seconds())
                .unwrap_or_default()
                .saturating_mul(1_000),
            None => now_ms(),
        };
        let at_ms = self.clock.read(shown_ms, Instant::now());
        Ok((page, at_ms))
    }
}

impl ProxyClock {
    fn read(&mut self, shown_ms: u64, now: Instant) -> u64 {
        let expected = self.0.map(|(anchor_ms, then)| {
            let elapsed = now.saturating_duration_since(then).as_millis();
            anchor_ms.saturating_add(u64::try_from(elapsed).unwrap_or(u64::MAX))
        });
        match expected.filter(|expected| expected.abs_diff(shown_ms) <= CLOCK_TOLERANCE_MS) {
            Some(expected) => expected,
            None => {
                self.0 = Some((shown_ms, now));
                shown_ms
            }
        }
    }
}

/// Converts the pages. A proxy that has two addresses must not count twice.
fn scrapes(read: Vec<(String, DatedPage)>) -> Vec<Scrape> {
    let scrapes = read.into_iter().map(|(proxy, result)| match result {
        Ok((page, at_ms)) => {
            let discovery = page.discovery.clone();
            (
                Scrape::Read(Reading::of_page(&proxy, at_ms, page)),
                discovery,
            )
        }
        Err(why) => (Scrape::Missing { proxy, why }, None),
    });
    without_doubles(scrapes.collect(), |one, other| one == other)
}

/// Checks that no two names resolve to the same address.
fn check_distinct(addresses: &[String]) -> Result<(), String> {
    let mut resolved: Vec<(&String, Vec<SocketAddr>)> = Vec::new();
    for address in addresses {
        let authority = address.trim_start_matches("http://");
        // An error of the resolver shows when the proxy is read.
        let own: Vec<SocketAddr> = authority.to_socket_addrs().into_iter().flatten().collect();
        let mut others = resolved.iter();
        let same = others.find(|(_, others)| others.iter().any(|other| own.contains(other)));
        if let Some((other, _)) = same {
            return Err(format!(
                "--admin {address} and --admin {other} are the same address; name each proxy once"
            ));
        }
        resolved.push((address, own));
    }
    Ok(())
}

/// This machine's clock, in milliseconds since 1970.
fn now_ms() -> u64 {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH);
    since_1970.map_or(0, |since| {
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use turnout_admin::{ClusterStat, Counter};

    use super::*;

    #[test]
    fn a_clock_of_whole_seconds_goes_on_in_milliseconds() {
        let mut clock = ProxyClock::default();
        let began = Instant::now();
        let mut read = |shown_ms, later_ms| {
            clock.read(
                shown_ms,
                began.checked_add(Duration::from_millis(later_ms)).unwrap(),
            )
        };
        assert_eq!(read(100_000, 0), 100_000);
        assert_eq!(read(101_000, 1_500), 101_500);
        assert_eq!(read(103_000, 2_900), 102_900);
        // It was set forward, and then back.
        assert_eq!(read(900_000, 3_000), 900_000);
        assert_eq!(read(50_000, 4_000), 50_000);
        assert_eq!(read(51_000, 5_250), 51_250);
    }

    #[test]
    fn a_proxy_with_two_addresses_counts_once() {
        let page = |all: u64| {
            let text =
                format!("server.uptime: 7\nwasmcustom.turnout.guard.chat.10.v1.all: {all}\n");
            Ok((StatsPage::read(&text), 1_000))
        };
        let read = |pages: [u64; 3]| {
            let names = ["a", "b", "c"].map(str::to_owned);
            scrapes(names.into_iter().zip(pages.map(page)).collect())
        };
        let is_missing = |scrapes: &[Scrape]| {
            let missing = scrapes
                .iter()
                .map(|scrape| matches!(scrape, Scrape::Missing { .. }));
            missing.collect::<Vec<_>>()
        };
        assert_eq!(is_missing(&read([3, 4, 3])), [false, false, true]);
        assert!(format!("{:?}", read([3, 4, 3])).contains("exactly what a reports"));
        // The uptimes are of different times, and cluster counters change with each request.
        let later = |uptime| {
            let mut later = page(3);
            if let Ok((page, _)) = &mut later {
                page.uptime = Some(uptime);
                let cluster = ClusterStat::Completed;
                page.counters
                    .insert(Counter::Cluster("a".into(), cluster), 9);
            }
            scrapes(vec![("a".to_owned(), page(3)), ("b".to_owned(), later)])
        };
        assert_eq!(is_missing(&later(12)), [false, true]);
        assert_eq!(is_missing(&later(13)), [false, false]);
        // Proxies without requests look the same.
        assert_eq!(is_missing(&read([0, 0, 0])), [false; 3]);
        let addresses = ["127.0.0.1:9901", "localhost:9901"].map(str::to_owned);
        let error = AdminSource::new(&addresses).unwrap_err();
        assert!(error.contains("are the same address"), "{error}");
        let twice = ["127.0.0.1:9901", "http://127.0.0.1:9901/"].map(str::to_owned);
        assert_eq!(AdminSource::new(&twice).unwrap().names().count(), 1);
    }
}
