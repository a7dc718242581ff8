//! Reads one proxy: its stats and its active policy.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use turnout_core::Plan;

use crate::client::{AdminClient, StatsError};
use crate::policy_search::{MissingPolicy, PolicySearch, node_region};
use crate::stats::{StatsPage, stats_path};

/// The timeout of a stats page.
const TIMEOUT: Duration = Duration::from_secs(2);
/// The limit of a stats page, in bytes.
const MAX_BYTES: u64 = 16 << 20;
/// The parts of the configuration dump that may have the filter.
const PARTS: [&str; 3] = [
    "/config_dump?resource=ecds_filters",
    "/config_dump?resource=static_listeners",
    "/config_dump?resource=dynamic_listeners",
];
/// The whole dump, for a filter that is in none of these parts.
const WHOLE: &str = "/config_dump";
/// The timeout of each part of a dump. No part is requested later than this after the first.
const DUMP_TIMEOUT: Duration = Duration::from_secs(10);
/// The shortest pause before a dump without the active policy is read again.
const DUMP_PAUSE: Duration = Duration::from_secs(5);
/// The shortest pause before a dump is read again, as a multiple of the time that reading it took.
const DUMP_REST: u32 = 20;
/// The largest number of other revisions that are named.
const MAX_OTHER_REVISIONS: usize = 8;

/// Reads one proxy, repeatedly. It reads the configuration dump only if the policy may have changed.
#[derive(Debug)]
pub struct ProxyReader {
    admin: AdminClient,
    dumps: AdminClient,
    policy: Option<Arc<Plan>>,
    /// The revision and update for which the dump was read, and when to read it again.
    dumped: Option<(Dumped, Instant)>,
    note: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Dumped {
    number: Option<u64>,
    updated: Option<u64>,
}

impl ProxyReader {
    /// Creates a reader for the proxy at this address.
    ///
    /// # Errors
    /// A sentence that says why the address is invalid and what to write instead.
    pub fn new(address: &str) -> Result<Self, String> {
        Ok(Self {
            admin: AdminClient::new(address, TIMEOUT)?.with_max_bytes(MAX_BYTES),
            dumps: AdminClient::new(address, DUMP_TIMEOUT)?,
            policy: None,
            dumped: None,
            note: None,
        })
    }

    /// The address as messages and JSON show it: `http://host:port`.
    #[must_use]
    pub fn address(&self) -> &str {
        self.admin.address()
    }

    /// The active policy at the last reading, if it is known.
    #[must_use]
    pub fn policy(&self) -> Option<&Arc<Plan>> {
        self.policy.as_ref()
    }

    /// What is unusual about the policy, as a sentence.
    #[must_use]
    pub fn note(&self) -> Option<&str> {
        self.note.as_deref()
    }

    /// Reads the stats page, including the clusters of the active policy, and the policy if it may have changed.
    ///
    /// # Errors
    /// If nothing responds, or something other than Envoy does.
    pub fn read(&mut self) -> Result<StatsPage, StatsError> {
        let path = self.stats_path();
        let page = self.read_stats(&path)?;
        self.refresh_policy(&page);
        match self.stats_path() {
            same if same == path => Ok(page),
            other => self.read_stats(&other),
        }
    }

    fn read_stats(&self, path: &str) -> Result<StatsPage, StatsError> {
        let mut page = StatsPage::default();
        let (_, date) = self.admin.get_stats(path, |text| {
            page = StatsPage::read(text);
            page.is_of_envoy()
        })?;
        page.date = date;
        Ok(page)
    }

    fn stats_path(&self) -> String {
        let rollouts = self.policy.iter().flat_map(|plan| plan.rollouts());
        stats_path(rollouts.flat_map(|rollout| [rollout.v1.as_str(), rollout.v2.as_str()]))
    }

