//! Throughput over 1,000 partitions.
//!
//! Nothing is deleted before the end, and no other part runs before this one: ext4 does not give out the inodes of files that
//! were deleted within the last minutes, and looks at each of them whenever a file is made; a partition's first record makes
//! several.

use super::super::Place;
use super::super::generator::Generator;
use super::cells::{measured, touch_memory};
use super::{Asked, lines};
use crate::node::Node;
use anyhow::Result;
use serde_json::{Value, json};
use std::path::Path;

/// The cell's name, as `bench.py` has it.
const CELL: &str = "acks=-1,size=1024,parts=1000,codec=none";
/// How long a run may take; Apache Kafka's ends by this.
const SECS: &str = "20";

/// Takes the subjects in turn, each on a node that keeps running.
pub fn run(asked: &Asked, out: &Path) -> Result<()> {
    let mut nodes = Vec::new();
    for subject in asked.subjects() {
        let place = Place::new(subject, &asked.program)?;
        let node = place.start()?;
        Generator::new(&asked.program, &node).warm_up("512M")?;
        nodes.push((place, node));
    }
    for run in 0..asked.runs {
        for turn in 0..nodes.len() {
            let (place, node) = &nodes[(turn + run) % nodes.len()];
            let generator = Generator::new(&asked.program, node);
            let by = (place.subject.name, run);
            match both(&generator, node, &format!("many-{run}"), &asked.bytes) {
                Ok((produced, consumed)) => {
                    lines::append(out, ("short-produce", CELL), by, produced)?;
                    lines::append(out, ("short-consume", CELL), by, consumed)?;
                }
                Err(error) => {
                    lines::append(
                        out,
                        ("short-produce", CELL),
                        by,
                        json!({ "error": format!("{error:#}") }),
                    )?;
                }
            }
        }
    }
    for (place, node) in nodes {
        node.stop("KILL")?;
        place.clear()?;
    }
    Ok(())
}

/// Produces a new topic and consumes it. Four partitions in a request, so that a socket takes all that is in flight: `kload`
/// counts a request that a full socket took nothing of twice, and then waits for ever.
fn both(generator: &Generator<'_>, node: &Node, topic: &str, bytes: &str) -> Result<(Value, Value)> {
    generator.topic(topic, 1000)?;
    touch_memory(generator)?;
    let produce = ["produce", "--topic", topic, "--size", "1024", "--acks", "-1", "--parts-per-req", "4"];
    let more = ["--bytes", bytes, "--secs", SECS, "--spin"];
    let produced = measured(generator, node, &[&produce[..], &more[..]].concat())?;
    let consume = ["consume", "--topic", topic, "--loops", "2", "--trunc", "--secs", SECS, "--spin"];
    Ok((produced, measured(generator, node, &consume)?))
}
