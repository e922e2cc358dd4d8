//! Raw lines: one JSON object for each run of a cell, of whom, with all that was measured.

use anyhow::{Context, Result};
use serde_json::{Value, json};
use std::fs;
use std::io::Write;
use std::path::Path;

/// What the lines of some cell are known by.
#[derive(Clone, Copy)]
pub struct Cell {
    /// What kind of measurement.
    pub suite: &'static str,
    /// Which of them.
    pub cell: &'static str,
}

/// Lines of any number of parts.
#[derive(Default)]
pub struct Lines(Vec<Value>);

impl Lines {
    /// All of a folder's files of lines.
    pub fn of_folder(folder: &Path) -> Result<Lines> {
        let mut lines = Lines::default();
        for entry in fs::read_dir(folder).with_context(|| format!("no results in {}", folder.display()))? {
            let path = entry?.path();
            if path.extension().is_some_and(|end| end == "jsonl") {
                lines.0.extend(Lines::of_file(&path)?.0);
            }
        }
        Ok(lines)
    }

    /// Those of one file.
    pub fn of_file(path: &Path) -> Result<Lines> {
        let mut lines = Lines::default();
        lines.add(&fs::read_to_string(path)?).with_context(|| path.display().to_string())?;
        Ok(lines)
    }

    /// Tells whether some run of a subject failed.
    pub fn failed(&self, subject: &str) -> bool {
        self.0.iter().any(|line| line["subject"] == subject && !went_well(line))
    }

    /// More lines, as text.
    pub fn add(&mut self, text: &str) -> Result<()> {
        for line in text.lines() {
            self.0.push(serde_json::from_str(line)?);
        }
        Ok(())
    }

    /// A field (`e2e_us.p99`) of all runs of a cell that went well, least first; of all cells of the suite where the cell
    /// has no name.
    pub fn values(&self, Cell { suite, cell }: Cell, subject: &str, field: &str) -> Vec<f64> {
        let meant = |line: &&Value| {
            line["suite"] == suite && (cell.is_empty() || line["cell"] == cell) && line["subject"] == subject
        };
        let pointer = format!("/{}", field.replace('.', "/"));
        let runs = self.0.iter().filter(meant).filter(|line| went_well(line));
        let mut values: Vec<f64> = runs.filter_map(|line| line.pointer(&pointer)?.as_f64()).collect();
        values.sort_by(f64::total_cmp);
        values
    }

    /// What did not go well: suite, cell, subject and what was said.
    pub fn failures(&self) -> Vec<String> {
        let told = |line: &Value| {
            let said = ["error", "stderr"].iter().find_map(|field| line[*field].as_str())?;
            let name = |field: &str| line[field].as_str().unwrap_or_default().to_owned();
            Some(format!("{}, {}, {}: {said}", name("suite"), name("cell"), name("subject")))
        };
        self.0.iter().filter_map(told).collect()
    }
}

fn went_well(line: &Value) -> bool {
    let none = |field: &str| line[field].as_i64().unwrap_or(0) == 0;
    line["error"].is_null() && none("rc") && none("errors")
}

/// Adds a line to a file: what a run of a cell told.
pub fn append(
    path: &Path,
    (suite, cell): (&str, &str),
    (subject, run): (&str, usize),
    told: Value,
) -> Result<()> {
    let mut line = told;
    let marks =
        [("suite", json!(suite)), ("cell", json!(cell)), ("subject", json!(subject)), ("run", json!(run))];
    for (field, value) in marks {
        line[field] = value;
    }
    println!("{line}");
    let mut file = fs::File::options().create(true).append(true).open(path)?;
    Ok(writeln!(file, "{line}")?)
}
