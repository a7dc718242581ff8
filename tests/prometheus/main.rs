//! `turnout judge` and `turnout roll` with a real Prometheus that scrapes real Envoys. `make test-prometheus` runs these tests.

mod documented_queries;
mod judge;
mod mesh;
mod roll;
mod server;
