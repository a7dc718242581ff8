//! The limit of open files, and so of connections, of this process and its children.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Raises the limit to so many files. Shells often set a limit of 1,024 that a process may raise itself.
///
/// # Panics
/// When the system does not allow it.
pub fn allow(count: u64) {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current.is_none_or(|current| current >= count) {
        return;
    }
    assert!(
        maximum.is_none_or(|maximum| maximum >= count),
        "this test opens {count} files, and the system allows {maximum:?}; raise that with `ulimit -Hn {count}`"
    );
    let raised = Rlimit {
        current: Some(count),
        maximum,
    };
    setrlimit(Resource::Nofile, raised).expect("a limit below the maximum");
}
