//! Restarts with much on the disk: partitions are filled once, and then the node is killed as often as there are runs, each time
//! while it is written to.

use super::super::generator::{Generator, cpu_seconds};
use super::super::{KILLED_AFTER, Place, Serves, memory, millis};
use super::cells::touch_memory;
use super::{Asked, lines};
use crate::node::Node;
use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;
use std::time::Instant;

/// The parts: what the cell is called, and in how many partitions.
const CELLS: [(&str, &str, u32); 2] =
    [("restart", "kill -9, 10 partitions", 10), ("restart-many", "kill -9, 1,000 partitions", 1000)];

/// Takes one subject after the other, for each fills the disk; of the default setting alone where there are many partitions, for Apache
/// Kafka takes minutes to write to them.
pub fn run(part: &str, asked: &Asked, out: &Path) -> Result<()> {
    let (_, cell, partitions) = CELLS.into_iter().find(|cell| cell.0 == part).context("a part has a cell")?;
    let nodes = asked.subjects().filter(|subject| matches!(subject.serves, Serves::Node(..)));
    let mut failed = 0;
    for subject in nodes.filter(|subject| part == "restart" || subject.name == "monedula") {
        let disk = Disk { place: Place::new(subject, &asked.program)?, asked, partitions };
        let mut run = 0;
        let told = disk.restarts(|told| {
            run += 1;
            lines::append(out, ("restart", cell), (subject.name, run - 1), told)
        });
        if let Err(error) = told {
            failed += 1;
            let told = json!({ "error": format!("{error:#}") });
            lines::append(out, ("restart", cell), (subject.name, run), told)?;
        }
        disk.place.clear()?;
    }
    if failed == 0 { Ok(()) } else { bail!("{failed} subjects failed") }
}

/// What a subject has on its disk.
struct Disk<'a> {
    place: Place,
    asked: &'a Asked,
    partitions: u32,
}

impl Disk<'_> {
    /// Fills the partitions, and kills and starts the node; hands out what each time told.
    fn restarts(&self, mut note: impl FnMut(Value) -> Result<()>) -> Result<()> {
        let mut node = self.place.start()?;
        let generator = self.generator(&node);
        generator.topic("much", self.partitions)?;
        let mut records = fill(&generator, &self.asked.restart_bytes)?["records"].clone();
        for _ in 0..self.asked.runs {
            let (started, told) = self.restart(node, &records)?;
            node = started;
            records = told["records_after"].clone();
            note(told)?;
        }
        node.stop("KILL")
    }

    /// Kills the node while it is written to, and starts it until all partitions answer; then stops and starts it once more.
    fn restart(&self, node: Node, records: &Value) -> Result<(Node, Value)> {
        // What a disk still has to take of what came before would be charged to the start.
        Command::new("sync").status()?;
        let mut more = self.generator(&node).begin_to_produce("much")?;
        std::thread::sleep(KILLED_AFTER);
        if more.try_wait()?.is_some() {
            bail!("nothing was written to the node when it was to be killed");
        }
        node.stop("KILL")?;
        // It lost its connection.
        more.wait()?;
        let (node, mut told) = self.until_all_answer()?;
        told["bytes"] = json!(self.asked.restart_bytes);
        told["records_before"] = records.clone();
        told["records_after"] =
            self.generator(&node).run(&["consume", "--topic", "much", "--trunc"])?["records"].clone();
        if told["records_after"].as_u64() < told["records_before"].as_u64() {
            bail!("{} of {records} records are left", told["records_after"]);
        }
        let asked_to_stop = Instant::now();
        node.stop("TERM")?;
        told["clean_stop_ms"] = json!(millis(asked_to_stop.elapsed()));
        let (node, clean) = self.until_all_answer()?;
        told["clean_answered_ms"] = clean["answered_ms"].clone();
        told["clean_usable_ms"] = clean["usable_ms"].clone();
        Ok((node, told))
    }

    fn until_all_answer(&self) -> Result<(Node, Value)> {
        let began = Instant::now();
        let node = self.place.start()?;
        self.generator(&node).topic("much", self.partitions)?;
        let told = json!({
            "answered_ms": millis(node.answered_after),
            "usable_ms": millis(began.elapsed()),
            "broker_cpu": cpu_seconds(node.pid),
            "rss": memory(node.pid, "VmRSS:"),
        });
        Ok((node, told))
    }

    fn generator(&self, node: &Node) -> Generator<'_> {
        Generator::new(&self.asked.program, node)
    }
}

/// Fills partitions. Small requests, of which a socket takes all that are in flight: `kload` loses count where it does not.
fn fill(generator: &Generator<'_>, bytes: &str) -> Result<Value> {
    touch_memory(generator)?;
    let load = ["produce", "--topic", "much", "--size", "1024", "--parts-per-req", "4", "--acks", "-1"];
    generator.run(&[&load[..], &["--bytes", bytes, "--secs", "240"]].concat())
}
