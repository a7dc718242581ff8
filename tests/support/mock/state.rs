//! The state of the host: contexts, streams, metrics, queues, calls. It contains no wasm.

use super::forced_status::ForcedStatus;
use super::headers::HeaderMap;
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use wasmi::{Memory, TypedFunc};

/// The severity of a log line, as in the ABI.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    Trace,
    Debug,
    Info,
    Warn,
    Error,
    Critical,
}

impl Level {
    const ALL: [Self; 6] = [
        Self::Trace,
        Self::Debug,
        Self::Info,
        Self::Warn,
        Self::Error,
        Self::Critical,
    ];

    pub(super) fn from_abi(level: u32) -> Option<Self> {
        Self::ALL.get(usize::try_from(level).ok()?).copied()
    }
}

/// A response that the filter sent in place of the upstream's.
#[derive(Clone, Debug)]
pub struct LocalResponse {
    pub status: u32,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

/// A call that the filter started and that has no response yet.
#[derive(Clone, Debug)]
pub struct HttpCall {
    pub token: u32,
    pub cluster: String,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
    pub trailers: HeaderMap,
    /// `None` waits for ever.
    pub timeout: Option<Duration>,
    /// The root context that owns the call: Envoy cancels the call when the root ends.
    pub(super) root: u32,
}

/// The response to a call.
#[derive(Clone, Debug, Default)]
pub struct HttpResponse {
    pub headers: HeaderMap,
    pub body: Vec<u8>,
    pub trailers: HeaderMap,
}

/// One HTTP stream, from the view of its context in Envoy.
#[derive(Debug, Default)]
pub(super) struct StreamState {
    pub root: u32,
    pub request: Message,
    pub response: Message,
    /// Inside `proxy_on_log`: headers can be read again, but not changed.
    pub logging: bool,
    pub properties: BTreeMap<String, Vec<u8>>,
    pub header_changes: usize,
    pub local_response: Option<LocalResponse>,
    pub resumed: bool,
    pub reset: bool,
    pub host_calls: Vec<&'static str>,
}

/// One direction of a stream. Envoy lends headers and body to the filter from the callback that brings them
/// until a callback lets them continue.
#[derive(Debug, Default)]
pub(super) struct Message {
    pub headers: HeaderMap,
    pub lent: bool,
    pub body: Option<Vec<u8>>,
    pub trailers: HeaderMap,
    pub trailers_lent: bool,
}

/// A root context, by its id. It may still have work when it is asked to finish.
#[derive(Debug)]
pub(super) enum Context {
    Root { asked_to_go: bool },
    Stream(Box<StreamState>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MetricKind {
    Counter,
    Gauge,
    Histogram,
}

/// Metrics, by the name that the guest gave them. Two definitions of one name are one metric.
#[derive(Debug, Default)]
pub(super) struct Metrics {
    ids: HashMap<u32, (MetricKind, String)>,
    defined: [u32; 3],
    pub values: BTreeMap<String, u64>,
    pub samples: BTreeMap<String, Vec<u64>>,
    /// The values of counters at the last drain. The guest reads the counters themselves.
    drained: BTreeMap<String, u64>,
}

impl Metrics {
    /// The id of a new definition. As in Envoy, its lowest two bits are the kind.
    pub fn define(&mut self, kind: MetricKind, name: &str) -> u32 {
        let kind_bits = kind as u32;
        self.defined[kind as usize] += 1;
        let id = self.defined[kind as usize] * 4 + kind_bits;
        self.ids.insert(id, (kind, name.to_owned()));
        if kind != MetricKind::Histogram {
            self.values.entry(name.to_owned()).or_default();
        }
        id
    }

    /// The increments of counters since the last call.
    pub fn drain_counters(&mut self) -> BTreeMap<String, u64> {
        let mut gained = BTreeMap::new();
        for (kind, name) in self.ids.values() {
            if *kind == MetricKind::Counter {
                let value = self.values[name];
                let before = self.drained.get(name).copied().unwrap_or_default();
                gained.insert(name.clone(), value - before);
            }
        }
        for (name, gain) in &gained {
            *self.drained.entry(name.clone()).or_default() += gain;
        }
        gained
    }

    pub fn find(&self, id: u32) -> Option<(MetricKind, String)> {
        self.ids.get(&id).cloned()
    }

    pub fn kind_of(id: u32) -> Option<MetricKind> {
        match id & 3 {
            0 => Some(MetricKind::Counter),
            1 => Some(MetricKind::Gauge),
            2 => Some(MetricKind::Histogram),
            _ => None,
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct Queue {
    /// The root context that registered the queue last. Only it is notified of new items.
    pub root: u32,
    pub items: VecDeque<Vec<u8>>,
}

/// The data that all VMs of a process share.
#[derive(Default)]
pub(super) struct SharedData {
    /// Each value with its version.
    pub values: HashMap<String, (Vec<u8>, u32)>,
    pub last_cas: u32,
}

/// The whole host, from the view of one worker's VM.
pub(super) struct Host {
    pub memory: Option<Memory>,
    pub allocate: Option<TypedFunc<u32, u32>>,
    pub contexts: BTreeMap<u32, Context>,
    pub current: u32,
    /// The callback that runs, or ran last.
    pub callback: &'static str,
    pub effective: Option<u32>,
    pub configuration: Option<Vec<u8>>,
    pub log: Vec<(Level, String)>,
    pub log_level: Level,
    pub now_nanoseconds: u64,
    pub random: u64,
    pub properties: BTreeMap<String, Vec<u8>>,
    pub metrics: Metrics,
    pub shared: Arc<Mutex<SharedData>>,
    pub queue_ids: HashMap<String, u32>,
    pub queues: HashMap<u32, Queue>,
    /// Roots to notify of an item, each with its queue, once the guest has returned.
    pub ready: VecDeque<(u32, u32)>,
    pub tick_periods: BTreeMap<u32, Duration>,
    pub absent_clusters: BTreeSet<String>,
    pub calls: Vec<HttpCall>,
    pub last_call: u32,
    pub response: Option<HttpResponse>,
    pub root_calls: Vec<&'static str>,
    /// Callbacks, each with the host functions that it called.
    pub calls_by_callback: BTreeSet<(&'static str, &'static str)>,
    pub forced_status: Option<ForcedStatus>,
    /// The calls since then that had the forced status.
    pub forced_calls: usize,
    pub unimplemented: BTreeSet<String>,
    /// Root contexts that called `proxy_done` after they were asked to finish.
    pub finished_roots: Vec<u32>,
}

/// 2026-01-01T00:00:00Z. Tests do not depend on the time at which they run.
const START_OF_TIME: u64 = 1_767_225_600_000_000_000;

impl Default for Host {
    fn default() -> Self {
        Self {
            memory: None,
            allocate: None,
            contexts: BTreeMap::new(),
            current: 0,
            callback: "",
            effective: None,
            configuration: None,
            log: Vec::new(),
            log_level: Level::Info,
            now_nanoseconds: START_OF_TIME,
            random: 1,
            properties: BTreeMap::new(),
            metrics: Metrics::default(),
            shared: Arc::default(),
            queue_ids: HashMap::new(),
            queues: HashMap::new(),
            ready: VecDeque::new(),
            tick_periods: BTreeMap::new(),
            absent_clusters: BTreeSet::new(),
            calls: Vec::new(),
            last_call: 0,
            response: None,
            root_calls: Vec::new(),
            calls_by_callback: BTreeSet::new(),
            forced_status: None,
            forced_calls: 0,
            unimplemented: BTreeSet::new(),
            finished_roots: Vec::new(),
        }
    }
}

impl Host {
    /// Records a host call with the context whose callback is running.
    pub fn record(&mut self, call: &'static str) {
        self.calls_by_callback.insert((self.callback, call));
        match self.contexts.get_mut(&self.current) {
            Some(Context::Stream(stream)) => stream.host_calls.push(call),
            _ => self.root_calls.push(call),
        }
    }

    /// The context of a host call: the one that the guest selected, if it exists, else the one whose callback is
    /// running.
    pub fn active(&self) -> u32 {
        match self.effective {
            Some(id) if self.contexts.contains_key(&id) => id,
            _ => self.current,
        }
    }

    pub fn active_stream(&mut self) -> Option<&mut StreamState> {
        self.stream(self.active())
    }

    pub fn stream(&mut self, id: u32) -> Option<&mut StreamState> {
        match self.contexts.get_mut(&id)? {
            Context::Stream(stream) => Some(stream),
            Context::Root { .. } => None,
        }
    }

    /// The root of the active context. A root is its own root.
    pub fn active_root(&self) -> u32 {
        let active = self.active();
        match self.contexts.get(&active) {
            Some(Context::Stream(stream)) => stream.root,
            _ => active,
        }
    }

    /// xorshift64: the same numbers in every run.
    pub fn next_random(&mut self) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random
    }
}
