//! `turnout halt --rollout` under traffic: the requests of that rollout go to v1, those of the other one do not notice,
//! and a resume brings the same accounts back to v2. No request is lost.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};
use support::cli;
use support::client::{Client, Request};

use crate::testbed::{Testbed, policy, strip, version};

const ACCOUNTS: u32 = 100;
const SENDERS: usize = 4;

/// The version that serves each account in a rollout.
type Served = BTreeMap<(&'static str, u32), String>;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_halt_of_a_rollout_moves_its_requests_alone_and_a_resume_brings_the_same_accounts_back() {
    let testbed = Testbed::live(&strip(&two_rollouts()), |b| b).await;
    let client = testbed.client();
    let before = served(&client).await;
    for rollout in ["a", "b"] {
        let on_v2 = on_v2(&before, rollout);
        assert!(20 < on_v2 && on_v2 < 80, "{rollout}: {on_v2}");
    }

    let is_over = Arc::new(AtomicBool::new(false));
    let traffic: Vec<_> = (0..SENDERS)
        .map(|_| tokio::spawn(send_until(testbed.client(), Arc::clone(&is_over))))
        .collect();
    command(&testbed, &["halt", "--rollout", "a"], "+halted.a");
    let counted = testbed.decisions().await;
    let halted = served(&client).await;
    assert_eq!(on_v2(&halted, "a"), 0);
    assert_eq!(of(&halted, "b"), of(&before, "b"));
    let counted_since = testbed.decisions().await;
    let increase = |name: &str| {
        let of = |counts: &BTreeMap<String, u64>| counts.get(name).copied().unwrap_or_default();
        of(&counted_since) - of(&counted)
    };
    assert!(increase("a.v1.halted") >= u64::from(ACCOUNTS));
    assert_eq!((increase("a.v2.rule"), increase("b.v1.halted")), (0, 0));
    assert!(increase("b.v2.rule") > 0);

    command(&testbed, &["resume", "--rollout", "a"], "");
    assert_eq!(served(&client).await, before);
    // Also through a halt of everyone.
    command(&testbed, &["halt", "--rollout", "a"], "+halted.a");
    command(&testbed, &["halt"], "-halted+halted.a");
    assert_eq!(on_v2(&served(&client).await, "b"), 0);
    command(&testbed, &["resume"], "+halted.a");
    assert_eq!(served(&client).await, halted);
    command(&testbed, &["resume", "--rollout", "a"], "");
    assert_eq!(served(&client).await, before);
    // A rearm has a revision that the proxy confirms, each time.
    command(&testbed, &["rearm", "--rollout", "a"], "+rearmed.a.1");
    command(&testbed, &["rearm", "--rollout", "a"], "+rearmed.a.2");
    assert_eq!(served(&client).await, before);

    is_over.store(true, Ordering::Relaxed);
    let mut responses = 0;
    for sender in traffic {
        for (of, served) in sender.await.expect("a response to every request") {
            // While it is halted, v1 serves; otherwise the version from before.
            assert!(served == "v1" || served == before[&of], "{of:?}");
            responses += 1;
        }
    }
    assert!(responses > 500, "{responses}");
    println!("{responses} requests under eight changes, none lost");
}

/// Two rollouts of which half of the accounts take v2, not the same ones.
fn two_rollouts() -> Value {
    let mut policy = policy(&json!({}));
    let rollout = |name: &str| {
        json!({
            "name": name,
            "match": { "path": { "prefix": format!("/{name}/") } },
            "v1": "channels-v1",
            "v2": "channels-v2",
            "mode": "split",
            "rules": [{ "accounts": 50 }],
            "guard": {},
        })
    };
    policy["rollouts"] = json!([rollout("a"), rollout("b")]);
    policy["revision"] = json!("r");
    policy
}

fn request(rollout: &str, account: u32) -> Request {
    Request::get(format!("/{rollout}/list")).header("x-account-sid", format!("AC{account:032x}"))
}

/// Each of these requests gets a response.
fn cases() -> impl Iterator<Item = (&'static str, u32)> {
    ["a", "b"]
        .into_iter()
        .flat_map(|rollout| (0..ACCOUNTS).map(move |account| (rollout, account)))
}

async fn served(client: &Client) -> Served {
    let requests = cases().map(|(rollout, account)| request(rollout, account));
    let responses = client.send_all(requests.collect(), SENDERS).await;
    let served = responses.iter().map(|response| {
        assert_eq!(response.status, 200);
        version(response).to_owned()
    });
    cases().zip(served).collect()
}

fn of(served: &Served, rollout: &str) -> Vec<String> {
    let of = served.iter().filter(|((of, _), _)| *of == rollout);
    of.map(|(_, version)| version.clone()).collect()
}

fn on_v2(served: &Served, rollout: &str) -> usize {
    of(served, rollout).iter().filter(|it| *it == "v2").count()
}

/// Sends requests until it is told to stop.
async fn send_until(
    client: Client,
    is_over: Arc<AtomicBool>,
) -> Vec<((&'static str, u32), String)> {
    let mut served = Vec::new();
    for (rollout, account) in cases().collect::<Vec<_>>().into_iter().cycle() {
        if is_over.load(Ordering::Relaxed) {
            break;
        }
        let response = client.send(request(rollout, account)).await;
        assert_eq!(response.status, 200);
        served.push(((rollout, account), version(&response).to_owned()));
    }
    served
}

/// Runs a command, which Envoy must confirm.
fn command(testbed: &Testbed, arguments: &[&str], mark: &str) {
    let folder = testbed.envoy.watched().display().to_string();
    let admin = format!("http://{}", testbed.envoy.admin().address());
    let where_to = [
        "--dir",
        &folder,
        "--admin",
        &admin,
        "--timeout",
        "60",
        "--json",
    ];
    let run = cli::run(&[arguments, &where_to].concat());
    assert_eq!(run.code, Some(0), "{arguments:?}: {run:?}");
    let report: Value = serde_json::from_str(&run.output).expect("JSON");
    assert_eq!(report["outcome"], "accepted", "{report}");
    assert_eq!(report["revision"], format!("r{mark}"), "{report}");
}
