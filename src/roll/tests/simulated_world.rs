//! A world in memory: a folder, two proxies with real counters, a clock that can jump, and people who interfere.

use std::collections::BTreeSet;

use turnout_admin::{Counter, CounterValues, GuardCounter, GuardEvent};
use turnout_core::{Fraction, Revision, Time, Treatment};
use turnout_judge::{Observation, Reading, Scrape, Verdict};
use turnout_live::{ActiveRevision, Halts, StateFolder, failpoint};

use super::audit::Audit;
use crate::plan::{Bake, OnNotEnoughData, OnRegressed, RollPlan, RollStep, RuleChange, Then};
use crate::quiet_time::{Days, MinuteOfDay, QuietTime};
use crate::{
    EffectResult, Event, FolderPolicy, ProxyReadings, SavedRoll, StateFile, StepJudgment,
    StepPolicy, World,
};

pub(super) const ROLLOUT: &str = "chat";
/// The requests per second that v2 serves at one proxy.
const RATE: u64 = 2;
/// The requests of v2 at which the judge finds out.
const ENOUGH: u64 = 40;
/// 2026-11-21T09:30:00Z, half an hour before the quiet time.
const START: i64 = 1_795_253_400;

/// A policy that the folder can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Policy {
    /// The one before the roll.
    Before,
    Step(usize),
    /// One that a person applied.
    Foreign,
}

#[derive(Clone, Debug)]
pub(super) struct Proxy {
    number: u64,
    uptime: u64,
    counters: CounterValues,
    pub(super) is_missing: bool,
    pub(super) refuses: bool,
}

#[derive(Clone, Debug)]
pub(super) struct Simulation {
    pub(super) plan: RollPlan,
    pub(super) policies: Vec<StepPolicy>,
    pub(super) state_file: StateFile,
    pub(super) folder: StateFolder,
    /// Real seconds since the start.
    pub(super) real: u64,
    /// How far the clock of the machine is off.
    pub(super) clock_offset: i64,
    /// The real time at which this process looked last.
    last_look: Option<u64>,
    pub(super) policy: Policy,
    pub(super) halted_by_roll: bool,
    pub(super) halted_by_person: bool,
    /// What the person's policy replaced.
    pub(super) replaced: Option<Policy>,
    pub(super) proxies: Vec<Proxy>,
    pub(super) is_v2_worse: bool,
    pub(super) is_invalid: bool,
    pub(super) apply_fails: bool,
    pub(super) halt_fails: bool,
    pub(super) is_folder_unreadable: bool,
    pub(super) has_folder: bool,
    pub(super) sequence: u64,
    pub(super) audit: Audit,
}

pub(super) fn plan(then: Then, on_regressed: OnRegressed, last_bakes: bool) -> RollPlan {
    let step = |name: &str, bake: Option<(u64, u64)>| RollStep {
        name: name.into(),
        change: RuleChange::Rules("[]".into()),
        bake: bake.map(|(requests, minutes)| Bake { requests, minutes }),
    };
    RollPlan {
        policy: "policy.json".into(),
        rollout: ROLLOUT.into(),
        excess: Fraction::from_millionths(100_000).unwrap(),
        steps: vec![
            step("canary", Some((100, 2))),
            step("half", Some((600, 1))),
            step("all", last_bakes.then_some((50, 3))),
        ],
        forbidden: Vec::new(),
        on_regressed,
        on_not_enough_data: OnNotEnoughData {
            after_minutes: 20,
            then,
        },
        quiet: vec![QuietTime {
            days: Days::ALL,
            from: MinuteOfDay::parse("10:00").unwrap(),
            to: MinuteOfDay::parse("10:20").unwrap(),
            time_zone: jiff::tz::TimeZone::UTC,
        }],
        notify: Vec::new(),
    }
}

pub(super) fn policies(plan: &RollPlan) -> Vec<StepPolicy> {
    let policies = plan.steps.iter().map(|step| StepPolicy {
        name: step.name.clone(),
        policy_text: format!("policy of {}", step.name),
        revision: Revision::from_name(&format!("r1+roll.{}", step.name)).unwrap(),
    });
    policies.collect()
}

impl Simulation {
    pub(super) fn new(plan: RollPlan, folder: StateFolder) -> Self {
        let proxy = Proxy {
            number: 0,
            uptime: 1_000,
            counters: CounterValues::default(),
            is_missing: false,
            refuses: false,
        };
        let policies = policies(&plan);
        let mut world = Self {
            plan,
            policies,
            state_file: StateFile::new(folder.clone()),
            folder,
            real: 0,
            clock_offset: 0,
            last_look: None,
            policy: Policy::Before,
            halted_by_roll: false,
            halted_by_person: false,
            replaced: None,
            proxies: vec![proxy.clone(), proxy],
            is_v2_worse: false,
            is_invalid: false,
            apply_fails: false,
            halt_fails: false,
            is_folder_unreadable: false,
            has_folder: true,
            sequence: 1,
            audit: Audit::default(),
        };
        world.deliver();
        world
    }

