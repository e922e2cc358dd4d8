//! Parts for which the node of each subject keeps running, so that a JVM is as warm in the last run as it can be.
//!
//! They are all there at once, but one alone has work at a time.

use super::super::generator::Generator;
use super::super::{Place, Subject};
use super::{Asked, lines};
use crate::node::Node;
use anyhow::Result;
use serde_json::{Value, json};
use std::path::Path;

/// What a run told, by suite and cell.
pub type Told = Vec<((&'static str, &'static str), Value)>;

/// A subject's node, and what loads it.
pub struct Kept<'a> {
    place: Place,
    node: Node,
    asked: &'a Asked,
}

/// Starts the subjects that are asked for and `fit`, and warms each up.
pub fn start<'a>(
    asked: &'a Asked,
    fit: impl Fn(&Subject) -> bool,
    warm_up: impl Fn(&Generator<'_>) -> Result<()>,
) -> Result<Vec<Kept<'a>>> {
    let mut nodes = Vec::new();
    for subject in asked.subjects().filter(|subject| fit(subject)) {
        let place = Place::new(subject, &asked.program)?;
        let node = place.start()?;
        warm_up(&Generator::new(&asked.program, &node))?;
        nodes.push(Kept { place, node, asked });
    }
    Ok(nodes)
}

/// Measures each subject, a different one first in each run; what fails is written as a line of `cell`.
pub fn in_turn(
    nodes: &[Kept<'_>],
    run: usize,
    out: &Path,
    cell: (&str, &str),
    measure: impl Fn(&Generator<'_>, &Node) -> Result<Told>,
) -> Result<()> {
    for turn in 0..nodes.len() {
        let Kept { place, node, asked } = &nodes[(turn + run) % nodes.len()];
        let by = (place.subject.name, run);
        match measure(&Generator::new(&asked.program, node), node) {
            Ok(told) => told.into_iter().try_for_each(|(cell, told)| lines::append(out, cell, by, told))?,
            Err(error) => lines::append(out, cell, by, json!({ "error": format!("{error:#}") }))?,
        }
    }
    Ok(())
}

/// Ends them, and puts what they wrote aside.
pub fn stop(nodes: Vec<Kept<'_>>) -> Result<()> {
    for Kept { place, node, .. } in nodes {
        node.stop("KILL")?;
        place.clear()?;
    }
    Ok(())
}
