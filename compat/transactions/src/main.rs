//! The transactional checker: `compat-transactions FOLDER [--runs N] [--seed S] [--millis MS] [--level L] [--plant MISTAKE]`.
//!
//! Each run has a seed, a history in `FOLDER/histories/SEED.jsonl` and a line in `FOLDER/verdicts.txt`. With `--plant` the
//! run makes a mistake on purpose, and passes if the verdict tells it.
//!
//! `compat-transactions keep FOLDER FILE` packs the histories into one file, and `compat-transactions verify FILE` gives the
//! verdicts again from it, without a node.

mod chance;
mod check;
mod clients;
mod history;
mod kept;
mod node;
mod plan;
mod raw;
mod reader;
mod run;
mod transaction;
mod transformer;
mod writer;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use check::Anomaly;
use history::{Event, History, What};
use kept::Head;
use node::Node;
use plan::{OUTPUTS, Plan, Plant};
use run::Run;

/// The last word on a run that healed; on one that did not, it says why.
const HEALED: &str = "healed";

/// What the command line asks for.
struct Asked {
    folder: PathBuf,
    runs: u64,
    seed: u64,
    millis: u64,
    plant: Option<Plant>,
    level: Option<u8>,
}

impl Asked {
    fn parse(arguments: &[String]) -> Result<Self, String> {
        let mut asked = Self {
            folder: arguments.first().ok_or("which folder?")?.into(),
            runs: 20,
            seed: std::process::id() as u64 * 1000,
            millis: 2500,
            plant: None,
            level: None,
        };
        for pair in arguments[1..].chunks(2) {
            let [name, value] = pair else { return Err(format!("{pair:?} lacks its value")) };
            let number = || value.parse::<u64>().map_err(|_| format!("{value} is no number"));
            match name.as_str() {
                "--runs" => asked.runs = number()?,
                "--seed" => asked.seed = number()?,
                "--millis" => asked.millis = number()?,
                "--level" => asked.level = Some(number()? as u8),
                "--plant" => {
                    let plant = serde_json::from_value(value.as_str().into());
                    asked.plant = Some(plant.map_err(|_| format!("no mistake is called {value}"))?);
                }
                other => return Err(format!("{other} is not known")),
            }
        }
        Ok(asked)
    }
}

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.first().is_some_and(|first| first == "clients") {
        return run_clients(&arguments[1..]).await;
    }
    let done = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["keep", folder, file] => kept::keep(Path::new(folder), Path::new(file)).map(|runs| (runs as u64, 0)),
        ["verify", file] => verify(Path::new(file)),
        _ => match Asked::parse(&arguments) {
            Ok(asked) => run_all(&asked).await,
            Err(error) => Err(error),
        },
    };
    match done {
        Ok((passed, failed)) => {
            println!("{passed} passed, {failed} failed");
            std::process::exit(i32::from(failed > 0));
        }
        Err(error) => {
            println!("{error}\n0 passed, 1 failed");
            std::process::exit(1);
        }
    }
}

async fn run_clients(arguments: &[String]) {
    let [plan, process, generation] = arguments else { return };
    let plan = serde_json::from_str(plan).expect("the parent wrote it");
    let number = |text: &String| text.parse().expect("the parent wrote it");
    clients::run(plan, number(process), number(generation)).await;
}

/// A node serves some runs; one in four nodes is at an old level.
async fn run_all(asked: &Asked) -> Result<(u64, u64), String> {
    const RUNS_A_NODE: u64 = 10;
    let (mut passed, mut failed) = (0, 0);
    fs::create_dir_all(asked.folder.join("histories")).map_err(|error| error.to_string())?;
    let mut failed_before = 0;
    let mut serving: Option<(Node, u8)> = None;
    for at in 0..asked.runs {
        let seed = asked.seed + at;
        if at % RUNS_A_NODE == 0 {
            if let Some((node, _)) = serving.take() {
                finish(&node, failed == failed_before)?;
                failed_before = failed;
            }
            let by_seed = if (seed / RUNS_A_NODE) % 4 == 3 { 1 } else { 2 };
            let level = asked.level.unwrap_or(by_seed);
            let folder = asked.folder.join(format!("node-{seed}"));
            serving = Some((Node::start(&folder, level)?, level));
        }
        let Some((node, level)) = &serving else { continue };
        if run_one(asked, node, *level, seed).await? {
            passed += 1;
        } else {
            failed += 1;
        }
    }
    if let Some((node, _)) = serving {
        finish(&node, failed == failed_before)?;
    }
    Ok((passed, failed))
}