    /// A new process has no clock of the old one.
    pub(super) fn restart_controller(&mut self) {
        self.last_look = None;
    }

    pub(super) fn active(&self) -> ActiveRevision {
        let root = match self.policy {
            Policy::Before => "r0",
            Policy::Foreign => "r9",
            Policy::Step(step) => self.policies[step].revision.as_str(),
        };
        let is_halted = self.halted_by_roll || self.halted_by_person;
        let revision = match is_halted {
            true => format!("{root}+halted.{ROLLOUT}"),
            false => root.to_owned(),
        };
        let halted = is_halted.then(|| ROLLOUT.to_owned());
        ActiveRevision {
            root: root.into(),
            number: Revision::from_name(&revision).unwrap().number(),
            revision,
            halts: Halts {
                everyone: false,
                rollouts: halted.into_iter().collect::<BTreeSet<_>>(),
            },
            sequence: self.sequence,
        }
    }

    /// The step that serves v2 now.
    pub(super) fn live_step(&self) -> Option<usize> {
        match self.policy {
            Policy::Step(step) if !self.halted_by_roll && !self.halted_by_person => Some(step),
            _ => None,
        }
    }

    /// Whether someone other than the roll has changed the folder.
    pub(super) fn is_interfered_with(&self) -> bool {
        self.halted_by_person || self.replaced.is_some()
    }

    pub(super) fn all_run_live_step(&self) -> bool {
        let number = self.active().number;
        let mut proxies = self.proxies.iter();
        self.live_step().is_some() && proxies.all(|proxy| proxy.number == number)
    }

    /// Whether the step before could be applied at the proxies that run the live step.
    pub(super) fn can_return(&self) -> bool {
        let number = self.active().number;
        let mut proxies = self.proxies.iter();
        let is_refused = proxies.any(|proxy| proxy.refuses && proxy.number == number);
        let all_refuse = self.proxies.iter().all(|proxy| proxy.refuses);
        !is_refused && !all_refuse && !self.apply_fails && !self.is_folder_unreadable
    }

    pub(super) fn is_any_missing(&self) -> bool {
        self.proxies.iter().any(|proxy| proxy.is_missing)
    }

    /// Proxies receive the policy of the folder, unless they refuse it.
    pub(super) fn deliver(&mut self) {
        let number = self.active().number;
        let is_halt = self.live_step().is_none();
        for proxy in &mut self.proxies {
            if !proxy.refuses || is_halt {
                proxy.number = number;
            }
        }
    }

    pub(super) fn restart_proxy(&mut self, index: usize) {
        let number = self.active().number;
        let proxy = &mut self.proxies[index];
        proxy.counters = CounterValues::default();
        proxy.uptime = 0;
        proxy.number = number;
    }

    pub(super) fn advance(&mut self, seconds: u64) {
        self.real += seconds;
        let is_live = self.live_step().is_some();
        for proxy in &mut self.proxies {
            proxy.uptime += seconds;
            if !is_live {
                continue;
            }
            for arm in [Treatment::V1, Treatment::V2] {
                let counter = Counter::Guard(GuardCounter {
                    rollout: ROLLOUT.into(),
                    requests: Fraction::from_millionths(50_000_000).unwrap(),
                    arm,
                    event: GuardEvent::All,
                });
                let count = proxy.counters.get(&counter).unwrap_or_default();
                proxy.counters.insert(counter, count + RATE * seconds);
            }
        }
        let requests = RATE * seconds * u64::try_from(self.proxies.len()).unwrap();
        let is_steady = self.all_run_live_step() && !self.is_any_missing();
        self.audit
            .advance(seconds, requests, is_steady, self.live_step());
    }

    fn quiet(&self) -> bool {
        self.plan.quiet_until(self.time()).is_some()
    }

    pub(super) fn time(&self) -> Time {
        let real = i64::try_from(self.real).unwrap();
        Time::from_seconds(START + real + self.clock_offset)
    }

    pub(super) fn bake(&self, step: usize) -> Option<Bake> {
        self.plan.steps[step].bake
    }

    fn change(&mut self, step: usize, is_return: bool) -> EffectResult {
        let before = self.policy;
        let is_new = before != Policy::Step(step);
        assert!(!is_new || !self.is_interfered_with(), "fights a person");
        if !is_return {
            let is_quiet = self.quiet();
            assert!(!is_quiet || !is_new, "moves in a quiet time");
            self.audit.check_apply(step, is_new);
        }
        if self.apply_fails {
            return EffectResult::Failed("nothing was written".into());
        }
        self.policy = Policy::Step(step);
        let number = self.active().number;
        let refuses = |proxy: &Proxy| proxy.refuses && proxy.number != number;
        if self.proxies.iter().all(refuses) {
            self.policy = before;
            return EffectResult::Refused("they refuse".into());
        }
        self.sequence += u64::from(is_new);
        let is_refused = self.proxies.iter().any(refuses);
        self.deliver();
        self.audit.is_refused = is_refused && !is_return;
        if is_refused {
            return EffectResult::PartlyRefused("one refuses".into());
        }
        match self.is_any_missing() {
            true => EffectResult::Unconfirmed("one does not respond".into()),
            false if !self.has_folder => EffectResult::Shipped,
            false => EffectResult::Done,
        }
    }
}

