//! Core alone as wasm, in an interpreter that counts instructions.

use wasmi::{Config, Engine, ExternType, Instance, Linker, Memory, Module, Store, Val};

use crate::wasm::instruction_count_wasm;

/// More fuel than any call takes.
const FUEL: u64 = 1 << 50;
/// The number of calls that the mean is taken of.
const TIMES: u32 = 10;

/// A VM that runs core.
pub struct Counted {
    store: Store<()>,
    instance: Instance,
    memory: Memory,
}

impl Counted {
    /// Builds the artifact if necessary, and starts it.
    ///
    /// # Panics
    /// When it cannot be built or started.
    #[must_use]
    pub fn start() -> Self {
        let mut config = Config::default();
        config.consume_fuel(true);
        let engine = Engine::new(&config);
        let bytes = std::fs::read(instruction_count_wasm()).expect("the artifact");
        let module = Module::new(&engine, bytes).expect("a module");
        let mut linker = Linker::new(&engine);
        // Decisions need nothing of the system.
        for import in module.imports() {
            let ExternType::Func(signature) = import.ty() else {
                panic!("{} is no function", import.name());
            };
            let name = import.name().to_owned();
            let refuse = move |_: wasmi::Caller<'_, ()>, _: &[Val], _: &mut [Val]| {
                Err(wasmi::Error::new(format!("{name} was called")))
            };
            let (module, name) = (import.module(), import.name());
            let linked = linker.func_new(module, name, signature.clone(), refuse);
            linked.expect("each is there once");
        }
        let mut store = Store::new(&engine, ());
        store.set_fuel(FUEL).expect("fuel is counted");
        let instance = linker.instantiate_and_start(&mut store, &module);
        let instance = instance.expect("an instance");
        let memory = instance.get_memory(&store, "memory").expect("its memory");
        let mut counted = Self {
            store,
            instance,
            memory,
        };
        counted.call("_initialize", &[], &mut []);
        counted
    }

    /// Activates a plugin configuration, for a proxy in a region.
    ///
    /// # Panics
    /// When core rejects it.
    pub fn configure(&mut self, configuration: &str, region: &str) {
        self.text(region.as_bytes());
        self.call("place", &[], &mut []);
        self.text(configuration.as_bytes());
        let mut good = [Val::I32(0)];
        self.call("configure", &[], &mut good);
        assert_eq!(good[0].i32(), Some(1), "{configuration:.1000}");
    }

    /// The instructions of reading a request, and of deciding it.
    pub fn count(&mut self, headers: &[(&[u8], &[u8])]) -> [u64; 2] {
        let parts = headers.iter().flat_map(|(name, value)| [*name, *value]);
        let text: Vec<u8> = parts.flat_map(|part| [part, &[0]].concat()).collect();
        self.text(&text);
        // The first call compiles the function, and a mean over several calls cancels what varies between
        // them.
        let mut more = |function: &str| {
            self.call(function, &[1], &mut []);
            let once = self.call(function, &[1], &mut []);
            let often = self.call(function, &[1 + TIMES], &mut []);
            (often - once) / u64::from(TIMES)
        };
        let [read, both] = ["read", "read_and_decide"].map(&mut more);
        [read, both - read]
    }

    /// A hash of the evidence of so many random counts.
    pub fn guard_digits(&mut self, tables: u32) -> u64 {
        let mut hash = [Val::I64(0)];
        self.call("guard_digits", &[tables], &mut hash);
        hash[0].i64().expect("a number").cast_unsigned()
    }

    fn text(&mut self, text: &[u8]) {
        let mut at = [Val::I32(0)];
        let size = u32::try_from(text.len()).expect("less than 4 GiB");
        self.call("text", &[size], &mut at);
        let at = at[0].i32().expect("an address").cast_unsigned();
        let at = usize::try_from(at).expect("an address");
        let room = self.memory.data_mut(&mut self.store);
        room[at..at + text.len()].copy_from_slice(text);
    }

    /// The instructions that a function takes.
    fn call(&mut self, function: &str, arguments: &[u32], results: &mut [Val]) -> u64 {
        let arguments: Vec<Val> = arguments
            .iter()
            .map(|argument| Val::I32(argument.cast_signed()))
            .collect();
        let called = self.instance.get_func(&self.store, function);
        let called = called.unwrap_or_else(|| panic!("there is no {function}"));
        self.store.set_fuel(FUEL).expect("fuel is counted");
        let ended = called.call(&mut self.store, &arguments, results);
        ended.unwrap_or_else(|error| panic!("{function}: {error}"));
        FUEL - self.store.get_fuel().expect("fuel is counted")
    }
}
