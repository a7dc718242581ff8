//! What the demos share: how they run and end, their accounts, screen and testbed.

pub mod accounts;
pub mod screen;
mod testbed;
mod traffic;

use std::future::Future;
use std::process::ExitCode;
use std::time::Duration;

pub use testbed::{Testbed, filter};
pub use traffic::Traffic;

use crate::terminal::show;

/// Most demos take less than a minute. One that takes this long hangs.
const TIME_LIMIT: Duration = Duration::from_secs(110);

/// Prints the title, builds what the demo needs, and runs it with a time limit. The build does not
/// count, because the first one can take minutes.
pub async fn run<T>(
    title: &str,
    build: impl FnOnce(),
    demo: impl Future<Output = Result<T, String>>,
) -> Result<T, String> {
    run_within(TIME_LIMIT, title, build, demo).await
}

/// Like [`run`], with another time limit.
pub async fn run_within<T>(
    limit: Duration,
    title: &str,
    build: impl FnOnce(),
    demo: impl Future<Output = Result<T, String>>,
) -> Result<T, String> {
    show(title)?;
    show("Building what the demo needs and starting Envoy ...\n")?;
    build();
    tokio::time::timeout(limit, demo)
        .await
        .map_err(|_| format!("not finished after {} s", limit.as_secs()))?
}

/// The exit code of a demo: 0 when nothing was wrong, 2 when something was, 1 when it did not finish.
#[must_use]
pub fn exit_code(demo: &str, wrong: Result<usize, String>) -> ExitCode {
    match wrong {
        Ok(0) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::from(2),
        Err(error) => {
            anstream::eprintln!("{demo}: {error}");
            ExitCode::FAILURE
        }
    }
}
