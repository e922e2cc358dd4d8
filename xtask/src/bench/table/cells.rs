//! The parts that `bench.py` has no suite for: latency at other rates, fetches of a batch, many producers, and the creation of
//! 10,000 partitions.
//!
//! One subject runs at a time, each on an empty directory; each run begins with another. Before them, each run measures the machine.

use super::super::generator::{Generator, again_if_stuck, cpu_seconds};
use super::super::{Place, Serves, machine, memory};
use super::rows::{BESIDE, MACHINE};
use super::{Asked, lines};
use crate::node::Node;
use crate::root;
use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use std::path::Path;
use std::time::{Duration, Instant};

/// Records a second in the latency cells of `turns`.
const RATES: [&str; 2] = ["10000", "50000"];
/// And of `rates`.
const OTHER_RATES: [&str; 2] = ["1000", "100000"];
/// Producers with connections of their own, 6 partitions, a partition in a request: requests in flight of each.
const WINDOWS: [(&str, &str); 2] = [("5", "64, 5 in flight"), ("1", "64, 1 in flight")];
/// How long a reader polls before there is a batch to fetch.
const HEAD_START: Duration = Duration::from_millis(200);

/// A subject at work, and where its lines go.
struct Turn<'a> {
    place: Place,
    asked: &'a Asked,
    run: usize,
    out: &'a Path,
}

/// Measures `part`; a subject that fails does not keep the others from their turns.
pub fn run(part: &str, asked: &Asked, out: &Path) -> Result<()> {
    let subjects: Vec<_> = asked.subjects().collect();
    let mut failed = 0;
    for run in 0..asked.runs {
        alone(asked, run, out)?;
        for turn in 0..subjects.len() {
            let subject = subjects[(turn + run) % subjects.len()];
            let turn = Turn { place: Place::new(subject, &asked.program)?, asked, run, out };
            if let Err(error) = turn.take(part) {
                failed += 1;
                turn.put(part, "", json!({ "error": format!("{error:#}") }))?;
            }
        }
    }
    if failed == 0 { Ok(()) } else { bail!("{failed} turns failed") }
}

/// What the machine does while nothing is served.
fn alone(asked: &Asked, run: usize, out: &Path) -> Result<()> {
    let folder = root().join("target/bench");
    let folder = folder.to_str().context("the checkout's path is no text")?;
    let hiccups = ["hiccups", &asked.latency_secs];
    let flush = ["flush", folder, &asked.secs];
    for (cell, arguments) in [("hiccups", &hiccups[..]), ("flush", &flush)] {
        lines::append(out, (MACHINE, cell), (MACHINE, run), machine::end(machine::begin(arguments)?)?)?;
    }
    Ok(())
}

impl Turn<'_> {
    fn take(&self, part: &str) -> Result<()> {
        let node = self.place.start()?;
        let generator = Generator::new(&self.asked.program, &node);
        generator.warm_up("256M")?;
        match part {
            "rates" => self.latencies(&generator, &node, OTHER_RATES)?,
            _ => self.small_things(&generator, &node)?,
        }
        node.stop("KILL")?;
        self.place.clear()
    }

    /// Writes a line.
    fn put(&self, suite: &str, cell: &str, told: Value) -> Result<()> {
        lines::append(self.out, (suite, cell), (self.place.subject.name, self.run), told)
    }

    fn small_things(&self, generator: &Generator<'_>, node: &Node) -> Result<()> {
        self.latencies(generator, node, RATES)?;
        if let Serves::Floor = self.place.subject.serves {
            for rate in RATES {
                self.hiccups(generator, node, rate)?;
            }
        }
        self.note("one batch", "fetch", fetches(generator, node, &self.asked.secs))?;
        for (window, cell) in WINDOWS {
            self.note("producers", cell, producers(generator, node, window, &self.asked.bytes))?;
        }
        self.note("create", "10,000 partitions", create(generator, node))
    }

    fn latencies(&self, generator: &Generator<'_>, node: &Node, rates: [&str; 2]) -> Result<()> {
        for rate in rates {
            let told = latency(generator, node, ("tail", rate), &self.asked.latency_secs);
            self.note("tail", &format!("rate={rate}"), told)?;
        }
        Ok(())
    }

    /// The machine's hiccups on the core of a broker at work. Whoever measures them takes part in them: so that latency counts for
    /// nothing else.
    fn hiccups(&self, generator: &Generator<'_>, node: &Node, rate: &str) -> Result<()> {
        let beside = machine::begin(&["hiccups", &self.asked.latency_secs])?;
        let served = latency(generator, node, ("hiccups", rate), &self.asked.latency_secs);
        let told = machine::end(beside)?;
        served?;
        let cell = format!("{BESIDE}rate={rate}");
        lines::append(self.out, (MACHINE, &cell), (MACHINE, self.run), told)
    }

    /// Writes what a cell told, or that it failed.
    fn note(&self, suite: &str, cell: &str, told: Result<Value>) -> Result<()> {
        self.put(suite, cell, told.unwrap_or_else(|error| json!({ "error": format!("{error:#}") })))
    }
}

