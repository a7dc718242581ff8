//! Trimming a module.

use turnout_trim::{TrimError, trim};
use wasmi::{Engine, Linker, Module, Store};

use crate::{FILTER, LIST, list, module, trimmed, unfit};

/// The exports of a module, sorted.
fn exports(wasm: &[u8]) -> Vec<String> {
    let module = Module::new(&Engine::default(), wasm).expect("a valid module");
    let mut names: Vec<_> = module.exports().map(|e| e.name().to_owned()).collect();
    names.sort_unstable();
    names
}

/// The imports of a module.
fn imports(wasm: &[u8]) -> Vec<String> {
    let module = Module::new(&Engine::default(), wasm).expect("a valid module");
    module.imports().map(|i| i.name().to_owned()).collect()
}

/// Calls an export and returns its result.
fn call(wasm: &[u8], export: &str) -> i32 {
    let engine = Engine::default();
    let module = Module::new(&engine, wasm).expect("a valid module");
    let mut linker = Linker::new(&engine);
    for name in ["used", "unused"] {
        linker
            .func_wrap("env", name, |_: i32| ())
            .expect("a function of the host");
    }
    let mut store = Store::new(&engine, ());
    let instance = linker
        .instantiate_and_start(&mut store, &module)
        .expect("an instance");
    let function = instance
        .get_typed_func::<i32, i32>(&store, export)
        .expect("an exported function");
    function.call(&mut store, 0).expect("no trap")
}

#[test]
fn only_the_kept_exports_are_left_and_they_run() {
    let trimmed = trimmed(&module(FILTER), LIST);
    assert_eq!(
        exports(&trimmed.wasm),
        ["memory", "on_request", "on_response"]
    );
    assert_eq!((trimmed.kept, trimmed.dropped), (3, 2));
    assert_eq!(call(&trimmed.wasm, "on_request"), 41);
}

#[test]
fn a_function_is_exported_in_place_of_another() {
    let wasm = module(FILTER);
    assert_eq!(call(&wasm, "on_response"), 1);
    assert_eq!(call(&trimmed(&wasm, LIST).wasm, "on_response"), 2);
    // Nothing has to be replaced.
    let renamed = LIST
        .replace("on_log", "on_response")
        .replace("keep on_response from", "keep on_done from");
    let renamed = trimmed(&wasm, &(renamed + "drop on_log\n"));
    assert_eq!(call(&renamed.wasm, "on_done"), 2);
    assert_eq!(exports(&renamed.wasm), ["memory", "on_done", "on_request"]);
}

#[test]
fn what_only_a_dropped_export_reaches_is_removed() {
    let wasm = module(FILTER);
    assert_eq!(imports(&wasm), ["used", "unused"]);
    let all = LIST.replace("drop", "keep");
    let kept = trimmed(&wasm, &all).wasm;
    assert_eq!(imports(&kept), ["used", "unused"]);
    let dropped = trimmed(&wasm, LIST).wasm;
    assert_eq!(imports(&dropped), ["used"]);
    assert!(dropped.len() < kept.len());
}

#[test]
fn custom_sections_are_removed() {
    let named = "(module $secret (@custom \"note\" \"secret\") (func $secret (export \"f\")) \
                 (@producers (language \"secret\" \"1\")))";
    let wasm = module(named);
    let has_secret = |wasm: &[u8]| wasm.windows(6).any(|bytes| bytes == b"secret");
    assert!(has_secret(&wasm));
    assert!(!has_secret(&trimmed(&wasm, "keep f").wasm));
}

#[test]
fn the_result_is_deterministic() {
    let wasm = module(FILTER);
    let first = trimmed(&wasm, LIST).wasm;
    for _ in 0..20 {
        assert_eq!(trimmed(&wasm, LIST).wasm, first);
    }
    let kept = "keep memory\nkeep on_request\nkeep on_response";
    assert_eq!(trimmed(&first, kept).wasm, first);
}

#[test]
fn every_export_has_to_be_on_the_list() {
    let short = LIST.replace("drop on_log", "").replace("keep memory", "");
    assert_eq!(
        unfit(&module(FILTER), &short),
        "the module exports `memory`, which the list does not name; add `keep memory` or `drop memory` to the list\n\
         the module exports `on_log`, which the list does not name; add `keep on_log` or `drop on_log` to the list"
    );
}

#[test]
fn every_name_of_the_list_has_to_be_exported() {
    let long =
        format!("{LIST}keep on_tick\ndrop on_done\nkeep on_data from another\nkeep on_reques\n");
    assert_eq!(
        unfit(&module(FILTER), &long),
        "line 8: the module does not export `on_tick`, which is to be kept; export it in the source, or remove the line\n\
         line 9: the module does not export `on_done`, which is to be dropped; remove the line, or use a module \
         that is not trimmed yet\n\
         line 10: the module does not export `another`, which is to be exported as `on_data`; export it in the \
         source, or remove the line\n\
         line 11: the module does not export `on_reques`, which is to be kept; did you mean `on_request`?"
    );
}

#[test]
fn a_module_is_trimmed_once() {
    let trimmed = trimmed(&module(FILTER), LIST).wasm;
    assert_eq!(
        unfit(&trimmed, LIST),
        "line 5: the module does not export `other_on_response`, which is to be exported as `on_response`; export \
         it in the source, or remove the line\n\
         line 7: the module does not export `on_log`, which is to be dropped; remove the line, or use a module that \
         is not trimmed yet"
    );
}

#[test]
fn only_a_function_of_the_same_type_replaces_a_function() {
    let wasm = module(FILTER);
    let typed = "keep on_response from on_log\nkeep on_data from memory\nkeep on_request\ndrop other_on_response";
    assert_eq!(
        unfit(&wasm, typed),
        "line 1: `on_log` cannot replace `on_response`: expected (func (param i32) (result i32)), found (func (param \
         i32)); give the two the same type\n\
         line 2: `memory` is a memory, which cannot be exported as `on_data`; expected an exported function after `from`"
    );
    let memory =
        "keep memory from on_log\nkeep on_request\nkeep on_response\ndrop other_on_response";
    assert_eq!(
        unfit(&wasm, memory),
        "line 1: `on_log` cannot replace `memory`: expected a memory, found (func (param i32)); give the two the same type"
    );
}

#[test]
fn bytes_that_are_no_module_are_refused() {
    let invalid = wat::parse_str("(module (func (export \"f\") (result i32)))").expect("bytes");
    let whole = module(FILTER);
    let (truncated, _) = whole.split_at(whole.len() / 2);
    let component = b"\0asm\x0d\0\x01\0";
    for bytes in [b"", &b"#!/bin/sh\n"[..], component, &invalid, truncated] {
        let error = trim(bytes, &list("keep f")).expect_err("no module");
        assert!(matches!(error, TrimError::NotAModule(_)), "{error}");
        let text = error.to_string();
        let beginning = "expected a valid WebAssembly module: ";
        assert!(
            text.starts_with(beginning) && !text.contains('\n'),
            "{text}"
        );
    }
}
