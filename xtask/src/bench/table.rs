//! `cargo xtask bench --table`: the figures that are to be reached, each with what is wanted and what was found beside it.
//!
//! It drives a generator that lies elsewhere: a folder with `bench.py`, which runs subjects in turn, and `kload`, which loads
//! one. Each part leaves a JSON line for every run in `bench/results/PART.jsonl`, and the table is made from all that lies
//! there: a part that failed, or that is in doubt, is run again alone. A part that fails does not keep the next from running.

mod cells;
mod kept;
mod lines;
mod many;
mod page;
mod restarts;
mod rows;
mod suites;
mod transactions;

use super::{SUBJECTS, Serves, Subject, generator};
use crate::root;
use anyhow::{Context, Result, bail};
use generator::Program;
use lines::Lines;
use std::path::{Path, PathBuf};
use std::time::Instant;

const HELP: &str =
    "cargo xtask bench --table --generator FOLDER [--kload PROGRAM] [--parts startup,load,…] [--only kafka,monedula,…]
                  [--runs 3] [--bytes 1G] [--restart-bytes 10G] [--secs 10] [--latency-secs 10] [--quiet-wait 40]
cargo xtask bench --table

Without --generator the table is made anew from what lies in bench/results.

  --generator      a folder with bench.py and kload/, which is built unless --kload names the program
  --parts          many: 1,000 partitions; startup, load, small: suites of bench.py; transactions; turns: latency at 10,000 and
                   50,000 records/s, fetches of a batch, 64 producers, 10,000 partitions; rates: latency at 1,000 and 100,000;
                   restart: kill -9 with --restart-bytes in 10 partitions, as often as there are runs; restart-many: in 1,000
  --only           subjects: kafka, monedula, monedula-replicated, floor
  --bytes          payload of each produce and consume cell
  --secs           how long each request cell lasts, and flushes of the machine's disk
  --latency-secs   how long each latency cell lasts, and the machine's hiccups (as --secs); a subject's cells of a part lie on
                   the disk together: 60 s of turns are 3.5 GiB, and of rates 6 GiB
  --quiet-wait     how long bench.py waits, at most, for other work on the machine to end";

/// Where the raw lines are.
const RESULTS: &str = "bench/results";
const PARTS: &[&str] =
    &["many", "startup", "load", "small", "transactions", "turns", "rates", "restart", "restart-many"];
/// What a broker could do at best.
static FLOOR: Subject = Subject { name: "floor", serves: Serves::Floor };
const OPTIONS: &[&str] = &[
    "--generator",
    "--kload",
    "--parts",
    "--only",
    "--runs",
    "--bytes",
    "--restart-bytes",
    "--secs",
    "--latency-secs",
    "--quiet-wait",
];

/// The command line.
struct Asked {
    generator: PathBuf,
    program: Program,
    parts: Vec<String>,
    only: Vec<String>,
    runs: usize,
    bytes: String,
    restart_bytes: String,
    secs: String,
    latency_secs: String,
    quiet_wait: String,
}