/// Touches memory and frees it, as `bench.py` does before a node takes in much: on a virtual machine whose host takes free
/// pages back, a node would be charged for fetching them.
pub(super) fn touch_memory(generator: &Generator<'_>) -> Result<()> {
    generator.run(&["prefault", "--bytes", "2560M"]).map(drop)
}

/// A run of the generator, with what the node spent on it.
pub(super) fn measured(generator: &Generator<'_>, node: &Node, arguments: &[&str]) -> Result<Value> {
    again_if_stuck(|| measured_once(generator, node, arguments))
}

fn measured_once(generator: &Generator<'_>, node: &Node, arguments: &[&str]) -> Result<Value> {
    let (busy, cpu, began) = (machine_seconds(&WORKED), cpu_seconds(node.pid), Instant::now());
    let stolen = machine_seconds(&STOLEN);
    let mut told = generator.run(arguments)?;
    let spent = cpu_seconds(node.pid) - cpu;
    let others = machine_seconds(&WORKED) - busy - spent - told["gen_cpu"].as_f64().unwrap_or_default();
    told["broker_cpu"] = json!(spent);
    if let Some(bytes) = told["payload"].as_f64().or(told["wire"].as_f64()).filter(|bytes| *bytes > 0.0) {
        told["cpu_s_per_gib"] = json!(spent / (bytes / f64::from(1 << 30)));
    }
    told["other"] = json!(others / began.elapsed().as_secs_f64());
    told["stolen_ms"] = json!((machine_seconds(&STOLEN) - stolen) * 1000.0);
    told["hwm"] = json!(memory(node.pid, "VmHWM:"));
    if let Some(requests) = told["reqs"].as_f64().filter(|requests| *requests > 0.0) {
        told["cpu_us_per_req"] = json!(spent * 1e6 / requests);
    }
    Ok(told)
}

/// End to end and acknowledged, open loop, 1 KiB over 6 partitions.
fn latency(generator: &Generator<'_>, node: &Node, (name, rate): (&str, &str), secs: &str) -> Result<Value> {
    let topic = format!("{name}-{rate}");
    generator.topic(&topic, 6)?;
    let load = ["latency", "--topic", &topic, "--rate", rate, "--size", "1024", "--acks", "-1"];
    let told = measured(generator, node, &[&load[..], &["--secs", secs, "--warm", "3", "--spin"]].concat())?;
    if told["got"] != told["sent"] {
        bail!("{} of {} records came", told["got"], told["sent"]);
    }
    Ok(told)
}

/// Small fetches that each find one batch of one record: it is produced when the fetches at the end have begun.
fn fetches(generator: &Generator<'_>, node: &Node, secs: &str) -> Result<Value> {
    generator.topic("one", 6)?;
    let load = ["rpc", "--kind", "fetch", "--topic", "one", "--conns", "4", "--window", "8"];
    std::thread::scope(|scope| {
        let all = [&load[..], &["--secs", secs, "--spin"]].concat();
        let fetching = scope.spawn(move || measured(generator, node, &all));
        std::thread::sleep(HEAD_START);
        let batch =
            ["produce", "--topic", "one", "--size", "100", "--batch", "100", "--bytes", "600", "--secs", "9"];
        let produced = generator.run(&batch);
        let told = fetching.join().ok().context("the fetches panicked")??;
        produced.map(|_| told)
    })
}

/// 64 producers with connections of their own.
fn producers(generator: &Generator<'_>, node: &Node, window: &str, bytes: &str) -> Result<Value> {
    let topic = format!("producers-{window}");
    generator.topic(&topic, 6)?;
    touch_memory(generator)?;
    let load = ["produce", "--topic", &topic, "--size", "1024", "--batch", "16K", "--parts-per-req", "1"];
    let more =
        ["--conns", "64", "--window", window, "--acks", "-1", "--bytes", bytes, "--secs", "20", "--spin"];
    measured(generator, node, &[&load[..], &more[..]].concat())
}

/// Ten topics of 1,000 partitions, in requests that Apache Kafka takes: of at most 10,000 records.
fn create(generator: &Generator<'_>, node: &Node) -> Result<Value> {
    let before = memory(node.pid, "VmRSS:");
    let many =
        ["topic", "--topic", "very-many", "--topics", "10", "--partitions", "1000", "--per-request", "5"];
    let mut told = measured(generator, node, &many)?;
    told["kib_per_partition"] = json!((memory(node.pid, "VmRSS:") - before) * 1024.0 / 10_000.0);
    Ok(told)
}

/// The system's columns of user, nice, system, and what interrupts took.
const WORKED: [usize; 5] = [0, 1, 2, 5, 6];
/// Its column of what the host of a virtual machine gave to others while there was work.
const STOLEN: [usize; 1] = [7];

/// Seconds of all processors of the machine, in `columns` of what the system counts.
fn machine_seconds(columns: &[usize]) -> f64 {
    let stat = std::fs::read_to_string("/proc/stat").unwrap_or_default();
    let fields: Vec<f64> = stat
        .lines()
        .next()
        .unwrap_or_default()
        .split_whitespace()
        .filter_map(|word| word.parse().ok())
        .collect();
    columns.iter().filter_map(|at| fields.get(*at)).sum::<f64>() / 100.0
}
