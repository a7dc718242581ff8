//! Policies that a running Envoy accepts, rejects or misses, and the requests meanwhile.

mod in_flight;
mod missing;
mod refused;
mod swaps;
