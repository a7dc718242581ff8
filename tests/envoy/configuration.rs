//! Policies that a running Envoy accepts, refuses or lacks, and what happens to requests meanwhile.

mod in_flight;
mod missing;
mod refused;
mod swaps;
