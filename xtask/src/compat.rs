//! `cargo xtask compat`: other people's clients, tools and suites against a node of ours.
//!
//! A suite is a folder `compat/NAME` with a `run.sh` that ends in `N passed, N failed`. Most take the address of a fresh node
//! that is started for them; those that start, kill and swap nodes themselves take none. They find in their environment
//! `WORK` (a folder of their own that is kept: builds and downloads), `FRESH` (one that was emptied), `XTASK` (this
//! program) and `PRODUCT` (who serves: `monedula`, or `kafka` with `--against kafka`).

use crate::node::{self, Node, Product, binary, free_port};
use crate::{root, tally::Tally};
use anyhow::{Context, Result};
use std::path::{Path, PathBuf};
use std::process::Command;

const HELP: &str =
    "cargo xtask compat [--all] [--against kafka] [SUITE…]   those named; else the quick ones, or all
cargo xtask compat --list                               which there are, and what each needs
MONEDULA names the binary to start (default: target/release/monedula, built now).";

/// One folder of `compat/`.
struct Suite {
    name: &'static str,
    /// Programs that must be on the path.
    needs: &'static [&'static str],
    node: Serves,
    /// Part of `cargo xtask test`.
    quick: bool,
    /// Seconds after which it has failed.
    limit: u32,
}

/// Which node a suite gets.
enum Serves {
    /// A fresh one on free ports.
    Fresh,
    /// A fresh one that calls itself `localhost` and this port, which the suite insists on, and has an authorizer, to which
    /// whoever connects is a super user.
    Port(u16),
    /// None: it starts its own.
    Own,
}

const JAVA: &[&str] = &["java", "javac", "mvn"];

const JAVA_AND_CURL: &[&str] = &["java", "mvn", "curl"];

const SUITES: &[Suite] = &[
    Suite { name: "kafka-java", needs: JAVA, node: Serves::Fresh, quick: true, limit: 300 },
    Suite { name: "kafka-tools", needs: JAVA, node: Serves::Fresh, quick: true, limit: 1500 },
    Suite { name: "confluent-kafka", needs: &["python3"], node: Serves::Fresh, quick: true, limit: 300 },
    Suite { name: "aiokafka", needs: &["python3"], node: Serves::Fresh, quick: true, limit: 300 },
    Suite { name: "franz-go", needs: &["go"], node: Serves::Fresh, quick: true, limit: 400 },
    Suite { name: "kafkajs", needs: &["node", "npm"], node: Serves::Fresh, quick: true, limit: 300 },
    Suite { name: "platformatic", needs: &["node", "npm"], node: Serves::Fresh, quick: true, limit: 300 },
    Suite { name: "rdkafka", needs: &["cargo", "cc", "make"], node: Serves::Fresh, quick: true, limit: 600 },
    Suite { name: "rskafka", needs: &["cargo", "cc"], node: Serves::Fresh, quick: true, limit: 600 },
    Suite { name: "protocol", needs: JAVA, node: Serves::Own, quick: true, limit: 600 },
    Suite { name: "acls", needs: JAVA, node: Serves::Own, quick: true, limit: 400 },
    Suite { name: "swap", needs: JAVA, node: Serves::Own, quick: true, limit: 1500 },
    Suite { name: "text", needs: JAVA, node: Serves::Own, quick: true, limit: 600 },
    Suite { name: "transactions", needs: &["cargo", "cc"], node: Serves::Own, quick: false, limit: 3600 },
    Suite { name: "kafka-streams", needs: JAVA, node: Serves::Own, quick: false, limit: 2400 },
    Suite { name: "share-groups", needs: JAVA, node: Serves::Own, quick: false, limit: 590 },
    Suite {
        name: "power-cut",
        needs: &["java", "mkfs.ext4", "python3"],
        node: Serves::Own,
        quick: false,
        limit: 900,
    },
    Suite { name: "connect", needs: JAVA_AND_CURL, node: Serves::Own, quick: false, limit: 590 },
    Suite { name: "mirror-maker", needs: JAVA, node: Serves::Own, quick: false, limit: 590 },
    Suite { name: "spring-kafka", needs: JAVA, node: Serves::Own, quick: false, limit: 590 },
    Suite { name: "flink", needs: JAVA, node: Serves::Own, quick: false, limit: 590 },
    Suite { name: "trogdor", needs: JAVA, node: Serves::Fresh, quick: false, limit: 900 },
    Suite { name: "compaction", needs: JAVA, node: Serves::Own, quick: false, limit: 1200 },
    Suite { name: "franz-go-suite", needs: &["go"], node: Serves::Fresh, quick: false, limit: 1500 },
    Suite {
        name: "librdkafka-suite",
        needs: &["cargo", "cc", "c++", "make"],
        node: Serves::Own,
        quick: false,
        limit: 3000,
    },
    Suite { name: "kafka-go-suite", needs: &["go"], node: Serves::Port(9092), quick: false, limit: 900 },
];

