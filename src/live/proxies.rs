//! Asks proxies whether they run a revision.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use turnout_admin::{
    AdminClient, DISCOVERY_STATS_PATH, DiscoveryStats, ExpectedPolicy, PolicyState, RequestError,
    distinct_admins,
};

use crate::history_entry::Outcome;
use crate::preview::PolicySnapshot;
use crate::readiness::Readiness;

/// The timeout of a page.
const TIMEOUT: Duration = Duration::from_secs(2);
/// The limit of a page, in bytes.
const MAX_BYTES: u64 = 1 << 20;
/// How long to wait for a proxy that did not respond before the change.
const GRACE: Duration = Duration::from_secs(1);
const FIRST_PAUSE: Duration = Duration::from_millis(5);
const LONGEST_PAUSE: Duration = Duration::from_millis(100);

/// Proxies to ask which revision they run.
#[derive(Debug)]
pub struct Proxies {
    admins: Vec<AdminClient>,
    befores: Vec<Arc<FirstLook>>,
}

/// The stats of a proxy from before the change.
#[derive(Debug, Default)]
struct FirstLook {
    answer: Mutex<Option<Result<DiscoveryStats, LookError>>>,
    has_come: Condvar,
}

/// The state of one proxy after a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProxyResult {
    /// Its address.
    pub admin: String,
    /// Its state.
    pub verdict: ProxyState,
}

/// The state of a proxy after a change. `running` is the revision that it shows, if any.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProxyState {
    /// It runs the new revision.
    Accepted,
    /// It rejected the new revision.
    Rejected {
        /// The revision that it runs instead.
        running: Option<String>,
    },
    /// It confirmed neither in time.
    Unconfirmed {
        /// The revision that it runs instead.
        running: Option<String>,
    },
    /// It does not discover the filter `turnout`.
    NotDiscovered {
        /// Whether it has a Turnout filter in its own configuration.
        has_static_filter: bool,
    },
    /// The response is not from an Envoy admin endpoint. The sentence says why.
    NotEnvoy(String),
    /// It does not respond. The sentence says why.
    Unreachable(String),
}

/// Why the stats of a proxy cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
enum LookError {
    /// See [`ProxyState::Unreachable`].
    Unreachable(String),
    /// See [`ProxyState::NotEnvoy`].
    NotEnvoy(String),
}

impl Proxies {
    /// Starts to read the stats of each proxy, before a change. It does not wait for them.
    ///
    /// # Errors
    /// A sentence, if one of the addresses is invalid.
    pub fn at(addresses: &[String]) -> Result<Self, String> {
        let admin =
            |address: &String| Ok(AdminClient::new(address, TIMEOUT)?.with_max_bytes(MAX_BYTES));
        let addresses = distinct_admins(addresses);
        let admins: Vec<AdminClient> =
            addresses.iter().map(admin).collect::<Result<_, String>>()?;
        let befores = admins.iter().map(|admin| {
            let before = Arc::new(FirstLook::default());
            let (admin, answer) = (admin.clone(), Arc::clone(&before));
            // The thread ends with the response, which has a timeout, or with the process.
            thread::spawn(move || answer.set(look(&admin)));
            before
        });
        Ok(Self {
            befores: befores.collect(),
            admins,
        })
    }

    /// Returns the addresses of the proxies.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        let names = self.admins.iter().map(|admin| admin.address().to_owned());
        names.collect()
    }

    /// Returns whether each proxy will receive a change, from its stats before the change. `current` is the policy
    /// in the folder.
    #[must_use]
    pub fn readiness(&self, current: Option<&PolicySnapshot>) -> Vec<(String, Readiness)> {
        let readiness = self.befores.iter().map(|before| match before.get() {
            Some(Ok(seen)) => Readiness::of(&seen, current),
            Some(Err(LookError::Unreachable(why))) => Readiness::Unreachable(why),
            Some(Err(LookError::NotEnvoy(why))) => Readiness::NotEnvoy(why),
            None => Readiness::Unreachable(format!("no response within {TIMEOUT:?}")),
        });
        self.names().into_iter().zip(readiness).collect()
    }

    /// Whether there are no proxies to ask.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.admins.is_empty()
    }

    /// Waits for the stats from before the change. Without them, an earlier rejection looks like a new one. A halt
    /// does not wait.
    pub fn wait_for_first_look(&self) {
        let deadline = Instant::now().checked_add(TIMEOUT);
        for before in &self.befores {
            before.wait(deadline);
        }
    }

    /// Waits until each proxy accepts or rejects a revision, at most `timeout`.
    #[must_use]
    pub fn wait(&self, revision: &str, number: u64, timeout: Duration) -> Vec<ProxyResult> {
        let wanted = ExpectedPolicy {
            revision: revision.to_owned(),
            number,
        };
        let began = Instant::now();
        thread::scope(|scope| {
            let asked: Vec<_> = self
                .admins
                .iter()
                .zip(&self.befores)
                .map(|(admin, before)| {
                    let wanted = &wanted;
                    scope.spawn(move || follow(admin, &before.get(), wanted, began, timeout))
                })
                .collect();
            let verdicts = asked.into_iter().map(|asked| {
                let died = |_| ProxyState::Unconfirmed { running: None };
                asked.join().unwrap_or_else(died)
            });
            let names = self.admins.iter().map(|admin| admin.address().to_owned());
            let proxies = names.zip(verdicts);
            proxies
                .map(|(admin, verdict)| ProxyResult { admin, verdict })
                .collect()
        })
    }
}

