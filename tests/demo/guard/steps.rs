//! The steps of the demo: what breaks, what the guard must do, and what happened.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

use support::demo::Traffic;
use support::demo::screen::errors;
use support::terminal::show;
use turnout_core::Treatment;

use crate::check::{self, Counts};
use crate::screen;
use crate::testbed::{SETTLE, State, Testbed};
use crate::traffic::{self, Exchange, Kind, LARGEST, is_so_on_each_connection};

/// The requests of a step in which nothing breaks, and the requests after the guard has done something.
const HEALTHY: usize = 700;
const AFTER: usize = 700;
/// How many errors of v2 the outage of both versions must have.
const OUTAGE_ERRORS: usize = 40;
/// Far more errors of v2 than the guard needs, even on a loaded machine.
const MOST_ERRORS: usize = 150;

/// The running demo.
pub(crate) struct Demo {
    pub(crate) testbed: Testbed,
    /// The number of the next request.
    next: Arc<AtomicU64>,
    /// All requests so far.
    pub(crate) requests: usize,
    /// How many results were not as expected.
    pub(crate) wrong: usize,
    /// How many errors of v2 users saw until the guard held, for the last line.
    pub(crate) errors_until_held: usize,
}

/// The traffic of a step, and what was counted before it.
struct Running {
    traffic: Traffic<Exchange>,
    counts: Counts,
    received: [u64; 2],
    log: usize,
}

/// The requests of a step, and what the guard counted.
pub(crate) struct Ended {
    pub(crate) exchanges: Vec<Exchange>,
    pub(crate) counts: Counts,
    /// The sentences of the guard in Envoy's log.
    pub(crate) log: Vec<String>,
}

impl Demo {
    pub(crate) async fn start() -> Result<Self, String> {
        let testbed = Testbed::start().await;
        show(&screen::opening(&testbed))?;
        Ok(Self {
            testbed,
            next: Arc::new(AtomicU64::new(0)),
            requests: 0,
            wrong: 0,
            errors_until_held: 0,
        })
    }

    /// Nothing breaks.
    pub(crate) async fn healthy(&mut self) -> Result<(), String> {
        let meaning = "Nothing fails. The guard counts the requests of v1 and of v2.";
        self.heading(1, "v2 is healthy", meaning)?;
        self.all_is_well().await
    }

    /// v2 breaks for one kind of request, and the guard must trip.
    pub(crate) async fn one_kind_of_request(&mut self) -> Result<(), String> {
        let meaning =
            "One request in five sends a message with an image. v2 responds to it with 500.";
        self.heading(2, "v2 breaks for one kind of request", meaning)?;
        self.testbed.break_media();
        let running = self.begin().await;
        let is_held = |one: &Exchange| one.reason() == "guard";
        let what = "each connection gets v1 because of the guard";
        let traffic = &running.traffic;
        let is_held_everywhere =
            |exchanges: &[Exchange]| is_so_on_each_connection(exchanges, |_| true, is_held);
        traffic.wait_until(what, is_held_everywhere).await?;
        let tripped = self.testbed.wait_for(State::Tripped).await?;
        traffic.wait_for(AFTER).await?;
        let ended = self.end(running).await?;

        let trip = Trip::of(&ended.exchanges, |_| true, is_held)?;
        self.errors_until_held = trip.errors;
        show(&screen::tripped(&trip, tripped))?;
        show(&screen::log(&ended.log))?;
        let of_media = |one: &Exchange| {
            one.kind == Kind::SendMedia && one.by() == Some(Treatment::V2) && one.is_compared()
        };
        let guard_or_before = |one: &Exchange| one.is_compared() || is_held(one);
        let mut wrong = check::requests(&ended.exchanges, of_media, guard_or_before);
        wrong.extend(trip.wrong(AFTER / 2));
        wrong.extend(self.state_is_not(State::Tripped).await?);
        if ended.log.is_empty() {
            wrong.push("the filter logged nothing".to_owned());
        }
        self.wrong(&wrong)
    }

    /// v2 works again, and the guard is re-armed.
    pub(crate) async fn repaired(&mut self) -> Result<(), String> {
        let meaning =
            "Only a person, or a change of the rollout, re-arms a guard that has tripped.";
        self.heading(3, "v2 is repaired", meaning)?;
        self.testbed.heal();
        self.rearm("v2 is repaired").await?;
        self.all_is_well().await
    }

