//! What only a real Envoy can show: policies go in, requests go through, and real upstreams say who
//! answered and what reached them.

mod account_sources;
mod allocation;
mod apply;
mod bodies;
mod configuration;
mod counting;
mod decisions;
mod envoy_files;
mod fallback;
mod forgery;
mod guard;
mod halt_rollout;
mod hostile;
mod http2;
mod lint_admin;
mod malformed_accounts;
mod mesh;
mod metrics_and_access_log;
mod neighbours;
mod packed_accounts;
mod ramps;
mod readme;
mod rollout_steps;
mod route_cache;
mod scripted_upstream;
mod shadow;
mod simulate;
mod slow_clients;
mod steady_traffic;
mod stream_ends;
mod testbed;
mod trailers;
mod traps;
mod watch;
mod xds;