impl Asked {
    fn parse(arguments: &[String]) -> Result<Option<Asked>> {
        let (names, values): (Vec<_>, Vec<_>) =
            arguments.chunks(2).map(|pair| (pair[0].as_str(), pair.get(1).map(String::as_str))).unzip();
        if names.iter().any(|name| !OPTIONS.contains(name)) || values.contains(&None) {
            bail!("{HELP}");
        }
        let value = |name: &str| names.iter().position(|known| *known == name).and_then(|at| values[at]);
        let list = |name: &str, default: &str| -> Vec<String> {
            value(name).unwrap_or(default).split(',').map(str::to_owned).collect()
        };
        let text = |name: &str, default: &str| value(name).unwrap_or(default).to_owned();
        let Some(folder) = value("--generator") else { return Ok(None) };
        let generator = Path::new(folder).canonicalize().with_context(|| format!("no folder {folder}"))?;
        let parts = list("--parts", &PARTS.join(","));
        if let Some(part) = parts.iter().find(|part| !PARTS.contains(&part.as_str())) {
            bail!("no part {part}\n{HELP}");
        }
        let only = list("--only", "kafka,floor,monedula,monedula-replicated");
        if let Some(name) = only.iter().find(|name| all().all(|subject| subject.name != **name)) {
            bail!("no subject {name}\n{HELP}");
        }
        let program = match value("--kload") {
            Some(path) => Program::find(Some(path))?,
            None => Program::find(Some(&built(&generator)?))?,
        };
        Ok(Some(Asked {
            generator,
            program,
            parts,
            only,
            runs: text("--runs", "3").parse().context("--runs is a number")?,
            bytes: text("--bytes", "1G"),
            restart_bytes: text("--restart-bytes", "10G"),
            secs: text("--secs", "10"),
            latency_secs: text("--latency-secs", value("--secs").unwrap_or("10")),
            quiet_wait: text("--quiet-wait", "40"),
        }))
    }

    /// The subjects that are asked for.
    fn subjects(&self) -> impl Iterator<Item = &'static Subject> {
        all().filter(|subject| self.only.iter().any(|name| name == subject.name))
    }
}

fn all() -> impl Iterator<Item = &'static Subject> {
    SUBJECTS.iter().chain([&FLOOR])
}

/// Builds the generator's program, beside what else is measured with, for its folder may be read-only.
fn built(generator: &Path) -> Result<String> {
    let target = root().join("target/bench/kload");
    let mut build = crate::cargo(&["build", "--release", "--locked", "--manifest-path"]);
    build.arg(generator.join("kload/Cargo.toml"));
    if !build.arg("--target-dir").arg(&target).status().context("cargo does not run")?.success() {
        bail!("{} cannot be built", generator.join("kload").display());
    }
    Ok(target.join("release/kload").to_string_lossy().into_owned())
}

/// The command.
pub fn run(arguments: &[String]) -> Result<()> {
    if arguments.iter().any(|word| word == "--help") {
        println!("{HELP}");
        return Ok(());
    }
    let asked = Asked::parse(arguments)?;
    let mut failed = Vec::new();
    if let Some(asked) = &asked {
        crate::node::build()?;
        std::fs::create_dir_all(root().join(RESULTS))?;
        for part in &asked.parts {
            let began = Instant::now();
            println!("== {part}");
            if let Err(error) = measure(part, asked) {
                eprintln!("xtask: {part}: {error:#}");
                failed.push(part.as_str());
            }
            println!("== {part}: {:.0} s", began.elapsed().as_secs_f64());
        }
    }
    let page = page::page(&Lines::of_folder(&root().join(RESULTS))?, &super::figures::machine());
    println!("{page}");
    super::figures::replace(&root().join("bench/RESULTS.md"), page::HEADING, &page)?;
    if failed.is_empty() { Ok(()) } else { bail!("failed: {}", failed.join(", ")) }
}

/// Measures one part; its lines take the place of those of the last time.
fn measure(part: &str, asked: &Asked) -> Result<()> {
    let path = root().join(RESULTS).join(format!("{part}.jsonl"));
    let fresh = root().join("target/bench/table").join(format!("{part}.jsonl"));
    std::fs::create_dir_all(fresh.parent().context("a file lies in a folder")?)?;
    if fresh.exists() {
        std::fs::remove_file(&fresh)?;
    }
    let measured = match part {
        "many" => many::run(asked, &fresh),
        "transactions" => transactions::run(asked, &fresh),
        "turns" | "rates" => cells::run(part, asked, &fresh),
        "restart" | "restart-many" => restarts::run(part, asked, &fresh),
        suite => suites::run(suite, asked, &fresh),
    };
    if fresh.exists() {
        std::fs::copy(&fresh, path)?;
    }
    measured
}
