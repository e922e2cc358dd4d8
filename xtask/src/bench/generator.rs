//! Runs of the load generator against one node, with the CPU time that the node spent meanwhile.

use crate::node::Node;
use crate::root;
use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

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
        build("bench")?;
        Ok(Program::Own(root().join("target/release/bench")))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        match self {
            Program::Own(path) | Program::Kload(path) => path,
        }
    }
}

/// Builds a program of the workspace for speed.
pub fn build(package: &str) -> Result<()> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    let built = Command::new(cargo).args(["build", "--release", "-p", package]).current_dir(root()).status();
    if !built.context("cargo does not run")?.success() {
        bail!("{package} cannot be built");
    }
    Ok(())
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
        let mut command = self.command(&[&arguments[..], &["--secs", "60"]].concat());
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
        let before = cpu_seconds(self.pid);
        let answer = self.run(arguments)?;
        let spent = cpu_seconds(self.pid) - before;
        let bytes =
            answer["payload"].as_f64().or(answer["wire"].as_f64()).context("the generator told no bytes")?;
        let mib_s = answer["mib_s"].as_f64().context("the generator told no rate")?;
        Ok(Throughput { mib_s, cpu_s_per_gib: spent / (bytes / f64::from(1 << 30)) })
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let pinned = pinned_to(1);
        let mut words = pinned.iter().map(String::as_str).collect::<Vec<_>>();
        let program = self.program.path().to_string_lossy();
        words.push(&program);
        let mut command = Command::new(words[0]);
        command.args(&words[1..]).args(arguments).args(["--bootstrap", &self.bootstrap]);
        command
    }

    /// Any of its commands; its last line.
    pub fn run(&self, arguments: &[&str]) -> Result<Value> {
        let output = self.command(arguments).output().context("the generator does not run")?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        if !output.status.success() {
            bail!("{}: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr).trim());
        }
        serde_json::from_str(text.lines().last().unwrap_or("{}"))
            .context("the generator's last line is no JSON")
    }
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
