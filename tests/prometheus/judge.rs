//! `turnout judge --prometheus`, compared with what the Envoys have counted.

use serde_json::Value;
use support::cli;

use crate::mesh::Mesh;
use crate::server::Prometheus;

/// The exit code of NOT ENOUGH DATA.
const NOT_ENOUGH_DATA: i32 = 3;

/// The exit code and the rollout of `turnout judge --json`.
fn judge(arguments: &[&str]) -> (i32, Value) {
    let mut all = vec!["judge", "--json"];
    all.extend(arguments);
    let run = cli::run(&all);
    let document: Value =
        serde_json::from_str(&run.output).unwrap_or_else(|error| panic!("{error}: {run:?}"));
    let rollout = document["rollouts"][0].clone();
    (run.code.expect("an exit code"), rollout)
}

fn by_prometheus(mesh: &Mesh, prometheus: &Prometheus, more: &[&str]) -> (i32, Value) {
    let (url, policy) = (prometheus.url(), mesh.policy());
    let mut arguments = vec!["--prometheus", &url, "--since=1h", &policy];
    arguments.extend(more);
    judge(&arguments)
}

fn by_admin(mesh: &Mesh) -> Value {
    let (admins, policy) = (mesh.admins(), mesh.policy());
    let mut arguments: Vec<&str> = admins.iter().map(String::as_str).collect();
    arguments.push(&policy);
    judge(&arguments).1
}

/// The compared requests of both arms.
fn compared(rollout: &Value) -> u64 {
    let strata = rollout["strata"].as_array().expect("strata");
    let all = strata
        .iter()
        .flat_map(|stratum| [&stratum["v1"]["all"], &stratum["v2"]["all"]]);
    all.map(|all| all.as_u64().expect("a count")).sum()
}

