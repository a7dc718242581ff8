//! The guard of one rollout in one worker: counts requests, and holds the state.

use crate::bucketing::Fraction;
use crate::decision::Treatment;

use super::account_table::{AccountErrors, AccountTable};
use super::compared_request::{ComparedRequest, Response, Stratum};
use super::counted_ids::CountedIds;
use super::counts::{ArmCounts, Arms, GuardCounts, StratumCounts};
use super::evidence::{Evidence, GuardTest};
use super::settings::{GuardAction, GuardSettings};
use super::settling::SettlingCounts;
use super::snapshot::{OtherWorkers, Snapshot, StratumSnapshot};
use super::state::{GuardState, StateChange};

/// The number of strata that a guard has at most.
pub const MAX_STRATA: usize = 32;

/// The guard of one rollout in one worker.
///
/// The caller notes each decision that is compared, and the end of its request, and calls [`tick`](Self::tick) once a
/// second. A decision second is the time between two ticks.
#[derive(Debug)]
pub struct WorkerGuard {
    settings: GuardSettings,
    test: GuardTest,
    strata: Vec<SettlingCounts>,
    /// By stratum: the errors of accounts that were ejected.
    set_aside: Vec<Arms<u64>>,
    accounts: Option<AccountTable>,
    ids: CountedIds,
    epoch: u64,
    second: u32,
    state: GuardState,
    /// The second until which it holds at least.
    held_until: u32,
    evidence: Evidence,
    /// The counts of all workers at the last tick, also those that had not settled.
    counts: GuardCounts,
    imbalance: Option<StratumCounts>,
}

impl WorkerGuard {
    /// Creates an armed guard without strata. `epoch` identifies the time since the last re-arm: guards and requests
    /// of different epochs ignore each other.
    #[must_use]
    pub fn new(settings: GuardSettings, epoch: u64) -> Self {
        let accounts = settings.accounts.filter(|_| settings.errors.is_some());
        Self {
            test: GuardTest::new(&settings),
            strata: Vec::new(),
            set_aside: Vec::new(),
            accounts: accounts.map(|allowed| AccountTable::new(allowed, 1)),
            ids: CountedIds::new(),
            settings,
            epoch,
            second: 0,
            state: GuardState::Armed,
            held_until: 0,
            evidence: Evidence::default(),
            counts: GuardCounts::default(),
            imbalance: None,
        }
    }

    /// Sets the number of workers that have a guard of this rollout, and whether they read each other's snapshots. If
    /// not, each of them has its share of alpha. Single accounts are tested by each worker alone in both cases.
    pub fn set_workers(&mut self, workers: u32, are_sharing: bool) {
        let alone = if are_sharing { 1 } else { workers };
        self.test.divide_alpha(alone);
        if let (Some(table), Some(allowed)) = (&mut self.accounts, self.settings.accounts) {
            table.set_workers(allowed, workers);
        }
    }

    /// Finds or adds the stratum of a percentage. `None` for 0 %, whose requests never take v2, and beyond
    /// [`MAX_STRATA`]. Allocates, so it is called when a policy is loaded.
    pub fn stratum(&mut self, requests: Fraction) -> Option<Stratum> {
        let is_it = |counts: &SettlingCounts| counts.requests.millionths() == requests.millionths();
        let found = self.strata.iter().position(is_it);
        let index = found.unwrap_or(self.strata.len());
        if index >= MAX_STRATA || requests.millionths() == 0 {
            return None;
        }
        if found.is_none() {
            self.strata
                .push(SettlingCounts::new(requests, &self.settings));
            self.set_aside.push(Arms::default());
            self.test.prepare(requests);
            if let Some(table) = &mut self.accounts {
                table.add_stratum(requests, self.test.error_ratios(requests));
            }
        }
        u8::try_from(index).ok().map(Stratum)
    }

