//! Waits until the proxies say which version they run.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use turnout_admin::{
    AdminClient, DISCOVERY_STATS_PATH, DiscoveryStats, ExpectedPolicy, PolicyState, RequestError,
    distinct_admins,
};

use crate::entry::Outcome;
use crate::preview::Version;
use crate::readiness::Readiness;

/// One page may take so long.
const ANSWER: Duration = Duration::from_secs(2);
/// And be so long.
const MOST_BYTES: u64 = 1 << 20;
/// A proxy that was not there before the change gets so long to appear.
const GRACE: Duration = Duration::from_secs(1);
const FIRST_PAUSE: Duration = Duration::from_millis(5);
const LONGEST_PAUSE: Duration = Duration::from_millis(100);

/// Proxies that are asked what they run.
#[derive(Debug)]
pub struct Proxies {
    admins: Vec<AdminClient>,
    befores: Vec<Arc<Before>>,
}

/// What a proxy said before the change.
#[derive(Debug, Default)]
struct Before {
    answer: Mutex<Option<Result<DiscoveryStats, Silence>>>,
    has_come: Condvar,
}

/// What one proxy made of a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proxy {
    /// Its address.
    pub admin: String,
    /// What it made of it.
    pub verdict: Verdict,
}

/// See [`Proxy`]. What a proxy runs instead is the revision that it shows, if it shows any.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It runs the new version.
    Accepted,
    /// It refused the new version.
    Rejected {
        /// What it runs instead.
        running: Option<String>,
    },
    /// It did not say either in time.
    Unconfirmed {
        /// What it runs instead.
        running: Option<String>,
    },
    /// It discovers no filter of ours.
    NotDiscovered {
        /// It has one that it does not discover.
        has_static_filter: bool,
    },
    /// It answers, and is no admin page of Envoy. The sentence says why.
    NotEnvoy(String),
    /// It does not answer. The sentence says why.
    Unreachable(String),
}

/// Why a look saw nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Silence {
    /// As [`Verdict::Unreachable`].
    Unreachable(String),
    /// As [`Verdict::NotEnvoy`].
    NotEnvoy(String),
}

impl Proxies {
    /// Looks at each of them once, as a change begins. Nothing here waits for an answer.
    ///
    /// # Errors
    /// A sentence: that one of the addresses is none.
    pub fn at(addresses: &[String]) -> Result<Self, String> {
        let admin =
            |address: &String| Ok(AdminClient::new(address, ANSWER)?.with_max_bytes(MOST_BYTES));
        let addresses = distinct_admins(addresses);
        let admins: Vec<AdminClient> =
            addresses.iter().map(admin).collect::<Result<_, String>>()?;
        let befores = admins.iter().map(|admin| {
            let before = Arc::new(Before::default());
            let (admin, answer) = (admin.clone(), Arc::clone(&before));
            // It ends with its answer, which has a time limit, or with the process.
            thread::spawn(move || answer.set(look(&admin)));
            before
        });
        Ok(Self {
            befores: befores.collect(),
            admins,
        })
    }

    /// The addresses, each as it is shown.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        let names = self.admins.iter().map(|admin| admin.address().to_owned());
        names.collect()
    }

    /// Whether each of them will hear of a change, by the first look. `current` is what the folder
    /// holds.
    #[must_use]
    pub fn readiness(&self, current: Option<&Version>) -> Vec<(String, Readiness)> {
        let readiness = self.befores.iter().map(|before| match before.get() {
            Some(Ok(seen)) => Readiness::of(&seen, current),
            Some(Err(Silence::Unreachable(why))) => Readiness::Unreachable(why),
            Some(Err(Silence::NotEnvoy(why))) => Readiness::NotEnvoy(why),
            None => Readiness::Unreachable(format!("no answer came within {ANSWER:?}")),
        });
        self.names().into_iter().zip(readiness).collect()
    }

    /// Whether any is asked.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.admins.is_empty()
    }

    /// Waits for the first answers, without which a refusal cannot be told from one of before. Who
    /// is in a hurry does not call this.
    pub fn wait_for_first_look(&self) {
        let deadline = Instant::now().checked_add(ANSWER);
        for before in &self.befores {
            before.wait(deadline);
        }
    }

    /// Waits for all of them at once.
    #[must_use]
    pub fn wait(&self, revision: &str, number: u64, timeout: Duration) -> Vec<Proxy> {
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
                let died = |_| Verdict::Unconfirmed { running: None };
                asked.join().unwrap_or_else(died)
            });
            let names = self.admins.iter().map(|admin| admin.address().to_owned());
            let proxies = names.zip(verdicts);
            proxies
                .map(|(admin, verdict)| Proxy { admin, verdict })
                .collect()
        })
    }
}

