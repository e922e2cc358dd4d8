//! The parts that are suites of the generator's own `bench.py`.

use super::super::Serves;
use super::Asked;
use super::lines::Lines;
use crate::node::{Product, binary, free_port};
use crate::{reference, root};
use anyhow::{Context, Result, bail};
use std::path::Path;
use std::process::Command;

/// What `bench.py` takes for a part: its suite, the subjects that the table asks for, and more.
struct Suite {
    part: &'static str,
    suite: &'static str,
    subjects: &'static [&'static str],
    more: &'static [&'static str],
}

const SUITES: &[Suite] = &[
    Suite { part: "startup", suite: "startup", subjects: &["kafka", "monedula"], more: &[] },
    Suite {
        part: "load",
        suite: "short",
        subjects: &["kafka", "floor", "monedula", "monedula-replicated"],
        more: &["--cells", "parts=6,"],
    },
    Suite {
        part: "small",
        suite: "rpc",
        subjects: &["kafka", "monedula", "monedula-replicated"],
        more: &["--cells", "metadata|produce|fetch|offsetcommit"],
    },
];

/// How many seconds a run of `kload` may send at most; one that is stuck is given up a minute after that.
const MOST_SECS: &str = "30";

/// What Apache Kafka is given by `bench.py`, where it is not the default.
const ALIKE: &[&str] = &["log.segment.delete.delay.ms=1000", "group.initial.rebalance.delay.ms=0"];

/// Runs the suite of `part`; every run is a line of `out`. Once more, of those subjects alone of whom some run failed: `kload`
/// counts a request that a full socket took nothing of twice, and then waits for an answer that cannot come.
pub fn run(part: &str, asked: &Asked, out: &Path) -> Result<()> {
    let suite = SUITES.iter().find(|suite| suite.part == part).context("a part has a suite")?;
    take(suite, asked, suite.subjects, out)?;
    let lines = Lines::of_file(out)?;
    let failed: Vec<_> = suite.subjects.iter().copied().filter(|name| lines.failed(name)).collect();
    if failed.is_empty() {
        return Ok(());
    }
    eprintln!("xtask: {part}: once more, of {} alone", failed.join(", "));
    take(suite, asked, &failed, out)
}

fn take(suite: &Suite, asked: &Asked, subjects: &[&str], out: &Path) -> Result<()> {
    let only: Vec<_> =
        subjects.iter().copied().filter(|name| asked.only.iter().any(|one| one == name)).collect();
    let work = root().join("target/bench/table").join(suite.part);
    let mut command = Command::new("python3");
    command.arg(asked.generator.join("bench.py")).arg("--kload").arg(asked.program.path());
    command.arg("--work").arg(&work).arg("--out").arg(out).args([
        "--suite",
        suite.suite,
        "--only",
        &only.join(","),
    ]);
    command.args([
        "--runs",
        &asked.runs.to_string(),
        "--bytes",
        &asked.bytes,
        "--quiet-wait",
        &asked.quiet_wait,
        "--cap-secs",
        MOST_SECS,
    ]);
    command.args(["--port", &free_port()?.to_string()]).args(suite.more);
    if only.contains(&"kafka") {
        command.arg("--kafka-libs").arg(reference::libs()?);
    }
    for subject in asked.subjects() {
        if let Serves::Node(Product::Monedula, settings) = subject.serves {
            command.arg("--cmd").arg(format!("{}={}", subject.name, server(settings)?));
        }
    }
    let ended = command.status().context("bench.py needs python3")?;
    // What it leaves where it was ended from outside.
    let _ = std::fs::remove_dir_all(&work);
    if !ended.success() {
        bail!("bench.py --suite {} did not end well", suite.suite);
    }
    Ok(())
}

/// The command that starts this node where `bench.py` says.
fn server(settings: &[&str]) -> Result<String> {
    let listeners =
        format!("listeners=PLAINTEXT://127.0.0.1:{{port}},CONTROLLER://127.0.0.1:{}", free_port()?);
    let mut words = format!("{} server --override {listeners}", binary().display());
    for setting in ALIKE.iter().chain(settings) {
        words.push_str(" --override ");
        words.push_str(setting);
    }
    Ok(words)
}
