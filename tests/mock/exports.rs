//! The exports of the filter: exactly those that its lists keep. Envoy calls every exported callback for every
//! request, so one more export would cost CPU that no other test notices.

use std::collections::BTreeSet;
use std::fs;

use support::wasm::Build;
use turnout_trim::ExportList;
use wasmi::{Engine, Module};

#[test]
fn each_build_exports_what_its_list_keeps() {
    for build in [Build::Whole, Build::Lean] {
        let list = fs::read_to_string(build.export_list()).expect("the list");
        let list = ExportList::parse(&list).expect("a valid list");
        let kept: BTreeSet<&str> = list.kept().collect();
        let wasm = fs::read(build.artifact()).expect("the artifact");
        let module = Module::new(&Engine::default(), wasm).expect("a valid module");
        let exported: BTreeSet<&str> = module.exports().map(|export| export.name()).collect();
        assert_eq!(exported, kept, "{build:?}");
    }
}
