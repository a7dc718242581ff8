//! Tests of the documentation: README.md, the other pages in the root, `docs/` and `examples/`.

#![expect(clippy::expect_used, reason = "a test that cannot go on has failed")]

mod code_blocks;
mod console_blocks;
mod examples;
mod guard_page;
mod links;
mod pages;
mod readme;
mod reference;
mod security_page;
