//! Histories as they are kept: JSON lines, one run after another, each headed by its plan; compressed with zstd if the file's
//! name says so (`zstdcat` shows them). A verdict can be given again from them alone.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::history::Event;
use crate::plan::Plan;

/// Slow to write and small; reading takes as long as ever.
const COMPRESSION: i32 = 19;

/// The first line of a run's history.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Head {
    /// What `transaction.version` the node had.
    pub level: u8,
    /// What the run is like.
    pub plan: Plan,
}

/// A line of a kept history.
#[derive(Deserialize)]
#[serde(untagged)]
enum Line {
    Head(Head),
    Event(Event),
}

/// Packs every history of a folder, in the order of their names, into one file.
pub fn keep(folder: &Path, into: &Path) -> Result<usize, String> {
    let mut paths: Vec<_> =
        fs::read_dir(folder).map_err(say(folder))?.flatten().map(|entry| entry.path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "jsonl"));
    paths.sort();
    let file = File::create(into).map_err(say(into))?;
    let mut packed = zstd::Encoder::new(file, COMPRESSION).map_err(say(into))?;
    for path in &paths {
        packed.write_all(&fs::read(path).map_err(say(path))?).map_err(say(into))?;
    }
    packed.finish().map_err(say(into))?;
    Ok(paths.len())
}

/// Gives every run of a file, with what happened in it.
pub fn runs(path: &Path, mut each: impl FnMut(&Head, &[Event])) -> Result<(), String> {
    let file = File::open(path).map_err(say(path))?;
    let packed = path.extension().is_some_and(|extension| extension == "zst");
    let input: Box<dyn Read> =
        if packed { Box::new(zstd::Decoder::new(file).map_err(say(path))?) } else { Box::new(file) };
    let (mut head, mut events) = (None, Vec::new());
    for (number, line) in BufReader::new(input).lines().enumerate() {
        let line = line.map_err(say(path))?;
        match serde_json::from_str(&line).map_err(|error| format!("line {}: {error}", number + 1))? {
            Line::Event(event) => events.push(event),
            Line::Head(next) => {
                if let Some(before) = head.replace(next) {
                    each(&before, &events);
                }
                events.clear();
            }
        }
    }
    if let Some(last) = head {
        each(&last, &events);
    }
    Ok(())
}

fn say<E: std::fmt::Display>(path: &Path) -> impl Fn(E) -> String {
    move |error| format!("{}: {error}", path.display())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::{History, What};

    #[test]
    fn what_was_kept_is_read_again() {
        let folder = std::env::temp_dir().join(format!("kept-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("a folder for temporary files can be written to");
        let mut told = Vec::new();
        for seed in [7, 8] {
            let mut file = File::create(folder.join(format!("{seed}.jsonl"))).expect("the folder is there");
            let head = Head { level: 2, plan: Plan::new(seed, "there:1", None) };
            writeln!(file, "{}", serde_json::to_string(&head).expect("plain data")).expect("there is room");
            let history = History::new(file, true);
            history.tell("me", What::Ending { txn: format!("t{seed}"), commit: true });
            history.note("me", "{\"level\":1}");
            told.push((seed, history.events()));
        }
        let packed = folder.join("all.jsonl.zst");
        assert_eq!(keep(&folder, &packed), Ok(2));
        let mut found = Vec::new();
        runs(&packed, |head, events| found.push((head.plan.seed, events.to_vec())))
            .expect("it was just written");
        assert_eq!(found, told);
        fs::remove_dir_all(&folder).expect("it is there");
    }
}
