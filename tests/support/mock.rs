//! A mock of Envoy's host for proxy-wasm filters (ABI 0.2.1). It runs the real `.wasm` artifact in an
//! interpreter, so tests need neither Envoy nor a network.
//!
//! ```no_run
//! let mut vm = support::mock::Vm::start(&support::wasm::filter_wasm());
//! assert!(vm.configure(br#"{"policy": {}}"#).unwrap());
//! let exchange = vm.exchange(&[(":method", "GET"), (":path", "/")]).unwrap();
//! assert_eq!(exchange.header("x-turnout-treatment"), Some("v1"));
//! ```
//!
//! It behaves as Envoy does, including the surprises: headers that a filter cannot read any more once the
//! request continued, and statuses on which the SDK panics. Functions that it does not model return
//! `Unimplemented` and are listed in [`Vm::unimplemented`]. It is stricter than Envoy in one point: it does
//! not recover from a trap. [`Vm::force_status`] makes host functions fail.

mod events;
mod forced_status;
mod guest;
mod headers;
mod http_functions;
mod imports;
mod shared_functions;
mod state;
mod stream;
mod wasi;

pub use forced_status::ForcedStatus;
pub use headers::{Header, HeaderMap};
pub use state::{HttpCall, HttpResponse, Level, LocalResponse};
pub use stream::{Action, Exchange, Stream};

use state::{Context, Host};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use wasmi::{Config, Engine, Instance, Module, Store, Val};

/// More instructions than any test executes.
const FUEL: u64 = 1 << 60;

/// The VM of one worker, with the filter in it.
pub struct Vm {
    wasm: PathBuf,
    store: Store<Host>,
    instance: Instance,
    /// The root context of the configuration that was accepted last. It gets new streams.
    root: Option<u32>,
    last_context: u32,
    trap: Option<Trap>,
}

/// A trap of the guest, which in Envoy ends the VM. The log has the message of the panic.
#[derive(Clone, Debug)]
pub struct Trap {
    /// The callback that trapped.
    pub callback: &'static str,
    pub message: String,
    /// The lines since the last [`Vm::drain_log`].
    pub log: Vec<(Level, String)>,
}

