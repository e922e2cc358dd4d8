//! `kafka-server-stop`: asks the nodes of this machine to stop. Kafka: `kafka-server-stop.sh`.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::Path;

use config::parse_properties;
use rustix::process::{Pid, Signal, kill_process};

use crate::Failure;

const HELP: &str = "Usage: kafka-server-stop [--process-role=broker|controller] [--node-id=ID]\n\
    Asks the nodes that run on this machine to stop.";

/// A node that runs.
struct Running {
    pid: Pid,
    properties: BTreeMap<String, String>,
}

/// Runs the tool.
pub fn run(args: &[String], out: &mut dyn Write) -> Result<(), Failure> {
    let mut wanted = BTreeMap::new();
    for arg in args {
        match arg.split_once('=') {
            Some(("--process-role", role)) => wanted.insert("process.roles", role.to_owned()),
            Some(("--node-id", id)) => wanted.insert("node.id", id.to_owned()),
            _ if arg == "--help" => return Err(Failure::Message(HELP.into(), 0)),
            _ => return Err(Failure::message(format!("Invalid argument: {arg}\n{HELP}"))),
        };
    }
    let running = find_nodes();
    if running.is_empty() {
        writeln!(out, "No kafka server to stop")?;
        return Err(Failure::Code(1));
    }
    let is_wanted = |node: &Running| {
        wanted.iter().all(|(key, value)| {
            let values = node.properties.get(*key).map_or("", String::as_str);
            values.split(',').any(|found| found.trim() == value)
        })
    };
    let meant: Vec<_> = running.iter().filter(|node| is_wanted(node)).collect();
    if meant.is_empty() {
        let said: Vec<_> = wanted.iter().map(|(key, value)| format!("{key}={value}")).collect();
        writeln!(out, "No kafka server found with {}", said.join(" and "))?;
        return Err(Failure::Code(1));
    }
    for node in meant {
        kill_process(node.pid, Signal::TERM)
            .map_err(|error| Failure::message(format!("{}: {error}", node.pid.as_raw_nonzero())))?;
    }
    Ok(())
}

/// Finds the processes that run `monedula server` or `kafka-server-start`.
fn find_nodes() -> Vec<Running> {
    let own = std::process::id();
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.filter(|pid| *pid != own).filter_map(look_at).collect()
}

fn look_at(pid: u32) -> Option<Running> {
    let line = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    let words: Vec<String> =
        line.split(|byte| *byte == 0).map(|word| String::from_utf8_lossy(word).into_owned()).collect();
    let program = Path::new(words.first()?).file_name()?.to_str()?;
    let rest = match program {
        "kafka-server-start" | "kafka-server-start.sh" => &words[1..],
        "monedula" if words.get(1).is_some_and(|word| word == "server") => &words[2..],
        _ => return None,
    };
    let folder = fs::read_link(format!("/proc/{pid}/cwd")).unwrap_or_default();
    let file = rest.iter().find(|word| !word.starts_with('-') && !word.contains('=') && !word.is_empty());
    let bytes = file.and_then(|file| fs::read(folder.join(file)).ok()).unwrap_or_default();
    let mut properties = parse_properties(&bytes).unwrap_or_default();
    for word in rest {
        if let Some((key, value)) = word.strip_prefix("--override=").unwrap_or(word).split_once('=') {
            properties.insert(key.to_owned(), value.to_owned());
        }
    }
    Some(Running { pid: Pid::from_raw(i32::try_from(pid).ok()?)?, properties })
}