impl Before {
    fn set(&self, answer: Result<DiscoveryStats, Silence>) {
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
        // Whoever has panicked in there has not answered.
        let _ = self
            .has_come
            .wait_timeout_while(place, left, |answer| answer.is_none());
    }

    fn get(&self) -> Option<Result<DiscoveryStats, Silence>> {
        let place = self.answer.lock().unwrap_or_else(PoisonError::into_inner);
        place.clone()
    }
}

fn look(admin: &AdminClient) -> Result<DiscoveryStats, Silence> {
    let page = admin
        .get(DISCOVERY_STATS_PATH)
        .map_err(|failure| match failure {
            RequestError::Unreachable(why) => Silence::Unreachable(why),
            other => Silence::NotEnvoy(other.to_string()),
        })?;
    let seen = DiscoveryStats::read(&page);
    // An Envoy may be told to leave these counters out, and then says on another page what it is.
    match seen.is_envoy || admin.is_envoy() {
        true => Ok(seen),
        false => Err(Silence::NotEnvoy("it has no counters of an Envoy".into())),
    }
}

fn follow(
    admin: &AdminClient,
    before: &Option<Result<DiscoveryStats, Silence>>,
    wanted: &ExpectedPolicy,
    began: Instant,
    timeout: Duration,
) -> Verdict {
    let seen_before = before.as_ref().and_then(|before| before.as_ref().ok());
    // One that answered before and is silent now is perhaps starting again.
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
                PolicyState::Accepted => return Verdict::Accepted,
                PolicyState::Rejected(running) => return Verdict::Rejected { running },
                // An Envoy that is starting has its counters before long.
                PolicyState::NotDiscovered if began.elapsed() >= patience.min(GRACE) => {
                    return Verdict::NotDiscovered {
                        has_static_filter: now.has_static_filter(),
                    };
                }
                PolicyState::Pending(running) if is_over => {
                    return Verdict::Unconfirmed { running };
                }
                _ => {}
            },
            Err(silence) if began.elapsed() >= patience => {
                return match silence {
                    Silence::Unreachable(why) => Verdict::Unreachable(why),
                    Silence::NotEnvoy(why) => Verdict::NotEnvoy(why),
                };
            }
            Err(_) => {}
        }
        let left = timeout.saturating_sub(began.elapsed());
        thread::sleep(pause.min(left.max(FIRST_PAUSE)));
        pause = pause.saturating_mul(2).min(LONGEST_PAUSE);
    }
}

impl Verdict {
    /// Of a proxy that could not hear of it: why.
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

    /// As in JSON.
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

/// What many proxies together made of a change; with none asked, it is only written.
#[must_use]
pub fn outcome(proxies: &[Proxy]) -> Outcome {
    let any = |wanted: fn(&Verdict) -> bool| proxies.iter().any(|proxy| wanted(&proxy.verdict));
    let is_rejected = any(|verdict| matches!(verdict, Verdict::Rejected { .. }));
    let is_accepted = any(|verdict| matches!(verdict, Verdict::Accepted));
    let is_open = any(|verdict| !matches!(verdict, Verdict::Rejected { .. } | Verdict::Accepted));
    match (is_accepted, is_rejected, is_open) {
        (true, true, _) => Outcome::Divided,
        (false, true, _) => Outcome::Rejected,
        (_, false, true) => Outcome::Unconfirmed,
        (true, false, false) => Outcome::Accepted,
        (false, false, false) => Outcome::Written,
    }
}
