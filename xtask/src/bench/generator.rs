//! Runs of the load generator against one node, with the CPU time that the node spent meanwhile.

use crate::node::Node;
use crate::root;
use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// What `kload` says when a broker has answered nothing for long.
const STUCK: &str = "answers stopped";
/// How many seconds beyond those that it was given a run may take: for what is still unanswered then.
const GRACE: u64 = 30;
/// Of a run that was given none.
const LIMIT: u64 = 600;

/// The generator's program.
pub enum Program {
    /// The project's own, `bench/`, on the client crate.
    Own(PathBuf),
    /// `kload`, which takes the same commands, and can leave what it consumes in the kernel.
    Kload(PathBuf),
}

impl Program {
    /// The one at `path`, or the project's own, built now.
    pub fn find(path: Option<&str>) -> Result<Program> {
        if let Some(path) = path {
            let found = Path::new(path).canonicalize();
            return Ok(Program::Kload(found.with_context(|| format!("no generator at {path}"))?));
        }
        crate::build("bench")?;
        Ok(Program::Own(root().join("target/release/bench")))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        match self {
            Program::Own(path) | Program::Kload(path) => path,
        }
    }
}

/// The generator, aimed at a node.
pub struct Generator<'a> {
    program: &'a Program,
    bootstrap: String,
    pid: u32,
}

/// What a run of produce or consume gave.
pub struct Throughput {
    pub mib_s: f64,
    pub cpu_s_per_gib: f64,
}

impl Generator<'_> {
    pub fn new<'a>(program: &'a Program, node: &Node) -> Generator<'a> {
        Generator { program, bootstrap: node.bootstrap(), pid: node.pid }
    }

    /// Lets a just-in-time compiler see the code that will be measured.
    pub fn warm_up(&self, bytes: &str) -> Result<()> {
        self.topic("warm", 6)?;
        for (size, codec) in [("1024", "none"), ("100", "lz4"), ("100", "none")] {
            self.produce("warm", size, codec, bytes)?;
        }
        self.consume("warm").map(drop)
    }

    /// Creates a topic, or finds it; the seconds until all its leaders were there.
    pub fn topic(&self, name: &str, partitions: u32) -> Result<f64> {
        let answer = self.run(&["topic", "--topic", name, "--partitions", &partitions.to_string()])?;
        answer["usable"].as_f64().or(answer["leaders"].as_f64()).context("the generator told no time")
    }

    pub fn produce(&self, topic: &str, size: &str, codec: &str, bytes: &str) -> Result<Throughput> {
        let arguments = ["produce", "--topic", topic, "--size", size, "--codec", codec, "--bytes", bytes];
        self.throughput(&[&arguments[..], &["--acks", "-1", "--secs", "60", "--spin"]].concat())
    }

    /// Produces so many bytes, however long it takes, in batches so large that no broker is slow to take them.
    pub fn fill(&self, topic: &str, bytes: &str) -> Result<()> {
        let arguments = ["produce", "--topic", topic, "--size", "1024", "--codec", "none", "--bytes", bytes];
        let few = ["--batch", "512K", "--window", "2", "--acks", "-1", "--secs", "3600"];
        self.run(&[&arguments[..], &few].concat()).map(drop)
    }

    /// Produces until the broker goes away, beside what the caller does.
    pub fn begin_to_produce(&self, topic: &str) -> Result<Child> {
        let arguments = ["produce", "--topic", topic, "--size", "1024", "--acks", "-1", "--bytes", "1000G"];
        let mut command = self.command(&[&arguments[..], &["--parts-per-req", "4", "--secs", "60"]].concat());
        command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().context("the generator does not run")
    }

    pub fn consume(&self, topic: &str) -> Result<Throughput> {
        let arguments = ["consume", "--topic", topic, "--secs", "60", "--spin"];
        match self.program {
            Program::Own(_) => self.throughput(&arguments),
            Program::Kload(_) => self.throughput(&[&arguments[..], &["--trunc"]].concat()),
        }
    }

    /// (quantile, microseconds) at a fixed rate, from when each record was due.
    pub fn latency(&self, topic: &str, rate: &str, secs: &str) -> Result<Vec<(String, f64)>> {
        let arguments = ["latency", "--topic", topic, "--rate", rate, "--size", "1024", "--acks", "-1"];
        let answer = self.run(&[&arguments[..], &["--secs", secs, "--warm", "3", "--spin"]].concat())?;
        let mut found = Vec::new();
        for (field, name) in [("ack_us", "acknowledged"), ("e2e_us", "end to end")] {
            for (quantile, label) in [("p50", "p50"), ("p99", "p99"), ("p999", "p99.9")] {
                let micros = answer[field][quantile].as_f64().context("the generator told no latency")?;
                found.push((format!("{name} {label}"), micros));
            }
        }
        Ok(found)
    }

    fn throughput(&self, arguments: &[&str]) -> Result<Throughput> {
        let (answer, spent) = again_if_stuck(|| {
            let before = cpu_seconds(self.pid);
            let answer = self.run(arguments)?;
            Ok((answer, cpu_seconds(self.pid) - before))
        })?;
        let bytes =
            answer["payload"].as_f64().or(answer["wire"].as_f64()).context("the generator told no bytes")?;
        let mib_s = answer["mib_s"].as_f64().context("the generator told no rate")?;
        Ok(Throughput { mib_s, cpu_s_per_gib: spent / (bytes / f64::from(1 << 30)) })
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = pinned(1, Path::new("timeout"));
        command.args(["--foreground", "--kill-after=5", &limit(arguments).to_string()]);
        command.arg(self.program.path()).args(arguments).args(["--bootstrap", &self.bootstrap]);
        command
    }

    /// Any of its commands; its last line.
    pub fn run(&self, arguments: &[&str]) -> Result<Value> {
        let output = self.command(arguments).output().context("the generator does not run")?;
        if output.status.code() == Some(124) {
            bail!("{}: {STUCK} for {GRACE} s", arguments.join(" "));
        }
        if !output.status.success() {
            bail!("{}: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr).trim());
        }
        last_line(&output.stdout).context("the generator's last line is no JSON")
    }
}

