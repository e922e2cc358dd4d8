//! The transactional checker: `compat-transactions FOLDER [--runs N] [--seed S] [--millis MS] [--level L] [--plant MISTAKE]`.
//!
//! Each run has a seed, a history in `FOLDER/histories/SEED.jsonl` and a line in `FOLDER/verdicts.txt`. With `--plant` the
//! run makes a mistake on purpose, and passes if the verdict tells it.

mod chance;
mod check;
mod clients;
mod history;
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
use std::path::PathBuf;
use std::time::Duration;

use check::Anomaly;
use history::{Event, History, What};
use node::Node;
use plan::{OUTPUTS, Plan, Plant};
use run::Run;

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
    let done = match Asked::parse(&arguments) {
        Ok(asked) => run_all(&asked).await,
        Err(error) => Err(error),
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
    let file = File::create(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    let history = History::new(file, true);
    history.note("plan", format!("level {level}, {plan:?}"));
    let length = Duration::from_millis(asked.millis);
    let run =
        Run { plan: plan.clone(), node: node.clone(), history: history.clone(), length, tricks: level == 2 };
    let healed = run.run().await;
    let events = history.events();
    let anomalies = match &healed {
        Ok(()) => check::check(&events, &plan.topic("in"), &OUTPUTS),
        Err(_) => Vec::new(),
    };
    let good = match asked.plant {
        None => healed.is_ok() && anomalies.is_empty(),
        Some(_) => !anomalies.is_empty(),
    };
    let line = verdict(&plan, level, &events, &healed, &anomalies, good);
    println!("{line}");
    let mut verdicts = File::options().create(true).append(true).open(asked.folder.join("verdicts.txt"));
    if let Ok(verdicts) = &mut verdicts {
        writeln!(verdicts, "{line}").map_err(|error| error.to_string())?;
    }
    Ok(good)
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
