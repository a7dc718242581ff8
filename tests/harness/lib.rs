//! Shared by the tests and the demos.

#![forbid(unsafe_code)]

pub mod accounts;
pub mod bench;
pub mod cli;
pub mod client;
pub mod control_plane;
pub mod corpus;
pub mod counted;
pub mod crowd;
pub mod envoy;
pub mod folder;
pub mod hostile;
mod lines;
pub mod load;
pub mod mock;
pub mod open_files;
pub mod random;
pub mod raw_upstream;
pub mod render;
pub mod scene;
pub mod scripted;
pub mod terminal;
pub mod upstream;
pub mod wasm;
