//! One combined node of either product: configured alike, started, awaited, stopped or killed.
//!
//! A node lives in one folder: `server.properties`, `data/`, `node.log`, `pid`. The same folder may be started by the one
//! product and then by the other; that is how the swap is tested.

use crate::{reference, root};
use anyhow::{Context, Result, bail};
use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const HELP: &str = "cargo xtask node start monedula|kafka FOLDER PORT [key=value…]   starts it, prints its pid when it answers
cargo xtask node stop FOLDER [SIGNAL]                            stops it (TERM; KILL for a crash)
cargo xtask node port                                            prints a port that is free, as is the next one
The controller listens on PORT + 1. Properties given are added to server.properties when that is first written.
MONEDULA names the binary to start (default: target/release/monedula).";

const CLUSTER_ID: &str = "MkU3OEVBNTcwNTJENDM2Qg";
const LOWEST_PORT: u16 = 10_240;
/// How long a start or a stop may take. Apache Kafka takes more than a minute to start on a machine that is busy with other
/// things, and reads all that it holds after a kill.
const PATIENCE: Duration = Duration::from_secs(300);

/// Who serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Product {
    /// This project's binary.
    Monedula,
    /// Apache Kafka, the reference.
    Kafka,
}

impl Product {
    /// By name.
    pub fn named(name: &str) -> Result<Product> {
        match name {
            "monedula" => Ok(Product::Monedula),
            "kafka" => Ok(Product::Kafka),
            other => bail!("no product named {other}: monedula or kafka"),
        }
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Product::Monedula => "monedula",
            Product::Kafka => "kafka",
        }
    }

    fn format(self, properties: &Path) -> Result<Command> {
        let mut command = match self {
            Product::Monedula => {
                let mut command = Command::new(binary());
                command.arg("storage");
                command
            }
            Product::Kafka => reference::java(&["-Xmx256m", "-XX:TieredStopAtLevel=1"], reference::STORAGE)?,
        };
        command.args(["format", "--standalone", "-t", CLUSTER_ID, "-c"]).arg(properties);
        Ok(command)
    }

    fn serve(self, properties: &Path) -> Result<Command> {
        let mut command = match self {
            Product::Monedula => {
                let mut command = Command::new(binary());
                command.arg("server");
                command
            }
            Product::Kafka => reference::java(JVM, reference::NODE)?,
        };
        command.arg(properties);
        Ok(command)
    }
}

/// What Apache Kafka's own start script gives the JVM.
const JVM: &[&str] = &[
    "-Xmx1g",
    "-Xms1g",
    "-server",
    "-XX:+UseG1GC",
    "-XX:MaxGCPauseMillis=20",
    "-XX:InitiatingHeapOccupancyPercent=35",
    "-XX:+ExplicitGCInvokesConcurrent",
];

/// The binary under test.
pub fn binary() -> PathBuf {
    match std::env::var_os("MONEDULA") {
        Some(path) => path.into(),
        None => root().join("target/release/monedula"),
    }
}

/// Builds it, unless `MONEDULA` names one.
pub fn build() -> Result<()> {
    if std::env::var_os("MONEDULA").is_some() { Ok(()) } else { crate::build("monedula") }
}

/// A node, or another broker, that was started. Dropping it kills it.
#[derive(Debug)]
pub struct Node {
    /// The process.
    pub pid: u32,
    /// Where clients go.
    pub port: u16,
    /// How long the first answer took.
    pub answered_after: Duration,
    folder: PathBuf,
}

impl Node {
    /// Formats the folder if that was not done, starts the product on it and waits for its first answer.
    ///
    /// `before` is a command to run it under (`taskset -c 0`), or nothing.
    pub fn start(
        product: Product,
        folder: &Path,
        port: u16,
        extra: &[String],
        before: &[&str],
    ) -> Result<Node> {
        fs::create_dir_all(folder)?;
        let folder = folder.canonicalize()?;
        let properties = folder.join("server.properties");
        if !properties.exists() {
            fs::write(&properties, server_properties(&folder, port, extra))?;
        }
        if !folder.join("data/meta.properties").exists() {
            let log = File::options().create(true).append(true).open(folder.join("node.log"))?;
            let mut format = product.format(&properties)?;
            let formatted = format.stdout(log.try_clone()?).stderr(log).status();
            if !formatted.with_context(|| format!("cannot run {:?}", format.get_program()))?.success() {
                bail!("the node could not be formatted: see {}/node.log", folder.display());
            }
        }
        Node::serve(under(before, &product.serve(&properties)?), folder, port)
    }

