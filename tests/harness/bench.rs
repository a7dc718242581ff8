//! What the benches with a real Envoy have in common: processes beside them, an open loop of
//! requests, what the kernel says of the machine, and how numbers are made of rounds.

pub mod accounts;
pub mod load;
pub mod machine;
mod process;
pub mod rounds;
pub mod statistics;
mod upstream;

pub use process::{Client, finish, wait_for_start};
pub use upstream::{Upstream, tell};
