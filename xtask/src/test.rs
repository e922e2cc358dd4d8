//! `cargo xtask test`: everything that must pass before a change lands.
//!
//! Its last line is `N passed, N failed`. Format, lints, tests and tidy need Rust alone; of `compat` it runs the suites
//! that are quick, and skips with one line those whose toolchain is missing (in CI, `CI=true`, that is a failure).

use crate::{cargo, compat, tally::Tally, tidy};
use anyhow::Result;

/// Runs all of it.
pub fn run() -> Result<Tally> {
    let mut total = Tally::default();
    let mut failed = Vec::new();
    let mut add = |name: &str, tally: Tally| {
        if tally.failed > 0 {
            failed.push(name.to_owned());
        }
        total += tally;
    };
    add("fmt", step("fmt", &["fmt", "--all", "--check"])?);
    add("clippy", step("clippy", &["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"])?);
    println!("== tests");
    add("tests", Tally::of(&mut cargo(&["test", "--workspace", "--no-fail-fast"]))?);
    println!("== tidy");
    add("tidy", tidy::report());
    for (name, tally) in compat::quick()? {
        add(&format!("compat {name}"), tally);
    }
    if !failed.is_empty() {
        println!("failed: {}", failed.join(", "));
    }
    Ok(total)
}

/// A cargo command that counts as one check.
fn step(name: &str, arguments: &[&str]) -> Result<Tally> {
    println!("== {name}");
    Ok(Tally::one(cargo(arguments).status()?.success()))
}
