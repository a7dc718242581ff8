//! The images of the filter and of the command. The tests check the text of the Dockerfiles and need no container engine.

use std::fs;
use std::path::Path;

use support::cli;
use support::wasm::filter_wasm;

/// The steps of a Dockerfile, without comments. A step that continues on the next line is one step.
fn steps(dockerfile: &str) -> Vec<String> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("..")
        .join(dockerfile);
    let text = fs::read_to_string(file).expect(dockerfile);
    let lines = text.lines().map(str::trim);
    let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
    let mut steps: Vec<String> = Vec::new();
    let mut continues = false;
    for line in lines {
        let words = line.trim_end_matches('\\').trim_end();
        match steps.last_mut() {
            Some(step) if continues => {
                step.push(' ');
                step.push_str(words);
            }
            _ => steps.push(words.to_owned()),
        }
        continues = line.ends_with('\\');
    }
    steps
}

#[test]
fn the_image_has_one_layer_with_only_the_filter() {
    // Istio and Envoy Gateway expect this file name, and reject an image with more than one layer.
    let artifact = filter_wasm();
    let artifact = artifact.file_name().expect("a file's name");
    let copy = format!("COPY {} plugin.wasm", artifact.display());
    assert_eq!(steps("Dockerfile"), ["FROM scratch", &copy]);
}

#[test]
fn the_image_of_the_command_has_the_command_and_kubectl() {
    let expected = [
        "ARG KUBECTL=v1.34.1",
        "FROM registry.k8s.io/kubectl:${KUBECTL} AS kubectl",
        "FROM debian:13-slim",
        "ARG PACKAGES=",
        "RUN apt-get update && apt-get install --yes --no-install-recommends ca-certificates ${PACKAGES} \
         && rm -rf /var/lib/apt/lists/*",
        "COPY --from=kubectl /bin/kubectl /usr/local/bin/kubectl",
        "COPY turnout /usr/local/bin/turnout",
        "RUN [\"turnout\", \"--version\"]",
        // The user of examples/kubernetes/roll.yaml.
        "USER 65532:65532",
        "ENTRYPOINT [\"turnout\"]",
    ];
    assert_eq!(steps("Dockerfile.command"), expected);
}

/// The C library of Debian 13 is glibc 2.41.
#[test]
fn the_command_runs_with_the_c_library_of_its_image() {
    let program = cli::turnout().get_program().to_owned();
    let binary = fs::read(program).expect("the command");
    let prefix = b"GLIBC_2.";
    let starts = binary
        .windows(prefix.len())
        .enumerate()
        .filter(|(_, bytes)| bytes == prefix)
        .map(|(at, _)| at);
    let needed = starts.filter_map(|at| {
        let rest = binary.get(at + prefix.len()..)?;
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit());
        let digits: Vec<u8> = digits.copied().collect();
        String::from_utf8(digits).ok()?.parse::<u32>().ok()
    });
    let newest = needed.max();
    assert!(
        newest.is_some_and(|minor| (17..=41).contains(&minor)),
        "{newest:?}"
    );
}
