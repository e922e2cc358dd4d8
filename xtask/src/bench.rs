//! `cargo xtask bench`: this node and Apache Kafka side by side on this machine.
//!
//! In every run the subjects take turns: each is started on an empty directory, loaded, killed and restarted, with the same
//! generator (`bench/`), the broker held to one core and the generator to another. Each run begins with another subject. What is kept is the median of the runs and its
//! ratio to Apache Kafka's; `bench/RESULTS.md` holds the last table with the command that made it.

mod figures;
mod generator;

use crate::node::{Node, Product};
use crate::root;
use anyhow::{Context, Result, bail};
use figures::Figures;
use generator::{Generator, Program};
use std::time::{Duration, Instant};

const HELP: &str = "cargo xtask bench [--runs 3] [--bytes 1G] [--rate 10000] [--only kafka,monedula,…] [--kload PATH] [--out bench/RESULTS.md]

Builds what it needs, unless MONEDULA names the binary to measure. Apache Kafka comes from Maven Central.

  --bytes   payload of each produce and consume cell
  --rate    records a second in the latency cell
  --only    subjects: kafka, monedula (acks=all answered after the sync), monedula-replicated (Kafka's way)
  --kload   another load generator that takes the commands of `bench/`
  --out     where the table goes; `-` for standard output only";

/// What is measured: a product with a setting.
struct Subject {
    name: &'static str,
    product: Product,
    settings: &'static [&'static str],
}

const SUBJECTS: &[Subject] = &[
    Subject { name: "kafka", product: Product::Kafka, settings: &[] },
    Subject { name: "monedula", product: Product::Monedula, settings: &["monedula.ack.durability=synced"] },
    Subject {
        name: "monedula-replicated",
        product: Product::Monedula,
        settings: &["monedula.ack.durability=replicated"],
    },
];

/// The command line.
struct Asked {
    program: Program,
    runs: usize,
    bytes: String,
    rate: String,
    subjects: Vec<&'static Subject>,
    out: String,
}

impl Asked {
    fn parse(arguments: &[String]) -> Result<Asked> {
        let value = |name: &str| {
            let at = arguments.iter().position(|word| word == name)?;
            arguments.get(at + 1).map(String::as_str)
        };
        let known = ["--kload", "--runs", "--bytes", "--rate", "--only", "--out"];
        let odd = arguments.iter().step_by(2).find(|word| !known.contains(&word.as_str()));
        if odd.is_some() {
            bail!("{HELP}");
        }
        let only: Vec<_> =
            value("--only").unwrap_or("kafka,monedula,monedula-replicated").split(',').collect();
        Ok(Asked {
            program: Program::find(value("--kload"))?,
            runs: value("--runs").unwrap_or("3").parse().context("--runs is a number")?,
            bytes: value("--bytes").unwrap_or("1G").into(),
            rate: value("--rate").unwrap_or("10000").into(),
            subjects: SUBJECTS.iter().filter(|subject| only.contains(&subject.name)).collect(),
            out: value("--out").unwrap_or("bench/RESULTS.md").into(),
        })
    }
}

/// The command.
pub fn run(arguments: &[String]) -> Result<()> {
    let asked = Asked::parse(arguments)?;
    if std::env::var_os("MONEDULA").is_none() {
        generator::build("monedula")?;
    }
    let mut figures = Figures::default();
    for run in 1..=asked.runs {
        // Whoever comes first in a run may find the machine in another state than the others.
        for turn in 0..asked.subjects.len() {
            let subject = asked.subjects[(turn + run - 1) % asked.subjects.len()];
            println!("== run {run} of {}: {}", asked.runs, subject.name);
            session(subject, &asked, &mut figures)
                .with_context(|| format!("{} in run {run}", subject.name))?;
        }
    }
    let names: Vec<_> = asked.subjects.iter().map(|subject| subject.name).collect();
    let page = figures.page(&names, &format!("cargo xtask bench {}", arguments.join(" ")), asked.runs)?;
    println!("{page}");
    if asked.out != "-" {
        let out = root().join(&asked.out);
        std::fs::create_dir_all(out.parent().context("--out names a file")?)?;
        std::fs::write(out, page)?;
    }
    Ok(())
}

/// Everything that is measured of one subject in one run.
fn session(subject: &Subject, asked: &Asked, figures: &mut Figures) -> Result<()> {
    let folder = root().join("target/bench").join(subject.name);
    if folder.exists() {
        std::fs::remove_dir_all(&folder)?;
    }
    let settings: Vec<String> = subject.settings.iter().map(|line| (*line).to_owned()).collect();
    let port = crate::node::free_port()?;
    let pinned = generator::pinned_to(0);
    let pinned: Vec<&str> = pinned.iter().map(String::as_str).collect();
    let start = || Node::start(subject.product, &folder, port, &settings, &pinned);
    let mut note = |what: &str, value: f64| {
        println!("{:24} {what:44} {value:.3}", subject.name);
        figures.note(what, subject.name, value);
    };

    let node = start()?;
    note("start on an empty directory, ms", millis(node.answered_after));
    std::thread::sleep(Duration::from_secs(8));
    note("memory idle, MiB", memory(node.pid, "VmRSS:"));

    let generator = Generator::new(&asked.program, &node);
    generator.warm_up()?;
    for (name, size, codec) in
        [("1 KiB", "1024", "none"), ("100 B", "100", "none"), ("100 B lz4", "100", "lz4")]
    {
        let topic = format!("load-{size}-{codec}");
        generator.topic(&topic, 6)?;
        let produced = generator.produce(&topic, size, codec, &asked.bytes)?;
        note(&format!("produce {name} acks=all, MiB/s"), produced.mib_s);
        note(&format!("produce {name} acks=all, broker CPU s/GiB"), produced.cpu_s_per_gib);
        let consumed = generator.consume(&topic)?;
        note(&format!("consume {name}, MiB/s"), consumed.mib_s);
        note(&format!("consume {name}, broker CPU s/GiB"), consumed.cpu_s_per_gib);
    }
    note("memory under load, most, MiB", memory(node.pid, "VmHWM:"));
    generator.topic("latency", 6)?;
    for (what, micros) in generator.latency("latency", &asked.rate)? {
        note(&format!("{} records/s of 1 KiB: {what}, ms", asked.rate), micros / 1000.0);
    }
    note("create 1,000 partitions, ms", generator.topic("many", 1000)? * 1000.0);

    node.stop("KILL")?;
    let killed = Instant::now();
    let node = start()?;
    note("restart after kill -9: first answer, ms", millis(node.answered_after));
    Generator::new(&asked.program, &node).topic("load-1024-none", 6)?;
    note("restart after kill -9: all leaders there, ms", millis(killed.elapsed()));
    let asked_to_stop = Instant::now();
    node.stop("TERM")?;
    note("clean stop, ms", millis(asked_to_stop.elapsed()));
    std::fs::remove_dir_all(&folder)?;
    Ok(())
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

/// Memory of a process in MiB: `VmRSS:` is what is resident now, `VmHWM:` the most that ever was.
fn memory(pid: u32, field: &str) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(field)).unwrap_or_default();
    line.trim().trim_end_matches(" kB").parse::<f64>().unwrap_or_default() / 1024.0
}
