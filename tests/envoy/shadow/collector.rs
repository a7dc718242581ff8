//! A failing collector has no effect on users, and the lines that it rejects are counted.

use serde_json::{Value, json};
use support::client::Request;
use support::scripted_upstream::{Collector, Fault};

use super::otlp::policy;
use super::records_testbed::{RecordsTestbed, always, of_kind, sum, until};
use crate::testbed::{INSIDE, request_of};

/// The lines that a worker keeps for the collector: waiting lines, and those of exports in flight.
const MOST_KEPT: i64 = 512 + 4 * 64;

async fn testbed(collector: &Collector, policy: &Value) -> RecordsTestbed {
    let document = json!({ "a": 1 });
    RecordsTestbed::of(policy, always(&document), always(&document), |bootstrap| {
        bootstrap.cluster("otel-collector", collector)
    })
    .await
}

struct Lines {
    logged: i64,
    exported: i64,
    lost: i64,
}

impl Lines {
    /// Counters at nearly the same time.
    async fn of(testbed: &RecordsTestbed) -> Self {
        let stats = testbed.stats().await;
        let count = |what: &str| {
            let count = stats[&format!("records.{what}")];
            i64::try_from(count).expect("a count")
        };
        Self {
            logged: count("logged"),
            exported: count("exported"),
            lost: count("lost"),
        }
    }

    fn kept(&self) -> i64 {
        self.logged - self.exported - self.lost
    }
}

/// Causes one more summary and its options: two lines.
async fn one_summary(testbed: &RecordsTestbed) {
    let before = testbed.outcomes().await;
    testbed.send([request_of(INSIDE)]).await;
    let sent = sum(&before) + 1;
    testbed.summarised(sent).await;
}

#[tokio::test]
async fn lines_that_the_collector_rejects_are_lost_and_later_ones_are_not() {
    tokio::join!(
        lost_to(&[Fault::Status(500), Fault::Refuse, Fault::Garbage]),
        // A request to the collector has a timeout.
        lost_to(&[Fault::Silence]),
    );
}

async fn lost_to(faults: &[Fault]) {
    let collector = Collector::start();
    let testbed = testbed(&collector, &policy(&json!({}))).await;
    let mut lost = 0;
    for fault in faults {
        collector.fail(*fault);
        one_summary(&testbed).await;
        lost += 2;
        until("its lines are lost", async || {
            testbed.stat("records.lost").await == lost
        })
        .await;
    }
    collector.heal();
    one_summary(&testbed).await;
    until("export goes on", async || {
        testbed.stat("records.exported").await == 2
    })
    .await;
    let lines = Lines::of(&testbed).await;
    assert_eq!(lines.lost + lines.exported, lines.logged, "{faults:?}");
}

/// More routes than a worker keeps lines for, and no response of the collector.
#[tokio::test]
async fn a_collector_that_hangs_holds_a_bounded_number_of_lines() {
    const ROUTES: usize = 1_000;
    let routes: Vec<String> = (0..ROUTES).map(|n| format!("/v1/Channels/{n}")).collect();
    let collector = Collector::start();
    let changes = json!({ "routes": routes, "max_in_flight": 1_000 });
    let testbed = testbed(&collector, &policy(&changes)).await;
    collector.fail(Fault::Silence);

    let request = |path: &String| Request::get(path).header("x-account-sid", INSIDE);
    let responses = testbed
        .client()
        .send_all(routes.iter().map(request).collect(), 8)
        .await;
    assert!(responses.iter().all(|response| response.status == 200));
    let records = testbed.summarised(ROUTES as u64).await;
    assert!(of_kind(&records, "summary").len() >= ROUTES);
    let lines = Lines::of(&testbed).await;
    assert_eq!(lines.exported, 0);
    assert!(lines.kept() <= MOST_KEPT, "{} are kept", lines.kept());
    assert!(lines.lost > 0, "{} were logged", lines.logged);

    // The hanging request is aborted, and waiting lines are sent.
    until("the requests to it are under way", async || {
        collector.requests() >= 1
    })
    .await;
    collector.heal();
    until("each line is exported or lost", async || {
        Lines::of(&testbed).await.kept() == 0
    })
    .await;
    let before = Lines::of(&testbed).await;
    one_summary(&testbed).await;
    until("export goes on", async || {
        Lines::of(&testbed).await.exported == before.exported + 2
    })
    .await;
    assert_eq!(Lines::of(&testbed).await.lost, before.lost);
}
