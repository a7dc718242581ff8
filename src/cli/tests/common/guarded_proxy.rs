//! A simulated Envoy that watches a folder and whose guard counts requests.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use serde_json::Value;
use turnout_core::Revision;

use crate::admin::Admin;

/// The requests that each arm gets at each reading, so that a test takes no time.
const PER_READING: u64 = 2_000;

pub(crate) struct GuardedProxy {
    pub(crate) address: String,
    switches: Arc<Switches>,
    _admin: Admin,
}

#[derive(Default)]
struct Switches {
    is_v2_worse: AtomicBool,
    /// The proxy keeps its policy if that of the folder has this text in its revision.
    refuses: std::sync::Mutex<Option<String>>,
    requests: AtomicU64,
    v2_errors: AtomicU64,
    rejected: AtomicU64,
}

impl GuardedProxy {
    /// An Envoy that watches this `filter.json`, with a guarded rollout `chat`.
    pub(crate) fn watching(filter: PathBuf) -> Self {
        let switches = Arc::new(Switches::default());
        let (shared, began) = (Arc::clone(&switches), Instant::now());
        let running = std::sync::Mutex::new(String::new());
        let admin = Admin::serving(move |page| match page {
            page if page.starts_with("/stats") => {
                let file: Value = fs::read(&filter)
                    .ok()
                    .and_then(|text| serde_json::from_slice(&text).ok())
                    .unwrap_or_default();
                let wanted = file
                    .get("version_info")
                    .and_then(Value::as_str)
                    .unwrap_or_default()
                    .to_owned();
                let mut running = running.lock().expect("a revision");
                let refused = shared.refuses.lock().expect("a name").clone();
                let is_refused = refused.is_some_and(|part| wanted.contains(&part));
                if !is_refused {
                    running.clone_from(&wanted);
                }
                if is_refused {
                    shared.rejected.store(1, Ordering::SeqCst);
                }
                (200, shared.page(&running, began.elapsed().as_secs()))
            }
            page if page.starts_with("/config_dump") => (200, crate::admin::ROUTED.to_owned()),
            _ => (404, String::new()),
        });
        Self {
            address: admin.address.clone(),
            switches,
            _admin: admin,
        }
    }

    pub(crate) fn make_v2_worse(&self) {
        self.switches.is_v2_worse.store(true, Ordering::SeqCst);
    }

    /// Refuses policies whose revision contains this text.
    pub(crate) fn refuse(&self, part: &str) {
        *self.switches.refuses.lock().expect("a name") = Some(part.to_owned());
    }
}

impl Switches {
    fn page(&self, running: &str, seconds: u64) -> String {
        let is_live = running.contains("+roll.") && !running.contains("halted");
        if is_live {
            self.requests.fetch_add(PER_READING, Ordering::SeqCst);
            if self.is_v2_worse.load(Ordering::SeqCst) {
                self.v2_errors.fetch_add(PER_READING / 4, Ordering::SeqCst);
            }
        }
        let number = Revision::from_name(running).map_or(0, |revision| revision.number());
        let all = self.requests.load(Ordering::SeqCst);
        let errors = self.v2_errors.load(Ordering::SeqCst);
        let discovery = "extension_config_discovery.http_filter.turnout";
        let guard = "wasmcustom.turnout.guard.chat.50";
        let rejected = self.rejected.load(Ordering::SeqCst);
        let attempts = rejected.saturating_add(1);
        format!(
            "{discovery}.version_text: \"{running}\"\n{discovery}.config_reload: 1\n\
             {discovery}.update_rejected: {rejected}\n{discovery}.update_attempt: {attempts}\n{discovery}.update_success: 1\n\
             wasmcustom.turnout.revision.turnout: {number}\nserver.live: 1\nserver.uptime: {seconds}\n\
             {guard}.v1.all: {all}\n{guard}.v1.errors: 0\n{guard}.v2.all: {all}\n{guard}.v2.errors: {errors}\n\
             wasmcustom.turnout.guard_state.chat: 0\n\
             wasmcustom.turnout.decisions.chat.v1.rule: {all}\nwasmcustom.turnout.decisions.chat.v2.rule: {all}\n"
        )
    }
}