/// The JSON that a program printed last.
pub fn last_line(output: &[u8]) -> Result<Value> {
    let text = String::from_utf8_lossy(output);
    Ok(serde_json::from_str(text.lines().last().unwrap_or("{}"))?)
}

/// After how many seconds a run of the generator is ended.
fn limit(arguments: &[&str]) -> u64 {
    let value = |name: &str| {
        let at = arguments.iter().position(|word| *word == name)?;
        arguments.get(at + 1)?.parse::<u64>().ok()
    };
    value("--secs").map_or(LIMIT, |secs| secs + value("--warm").unwrap_or(0) + GRACE)
}

/// Takes a measurement once more, with a warning, when the generator waited for answers in vain: `kload` counts a request that a
/// full socket took nothing of twice, and its answer comes once.
pub fn again_if_stuck<T>(mut measure: impl FnMut() -> Result<T>) -> Result<T> {
    match measure() {
        Err(error) if format!("{error:#}").contains(STUCK) => {
            eprintln!("xtask: once more: {error:#}");
            measure()
        }
        told => told,
    }
}

/// A command held to one core, where there are two.
pub fn pinned(core: usize, program: &Path) -> Command {
    let before = pinned_to(core);
    let Some((first, rest)) = before.split_first() else { return Command::new(program) };
    let mut command = Command::new(first);
    command.args(rest).arg(program);
    command
}

/// `taskset` to one core, where there are two; else nothing.
pub fn pinned_to(core: usize) -> Vec<String> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    if cores < 2 { Vec::new() } else { vec!["taskset".into(), "-c".into(), core.to_string()] }
}

/// CPU seconds that a process has used, all threads, user and system.
pub fn cpu_seconds(pid: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit_once(") ").map_or("", |(_, rest)| rest).split(' ').collect();
    let ticks = |at: usize| fields.get(at).and_then(|field| field.parse::<f64>().ok()).unwrap_or_default();
    (ticks(11) + ticks(12)) / 100.0 // utime and stime, in hundredths on every Linux
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_ended_some_time_after_the_seconds_it_was_given() {
        assert_eq!(limit(&["latency", "--secs", "10", "--warm", "3"]), 43);
        assert_eq!(limit(&["topic", "--partitions", "6"]), LIMIT);
    }

    #[test]
    fn a_stuck_run_is_taken_once_more_and_a_failed_one_is_not() {
        let mut runs = 0;
        let mut stuck_at = |first: usize, said: &'static str| {
            runs = 0;
            let told = again_if_stuck(|| {
                runs += 1;
                if runs <= first { bail!(said) } else { Ok(()) }
            });
            (told.is_ok(), runs)
        };
        assert_eq!(stuck_at(1, STUCK), (true, 2));
        assert_eq!(stuck_at(2, STUCK), (false, 2));
        assert_eq!(stuck_at(1, "error 7"), (false, 1));
    }
}