    /// v2 breaks for one account, which alone must be ejected.
    pub(crate) async fn one_account(&mut self) -> Result<(), String> {
        let meaning =
            "v2 responds with 500 to each request of the largest customer, and to no other.";
        self.heading(4, "v2 breaks for one account", meaning)?;
        self.testbed.break_account(LARGEST);
        let running = self.begin().await;
        let is_ejected = |one: &Exchange| one.reason() == "guard_account";
        let is_largest = |account| account == LARGEST;
        let what = "on each connection the account gets v1 because of the guard";
        let traffic = &running.traffic;
        let is_ejected_everywhere =
            |exchanges: &[Exchange]| is_so_on_each_connection(exchanges, is_largest, is_ejected);
        traffic.wait_until(what, is_ejected_everywhere).await?;
        // By then the guard has settled the account's errors, and still sends it to v1.
        let settled = Instant::now() + 2 * SETTLE + Duration::from_secs(1);
        let is_after = |exchanges: &[Exchange]| exchanges.iter().any(|one| one.sent > settled);
        traffic.wait_until("the errors settle", is_after).await?;
        let ended = self.end(running).await?;

        let trip = Trip::of(&ended.exchanges, is_largest, is_ejected)?;
        show(&screen::ejected(&trip, &ended))?;
        let of_account = |one: &Exchange| {
            one.account == LARGEST && one.by() == Some(Treatment::V2) && one.is_compared()
        };
        let only_the_account =
            |one: &Exchange| one.is_compared() || (is_ejected(one) && one.account == LARGEST);
        let mut wrong = check::requests(&ended.exchanges, of_account, only_the_account);
        wrong.extend(trip.wrong(AFTER / 10));
        wrong.extend(self.state_is_not(State::Armed).await?);
        // The guard logs each change of its state, so it was armed all the time.
        wrong.extend(ended.log);
        self.wrong(&wrong)
    }

    /// Both versions break, and nothing must trip.
    pub(crate) async fn both_versions(&mut self) -> Result<(), String> {
        let meaning = "Both fail for each request, as if their database were down: v2 at once, v1 after 250 ms.";
        self.heading(5, "v1 and v2 break together", meaning)?;
        self.testbed.heal();
        self.rearm("v2 is repaired for the account too").await?;
        self.testbed.break_both();
        let running = self.begin().await;
        let traffic = &running.traffic;
        let of_v2 = |one: &&Exchange| one.by() == Some(Treatment::V2);
        let has_failed = |exchanges: &[Exchange]| {
            let failed = exchanges.iter().filter(of_v2).filter(|one| one.is_error());
            failed.count() >= OUTAGE_ERRORS
        };
        traffic.wait_until("v2 fails often", has_failed).await?;
        self.testbed.heal();
        let healed = Instant::now();
        let has_recovered = |exchanges: &[Exchange]| {
            let after = exchanges.iter().filter(|one| one.sent > healed);
            after.clone().filter(of_v2).count() >= OUTAGE_ERRORS && after.count() >= AFTER
        };
        traffic
            .wait_until("v2 gets requests again", has_recovered)
            .await?;
        let ended = self.end(running).await?;

        let state = self.testbed.state().await?;
        show(&screen::outage(&ended, healed, state))?;
        if !ended.log.is_empty() {
            show(&screen::log(&ended.log))?;
        }
        let in_outage = |one: &Exchange| one.sent <= healed;
        // The guard may hold until it is known how the open requests of v1 end.
        let not_ejected = |one: &Exchange| one.reason() != "guard_account";
        let mut wrong = check::requests(&ended.exchanges, in_outage, not_ejected);
        wrong.extend(self.state_is_not(State::Armed).await?);
        self.wrong(&wrong)
    }

    async fn all_is_well(&mut self) -> Result<(), String> {
        let running = self.begin().await;
        running.traffic.wait_for(HEALTHY).await?;
        let ended = self.end(running).await?;
        show(&screen::healthy(&ended.counts))?;
        let mut wrong = check::requests(&ended.exchanges, |_| false, Exchange::is_compared);
        wrong.extend(self.state_is_not(State::Armed).await?);
        wrong.extend(ended.log);
        self.wrong(&wrong)
    }

    async fn rearm(&self, why: &str) -> Result<(), String> {
        let (typed, output) = self.testbed.rearm(why).await?;
        show(&screen::ran(&typed, &output))
    }

