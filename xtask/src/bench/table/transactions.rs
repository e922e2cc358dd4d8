//! Transactions of 99 records of 1 KiB, by one producer and by ten.
//!
//! `bench.py` has them too, but touches no memory before: three runs write more than 5 GB, and on a virtual machine whose host takes free
//! pages back, each page that the log's cache takes anew costs the node more than the transaction does.

use super::super::Serves;
use super::super::generator::Generator;
use super::Asked;
use super::cells::{measured, touch_memory};
use super::kept::{self, Told};
use crate::node::Node;
use anyhow::Result;
use serde_json::json;
use std::path::Path;

const SUITE: &str = "txn";
const TOPIC: &str = "transactions";
/// How many producers, and the cells' names.
const PRODUCERS: [(&str, &str); 2] = [("1", "producers=1"), ("10", "producers=10")];

/// Takes the subjects in turn.
pub fn run(asked: &Asked, out: &Path) -> Result<()> {
    let serves_them = |subject: &super::Subject| !matches!(subject.serves, Serves::Floor);
    let nodes = kept::start(asked, serves_them, |generator| {
        generator.warm_up("256M")?;
        generator.topic(TOPIC, 6)?;
        generator
            .run(&["txn", "--topic", TOPIC, "--producers", "4", "--secs", "5", "--tag", "warm"])
            .map(drop)
    })?;
    for run in 0..asked.runs {
        for (producers, cell) in PRODUCERS {
            let tag = format!("r{run}-{producers}");
            kept::in_turn(&nodes, run, out, (SUITE, cell), |generator, node| {
                transactions(generator, node, (producers, cell), &tag, &asked.secs)
            })?;
        }
    }
    kept::stop(nodes)
}

fn transactions(
    generator: &Generator<'_>,
    node: &Node,
    (producers, cell): (&str, &'static str),
    tag: &str,
    secs: &str,
) -> Result<Told> {
    touch_memory(generator)?;
    let load = ["txn", "--topic", TOPIC, "--records", "99", "--size", "1024", "--producers", producers];
    let mut told = measured(generator, node, &[&load[..], &["--tag", tag, "--secs", secs]].concat())?;
    if let (Some(spent), Some(ended)) = (told["broker_cpu"].as_f64(), told["txns"].as_f64()) {
        told["cpu_ms_per_txn"] = json!(spent * 1e3 / ended.max(1.0));
    }
    Ok(vec![((SUITE, cell), told)])
}