impl std::fmt::Display for Trap {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "trap in {}: {}", self.callback, self.message)?;
        for (level, line) in &self.log {
            write!(formatter, "\n  {level:?}: {line}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Trap {}

impl Vm {
    /// Instantiates and initialises the module, without a configuration.
    pub fn start(wasm: &Path) -> Self {
        Self::instantiate(wasm, false)
    }

    /// Like [`Vm::start`], and counts the instructions that the guest executes.
    pub fn start_counting(wasm: &Path) -> Self {
        Self::instantiate(wasm, true)
    }

    fn instantiate(wasm: &Path, counts_instructions: bool) -> Self {
        let (engine, module) = compiled(wasm, counts_instructions);
        let linker = imports::linker(&engine, &module);
        let mut store = Store::new(&engine, Host::default());
        if counts_instructions {
            store.set_fuel(FUEL).expect("fuel is counted");
        }
        let instance = linker
            .instantiate_and_start(&mut store, &module)
            .unwrap_or_else(|error| panic!("{} does not start: {error}", wasm.display()));
        let host_memory = instance.get_memory(&store, "memory");
        let allocate = ["proxy_on_memory_allocate", "malloc"]
            .iter()
            .find_map(|name| instance.get_typed_func(&store, name).ok());
        store.data_mut().memory = host_memory;
        store.data_mut().allocate = allocate;
        let mut vm = Self {
            wasm: wasm.to_owned(),
            store,
            instance,
            root: None,
            last_context: 0,
            trap: None,
        };
        assert!(
            vm.exports("proxy_abi_version_0_2_1"),
            "{} is not for ABI 0.2.1",
            wasm.display()
        );
        vm.call("_initialize", 0, &[])
            .unwrap_or_else(|trap| panic!("{trap}"));
        vm
    }

    /// Starts the VM of another worker of the same process: it has the same shared data.
    pub fn start_worker(&self) -> Self {
        self.start_worker_of(&self.wasm)
    }

    /// Starts the VM of another worker of the same process, with another build of the filter.
    pub fn start_worker_of(&self, wasm: &Path) -> Self {
        let mut other = Self::start(wasm);
        other.host_mut().shared = Arc::clone(&self.host().shared);
        other
    }

    /// The number of keys in the shared data.
    pub fn shared_keys(&self) -> usize {
        let shared = self.host().shared.lock();
        shared.expect("no panic while it is locked").values.len()
    }

    /// Gives the filter a configuration. Returns whether the filter accepted it.
    ///
    /// As in Envoy, a VM of its own tries the configuration first, so a rejected one leaves only log lines here.
    /// An accepted configuration gets a new root context; the one before serves its streams
    /// to their end.
    pub fn configure(&mut self, configuration: &[u8]) -> Result<bool, Trap> {
        let mut canary = self.canary();
        if canary.start_root(configuration)?.is_none() {
            let lines = canary.drain_log();
            self.host_mut().log.extend(lines);
            return Ok(false);
        }
        let started = self.start_root(configuration)?;
        let root = started.expect("what one VM accepts another does not refuse");
        if let Some(retired) = self.root.replace(root) {
            self.retire(retired)?;
        }
        Ok(true)
    }

    /// A VM in the state of this one before its first configuration.
    fn canary(&self) -> Self {
        let mut canary = Self::start(&self.wasm);
        let here = self.host();
        let there = canary.host_mut();
        there.properties.clone_from(&here.properties);
        there.absent_clusters.clone_from(&here.absent_clusters);
        there.now_nanoseconds = here.now_nanoseconds;
        there.log_level = here.log_level;
        there.shared = Arc::clone(&here.shared);
        canary
    }

    /// The root context of a configuration; `None` if the filter rejects it. The filter can read the
    /// configuration while the root is created and configured, and not in between.
    fn start_root(&mut self, configuration: &[u8]) -> Result<Option<u32>, Trap> {
        let size = u32::try_from(configuration.len()).expect("less than 4 GiB");
        let root = self.new_context();
        let host = self.host_mut();
        host.contexts
            .insert(root, Context::Root { asked_to_go: false });
        host.configuration = Some(configuration.to_vec());
        self.call("proxy_on_context_create", root, &[0])?;
        self.host_mut().configuration = None;
        if self.call("proxy_on_vm_start", root, &[0])? == Some(0) {
            return Ok(None);
        }
        self.host_mut().configuration = Some(configuration.to_vec());
        let accepted = self.call("proxy_on_configure", root, &[size])? != Some(0);
        self.host_mut().configuration = None;
        self.settle()?;
        Ok(accepted.then_some(root))
    }

    /// Removes the active root context, as Envoy does once it uses another build of the filter.
    pub fn leave(&mut self) -> Result<(), Trap> {
        self.root.take().map_or(Ok(()), |root| self.retire(root))
    }

    /// Adds another plugin of the filter with this name to the VM. Returns whether it accepted its configuration.
    /// It gets new streams, and the plugins before it stay.
    pub fn configure_beside(&mut self, plugin: &str, configuration: &[u8]) -> Result<bool, Trap> {
        self.set_property(&["plugin_name"], plugin.as_bytes());
        let started = self.start_root(configuration)?;
        self.root = started.or(self.root);
        Ok(started.is_some())
    }

    /// Calls a callback for any context, also one that does not exist, and returns its result. `None` if the function
    /// is not exported or has no result.
    pub fn call_back(
        &mut self,
        callback: &'static str,
        context: u32,
        arguments: &[u32],
    ) -> Result<Option<u32>, Trap> {
        self.call(callback, context, arguments)
    }

    /// The root context that gets new streams.
    ///
    /// Panics if no configuration was accepted.
    pub fn root(&self) -> u32 {
        self.root.expect("a configuration that was accepted")
    }

    /// Creates and configures the active root context again, as Envoy does when it starts a plugin that it already
    /// has.
    pub fn configure_again(&mut self, configuration: &[u8]) -> Result<bool, Trap> {
        let root = self.root();
        let size = u32::try_from(configuration.len()).expect("less than 4 GiB");
        self.host_mut().configuration = Some(configuration.to_vec());
        self.call("proxy_on_context_create", root, &[0])?;
        let response = self.call("proxy_on_configure", root, &[size])?;
        self.host_mut().configuration = None;
        Ok(response != Some(0))
    }

    /// The values of counters and gauges, by the names that the filter gave them.
    pub fn metrics(&self) -> BTreeMap<String, u64> {
        self.host().metrics.values.clone()
    }

    /// The increments of counters since the last call. The values that the filter sees do not change.
    pub fn drain_counters(&mut self) -> BTreeMap<String, u64> {
        self.host_mut().metrics.drain_counters()
    }

    /// The values that were recorded in histograms.
    pub fn samples(&self) -> &BTreeMap<String, Vec<u64>> {
        &self.host().metrics.samples
    }

    pub fn log(&self) -> Vec<(Level, String)> {
        self.host().log.clone()
    }

    /// Returns the lines so far and forgets them.
    pub fn drain_log(&mut self) -> Vec<(Level, String)> {
        std::mem::take(&mut self.host_mut().log)
    }

    /// Returns the host calls outside streams, by name and in order, and forgets them.
    pub fn drain_root_calls(&mut self) -> Vec<&'static str> {
        std::mem::take(&mut self.host_mut().root_calls)
    }

    /// Imports that the filter called and this host does not implement.
    pub fn unimplemented(&self) -> &BTreeSet<String> {
        &self.host().unimplemented
    }

    /// The size of the guest's linear memory, which never shrinks.
    pub fn memory_bytes(&self) -> usize {
        let memory = self.host().memory;
        memory
            .expect("the module exports its memory")
            .data_size(&self.store)
    }

    /// The instructions that the guest has executed since its start, in callbacks and where a host function calls
    /// its allocator. Interpreting a function for the first time adds to them, because it is compiled then.
    ///
    /// Panics unless the VM was started by [`Vm::start_counting`].
    pub fn instructions(&self) -> u64 {
        FUEL - self.store.get_fuel().expect("a VM that counts")
    }

    /// Sets the log level that the host reports. The host itself drops no line.
    pub fn set_log_level(&mut self, level: Level) {
        self.host_mut().log_level = level;
    }

    /// Sets the time of the host's clocks, which stop between calls.
    pub fn set_time(&mut self, nanoseconds_since_1970: u64) {
        self.host_mut().now_nanoseconds = nanoseconds_since_1970;
    }

    /// Sets the value of a property such as `&["node", "id"]`.
    pub fn set_property(&mut self, path: &[&str], value: &[u8]) {
        self.host_mut()
            .properties
            .insert(path.join("\0"), value.to_vec());
    }

    /// Whether the module exports a function, and so gets its callback.
    pub fn exports(&self, function: &str) -> bool {
        self.instance.get_func(&self.store, function).is_some()
    }

    fn host(&self) -> &Host {
        self.store.data()
    }

    fn host_mut(&mut self) -> &mut Host {
        self.store.data_mut()
    }

    fn new_context(&mut self) -> u32 {
        self.last_context += 1;
        self.last_context
    }

    /// Calls an export for a context, which is the first argument. `_initialize` has no arguments. `None` if the
    /// function is not exported or has no result.
    fn call(
        &mut self,
        callback: &'static str,
        context: u32,
        arguments: &[u32],
    ) -> Result<Option<u32>, Trap> {
        if let Some(trap) = &self.trap {
            return Err(trap.clone());
        }
        let Some(function) = self.instance.get_func(&self.store, callback) else {
            return Ok(None);
        };
        let signature = function.ty(&self.store);
        let arguments: Vec<Val> = std::iter::once(&context)
            .chain(arguments)
            .map(|argument| Val::I32(argument.cast_signed()))
            .take(signature.params().len())
            .collect();
        let mut results: Vec<Val> = signature
            .results()
            .iter()
            .map(|kind| Val::default_for_ty(*kind))
            .collect();
        self.host_mut().current = context;
        self.host_mut().callback = callback;
        self.host_mut().effective = None;
        let outcome = function.call(&mut self.store, &arguments, &mut results);
        self.host_mut().current = 0;
        self.host_mut().effective = None;
        match outcome {
            Ok(()) => Ok(results.first().and_then(Val::i32).map(i32::cast_unsigned)),
            Err(error) => Err(self.fail(callback, error.to_string())),
        }
    }

    fn fail(&mut self, callback: &'static str, message: String) -> Trap {
        let trap = Trap {
            callback,
            message,
            log: self.log(),
        };
        self.trap = Some(trap.clone());
        trap
    }
}

/// The compiled module, shared by all VMs of the process. Counting makes a guest slower, so it has a module of its
/// own.
fn compiled(wasm: &Path, counts_instructions: bool) -> (Engine, Module) {
    type Compiled = HashMap<(PathBuf, bool), (Engine, Module)>;
    static COMPILED: Mutex<Option<Compiled>> = Mutex::new(None);
    let mut compiled = COMPILED.lock().expect("compiling does not panic halfway");
    compiled
        .get_or_insert_default()
        .entry((wasm.to_owned(), counts_instructions))
        .or_insert_with(|| compile(wasm, counts_instructions))
        .clone()
}

fn compile(wasm: &Path, counts_instructions: bool) -> (Engine, Module) {
    let bytes = std::fs::read(wasm)
        .unwrap_or_else(|error| panic!("{} cannot be read: {error}", wasm.display()));
    let mut config = Config::default();
    config.consume_fuel(counts_instructions);
    let engine = Engine::new(&config);
    let module = Module::new(&engine, bytes)
        .unwrap_or_else(|error| panic!("{} is no module: {error}", wasm.display()));
    (engine, module)
}
