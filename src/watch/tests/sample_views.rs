//! Sample views.
#![expect(clippy::arithmetic_side_effects, reason = "small numbers")]

use turnout_core::guard::{ArmCounts, Arms, GuardAction, GuardCounts, GuardState};
use turnout_core::{Configuration, Fraction, Reason, Time, Treatment};

use crate::guard_view::{GuardOfProxy, GuardReport, GuardView};
use crate::rollout_status::{CountedPolicy, RolloutStatus};
use crate::view::{ClusterView, ProxyView, RolloutView, Traffic, View};

/// The status of a rollout `r` with these rules.
pub(crate) fn status(halted: bool, mode: &str, rules: &str) -> RolloutStatus {
    let configuration = format!(
        r#"{{ "policy": {{ "version": 1, "account": {{ "from": [ {{ "header": "x-account-sid" }} ], "format": "sid" }},
            "segments": {{ "hvc": {{ "accounts": ["AC{:032x}", "AC{:032x}"] }} }}, "halted": {halted},
            "rollouts": [ {{ "name": "r", "v1": "chat-v1", "v2": "chat-v2", "mode": "{mode}", "rules": {rules} }} ] }} }}"#,
        1, 2
    );
    let plan = Configuration::from_json(configuration.as_bytes())
        .unwrap()
        .plan;
    let mut listed = CountedPolicy::new(plan.into());
    listed.statuses(Time::from_seconds(0))[0].1.clone()
}

pub(crate) fn half() -> RolloutStatus {
    status(
        false,
        "split",
        r#"[{ "when": { "not_in": ["hvc"] }, "accounts": 50, "requests": 10 }]"#,
    )
}

pub(crate) fn traffic(v1: u64, v2: u64) -> Traffic {
    let decisions = [
        ((Treatment::V1, Reason::OutsideAccounts), v1),
        ((Treatment::V2, Reason::Rule), v2),
    ];
    Traffic {
        decisions: decisions.into(),
        rates: decisions.map(|(of, count)| (of, count * 1_000)).into(),
    }
}

pub(crate) fn rollout(name: &str) -> RolloutView {
    let cluster = |treatment, name: &str, all, failed| ClusterView {
        treatment,
        name: name.to_owned(),
        is_known: true,
        recent: [all, failed],
        rate: all * 1_000,
        since: [all * 10, failed],
        causes: Vec::new(),
    };
    RolloutView {
        name: name.to_owned(),
        statuses: vec![(1, half())],
        recent: traffic(285, 15),
        since: traffic(2_851, 149),
        clusters: vec![
            cluster("v1", "chat-v1", 285, 0),
            cluster("v2", "chat-v2", 15, 3),
        ],
        shadow: Vec::new(),
        guard: None,
    }
}

pub(crate) fn proxy(port: u16) -> ProxyView {
    ProxyView {
        admin: format!("http://10.0.0.7:{port}"),
        responds: Some(true),
        revision: Some("2026-11-21.3".to_owned()),
        number: Some(7),
        policy_since: Some(Time::from_seconds(1_795_266_053)),
        uptime: Some(7_300),
        ..ProxyView::default()
    }
}

/// A typical view: one proxy and one rollout.
pub(crate) fn view() -> View {
    View {
        at: Time::from_seconds(1_795_266_100),
        since: Time::from_seconds(1_795_266_000),
        proxies: vec![proxy(9901)],
        rollouts: vec![rollout("chat-users-dynamodb")],
        ..View::default()
    }
}

/// Every report that a proxy can give.
pub(crate) const EVERY_REPORT: [GuardReport; 7] = [
    GuardReport::State(GuardState::Armed),
    GuardReport::State(GuardState::Holding),
    GuardReport::State(GuardState::Tripped),
    GuardReport::State(GuardState::Invalid),
    GuardReport::NotReported,
    GuardReport::NoGuard,
    GuardReport::NoResponse,
];

/// The guard of a rollout in proxies with these reports.
pub(crate) fn guard(reports: &[GuardReport]) -> GuardView {
    let proxies = (9901..).zip(reports).map(|(port, report)| {
        let (action, milli) = match report {
            GuardReport::State(GuardState::Armed) => (Some(GuardAction::Halt), Some(1_349)),
            GuardReport::State(GuardState::Tripped) => (Some(GuardAction::Halt), Some(2_301)),
            GuardReport::State(_) => (Some(GuardAction::Halt), Some(1_999)),
            GuardReport::NotReported => (Some(GuardAction::Halt), None),
            GuardReport::NoGuard | GuardReport::NoResponse => (None, None),
        };
        GuardOfProxy {
            admin: format!("http://10.0.0.7:{port}"),
            report: *report,
            action,
            evidence_milli: milli,
            threshold_milli: milli.map(|_| 2_000),
        }
    });
    GuardView {
        proxies: proxies.collect(),
        recent: counts("10", [270, 0, 3], [30, 3, 9]),
        rates: counts("10", [270_000, 0, 3_000], [30_000, 3_000, 9_000]),
        since: counts("10", [2_700, 1, 30], [300, 30, 90]),
        total: counts("10", [27_000, 4, 300], [3_000, 120, 400]),
    }
}

/// Counts of one stratum: all, errors, slow of each arm.
pub(crate) fn counts(requests: &str, v1: [u64; 3], v2: [u64; 3]) -> GuardCounts {
    let arm = |[all, errors, slow]: [u64; 3]| ArmCounts { all, errors, slow };
    let arms = Arms {
        v1: arm(v1),
        v2: arm(v2),
    };
    let mut counts = GuardCounts::default();
    counts.add(Fraction::from_percentage(requests).unwrap(), arms);
    counts
}

/// A typical view, with this guard.
pub(crate) fn guarded(guard: GuardView) -> View {
    let mut view = view();
    view.proxies = guard
        .proxies
        .iter()
        .map(|of| ProxyView {
            admin: of.admin.clone(),
            responds: Some(of.report != GuardReport::NoResponse),
            ..proxy(0)
        })
        .collect();
    view.rollouts[0].guard = Some(guard);
    view
}

/// A view with every problem at once, and with terminal control characters in texts.
pub(crate) fn troubled() -> View {
    let mut view = view();
    view.last_change =
        Some("apply of r3 at 2026-11-21T13:00:00Z, accepted, by \u{1b}[31mann".into());
    view.proxies[0].rejected = 3;
    view.proxies[0].rejected_watched = 1;
    view.proxies[0].restarts = 1;
    view.proxies.push(ProxyView {
        admin: "http://10.0.0.8:9901".into(),
        responds: Some(false),
        error: Some("cannot read it: Connection refused\u{1b}]0;title\u{7}".into()),
        ..ProxyView::default()
    });
    view.proxies.push(ProxyView {
        revision: Some("2026-11-21.4".into()),
        note: Some("it has no filter of Turnout".into()),
        ..proxy(9903)
    });
    let rollout = &mut view.rollouts[0];
    rollout.statuses.push((1, status(true, "split", "[{ }]")));
    rollout.clusters[1].is_known = false;
    let malformed = (Treatment::V1, Reason::MalformedAccount);
    rollout.since.decisions.insert(malformed, 12);
    rollout.recent.rates.insert(malformed, 1_500);
    rollout.shadow = vec![("equal".into(), 1_204), ("different".into(), 3)];
    view.no_rollout = 8;
    view
}
