//! Finds the name of the current user, for the history.

use std::fs::File;
use std::io::Read;

/// The maximum number of bytes to read from the system's list of users.
const MOST_BYTES: u64 = 16 << 20;

/// The name of the current user: from the environment, from the system's list of users, or else the user's
/// number. Containers, cron and CI often set no variable.
pub(crate) fn current_user() -> Option<String> {
    let named = |name: &&str| {
        let value = std::env::var(name).ok()?;
        Some(value.trim().to_owned()).filter(|value| !value.is_empty())
    };
    let names = ["SUDO_USER", "USER", "LOGNAME"];
    names.iter().find_map(named).or_else(by_number)
}

#[cfg(unix)]
fn by_number() -> Option<String> {
    let number = rustix::process::getuid().as_raw();
    let mut users = String::new();
    let read =
        File::open("/etc/passwd").and_then(|file| file.take(MOST_BYTES).read_to_string(&mut users));
    let name = read.ok().and_then(|_| name_of(number, &users));
    Some(name.unwrap_or_else(|| {
        let system = rustix::system::uname();
        match system.nodename().to_str() {
            Ok(host) if !host.is_empty() => format!("uid {number}@{host}"),
            _ => format!("uid {number}"),
        }
    }))
}

#[cfg(not(unix))]
fn by_number() -> Option<String> {
    None
}

/// Finds the name in lines `name:password:number:…`.
fn name_of(number: u32, users: &str) -> Option<String> {
    let mut lines = users.lines().filter_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        let found = fields.nth(1)?.parse::<u32>().ok()?;
        (found == number && !name.is_empty()).then(|| name.to_owned())
    });
    lines.next()
}
