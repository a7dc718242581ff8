//! The corpus: cases on which core, the mock host and Envoy must agree.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::Deserialize;
use serde_json::value::RawValue;
use turnout_core::{Configuration, Inbound, Plan, Time};

/// The folder of the corpus.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus")
}

/// The files with an extension in one of its folders, sorted by name.
///
/// # Panics
/// When there is none. Otherwise a test with a wrong path would pass.
pub fn files(part: &str, ending: &str) -> Vec<PathBuf> {
    let folder = folder().join(part);
    let entries = fs::read_dir(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let files: BTreeSet<PathBuf> = entries
        .map(|entry| entry.expect("an entry of the corpus").path())
        .filter(|path| path.extension().is_some_and(|found| found == ending))
        .collect();
    assert!(!files.is_empty(), "no .{ending} in {}", folder.display());
    files.into_iter().collect()
}

/// A policy, and its decisions for some requests.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// The subject of the cases.
    pub about: String,
    inbound: String,
    /// The region of the proxy; empty without one.
    #[serde(default)]
    pub region: String,
    policy: Box<RawValue>,
    pub cases: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    pub name: String,
    pub request: CaseRequest,
    pub expect: Expectation,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CaseRequest {
    pub method: String,
    pub host: String,
    pub path: String,
    pub headers: Vec<(String, String)>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expectation {
    /// `None` if no rollout matches.
    pub rollout: Option<String>,
    pub treatment: String,
    pub reason: String,
    /// Who serves, if it is not the treatment.
    served: Option<String>,
}

impl Scenario {
    /// All scenarios, each with the name of its file.
    pub fn all() -> Vec<(String, Self)> {
        files("decisions", "json")
            .into_iter()
            .map(|path| {
                let text = fs::read_to_string(&path).expect("a readable scenario");
                let scenario = serde_json::from_str(&text)
                    .unwrap_or_else(|e| panic!("{}: {e}", path.display()));
                let name = path.file_stem().expect("a file name").to_string_lossy();
                (name.into_owned(), scenario)
            })
            .collect()
    }

    pub fn policy(&self) -> &str {
        self.policy.get()
    }

    pub fn inbound(&self) -> Inbound {
        match self.inbound.as_str() {
            "strip" => Inbound::Strip,
            "trust" => Inbound::Trust,
            other => panic!("inbound {other}"),
        }
    }

    /// The plan of a proxy in the region of the scenario.
    pub fn plan(&self) -> Plan {
        let mut plan = Plan::from_json(self.policy()).unwrap_or_else(|e| panic!("{e}"));
        plan.set_region(&self.region);
        plan
    }

    /// The plugin's configuration.
    pub fn configuration(&self) -> String {
        Configuration::to_json(self.policy(), self.inbound())
    }

    /// Whether a rollout sends shadow requests, which the lean build of the filter rejects.
    pub fn needs_shadowing(&self) -> bool {
        let plan = Plan::from_json(self.policy()).expect("a valid policy");
        plan.rollouts()
            .iter()
            .any(|rollout| rollout.shadow.is_some())
    }
}

impl CaseRequest {
    /// The headers as a proxy passes them: pseudo-headers first, names in lower case.
    pub fn pairs(&self) -> Vec<(String, String)> {
        let mut pairs = vec![
            (":method".into(), self.method.clone()),
            (":authority".into(), self.host.clone()),
            (":path".into(), self.path.clone()),
        ];
        let headers = self.headers.iter();
        pairs.extend(headers.map(|(name, value)| (name.to_lowercase(), value.clone())));
        pairs
    }
}

/// The current time. Scenarios hold at any time of this century, because Envoy uses its own clock.
pub fn now() -> Time {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH);
    Time::from_seconds(since_1970.expect("after 1970").as_secs().cast_signed())
}

/// The pairs in the type that core takes.
pub fn borrowed(pairs: &[(String, String)]) -> Vec<(&[u8], &[u8])> {
    let pairs = pairs.iter();
    pairs
        .map(|(name, value)| (name.as_bytes(), value.as_bytes()))
        .collect()
}

impl Expectation {
    /// Who serves the request.
    pub fn served(&self) -> &str {
        self.served.as_deref().unwrap_or(&self.treatment)
    }

    /// The counter that grows by one.
    pub fn counter(&self) -> String {
        let rollout = self.rollout.as_deref().unwrap_or("-");
        format!(
            "turnout.decisions.{rollout}.{}.{}",
            self.treatment, self.reason
        )
    }
}
