//! What only a real Envoy can show: policies go in, requests go through, and real upstreams say who
//! answered and what reached them.

mod absent;
mod account_sources;
mod agreement;
mod bad_policies;
mod bodies;
mod corpus;
mod counting;
mod fallback;
mod files;
mod forgery;
mod http2;
mod in_flight;
mod levels;
mod live;
mod logs;
mod malformed;
mod mesh;
mod observe;
mod packed;
mod ramps;
mod replayed;
mod rewrites;
mod route_cache;
mod routes;
mod scene;
mod scripted;
mod shadow;
mod shadow_records;
mod steady;
mod steps;
mod swaps;
mod traps;
mod warnings;
mod watch;
mod xds;