impl World for Simulation {
    fn now(&mut self) -> Time {
        self.time()
    }

    fn elapsed_milliseconds(&mut self) -> Option<u64> {
        let last = self.last_look.replace(self.real)?;
        Some((self.real - last) * 1_000)
    }

    fn folder(&mut self) -> FolderPolicy {
        match self.is_folder_unreadable {
            _ if !self.has_folder => FolderPolicy::NoFolder,
            true => FolderPolicy::Unreadable("it is damaged".into()),
            false => FolderPolicy::Active(self.active()),
        }
    }

    fn readings(&mut self, _since_ms: Option<u64>) -> ProxyReadings {
        // The proxies' own clock does not jump.
        let at_ms = u64::try_from(START).unwrap().saturating_add(self.real) * 1_000;
        let proxies = self.proxies.iter().enumerate();
        let scrapes = proxies.map(|(index, proxy)| match proxy.is_missing {
            true => Scrape::Missing {
                proxy: index.to_string(),
                why: "no response".into(),
            },
            false => Scrape::Read(Reading {
                proxy: index.to_string(),
                at_ms,
                uptime: Some(proxy.uptime),
                revision_number: Some(proxy.number),
                counters: proxy.counters.clone(),
                ..Reading::default()
            }),
        });
        ProxyReadings {
            earlier: Vec::new(),
            current: scrapes.collect(),
        }
    }

    fn judge(
        &mut self,
        _step: usize,
        observation: &Observation,
        number: Option<u64>,
    ) -> Option<StepJudgment> {
        let counts = observation.counters.guard_counts();
        let counts = counts.get(ROLLOUT).cloned().unwrap_or_default();
        let v2_requests: u64 = counts.strata().iter().map(|it| it.arms.v2.all).sum();
        let proxies = observation.proxies.iter().flatten();
        let is_read = |missing: &Option<String>| missing.is_none();
        let are_read = proxies.clone().all(|proxy| is_read(&proxy.missing));
        let agree = proxies.clone().all(|proxy| proxy.revision_number == number);
        let verdict = match v2_requests >= ENOUGH {
            _ if self.is_invalid => Verdict::Invalid,
            true if self.is_v2_worse => Verdict::Regressed,
            _ if !agree => Verdict::Invalid,
            true if are_read => Verdict::Healthy,
            _ => Verdict::NotEnoughData,
        };
        self.audit.has_judged(verdict);
        Some(StepJudgment {
            verdict,
            text: "because".into(),
            v2_requests,
            observed_seconds: observation.observed_seconds,
            log_evidence: 0.5,
            health_evidence: 1.5,
            log_threshold: 4.6,
            ratio: None,
            ratio_low: 0.0,
            ratio_high: None,
            needed_requests: None,
            needed_seconds: None,
        })
    }

    fn apply(&mut self, step: usize, is_return: bool, _why: &str) -> EffectResult {
        let killed = || EffectResult::Failed("killed".into());
        if failpoint::step().is_err() {
            return killed();
        }
        let result = self.change(step, is_return);
        match failpoint::step() {
            Ok(()) => result,
            Err(_) => killed(),
        }
    }

    fn halt(&mut self, _why: &str) -> EffectResult {
        let killed = || EffectResult::Failed("killed".into());
        if failpoint::step().is_err() {
            return killed();
        }
        // A halt is right even if it is unknown what is active, or an earlier step is.
        let is_step = matches!(self.policy, Policy::Step(_)) && !self.halted_by_person;
        let may_fight = self.is_folder_unreadable || is_step;
        assert!(may_fight || !self.is_interfered_with(), "fights a person");
        if self.halt_fails {
            return EffectResult::Failed("the disk is full".into());
        }
        self.sequence += u64::from(!self.halted_by_roll);
        self.halted_by_roll = true;
        self.deliver();
        match failpoint::step() {
            Ok(()) if !self.has_folder => EffectResult::Shipped,
            Ok(()) => EffectResult::Done,
            Err(_) => killed(),
        }
    }

    fn save(&mut self, saved: &SavedRoll) -> Result<(), String> {
        let phase = &saved.roll.phase;
        self.audit.check_decision(phase, |step| self.bake(step));
        let written = self.state_file.write(saved);
        if written.is_ok() {
            self.audit.has_decided(phase);
        }
        written
    }

    fn event(&mut self, event: &Event) {
        self.audit.events.push(event.clone());
    }
}