/// Stops a node. Its data are kept if a run on it failed.
fn finish(node: &Node, good: bool) -> Result<(), String> {
    node.down("TERM")?;
    if good { node.remove() } else { Ok(()) }
}

async fn run_one(asked: &Asked, node: &Node, level: u8, seed: u64) -> Result<bool, String> {
    let plan = Plan::new(seed, &node.bootstrap(), asked.plant);
    let path = asked.folder.join("histories").join(format!("{seed}.jsonl"));
    let say = |error: std::io::Error| format!("{}: {error}", path.display());
    let mut file = File::create(&path).map_err(say)?;
    let head = Head { level, plan: plan.clone() };
    serde_json::to_writer(&mut file, &head).map_err(|error| error.to_string())?;
    writeln!(file).map_err(say)?;
    let history = History::new(file, true);
    let length = Duration::from_millis(asked.millis);
    let run = Run { plan, node: node.clone(), history: history.clone(), length, tricks: level == 2 };
    history.note("verdict", run.run().await.err().unwrap_or_else(|| HEALED.to_owned()));
    let (good, line) = judge(&head, &history.events());
    println!("{line}");
    let mut verdicts = File::options().create(true).append(true).open(asked.folder.join("verdicts.txt"));
    if let Ok(verdicts) = &mut verdicts {
        writeln!(verdicts, "{line}").map_err(|error| error.to_string())?;
    }
    Ok(good)
}

/// Gives the verdicts on what was kept again.
fn verify(path: &Path) -> Result<(u64, u64), String> {
    let (mut passed, mut failed) = (0, 0);
    kept::runs(path, |head, events| {
        let (good, line) = judge(head, events);
        println!("{line}");
        *if good { &mut passed } else { &mut failed } += 1;
    })?;
    if passed + failed == 0 { Err("no run is kept there".to_owned()) } else { Ok((passed, failed)) }
}

/// The verdict, from the history alone.
fn judge(head: &Head, events: &[Event]) -> (bool, String) {
    let last = events.last().map(|event| &event.what);
    let healed = match last {
        Some(What::Note { text }) if text == HEALED => Ok(()),
        Some(What::Note { text }) => Err(text.clone()),
        _ => Err("the history is cut off".to_owned()),
    };
    let anomalies = match &healed {
        Ok(()) => check::check(events, &head.plan.topic("in"), &OUTPUTS),
        Err(_) => Vec::new(),
    };
    let good = match head.plan.plant {
        None => healed.is_ok() && anomalies.is_empty(),
        Some(_) => !anomalies.is_empty(),
    };
    (good, verdict(&head.plan, head.level, events, &healed, &anomalies, good))
}

fn verdict(
    plan: &Plan,
    level: u8,
    events: &[Event],
    healed: &Result<(), String>,
    anomalies: &[Anomaly],
    good: bool,
) -> String {
    let count = |which: &dyn Fn(&What) -> bool| events.iter().filter(|event| which(&event.what)).count();
    let noted = |text: &str| count(&|what| matches!(what, What::Note { text: note } if note.contains(text)));
    let mut line = format!(
        "{} seed {} level {level} {:?}: {} inputs, {} committed, {} aborted, {} kills of clients, {} of the node, {} tricks",
        if good { "ok" } else { "FAIL" },
        plan.seed,
        plan.sharing,
        count(&|what| matches!(what, What::Acked { topic, .. } if *topic == plan.topic("in"))),
        count(&|what| matches!(what, What::Ended { commit: true, .. })),
        count(&|what| matches!(what, What::Ended { commit: false, .. })),
        noted("are killed"),
        noted("the node is killed"),
        noted(" again: "),
    );
    if let Err(error) = healed {
        line.push_str(&format!("\n  {error}"));
    }
    let mut by_kind: BTreeMap<_, Vec<&str>> = BTreeMap::new();
    for anomaly in anomalies {
        by_kind.entry(anomaly.kind).or_default().push(&anomaly.evidence);
    }
    for (kind, evidence) in by_kind {
        line.push_str(&format!("\n  {kind} x {}: {}", evidence.len(), evidence[0]));
    }
    line
}
