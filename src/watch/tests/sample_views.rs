//! Sample views.
#![expect(clippy::arithmetic_side_effects, reason = "small numbers")]

use turnout_core::{Configuration, Reason, Time, Treatment};

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
    let mut listed = CountedPolicy::new(plan);
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