    /// Notes that a request was decided at random. `id` and `account` are hashes; the account is needed only if the
    /// settings have `accounts`. Returns `None` if it is not compared, because the guard is sending everyone to v1.
    #[must_use = "a request that is never returned counts as open"]
    pub fn note_decision(
        &mut self,
        stratum: Stratum,
        arm: Treatment,
        id: u64,
        account: Option<u64>,
    ) -> Option<ComparedRequest> {
        if self.is_acting() {
            return None;
        }
        let counts = self.strata.get_mut(usize::from(stratum.0))?;
        let counts = counts.second(self.second, arm)?;
        let is_first = self.ids.decide(id);
        if is_first {
            counts.all = counts.all.saturating_add(1);
            counts.open = counts.open.saturating_add(1);
        }
        Some(ComparedRequest {
            epoch: self.epoch,
            id,
            account,
            second: self.second,
            stratum: stratum.0,
            arm,
            is_first,
        })
    }

    /// Notes that a request has ended, after so many milliseconds. Does nothing if its second has settled.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "the end of a request is noted once"
    )]
    pub fn note_end(&mut self, request: ComparedRequest, response: Response, duration_ms: u64) {
        if request.epoch != self.epoch || self.has_settled(request.second) {
            return;
        }
        let index = usize::from(request.stratum);
        let Some(counts) = self
            .strata
            .get_mut(index)
            .and_then(|counts| counts.second(request.second, request.arm))
        else {
            return;
        };
        if request.is_first {
            counts.open = counts.open.saturating_sub(1);
        }
        if response == Response::NotForwarded {
            if request.is_first && self.ids.forget(request.id) {
                counts.all = counts.all.saturating_sub(1);
            }
            return;
        }
        if !request.is_first && self.ids.replace_first(request.id) {
            counts.all = counts.all.saturating_add(1);
        }
        let over_ms = self.settings.slow.map(|slow| u64::from(slow.over_ms));
        if over_ms.is_some_and(|over_ms| duration_ms > over_ms) && self.ids.slow(request.id) {
            counts.slow = counts.slow.saturating_add(1);
        }
        if response == Response::Error && self.ids.fail(request.id) {
            counts.errors = counts.errors.saturating_add(1);
            self.note_account_error(&request);
        }
    }

    fn note_account_error(&mut self, request: &ComparedRequest) {
        let generation = |second: u32| second.checked_div(self.settings.settle_seconds.get());
        let is_current = generation(request.second) == generation(self.second);
        let (Some(table), Some(account)) = (&mut self.accounts, request.account) else {
            return;
        };
        let is_ejected = table.note_error(account, request.stratum, request.arm, is_current);
        if is_ejected && let Some(errors) = self.set_aside.get_mut(usize::from(request.stratum)) {
            let count = errors.get_mut(request.arm);
            *count = count.saturating_add(1);
        }
    }

    /// Whether the outcomes of a second no longer count.
    fn has_settled(&self, second: u32) -> bool {
        let age = self.second.checked_sub(second);
        age.is_none_or(|age| age > self.settings.settle_seconds.get())
    }

    /// Ends a second, and evaluates what this worker and the others have counted. Returns the change of the state, if
    /// there is one.
    pub fn tick(&mut self, others: &OtherWorkers) -> Option<StateChange> {
        self.second = self.second.saturating_add(1);
        for counts in &mut self.strata {
            counts.begin(self.second);
        }
        self.settle_accounts();
        let from = self.state;
        self.state = self.evaluate(others);
        let to = self.state;
        if from != GuardState::Holding && to == GuardState::Holding {
            let settle_seconds = self.settings.settle_seconds.get();
            self.held_until = self.second.saturating_add(settle_seconds);
        }
        (from != to).then_some(StateChange { from, to })
    }

    fn settle_accounts(&mut self) {
        let settle_seconds = self.settings.settle_seconds.get();
        let Some(table) = &mut self.accounts else {
            return;
        };
        if self.second.checked_rem(settle_seconds) == Some(0) {
            for ejected in table.begin_generation() {
                let strata = self.strata.iter().zip(&mut self.set_aside);
                for (_, errors) in strata.filter(|(counts, _)| counts.requests == ejected.requests)
                {
                    *errors = errors.zip(ejected.errors, u64::saturating_add);
                }
            }
        }
        table.hold();
    }

    fn evaluate(&mut self, others: &OtherWorkers) -> GuardState {
        let others = Some(others).filter(|others| others.epoch() == self.epoch);
        let settled = self.sum(others.map(|others| &others.settled), |counts| {
            counts.settled()
        });
        let mut all = self.sum(others.map(|others| &others.unsettled), |counts| {
            counts.unsettled(self.second)
        });
        all.add_all(&settled);

        self.evidence = self.least_evidence(&settled, others);
        let state = self.next_state(&all, others);
        self.counts = all;
        state
    }

    fn next_state(&mut self, all: &GuardCounts, others: Option<&OtherWorkers>) -> GuardState {
        if self.state == GuardState::Tripped || others.is_some_and(|others| others.is_tripped) {
            return GuardState::Tripped;
        }
        if self.imbalance.is_none() {
            self.imbalance = self.test.imbalance(all).copied();
        }
        if self.state == GuardState::Invalid
            || self.imbalance.is_some()
            || others.is_some_and(|others| others.is_invalid)
        {
            return GuardState::Invalid;
        }
        if self.test.is_enough(&self.evidence) {
            return GuardState::Tripped;
        }
        if self.state == GuardState::Holding && self.second < self.held_until {
            return GuardState::Holding;
        }
        // The requests of other workers settle up to two seconds later.
        match self.test.is_enough(&self.least_evidence(all, others)) {
            true => GuardState::Holding,
            false => GuardState::Armed,
        }
    }

    /// Adds up the counts of all workers.
    fn sum(
        &self,
        others: Option<&GuardCounts>,
        of: impl Fn(&SettlingCounts) -> Arms<ArmCounts>,
    ) -> GuardCounts {
        let mut sum = others.cloned().unwrap_or_default();
        for counts in &self.strata {
            sum.add(counts.requests, of(counts));
        }
        sum
    }

    /// Computes the evidence. If single accounts are tested, it is the least of: the evidence of all errors, of those
    /// without the errors of ejected accounts, and of those also without the errors of one account in one stratum,
    /// for each worker the account with the most errors of v2. So the errors of one account in one stratum rarely
    /// trip the guard; the account is ejected instead. This covers only errors: slow requests of one account still
    /// count. Less evidence can only make a false alarm less likely.
    fn least_evidence(&self, counts: &GuardCounts, others: Option<&OtherWorkers>) -> Evidence {
        let evidence = self.test.evidence(counts);
        let Some(table) = &self.accounts else {
            return evidence;
        };
        let mut rest = counts.clone();
        for (counts, errors) in self.strata.iter().zip(&self.set_aside) {
            rest.subtract_errors(counts.requests, *errors);
        }
        for stratum in others.iter().flat_map(|others| others.set_aside.strata()) {
            let errors = stratum.arms.map(|counts| counts.errors);
            rest.subtract_errors(stratum.requests, errors);
        }
        let lesser = |one: Evidence, other: Evidence| match other.total < one.total {
            true => other,
            false => one,
        };
        let evidence = lesser(evidence, self.test.evidence(&rest));
        if !self.test.is_enough(&evidence) {
            return evidence;
        }
        let theirs = others.map_or(&[][..], |others| &others.heaviest);
        let candidates = table.heaviest().into_iter().chain(theirs.iter().copied());
        candidates.fold(evidence, |least, candidate| {
            let (account, requests) = (candidate.account, candidate.requests);
            let is_it =
                |found: &&AccountErrors| found.account == account && found.requests == requests;
            let own = table.errors_of(account, requests);
            let mut rest = rest.clone();
            for found in own.iter().chain(theirs.iter().filter(is_it)) {
                rest.subtract_errors(requests, found.errors);
            }
            lesser(least, self.test.evidence(&rest))
        })
    }

    /// Starts counting from nothing. The settings are the same, and the account table is empty.
    pub fn rearm(&mut self, epoch: u64) {
        for counts in &mut self.strata {
            counts.clear();
        }
        self.set_aside.fill(Arms::default());
        if let Some(table) = &mut self.accounts {
            table.clear();
        }
        self.ids.clear();
        self.epoch = epoch;
        self.state = GuardState::Armed;
        self.evidence = Evidence::default();
        self.counts = GuardCounts::default();
        self.imbalance = None;
    }

    /// Settles all seconds at once, because every request has ended and no other will come.
    pub fn finish(&mut self) {
        for counts in &mut self.strata {
            counts.settle_all(self.second);
        }
    }

    /// Writes this worker's part for the other workers, whatever the buffer contains. The size depends only on the
    /// number of strata.
    pub fn write_snapshot(&self, bytes: &mut Vec<u8>) {
        let strata = self.strata.iter().zip(&self.set_aside);
        let strata = strata.map(|(counts, set_aside)| StratumSnapshot {
            requests: counts.requests,
            set_aside: *set_aside,
            settled: counts.settled(),
            unsettled: counts.unsettled(self.second),
        });
        let snapshot = Snapshot {
            epoch: self.epoch,
            is_tripped: self.state == GuardState::Tripped,
            is_invalid: self.state == GuardState::Invalid,
            heaviest: self.accounts.as_ref().and_then(AccountTable::heaviest),
            strata: strata.collect(),
        };
        snapshot.write(bytes);
    }

    /// Whether the guard is sending everyone in the rollout to v1.
    #[must_use]
    pub fn is_acting(&self) -> bool {
        let is_worse = matches!(self.state, GuardState::Holding | GuardState::Tripped);
        is_worse && self.settings.action == GuardAction::Halt
    }

    /// Whether an account is sent to v1, because v2 is worse for it, or looks worse and its errors have not settled.
    /// Never with the action `report`, or if the arms are out of balance.
    #[must_use]
    pub fn sends_to_v1(&self, account: u64) -> bool {
        let may_act =
            self.settings.action == GuardAction::Halt && self.state != GuardState::Invalid;
        let table = self.accounts.as_ref().filter(|_| may_act);
        table.is_some_and(|table| table.takes_v1(account))
    }

    /// The number of accounts for which v2 was found to be worse.
    #[must_use]
    pub fn ejected_accounts(&self) -> usize {
        self.accounts.as_ref().map_or(0, AccountTable::ejected)
    }

    /// The state since the last tick.
    #[must_use]
    pub const fn state(&self) -> GuardState {
        self.state
    }

    /// The evidence in the settled counts of all workers at the last tick.
    #[must_use]
    pub const fn evidence(&self) -> &Evidence {
        &self.evidence
    }

    /// The counts of all workers at the last tick, also those that had not settled.
    #[must_use]
    pub const fn counts(&self) -> &GuardCounts {
        &self.counts
    }

    /// The counts of the stratum that was found to be out of balance.
    #[must_use]
    pub const fn imbalance(&self) -> Option<&StratumCounts> {
        self.imbalance.as_ref()
    }

    /// The settled counts of this worker. They only rise, until the guard is re-armed.
    #[must_use]
    pub fn settled(&self) -> GuardCounts {
        self.sum(None, SettlingCounts::settled)
    }

    /// The counts of this worker that have not settled, so far.
    #[must_use]
    pub fn unsettled(&self) -> GuardCounts {
        self.sum(None, |counts| counts.unsettled(self.second))
    }

    /// The test of this guard.
    #[must_use]
    pub const fn test(&self) -> &GuardTest {
        &self.test
    }

    /// The settings.
    #[must_use]
    pub const fn settings(&self) -> &GuardSettings {
        &self.settings
    }

    /// The epoch, which a re-arm changes.
    #[must_use]
    pub const fn epoch(&self) -> u64 {
        self.epoch
    }

    /// The number of bytes it holds. It depends only on the settings and the number of strata.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        let strata = self.strata.iter().map(SettlingCounts::held_bytes);
        let accounts = self.accounts.as_ref().map_or(0, AccountTable::held_bytes);
        let parts = strata.chain([self.ids.held_bytes(), accounts]);
        parts.fold(size_of::<Self>(), usize::saturating_add)
    }
}
