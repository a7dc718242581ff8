//! What shadow mode sends and writes: the copies, the questions to v1, the records in the log and at
//! the collector, the metrics, and what is in none of them.

mod collector;
mod copying;
mod forged;
mod hop_by_hop;
mod level;
mod noise;
mod otlp;
mod personal;
mod privacy;
mod recheck;
mod records;
mod rewrite;
mod sampling;
mod stage;
mod summaries;
