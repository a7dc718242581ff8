//! A request through two proxies that share a rollout: edge, service A, sidecar, service B. It gets one treatment of
//! that rollout on all hops, whatever each proxy would decide alone.

mod chain;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use support::client::Request;
use support::corpus::{borrowed, now};
use support::envoy::Swap;
use tokio::time::sleep;
use turnout_core::{Configuration, Headers, Inbound, Plan, decide};

use crate::testbed::{Testbed, policy, strip, version};
use chain::{Chain, Mesh, chain_of};

const REQUESTS: usize = 20_000;
const ACCOUNTS: usize = 400;
const CONCURRENCY: usize = 16;

/// The common rollout with these percentages, and a rollout that only this hop has.
fn of_hop(own: &str, path: &str, common: &Value) -> Value {
    let mut policy = policy(&json!({}));
    let rollout = |name: &str, path: &str, rule: &Value| {
        json!({
            "name": name,
            "match": { "path": { "prefix": path } },
            "v1": "channels-v1", "v2": "channels-v2",
            "mode": "split",
            "rules": [rule],
        })
    };
    policy["rollouts"] = json!([
        rollout("common", "/common", common),
        rollout(own, path, &json!({ "accounts": 50 })),
    ]);
    policy
}

fn at_edge(common: &Value) -> Value {
    of_hop("users", "/users", common)
}

fn behind(common: &Value) -> Value {
    of_hop("members", "/members", common)
}

fn account(number: usize) -> String {
    format!("AC{number:032x}")
}

/// Forged headers of a client, in turn.
fn forged(request: Request, number: usize) -> Request {
    let wanted = ["v1", "v2"][number / 7 % 2];
    let cluster = format!("channels-{wanted}");
    let decision = format!("common={wanted}");
    match number % 7 {
        0 => request,
        1 => request.header("x-turnout-decision", decision),
        2 => request
            .header("x-turnout-decision", format!("users={wanted},{decision}"))
            .header("x-turnout-decision", "members=v2"),
        3 => request
            .header("x-turnout-cluster", cluster)
            .header("x-turnout-treatment", wanted),
        4 => request
            .header("x-turnout-shadow", "1")
            .header("x_turnout_decision", decision)
            .header("x_turnout_cluster", cluster),
        5 => request
            .header("x-request-id", "chosen")
            .header("x-turnout-decision", decision)
            .header("x-turnout-other", wanted),
        _ => request
            .header("connection", "x-turnout-decision")
            .header("x-turnout-decision", decision),
    }
}

/// Mostly the common rollout at both hops; also at one of them only, and with repeated calls from A to B.
fn request(number: usize) -> Request {
    let (path, calls) = match number % 10 {
        0 => ("/common/list", "/common/one /members /common/one"),
        1 => ("/common/list", "/common/one /common/one /common/one"),
        2 => ("/users", "/members"),
        _ => ("/common/list", "/common/one"),
    };
    let request = Request::get(path)
        .header("x-account-sid", account(number % ACCOUNTS))
        .header("x-calls", calls);
    forged(request, number)
}

/// Fails if a request has different treatments, or if a forged header passes.
fn assert_one_version(chain: &Chain) {
    let common = chain.path.starts_with("/common");
    let own = if common { "common" } else { "users" };
    let of_edge = format!("{own}={}", chain.version);
    let expected = [
        ("x-turnout-cluster", format!("channels-{}", chain.version)),
        ("x-turnout-decision", of_edge.clone()),
        ("x-turnout-treatment", chain.version.clone()),
    ];
    assert_eq!(chain.headers, named(&expected), "at A: {chain:?}");
    for call in &chain.calls {
        if common && call.path.starts_with("/common") {
            assert_eq!(call.version, chain.version, "mixed: {chain:?}");
        }
        let decision = match (common, call.path.starts_with("/common")) {
            (true, true) => of_edge.clone(),
            _ => format!("{of_edge},members={}", call.version),
        };
        let expected = [
            ("x-turnout-cluster", format!("channels-{}", call.version)),
            ("x-turnout-decision", decision),
            ("x-turnout-treatment", call.version.clone()),
        ];
        assert_eq!(call.headers, named(&expected), "at B: {chain:?}");
    }
}

