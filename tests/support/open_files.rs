//! How many files, and so connections, this process and those that it starts may have open.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Allows so many open files. Shells often allow a process 1,024 and let it raise that by itself.
///
/// # Panics
/// When the system does not allow so many.
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
