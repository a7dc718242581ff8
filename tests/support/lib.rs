//! Code that the tests, demos and benches share.

#![forbid(unsafe_code)]

pub mod bench;
pub mod cli;
pub mod client;
pub mod control_plane;
pub mod corpus;
pub mod demo;
pub mod envoy;
pub mod hostile_input;
pub mod instruction_count;
pub mod locust;
pub mod mock;
pub mod open_files;
pub mod process_output;
pub mod random;
pub mod raw_upstream;
pub mod render;
pub mod scripted_upstream;
pub mod sized_policy;
pub mod slow_clients;
pub mod temp_folder;
pub mod terminal;
pub mod upstream;
pub mod wasm;
pub mod watchdog;
