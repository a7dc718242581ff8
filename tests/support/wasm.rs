//! Builds and trims the filter's WebAssembly artifact as `make wasm` does, so that no test runs with a stale one.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use turnout_trim::trim_file;

/// Variables that cargo or a tool around it may set for the host, and that must not reach the build of the
/// artifact, which is built as users build it. (Coverage instrumentation, for example, does not exist for the
/// wasm target.)
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
    /// With shadowing.
    Whole,
    /// Without shadowing.
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

    /// The path of the list of its exports.
    #[must_use]
    pub fn export_list(self) -> PathBuf {
        let name = format!("{}.txt", self.folder());
        workspace().join("src/filter/exports").join(name)
    }

    /// The name of its folder in `target/filter`.
    fn folder(self) -> &'static str {
        match self {
            Self::Whole => "full",
            Self::Lean => "lean",
        }
    }

    /// Trims what cargo has built, into `target/filter`. Panics if the exports and their list do not fit.
    fn trim(self, built: &Path) -> PathBuf {
        let folder = target_directory().join("filter").join(self.folder());
        let artifact = folder.join("turnout_filter.wasm");
        if let Err(error) = trim_file(&self.export_list(), built, &artifact) {
            panic!("turnout-trim:\n{error}");
        }
        artifact
    }
}

/// The path of the whole filter. The first call in a process builds it.
///
/// Panics with the output of cargo or of turnout-trim if the build fails.
pub fn filter_wasm() -> PathBuf {
    static ARTIFACT: OnceLock<PathBuf> = OnceLock::new();
    let whole = || Build::Whole.trim(&build("turnout-filter", "wasm", &[]));
    ARTIFACT.get_or_init(whole).clone()
}

/// The path of the build without shadowing. The first call in a process builds it.
///
/// Panics with the output of cargo or of turnout-trim if the build fails.
pub fn lean_wasm() -> PathBuf {
    static ARTIFACT: OnceLock<PathBuf> = OnceLock::new();
    let options = ["--no-default-features"];
    let lean = || Build::Lean.trim(&build("turnout-filter", "wasm-lean", &options));
    ARTIFACT.get_or_init(lean).clone()
}

/// The path of core alone as wasm, built like [`filter_wasm`] but not trimmed.
///
/// Panics with the output of cargo if the build fails.
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

/// The path of a filter that does nothing, made with the SDK: `tests/bench/envoy/sdk_nothing`. The first call in
/// a process builds it.
///
/// Panics with the output of cargo if the build fails.
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

/// Panics with the output of cargo if the build fails.
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
    // Also removes the variables in which the outer cargo describes its package. Build scripts that read them,
    // such as ring's, would see a change, and everything that depends on them would be rebuilt each time.
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

/// The target directory of the outer cargo. A relative path is relative to the workspace.
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
