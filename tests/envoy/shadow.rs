//! Shadow mode in a real Envoy: v2 is asked what users ask v1, and no user ever notices.

mod answers;
mod bounded;
mod faults;
pub(crate) mod h2;
mod held_bytes;
mod hostile_answers;
mod http2;
mod pairs;
mod places;
mod requests;
mod scene;
mod slow_clients;
pub(crate) mod streaming;
mod swap;
mod unfinished;
mod wire;
