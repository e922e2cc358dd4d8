//! Throughput over 1,000 partitions.
//!
//! Nothing is deleted before the end, and no other part runs before this one: ext4 does not give out the inodes of files that
//! were deleted within the last minutes, and looks at each of them whenever a file is made; a partition's first record makes
//! several.

use super::super::generator::Generator;
use super::Asked;
use super::cells::{measured, touch_memory};
use super::kept::{self, Told};
use crate::node::Node;
use anyhow::Result;
use std::path::Path;

/// The cell's name, as `bench.py` has it.
const CELL: &str = "acks=-1,size=1024,parts=1000,codec=none";
/// How long a run may take; Apache Kafka's ends by this.
const SECS: &str = "20";

/// Takes the subjects in turn.
pub fn run(asked: &Asked, out: &Path) -> Result<()> {
    let nodes = kept::start(asked, |_| true, |generator| generator.warm_up("512M"))?;
    for run in 0..asked.runs {
        kept::in_turn(&nodes, run, out, ("short-produce", CELL), |generator, node| {
            both(generator, node, &format!("many-{run}"), &asked.bytes)
        })?;
    }
    kept::stop(nodes)
}

/// Produces a new topic and consumes it. Four partitions in a request, so that a socket takes all that is in flight: `kload`
/// counts a request that a full socket took nothing of twice, and then waits for ever.
fn both(generator: &Generator<'_>, node: &Node, topic: &str, bytes: &str) -> Result<Told> {
    generator.topic(topic, 1000)?;
    touch_memory(generator)?;
    let produce = ["produce", "--topic", topic, "--size", "1024", "--acks", "-1", "--parts-per-req", "4"];
    let more = ["--bytes", bytes, "--secs", SECS, "--spin"];
    let produced = measured(generator, node, &[&produce[..], &more[..]].concat())?;
    let consume = ["consume", "--topic", topic, "--loops", "2", "--trunc", "--secs", SECS, "--spin"];
    let consumed = measured(generator, node, &consume)?;
    Ok(vec![(("short-produce", CELL), produced), (("short-consume", CELL), consumed)])
}