    fn heading(&self, number: usize, title: &str, meaning: &str) -> Result<(), String> {
        show(&screen::heading(&self.testbed, number, title, meaning))
    }

    async fn begin(&self) -> Running {
        let counts = self.testbed.counts().await;
        let log = self.testbed.log().await.len();
        Running {
            counts,
            log,
            received: self.received(),
            traffic: traffic::start(self.testbed.proxy.envoy.address(), &self.next),
        }
    }

    /// Ends the traffic, waits until the guard has settled it, and checks the counts.
    async fn end(&mut self, running: Running) -> Result<Ended, String> {
        let exchanges = running.traffic.finish().await;
        self.requests += exchanges.len();
        let [v1, v2] = running.received;
        let received = self.received();
        let received = [received[0] - v1, received[1] - v2];
        let compared = check::compared(&exchanges);
        let counts = self.testbed.settled(running.counts, compared).await?;
        let mut wrong = check::counters(&exchanges, counts);
        wrong.extend(check::upstreams(&exchanges, received));
        self.wrong(&wrong)?;
        let mut log = self.testbed.log().await;
        Ok(Ended {
            exchanges,
            counts,
            log: log.split_off(running.log),
        })
    }

    /// How many requests v1 and v2 have received.
    fn received(&self) -> [u64; 2] {
        let proxy = &self.testbed.proxy;
        [proxy.v1.requests(), proxy.v2.requests()]
    }

    async fn state_is_not(&self, expected: State) -> Result<Option<String>, String> {
        let state = self.testbed.state().await?;
        let wrong = format!("the guard is {state:?}, not {expected:?}");
        Ok(Some(wrong).filter(|_| state != expected))
    }

    fn wrong(&mut self, wrong: &[String]) -> Result<(), String> {
        self.wrong += wrong.len();
        match wrong.is_empty() {
            true => Ok(()),
            false => show(&errors("This is not as expected:", wrong)),
        }
    }
}

/// How the requests of v2 ended: for all accounts, or for one.
pub(crate) struct Trip {
    /// The number of errors that users saw.
    pub(crate) errors: usize,
    /// The requests up to the last of these errors.
    pub(crate) requests: usize,
    pub(crate) first_error: Instant,
    pub(crate) last_error: Instant,
    /// The requests since the guard sends all of them to v1, and how many of them failed or took v2.
    pub(crate) after: usize,
    pub(crate) failed_after: usize,
    pub(crate) v2_after: usize,
}

impl Trip {
    /// Finds when the last request of `account` was not sent to v1 by the guard.
    fn of(
        exchanges: &[Exchange],
        account: impl Fn(u64) -> bool,
        is_held: impl Fn(&Exchange) -> bool,
    ) -> Result<Self, String> {
        let of_account = || exchanges.iter().filter(|one| account(one.account));
        let errors: Vec<&Exchange> = of_account().filter(|one| one.is_error()).collect();
        let received = || errors.iter().map(|one| one.received);
        let none = || "v2 has not failed".to_owned();
        let first_error = received().min().ok_or_else(none)?;
        let last_error = received().max().ok_or_else(none)?;
        let open = of_account().filter(|one| !is_held(one));
        let last_open = open.map(|one| one.received).max().ok_or_else(none)?;
        let after: Vec<&Exchange> = of_account().filter(|one| one.sent > last_open).collect();
        Ok(Self {
            errors: errors.len(),
            requests: of_account()
                .filter(|one| one.received <= last_error)
                .count(),
            first_error,
            last_error,
            after: after.len(),
            failed_after: after.iter().filter(|one| one.is_error()).count(),
            v2_after: after
                .iter()
                .filter(|one| one.by() == Some(Treatment::V2))
                .count(),
        })
    }

    /// Errors in it: v2 still had requests, or there were far too many errors.
    fn wrong(&self, least_after: usize) -> Vec<String> {
        let mut wrong = Vec::new();
        if self.after < least_after || self.failed_after > 0 || self.v2_after > 0 {
            wrong.push(format!(
                "of {} requests afterwards {} failed and v2 responded to {}; expected at least {least_after} without \
                 either",
                self.after, self.failed_after, self.v2_after
            ));
        }
        if self.errors > MOST_ERRORS {
            wrong.push(format!(
                "{} errors are more than {MOST_ERRORS}",
                self.errors
            ));
        }
        wrong
    }
}