fn missing(rollout: &Value) -> Vec<&str> {
    let proxies = rollout["proxies"].as_array().expect("proxies");
    let missing = proxies.iter().filter(|proxy| !proxy["missing"].is_null());
    missing
        .filter_map(|proxy| proxy["proxy"].as_str())
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_judgment_is_that_of_the_admin_endpoints_to_the_last_digit() {
    let mut mesh = Mesh::start(&["a", "b", "plain"]).await;
    let prometheus = Prometheus::start(&mesh.targets()).await;
    prometheus
        .wait_for("up", &[("a", 1), ("b", 1), ("plain", 1)])
        .await;
    let counts = [("a", 700), ("b", 400), ("plain", 300)];
    for (name, requests) in counts {
        mesh.send(name, requests).await;
    }
    mesh.wait_until_scraped(&prometheus, &counts).await;

    let mut admin = by_admin(&mesh);
    let (_, mut prometheus) = by_prometheus(&mesh, &prometheus, &[]);
    assert_eq!(compared(&admin), 1_400, "{admin:#}");
    assert!(admin["log_evidence"].is_number(), "{admin:#}");
    assert!(
        admin["ratio"].as_f64().is_some_and(|ratio| ratio > 1.0),
        "{admin:#}"
    );
    let revisions = |rollout: &Value| {
        let proxies = rollout["proxies"].as_array().expect("proxies");
        let of_proxy = |proxy: &Value| [proxy["revision_number"].clone(), proxy["state"].clone()];
        proxies.iter().map(of_proxy).collect::<Vec<_>>()
    };
    assert_eq!(revisions(&prometheus), revisions(&admin));
    // The names of the proxies, the present rate, and the time of the reading are others.
    for rollout in [&mut admin, &mut prometheus] {
        rollout["proxies"].take();
        rollout["needed"]["seconds"].take();
        rollout["observed_seconds"].take();
        rollout["reasons"].take();
        rollout["warnings"].take();
    }
    assert_eq!(prometheus, admin);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_loses_nothing_that_was_scraped() {
    let mut mesh = Mesh::start(&["a", "b"]).await;
    let prometheus = Prometheus::start(&mesh.targets()).await;
    prometheus.wait_for("up", &[("a", 1), ("b", 1)]).await;
    mesh.send("a", 300).await;
    mesh.send("b", 500).await;
    mesh.wait_until_scraped(&prometheus, &[("a", 300), ("b", 500)])
        .await;

    // The new process has counted more by the time of its first scrape than the old one.
    mesh.start_envoy("b").await;
    mesh.send("b", 600).await;
    mesh.wait_until_settled("b", 600).await;
    prometheus.scrape(&mesh.targets());
    mesh.wait_until_scraped(&prometheus, &[("a", 300), ("b", 600)])
        .await;

    let (_, rollout) = by_prometheus(&mesh, &prometheus, &[]);
    assert_eq!(compared(&rollout), 300 + 500 + 600, "{rollout:#}");
    assert_eq!(compared(&by_admin(&mesh)), 300 + 600);
    let restarts = &rollout["proxies"][1]["restarts"];
    assert_eq!(restarts, 1, "{rollout:#}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_proxy_that_is_down_is_missing_until_it_is_removed() {
    let mut mesh = Mesh::start(&["a", "b"]).await;
    let prometheus = Prometheus::start(&mesh.targets()).await;
    prometheus.wait_for("up", &[("a", 1), ("b", 1)]).await;
    mesh.send("a", 400).await;
    mesh.send("b", 400).await;
    mesh.wait_until_scraped(&prometheus, &[("a", 400), ("b", 400)])
        .await;
    // So much excess that this is enough data.
    let excess = ["--excess=20"];
    let (code, rollout) = by_prometheus(&mesh, &prometheus, &excess);
    assert_eq!(
        (code, &rollout["verdict"]),
        (0, &Value::from("healthy")),
        "{rollout:#}"
    );

    let with_both = mesh.targets();
    mesh.stop_envoy("b");
    prometheus.wait_for("up", &[("a", 1), ("b", 0)]).await;
    let (code, rollout) = by_prometheus(&mesh, &prometheus, &excess);
    assert_eq!(code, NOT_ENOUGH_DATA, "{rollout:#}");
    assert_eq!(missing(&rollout), ["b"], "{rollout:#}");
    assert_eq!(compared(&rollout), 800);

    assert!(with_both.contains_key("b"));
    prometheus.scrape(&mesh.targets());
    prometheus.wait_for("up", &[("a", 1)]).await;
    let (code, rollout) = by_prometheus(&mesh, &prometheus, &excess);
    assert_eq!((code, missing(&rollout)), (0, Vec::new()), "{rollout:#}");
    assert_eq!(compared(&rollout), 800);
    // The number of proxies can be required.
    let (code, _) = by_prometheus(&mesh, &prometheus, &["--excess=20", "--proxies=2"]);
    assert_eq!(code, NOT_ENOUGH_DATA);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn matchers_select_proxies_and_errors_are_sentences() {
    let mut mesh = Mesh::start(&["a", "b"]).await;
    let prometheus = Prometheus::start(&mesh.targets()).await;
    prometheus.wait_for("up", &[("a", 1), ("b", 1)]).await;
    mesh.send("a", 200).await;
    mesh.send("b", 100).await;
    mesh.wait_until_scraped(&prometheus, &[("a", 200), ("b", 100)])
        .await;
    let (_, rollout) = by_prometheus(&mesh, &prometheus, &["--match", r#"instance="a""#]);
    assert_eq!(compared(&rollout), 200, "{rollout:#}");

    let url = prometheus.url();
    let refused = |url: &str, matcher: &str| {
        let run = cli::run(&["judge", "--prometheus", url, "--match", matcher]);
        assert_eq!(run.code, Some(2), "{run:?}");
        run.error
    };
    for (matcher, expected) in [
        (r#"instance=~"(""#, "bad_data"),
        (r#"job="other""#, "no metrics of Turnout"),
    ] {
        let error = refused(&url, matcher);
        assert!(error.contains(expected), "{error}");
    }
    let error = refused(&format!("{url}/prefix"), r#"job="envoy""#);
    assert!(
        error.contains("is the path before /api/v1 right"),
        "{error}"
    );
}