/// What the command line asks for.
struct Asked {
    product: Product,
    suites: Vec<&'static Suite>,
}

impl Asked {
    fn parse(arguments: &[String]) -> Result<Asked> {
        let mut product = Product::Monedula;
        let mut all = false;
        let mut names = Vec::new();
        let mut rest = arguments.iter();
        while let Some(word) = rest.next() {
            match word.as_str() {
                "--all" => all = true,
                "--against" => product = Product::named(rest.next().context("--against monedula|kafka")?)?,
                name => names.push(
                    SUITES
                        .iter()
                        .find(|suite| suite.name == name)
                        .with_context(|| format!("no suite {name}"))?,
                ),
            }
        }
        if names.is_empty() {
            names = SUITES.iter().filter(|suite| all || suite.quick).collect();
        }
        Ok(Asked { product, suites: names })
    }
}

/// The command.
pub fn run(arguments: &[String]) -> Result<Tally> {
    if arguments.iter().any(|word| word == "--help") {
        println!("{HELP}");
        return Ok(Tally::default());
    }
    if arguments.iter().any(|word| word == "--list") {
        for suite in SUITES {
            let kind = if suite.quick { "" } else { "with --all or by name; " };
            println!("{:18} {kind}needs {}", suite.name, suite.needs.join(", "));
        }
        return Ok(Tally::default());
    }
    let asked = Asked::parse(arguments)?;
    let mut total = Tally::default();
    for (_, tally) in run_suites(&asked)? {
        total += tally;
    }
    Ok(total)
}

/// The suites that `cargo xtask test` runs.
pub fn quick() -> Result<Vec<(&'static str, Tally)>> {
    run_suites(&Asked::parse(&[])?)
}

fn run_suites(asked: &Asked) -> Result<Vec<(&'static str, Tally)>> {
    let mut results = Vec::new();
    let mut built = asked.product == Product::Kafka;
    for suite in &asked.suites {
        println!("== compat {}", suite.name);
        let missing: Vec<_> = suite.needs.iter().filter(|program| !on_path(program)).collect();
        if !missing.is_empty() {
            println!("skipped: {} needs {missing:?}, not on this machine", suite.name);
            if std::env::var("CI").is_ok_and(|ci| ci == "true") {
                results.push((suite.name, Tally::one(false)));
            }
            continue;
        }
        if !built {
            node::build()?;
            built = true;
        }
        let tally = run_suite(suite, asked.product).unwrap_or_else(|error| {
            println!("{}: {error:#}", suite.name);
            Tally::one(false)
        });
        results.push((suite.name, tally));
    }
    Ok(results)
}

fn on_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

fn run_suite(suite: &Suite, product: Product) -> Result<Tally> {
    let work = root().join("target/compat").join(suite.name);
    let fresh = work.join("fresh");
    if fresh.exists() {
        std::fs::remove_dir_all(&fresh)?;
    }
    std::fs::create_dir_all(&fresh)?;
    let node = match suite.node {
        Serves::Own => None,
        Serves::Fresh => Some(start(product, &fresh, free_port()?, &[])?),
        Serves::Port(port) => {
            let properties = [
                &*format!("advertised.listeners=PLAINTEXT://localhost:{port}"),
                "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer",
                "super.users=User:ANONYMOUS",
            ];
            Some(start(product, &fresh, port, &properties.map(str::to_owned))?)
        }
    };
    let mut command = Command::new("timeout");
    command.args(["-k", "10", &suite.limit.to_string(), "bash"]);
    command.arg(root().join("compat").join(suite.name).join("run.sh"));
    if let Some(node) = &node {
        command.arg(node.bootstrap());
    }
    set_environment(&mut command, &work, &fresh, product)?;
    let tally = Tally::of(&mut command)?;
    if let Some(node) = node {
        if tally.failed > 0 {
            println!("the end of the node's log, {}/node/node.log:\n{}", fresh.display(), node.last_words());
        }
        node.stop("TERM")?;
    }
    Ok(tally)
}

fn start(product: Product, fresh: &Path, port: u16, extra: &[String]) -> Result<Node> {
    Node::start(product, &fresh.join("node"), port, extra, &[])
}

fn set_environment(command: &mut Command, work: &PathBuf, fresh: &PathBuf, product: Product) -> Result<()> {
    command.env("WORK", work).env("FRESH", fresh).env("PRODUCT", product.name());
    command.env("XTASK", std::env::current_exe()?).env("MONEDULA", binary());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_suite_has_its_folder_and_every_folder_its_suite() {
        let mut named: Vec<_> = SUITES.iter().map(|suite| suite.name.to_owned()).collect();
        named.sort();
        let entries =
            std::fs::read_dir(root().join("compat")).expect("compat/ is part of the checkout").flatten();
        let runs = entries.filter(|entry| entry.path().join("run.sh").exists());
        let mut found: Vec<_> = runs.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        found.sort();
        assert_eq!(named, found);
    }
}