    /// Searches for the active policy, if it may have changed.
    fn refresh_policy(&mut self, page: &StatsPage) {
        let discovery = page.discovery.as_ref();
        let wanted = Dumped {
            number: page.revision_number(),
            updated: discovery.and_then(|seen| seen.updated),
        };
        let is_known = |plan: &Arc<Plan>| Some(plan.revision().number()) == page.revision_number();
        let known = self.policy.as_ref().is_some_and(is_known);
        let is_looked_at = self
            .dumped
            .is_some_and(|(dumped, again)| dumped == wanted && (known || Instant::now() < again));
        if is_looked_at {
            return;
        }
        let began = Instant::now();
        let (search, failed) = self.search(page.revision_number());
        let pause = DUMP_PAUSE.max(began.elapsed().saturating_mul(DUMP_REST));
        let again = Instant::now().checked_add(pause);
        self.dumped = Some((wanted, again.unwrap_or(began)));
        self.note = None;
        if page.revision_number().is_none() {
            self.policy = None;
            self.note = Some(match (search.found(), discovery) {
                (_, Some(_)) => "no policy has been active yet: everyone takes v1".to_owned(),
                (Ok((plan, _)), None) => format!(
                    "it has a Turnout filter with revision {}, but no stats of it: either Envoy did not load the \
                     filter (see its log), or its `stats_matcher` excludes wasmcustom.turnout",
                    plan.revision().as_str()
                ),
                (Err(MissingPolicy::Invalid), None) => {
                    "it has a Turnout filter with an invalid policy; `turnout lint` shows why"
                        .to_owned()
                }
                (Err(_), None) => "it has no Turnout filter".to_owned(),
            });
            return;
        }
        match search.found() {
            Ok((mut plan, others)) => {
                if plan.needs_region() {
                    let info = self.admin.get("/server_info").unwrap_or_default();
                    plan.set_region(&node_region(&info));
                }
                self.note = describe_other_policies(
                    plan.revision().as_str(),
                    page.plugin().unwrap_or_default(),
                    &others,
                );
                self.policy = Some(Arc::new(plan));
            }
            // The known policy is still active.
            Err(_) if known => {}
            Err(missing) => {
                self.policy = None;
                self.note = Some(describe_missing(missing, failed));
            }
        }
    }

    /// Searches the dump. Also returns why a part of it could not be read.
    fn search(&self, number: Option<u64>) -> (PolicySearch, Option<String>) {
        let mut search = PolicySearch::new(number);
        let mut failed = None;
        let mut read = |search: &mut PolicySearch, part| {
            if let Err(why) = self.read_part(part, search) {
                failed = Some(why);
            }
        };
        let began = Instant::now();
        let is_in_time = || began.elapsed() < DUMP_TIMEOUT;
        for part in PARTS.into_iter().take_while(|_| is_in_time()) {
            read(&mut search, part);
        }
        if number.is_some() && search.is_empty() && is_in_time() {
            read(&mut search, WHOLE);
        }
        (search, failed)
    }

    fn read_part(&self, part: &str, search: &mut PolicySearch) -> Result<(), String> {
        let Some(part) = self.dumps.open_config_dump(part)? else {
            return Ok(());
        };
        search
            .read(part)
            .map_err(|error| match error.io_error_kind() {
                None => format!("its configuration dump is malformed ({error})"),
                Some(_) => {
                    let error = io::Error::from(error);
                    format!(
                        "its configuration dump is cut off: {error} (the timeout is {DUMP_TIMEOUT:?})"
                    )
                }
            })
    }
}

/// Returns a note if there are other policies than the one that is shown.
fn describe_other_policies(shown: &str, plugin: &str, others: &[String]) -> Option<String> {
    let more = match others {
        [] => return None,
        [other] => format!("also has revision {other}"),
        _ => {
            let names = others.iter().take(MAX_OTHER_REVISIONS);
            let names: Vec<_> = names.map(String::as_str).collect();
            let rest = others.len().saturating_sub(names.len());
            let rest = match rest {
                0 => String::new(),
                rest => format!(" and {rest} more"),
            };
            format!("also has the revisions {}{rest}", names.join(", "))
        }
    };
    Some(format!(
        "it has several Turnout filters: revision {shown} of the plugin {plugin} is shown; it {more}; the \
         requests of all of them are added up"
    ))
}

/// Describes why the active policy is not known. `failed` says why a part of the dump could not be read.
fn describe_missing(missing: MissingPolicy, failed: Option<String>) -> String {
    match (missing, failed) {
            (MissingPolicy::Nothing | MissingPolicy::Invalid, Some(why)) => format!("cannot read its policy: {why}"),
            (MissingPolicy::Nothing, None) => "its policy is not in its configuration dump".to_owned(),
            (MissingPolicy::Other(revision), _) => format!(
                "it received revision {revision} last, but does not run it; the policy that it runs is not in its \
                 configuration dump"
            ),
            (MissingPolicy::Invalid, None) => "it received an invalid policy last; the policy that it runs is not in its configuration dump"
                .to_owned(),
            (MissingPolicy::Unnamed, _) => "its policy is a Struct without `revision`, so it is unknown whether it is the active one; add a \
                 `revision` to the policy, as `turnout render` does"
                .to_owned(),
        }
}
