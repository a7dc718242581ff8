//! The image of the filter. The test checks the text of the Dockerfile and needs no container engine.

use std::fs;
use std::path::Path;

use support::wasm::filter_wasm;

#[test]
fn the_image_has_one_layer_with_only_the_filter() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../Dockerfile");
    let text = fs::read_to_string(file).expect("the Dockerfile");
    let lines = text.lines().map(str::trim);
    let steps: Vec<&str> = lines
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .collect();
    // Istio and Envoy Gateway expect this file name, and reject an image with more than
    // one layer.
    let artifact = filter_wasm();
    let artifact = artifact.file_name().expect("a file's name");
    let copy = format!("COPY {} plugin.wasm", artifact.display());
    assert_eq!(steps, ["FROM scratch", &copy]);
}