fn named(headers: &[(&str, String)]) -> Vec<(String, String)> {
    let headers = headers.iter();
    headers
        .map(|(name, value)| ((*name).to_owned(), value.clone()))
        .collect()
}

/// The decision of a hop alone.
fn alone(policy: &Value, path: &str, account: &str, id: &str) -> String {
    let plan = Plan::from_json(&policy.to_string()).expect("a policy");
    let pairs = [
        (":method", "GET"),
        (":path", path),
        ("x-account-sid", account),
        ("x-request-id", id),
    ];
    let pairs = pairs.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let pairs = borrowed(&pairs);
    let request = plan.request(Headers::new(&pairs), Inbound::Strip, now());
    decide(&plan, &request).served().to_string()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_has_one_treatment_of_a_rollout_on_all_hops() {
    // The percentages differ so much that the two hops alone would often disagree.
    let few = json!({ "accounts": 40, "requests": 50 });
    let many = json!({ "accounts": 90 });
    let mesh = Mesh::start(&at_edge(&few), &behind(&many)).await;

    let sent = AtomicUsize::new(0);
    let swaps = async {
        // Changes one hop and then the other: in between, their policies always differ.
        let steps = [
            (Some(json!({ "accounts": 80 })), None),
            (None, Some(json!({ "accounts": 20, "requests": 30 }))),
            (Some(json!({ "accounts": 10 })), None),
            (None, Some(json!({ "accounts": 60 }))),
            (Some(few.clone()), None),
            (None, Some(many.clone())),
        ];
        for (step, (edge, inner)) in steps.iter().enumerate() {
            while sent.load(Ordering::Relaxed) < REQUESTS * (step + 1) / (steps.len() + 2) {
                sleep(Duration::from_millis(5)).await;
            }
            if let Some(common) = edge {
                mesh.swap_edge(&at_edge(common)).await;
            }
            if let Some(common) = inner {
                mesh.swap_sidecar(&behind(common)).await;
            }
        }
    };
    let batches = async {
        let mut chains = Vec::new();
        for first in (0..REQUESTS).step_by(500) {
            let batch = (first..first + 500).map(request).collect();
            let responses = mesh.edge.client().send_all(batch, CONCURRENCY).await;
            chains.extend(responses.iter().map(chain_of));
            sent.store(chains.len(), Ordering::Relaxed);
        }
        chains
    };
    let (chains, ()) = tokio::join!(batches, swaps);

    assert_eq!(chains.len(), REQUESTS);
    chains.iter().for_each(assert_one_version);
    let versions = |of: fn(&Chain) -> bool| {
        let mut versions: BTreeMap<&str, usize> = BTreeMap::new();
        for chain in chains.iter().filter(|chain| of(chain)) {
            *versions.entry(&chain.version).or_default() += 1;
        }
        versions
    };
    // Ensures that the test is not vacuous.
    let common = versions(|chain| chain.path.starts_with("/common"));
    assert!(common.values().all(|count| *count > 3_000), "{common:?}");
    let inbound = mesh.sidecar_decisions("common").await;
    for treatment in ["v1.inbound", "v2.inbound"] {
        assert!(inbound[treatment] > 3_000, "{inbound:?}");
    }
    let by_themselves = |chain: &&Chain| {
        let said = |policy: &Value, path: &str| alone(policy, path, &chain.account, &chain.id);
        chain.path.starts_with("/common")
            && said(&at_edge(&few), &chain.path) != said(&behind(&many), "/common/one")
    };
    let disagreeing = chains.iter().filter(by_themselves).count();
    assert!(disagreeing > 3_000, "{disagreeing}");
    println!(
        "{REQUESTS} chains, none mixed: common {common:?}; {disagreeing} would be mixed if each hop \
         decided by itself; the sidecar's common rollout: {inbound:?}"
    );
}

/// A halted rollout stops at this hop, whatever the hop before decided. Such a request has different treatments on
/// purpose.
#[tokio::test]
async fn a_halt_of_a_hop_overrides_the_decision_of_the_hop_before() {
    let all = json!({ "accounts": 100 });
    let mesh = Mesh::start(&at_edge(&all), &behind(&all)).await;
    let send = async || {
        let request = Request::get("/common/list")
            .header("x-account-sid", account(1))
            .header("x-calls", "/common/one");
        chain_of(&mesh.edge.client().send(request).await)
    };
    let chain = send().await;
    assert_eq!((&*chain.version, &*chain.calls[0].version), ("v2", "v2"));

    let mut halted = behind(&all);
    halted["halted"] = json!(true);
    let mut off = behind(&all);
    off["rollouts"][0]["mode"] = json!("off");
    let mut rollout_halted = behind(&all);
    rollout_halted["rollouts"][0]["halted"] = json!(true);
    for (stopped, reason) in [
        (halted, "v1.halted"),
        (rollout_halted, "v1.halted"),
        (off, "v1.off"),
    ] {
        mesh.swap_sidecar(&stopped).await;
        let before = mesh.sidecar_decisions("common").await[reason];
        let chain = send().await;
        assert_eq!((&*chain.version, &*chain.calls[0].version), ("v2", "v1"));
        assert_eq!(mesh.sidecar_decisions("common").await[reason], before + 1);
    }
    // Later hops follow the last decision.
    let decision = ("x-turnout-decision".to_owned(), "common=v1".to_owned());
    assert!(send().await.calls[0].headers.contains(&decision));

    // And vice versa: a rollout that is halted at the edge is also stopped at later hops.
    mesh.swap_sidecar(&behind(&all)).await;
    let mut halted = at_edge(&all);
    halted["halted"] = json!(true);
    mesh.swap_edge(&halted).await;
    let chain = send().await;
    assert_eq!((&*chain.version, &*chain.calls[0].version), ("v1", "v1"));
}

#[tokio::test]
async fn two_proxies_agree_on_every_account_without_communication() {
    const ALL: usize = 2_000;
    let policy = policy(&json!({ "rules": [{ "accounts": 37.5 }] }));
    let edge = Testbed::of("cluster-header.yaml", &strip(&policy), |b| b).await;
    let trusting = Configuration::to_json(&policy.to_string(), Inbound::Trust);
    let behind = Testbed::behind_the_edge(&trusting).await;

    let requests = || {
        (0..ALL).map(|number| Request::get("/v1/Channels").header("x-account-sid", account(number)))
    };
    let at_edge = edge
        .client()
        .send_all(requests().collect(), CONCURRENCY)
        .await;
    let behind = behind
        .client()
        .send_all(requests().collect(), CONCURRENCY)
        .await;
    let mut on_v2 = 0;
    for (number, (edge, behind)) in at_edge.iter().zip(&behind).enumerate() {
        let core = alone(&policy, "/v1/Channels", &account(number), "any");
        assert_eq!(
            [version(edge), version(behind)],
            [&*core, &*core],
            "{number}"
        );
        on_v2 += usize::from(core == "v2");
    }
    assert!((600..900).contains(&on_v2), "{on_v2} of {ALL}");
}

#[tokio::test]
async fn a_proxy_behind_the_edge_without_a_filter_accepts_a_cluster_from_nobody() {
    let testbed = Testbed::behind_the_edge("no configuration").await;
    let request = Request::get("/v1/Channels")
        .header("x-turnout-cluster", "channels-v2")
        .header("x-turnout-treatment", "v2")
        .header("x-turnout-decision", "chat=v2");
    let response = testbed.client().send(request).await;
    assert_eq!(version(&response), "v1");
    let decision = ("x-turnout-decision".to_owned(), "chat=v2".to_owned());
    assert_eq!(
        crate::testbed::turnout_headers(&response.json()),
        [decision]
    );
    let good = Configuration::to_json(&policy(&json!({})).to_string(), Inbound::Trust);
    assert_eq!(testbed.swap(&good).await, Swap::Accepted);
}