    /// Runs whatever serves on a port, with its log in a folder, and waits for its first answer.
    pub fn serve(mut command: Command, folder: PathBuf, port: u16) -> Result<Node> {
        let log = File::options().create(true).append(true).open(folder.join("node.log"))?;
        wait_until_free(port)?;
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).process_group(0);
        let started = Instant::now();
        let child = command.spawn().with_context(|| format!("cannot start {command:?}"))?;
        fs::write(folder.join("pid"), child.id().to_string())?;
        let mut node = Node { pid: child.id(), port, answered_after: Duration::ZERO, folder };
        while !answers(port) {
            if !alive(node.pid) || started.elapsed() > PATIENCE {
                bail!("no answer: see {}/node.log\n{}", node.folder.display(), node.last_words());
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        node.answered_after = started.elapsed();
        Ok(node)
    }

    /// Host and port for clients.
    pub fn bootstrap(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Sends a signal by name and waits for the process to end.
    pub fn stop(self, signal: &str) -> Result<()> {
        let pid = self.pid;
        std::mem::forget(self);
        end(pid, signal)
    }

    /// The end of its log.
    pub fn last_words(&self) -> String {
        let log = fs::read(self.folder.join("node.log")).unwrap_or_default();
        let text = String::from_utf8_lossy(&log).into_owned();
        let lines: Vec<_> = text.lines().collect();
        lines[lines.len().saturating_sub(20)..].join("\n")
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if end(self.pid, "KILL").is_err() {
            eprintln!("xtask: process {} is still there", self.pid);
        }
    }
}

/// A process that was just killed may hold its port for a moment more, while its threads end.
fn wait_until_free(port: u16) -> Result<()> {
    let asked = Instant::now();
    while TcpStream::connect(("127.0.0.1", port)).is_ok() {
        if asked.elapsed() > Duration::from_secs(5) {
            bail!("port {port} is taken by something else");
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    Ok(())
}

/// The same command, run under another.
fn under(before: &[&str], command: &Command) -> Command {
    let Some((first, rest)) = before.split_first() else {
        let mut same = Command::new(command.get_program());
        same.args(command.get_args());
        return same;
    };
    let mut outer = Command::new(first);
    outer.args(rest).arg(command.get_program()).args(command.get_args());
    outer
}

fn server_properties(folder: &Path, port: u16, extra: &[String]) -> String {
    let controller = port + 1;
    let mut text = format!(
        "process.roles=broker,controller
node.id=1
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
controller.listener.names=CONTROLLER
controller.quorum.bootstrap.servers=127.0.0.1:{controller}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs={}/data
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
",
        folder.display()
    );
    for line in extra {
        text.push_str(line);
        text.push('\n');
    }
    text
}

/// Whether the process runs; one that has ended but was not waited for does not.
pub fn alive(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
}

fn end(pid: u32, signal: &str) -> Result<()> {
    if alive(pid) {
        Command::new("kill").arg(format!("-{signal}")).arg(pid.to_string()).status()?;
    }
    let asked = Instant::now();
    while alive(pid) {
        if asked.elapsed() > PATIENCE {
            bail!("process {pid} did not end on {signal}");
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}

/// Whether a broker answers ApiVersions there, the request that every client sends first.
fn answers(port: u16) -> bool {
    let ask = || -> std::io::Result<()> {
        let mut socket = TcpStream::connect(("127.0.0.1", port))?;
        socket.set_read_timeout(Some(Duration::from_secs(5)))?;
        // length 10, api key 18, version 0, correlation id 1, null client id
        socket.write_all(&[0, 0, 0, 10, 0, 18, 0, 0, 0, 0, 0, 1, 0xff, 0xff])?;
        socket.read_exact(&mut [0; 10])
    };
    ask().is_ok()
}

/// A port that is free now, and the one after it too. Not one of those that the system gives to outgoing connections: one
/// of them might take it while a node is down between a kill and its restart.
pub fn free_port() -> Result<u16> {
    let range = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap_or_default();
    let outgoing = range.split_whitespace().next().and_then(|low| low.parse().ok()).unwrap_or(32_768u16);
    let candidates = LOWEST_PORT..outgoing.max(LOWEST_PORT + 1000);
    let start = std::time::UNIX_EPOCH.elapsed()?.subsec_nanos() as usize / 1000 % candidates.len();
    let is_free =
        |port: &u16| [*port, port + 1].iter().all(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok());
    candidates.cycle().skip(start).take(1000).find(is_free).context("no two free ports side by side")
}

/// The command by hand.
pub fn run(arguments: &[String]) -> Result<()> {
    match arguments {
        [word] if word == "--help" => {
            println!("{HELP}");
            Ok(())
        }
        [verb, product, folder, port, extra @ ..] if verb == "start" => {
            let port = port.parse().context("PORT is a number")?;
            let node = Node::start(Product::named(product)?, Path::new(folder), port, extra, &[])?;
            println!("{}", node.pid);
            std::mem::forget(node);
            Ok(())
        }
        [verb] if verb == "port" => {
            println!("{}", free_port()?);
            Ok(())
        }
        [verb, folder, signal @ ..] if verb == "stop" => {
            let pid =
                fs::read_to_string(Path::new(folder).join("pid")).context("no node was started there")?;
            end(pid.trim().parse()?, signal.first().map_or("TERM", String::as_str))
        }
        _ => bail!("{HELP}"),
    }
}
