//! `turnout judge` with a real Prometheus that scrapes real Envoys. `make test-prometheus` runs these tests.

mod documented_queries;
mod judge;
mod mesh;
mod server;