impl FirstLook {
    fn set(&self, answer: Result<DiscoveryStats, LookError>) {
        let mut place = self.answer.lock().unwrap_or_else(PoisonError::into_inner);
        if place.is_none() {
            *place = Some(answer);
        }
        self.has_come.notify_all();
    }

    fn wait(&self, deadline: Option<Instant>) {
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        let place = self.answer.lock().unwrap_or_else(PoisonError::into_inner);
        let left = left.unwrap_or_default();
        // A thread that panicked has no result.
        let _ = self
            .has_come
            .wait_timeout_while(place, left, |answer| answer.is_none());
    }

    fn get(&self) -> Option<Result<DiscoveryStats, LookError>> {
        let place = self.answer.lock().unwrap_or_else(PoisonError::into_inner);
        place.clone()
    }
}

fn look(admin: &AdminClient) -> Result<DiscoveryStats, LookError> {
    let page = admin
        .get(DISCOVERY_STATS_PATH)
        .map_err(|failure| match failure {
            RequestError::Unreachable(why) => LookError::Unreachable(why),
            other => LookError::NotEnvoy(other.to_string()),
        })?;
    let seen = DiscoveryStats::read(&page);
    // A `stats_matcher` may exclude these stats. Then `/server_info` shows whether this is an Envoy.
    match seen.is_envoy || admin.is_envoy() {
        true => Ok(seen),
        false => Err(LookError::NotEnvoy("it has no stats of an Envoy".into())),
    }
}

fn follow(
    admin: &AdminClient,
    before: &Option<Result<DiscoveryStats, LookError>>,
    wanted: &ExpectedPolicy,
    began: Instant,
    timeout: Duration,
) -> ProxyState {
    let seen_before = before.as_ref().and_then(|before| before.as_ref().ok());
    // A proxy that responded before may be restarting.
    let patience = match seen_before {
        Some(_) => timeout,
        None => timeout.min(GRACE),
    };
    let mut pause = FIRST_PAUSE;
    loop {
        let now = look(admin);
        let is_over = began.elapsed() >= timeout;
        match now {
            Ok(now) => match now.policy_state(seen_before, wanted) {
                PolicyState::Accepted => return ProxyState::Accepted,
                PolicyState::Rejected(running) => return ProxyState::Rejected { running },
                // An Envoy that is starting gets its stats soon.
                PolicyState::NotDiscovered if began.elapsed() >= patience.min(GRACE) => {
                    return ProxyState::NotDiscovered {
                        has_static_filter: now.has_static_filter(),
                    };
                }
                PolicyState::Pending(running) if is_over => {
                    return ProxyState::Unconfirmed { running };
                }
                _ => {}
            },
            Err(silence) if began.elapsed() >= patience => {
                return match silence {
                    LookError::Unreachable(why) => ProxyState::Unreachable(why),
                    LookError::NotEnvoy(why) => ProxyState::NotEnvoy(why),
                };
            }
            Err(_) => {}
        }
        let left = timeout.saturating_sub(began.elapsed());
        thread::sleep(pause.min(left.max(FIRST_PAUSE)));
        pause = pause.saturating_mul(2).min(LONGEST_PAUSE);
    }
}

impl ProxyState {
    /// Returns why a proxy could not receive the change.
    #[must_use]
    pub fn readiness(&self) -> Option<Readiness> {
        match self {
            Self::NotDiscovered { has_static_filter } => Some(Readiness::NotDiscovered {
                has_static_filter: *has_static_filter,
            }),
            Self::NotEnvoy(why) => Some(Readiness::NotEnvoy(why.clone())),
            Self::Unreachable(why) => Some(Readiness::Unreachable(why.clone())),
            Self::Accepted | Self::Rejected { .. } | Self::Unconfirmed { .. } => None,
        }
    }

    /// Returns the word in JSON.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Rejected { .. } => "rejected",
            Self::Unconfirmed { .. } => "unconfirmed",
            Self::NotDiscovered { .. } => "not_discovered",
            Self::NotEnvoy(_) => "not_envoy",
            Self::Unreachable(_) => "unreachable",
        }
    }
}

/// Returns the outcome of a change from the states of all proxies. Without proxies, it is `Written`.
#[must_use]
pub fn outcome(proxies: &[ProxyResult]) -> Outcome {
    let any = |wanted: fn(&ProxyState) -> bool| proxies.iter().any(|proxy| wanted(&proxy.verdict));
    let is_rejected = any(|verdict| matches!(verdict, ProxyState::Rejected { .. }));
    let is_accepted = any(|verdict| matches!(verdict, ProxyState::Accepted));
    let is_open =
        any(|verdict| !matches!(verdict, ProxyState::Rejected { .. } | ProxyState::Accepted));
    match (is_accepted, is_rejected, is_open) {
        (true, true, _) => Outcome::PartiallyApplied,
        (false, true, _) => Outcome::Rejected,
        (_, false, true) => Outcome::Unconfirmed,
        (true, false, false) => Outcome::Accepted,
        (false, false, false) => Outcome::Written,
    }
}
