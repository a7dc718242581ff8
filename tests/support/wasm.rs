//! Builds the filter's WebAssembly artifact, so that no test can run against a stale one.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// What an outer cargo, or a tool around it, may have set for the host and must not reach the
/// build of the artifact: it is built here as users build it. (Coverage instrumentation, for
/// one, does not exist for the wasm target.)
const NOT_INHERITED: &[&str] = &[
    "CARGO_BUILD_RUSTFLAGS",
    "CARGO_BUILD_TARGET",
    "CARGO_ENCODED_RUSTFLAGS",
    "LLVM_PROFILE_FILE",
    "RUSTC_WORKSPACE_WRAPPER",
    "RUSTC_WRAPPER",
    "RUSTFLAGS",
];

/// One of the two builds of the filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Build {
    /// With all that it can do.
    Whole,
    /// It makes no copies.
    Lean,
}

impl Build {
    /// Its path.
    #[must_use]
    pub fn artifact(self) -> PathBuf {
        match self {
            Self::Whole => filter_wasm(),
            Self::Lean => lean_wasm(),
        }
    }
}

/// The path of the whole filter, built by the first call in this process.
///
/// Panics with what cargo said when the build fails.
pub fn filter_wasm() -> PathBuf {
    static ARTIFACT: OnceLock<PathBuf> = OnceLock::new();
    ARTIFACT
        .get_or_init(|| build("turnout-filter", "wasm", &[]))
        .clone()
}

/// The path of the build that makes no copies, built by the first call in this process.
///
/// Panics with what cargo said when the build fails.
pub fn lean_wasm() -> PathBuf {
    static ARTIFACT: OnceLock<PathBuf> = OnceLock::new();
    let lean = || build("turnout-filter", "wasm-lean", &["--no-default-features"]);
    ARTIFACT.get_or_init(lean).clone()
}

/// The path of core alone as wasm, built as [`filter_wasm`] is.
///
/// Panics with what cargo said when the build fails.
pub fn instruction_count_wasm() -> PathBuf {
    static ARTIFACT: OnceLock<PathBuf> = OnceLock::new();
    ARTIFACT
        .get_or_init(|| build("turnout-instruction-count", "wasm", &[]))
        .clone()
}

fn build(package: &str, profile: &str, options: &[&str]) -> PathBuf {
    let all = [
        "--package",
        package,
        "--target",
        "wasm32-wasip1",
        "--profile",
        profile,
    ];
    cargo_build(&[&all, options].concat());
    let folder = target_directory().join("wasm32-wasip1").join(profile);
    let artifact = folder.join(format!("{}.wasm", package.replace('-', "_")));
    assert!(artifact.is_file(), "cargo built no {}", artifact.display());
    artifact
}

/// The path of a filter that does nothing, made with the SDK: `tests/bench/envoy/sdk_nothing`, built by the first
/// call in this process.
///
/// Panics with what cargo said when the build fails.
pub fn sdk_nothing_wasm() -> PathBuf {
    static ARTIFACT: OnceLock<PathBuf> = OnceLock::new();
    let build = || {
        cargo_build(&[
            "--locked",
            "--manifest-path",
            "tests/bench/envoy/sdk_nothing/Cargo.toml",
            "--target",
            "wasm32-wasip1",
            "--release",
        ]);
        let artifact = target_directory().join("wasm32-wasip1/release/turnout_sdk_nothing.wasm");
        assert!(artifact.is_file(), "cargo built no {}", artifact.display());
        artifact
    };
    ARTIFACT.get_or_init(build).clone()
}

/// Panics with what cargo said when the build fails.
pub(crate) fn cargo_build(options: &[&str]) {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo
        .current_dir(workspace())
        .arg("build")
        .args(options)
        .arg("--target-dir")
        .arg(target_directory());
    for variable in NOT_INHERITED {
        cargo.env_remove(variable);
    }
    // Nor what the outer cargo says of the package that it runs: to build scripts that ask, ring's among
    // them, it is a change, and all behind them is built anew each time.
    for (variable, _) in std::env::vars_os() {
        let name = variable.to_string_lossy();
        if name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_") {
            cargo.env_remove(variable);
        }
    }
    let output = cargo.output().expect("cargo starts");
    assert!(
        output.status.success(),
        "cargo build {}:\n{}",
        options.join(" "),
        String::from_utf8_lossy(&output.stderr)
    );
}

/// Where the outer cargo builds too; a relative path is taken from the workspace.
pub(crate) fn target_directory() -> PathBuf {
    let named = std::env::var_os("CARGO_TARGET_DIR")
        .filter(|named| !named.is_empty())
        .unwrap_or_else(|| "target".into());
    workspace().join(named)
}

fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the tests' package is a directory of the workspace")
}
