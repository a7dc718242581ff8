//! Tests of the library and of the command. The modules are written as WebAssembly text.

#![expect(clippy::expect_used, reason = "a test that cannot go on has failed")]

mod command;
mod list;
mod module;

use turnout_trim::{ExportList, TrimError, Trimmed, trim};

/// A filter in small: four callbacks, two of them for one event.
const FILTER: &str = r#"
    (module
        (import "env" "used" (func $used (param i32)))
        (import "env" "unused" (func $unused (param i32)))
        (memory (export "memory") 1)
        (table 1 funcref)
        (elem (i32.const 0) $indirect)
        (global $count (mut i32) (i32.const 0))
        (global $dropped_count (mut i32) (i32.const 0))
        (func $indirect (result i32) (i32.const 40))
        (func (export "on_request") (param i32) (result i32)
            (call $used (local.get 0))
            (global.set $count (i32.add (global.get $count) (i32.const 1)))
            (i32.add (global.get $count) (call_indirect (result i32) (i32.const 0))))
        (func $log (export "on_log") (param i32)
            (global.set $dropped_count (i32.const 1))
            (call $unused (local.get 0)))
        (func (export "on_response") (param i32) (result i32) (i32.const 1))
        (func (export "other_on_response") (param i32) (result i32) (i32.const 2)))
"#;

const LIST: &str = "
# What the host needs.
keep memory
keep on_request  # decides
keep on_response from other_on_response

drop on_log
";

fn module(text: &str) -> Vec<u8> {
    wat::parse_str(text).expect("a module")
}

fn list(text: &str) -> ExportList {
    ExportList::parse(text).expect("a list")
}

fn trimmed(wasm: &[u8], text: &str) -> Trimmed {
    trim(wasm, &list(text)).expect("a list that fits")
}

/// The problems of a list that does not fit, one on a line.
fn unfit(wasm: &[u8], text: &str) -> String {
    let error = trim(wasm, &list(text)).expect_err("a list that does not fit");
    assert!(matches!(error, TrimError::Unfit(_)), "{error}");
    error.to_string()
}
