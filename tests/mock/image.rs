//! The image of the filter. No engine is asked: what can be wrong without one is the text.

use std::fs;
use std::path::Path;

use support::wasm::filter_wasm;

#[test]
fn the_image_holds_the_filter_alone_in_one_layer() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../Dockerfile");
    let text = fs::read_to_string(file).expect("the Dockerfile");
    let lines = text.lines().map(str::trim);
    let steps: Vec<&str> = lines
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .collect();
    // Of what `make wasm` makes, under the name that Istio and Envoy Gateway look for. They take an
    // image of more than one layer for none of theirs.
    let artifact = filter_wasm();
    let artifact = artifact.file_name().expect("a file's name");
    let copy = format!("COPY {} plugin.wasm", artifact.display());
    assert_eq!(steps, ["FROM scratch", &copy]);
}
