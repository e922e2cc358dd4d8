//! The node under test, as a process that can be killed.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What the node needs to be quick about members that were killed, and small.
const PROPERTIES: &[&str] = &[
    "offsets.topic.num.partitions=4",
    "transaction.state.log.num.partitions=4",
    "group.min.session.timeout.ms=500",
    "group.consumer.min.session.timeout.ms=500",
    "group.consumer.session.timeout.ms=1000",
    "group.consumer.min.heartbeat.interval.ms=100",
    "group.consumer.heartbeat.interval.ms=200",
];

/// A node in its folder.
#[derive(Clone)]
pub struct Node {
    xtask: String,
    product: String,
    folder: PathBuf,
    port: u16,
}

impl Node {
    /// Starts the product of the environment (`PRODUCT`, `XTASK`) in `folder`, at `level` of `transaction.version`.
    pub fn start(folder: &Path, level: u8) -> Result<Self, String> {
        let environment =
            |name: &str, default: &str| std::env::var(name).unwrap_or_else(|_| default.to_owned());
        let xtask = environment("XTASK", "target/debug/xtask");
        let port = match std::env::var("PORT") {
            Ok(port) => port,
            Err(_) => output(&xtask, &["node", "port"])?,
        };
        let port = port.trim().parse().map_err(|_| format!("{port} is no port"))?;
        let node =
            Self { xtask, product: environment("PRODUCT", "monedula"), folder: folder.to_owned(), port };
        node.up()?;
        if level < 2 {
            let to = format!("transaction.version={level}");
            let lowered = [
                "kafka",
                "kafka-features",
                "--bootstrap-server",
                &node.bootstrap(),
                "downgrade",
                "--feature",
                &to,
            ];
            output(&node.xtask, &lowered)?;
        }
        Ok(node)
    }

    /// Starts it again.
    pub fn up(&self) -> Result<(), String> {
        let (folder, port) = (self.folder.display().to_string(), self.port.to_string());
        let mut arguments = vec!["node", "start", &self.product, &folder, &port];
        arguments.extend(PROPERTIES);
        output(&self.xtask, &arguments).map(drop)
    }

    /// Ends it with a signal: `KILL` for a crash.
    pub fn down(&self, signal: &str) -> Result<(), String> {
        output(&self.xtask, &["node", "stop", &self.folder.display().to_string(), signal]).map(drop)
    }

    /// Removes its data.
    pub fn remove(&self) -> Result<(), String> {
        std::fs::remove_dir_all(&self.folder).map_err(|error| error.to_string())
    }

    /// Host and port.
    pub fn bootstrap(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }
}

fn output(program: &str, arguments: &[&str]) -> Result<String, String> {
    let ran = Command::new(program).args(arguments).stdin(Stdio::null()).output();
    let ran = ran.map_err(|error| format!("{program}: {error}"))?;
    if !ran.status.success() {
        return Err(format!("{program} {arguments:?}: {}", String::from_utf8_lossy(&ran.stderr)));
    }
    Ok(String::from_utf8_lossy(&ran.stdout).into_owned())
}
