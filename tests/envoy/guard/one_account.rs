//! An account for which v2 fails is ejected alone.

use serde_json::json;
use support::random::Random;
use support::scripted_upstream::Response as Answer;

use super::{ARMED, Guarded, guarded, reason, request, request_of};

const BROKEN: u64 = 7;

#[tokio::test]
async fn an_account_for_which_v2_fails_is_ejected_alone() {
    let guard = json!({ "settle_seconds": 1, "accounts": { "false_ejections": 1 } });
    let bed = Guarded::start(&guarded(&["r"], 20, &guard), 1).await;
    bed.v2.respond_with(|received| {
        let account = received.headers["x-account-sid"].to_str().expect("text");
        let is_broken = account == format!("AC{BROKEN:032x}");
        Answer::new(if is_broken { 500 } else { 200 })
    });
    let mut random = Random::new(1);
    let mut errors = 0;
    for _ in 0..200 {
        let mut batch: Vec<_> = (0..20).map(|_| request("r", &mut random)).collect();
        batch.extend((0..5).map(|_| request_of("r", BROKEN, &mut random)));
        let responses = bed.client.send_all(batch, 4).await;
        errors += responses.iter().filter(|it| it.status == 500).count();
        let response = bed.client.send(request_of("r", BROKEN, &mut random)).await;
        errors += usize::from(response.status == 500);
        if reason(&response) == "guard_account" {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    bed.wait_for_ticks(4).await;
    assert_eq!(bed.state("r").await, ARMED);
    for _ in 0..50 {
        let response = bed.client.send(request_of("r", BROKEN, &mut random)).await;
        assert_eq!(reason(&response), "guard_account");
        let response = bed.client.send(request("r", &mut random)).await;
        assert!(!reason(&response).starts_with("guard"));
    }
    println!("ejected after {errors} errors");
}
