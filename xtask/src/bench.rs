//! `cargo xtask bench`: this node and Apache Kafka side by side on this machine.
//!
//! In every run the subjects take turns: each is started on an empty directory, loaded, killed and restarted, with the same
//! generator (`bench/`), the broker held to one core and the generator to another. Each run begins with another subject. What is kept is the median of the runs and its
//! ratio to Apache Kafka's; `bench/RESULTS.md` holds the last table with the command that made it.

mod figures;
mod generator;
mod instructions;
mod machine;
mod table;

use crate::node::{Node, Product};
use crate::root;
use anyhow::{Context, Result, bail};
use figures::Figures;
use generator::{Generator, Program};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const HELP: &str =
    "cargo xtask bench [--quick] [--runs 3] [--bytes 1G] [--rate 10000] [--only kafka,monedula,…] [--restart-bytes 10G]
                  [--restart-only] [--kload PATH] [--out bench/RESULTS.md]
cargo xtask bench --table --generator FOLDER …
cargo xtask bench --instructions [--keep]
cargo xtask bench --machine hiccups|flush …

Builds what it needs, unless MONEDULA names the binary to measure. Apache Kafka comes from Maven Central.

  --instructions  counts the instructions of the hot paths under valgrind, and compares them with bench/instructions.txt;
                  with --keep, writes them there
  --table         the figures that are to be reached, with a generator that lies elsewhere (--table --help)
  --machine       what bounds the figures on this machine (--machine --help); the table measures it itself
  --quick   one run of 192M with few partitions and short pauses, to standard output: a table in under five minutes
  --bytes   payload of each produce and consume cell
  --rate    records a second in the latency cell
  --only    subjects: kafka, monedula (acks=all answered after the sync), monedula-replicated (Kafka's way)
  --restart-bytes  also restarts a node that was killed, while it was written to, with so much in 1,000 partitions; the disk
            needs twice the room
  --restart-only   that alone
  --kload   another load generator that takes the commands of `bench/`
  --out     where the table goes; `-` for standard output only";

/// How long a node is written to before it is killed.
const KILLED_AFTER: Duration = Duration::from_secs(3);

/// What is measured.
struct Subject {
    name: &'static str,
    serves: Serves,
}

/// Who answers.
enum Serves {
    /// A product with a setting.
    Node(Product, &'static [&'static str]),
    /// The least that a broker can do: `kload floor`.
    Floor,
}

const SUBJECTS: &[Subject] = &[
    Subject { name: "kafka", serves: Serves::Node(Product::Kafka, &[]) },
    Subject {
        name: "monedula",
        serves: Serves::Node(Product::Monedula, &["monedula.ack.durability=synced"]),
    },
    Subject {
        name: "monedula-replicated",
        serves: Serves::Node(Product::Monedula, &["monedula.ack.durability=replicated"]),
    },
];

/// The subject of that name.
fn subject(name: &str) -> Result<&'static Subject> {
    SUBJECTS.iter().find(|subject| subject.name == name).with_context(|| format!("no subject {name}"))
}

/// The command line.
struct Asked {
    program: Program,
    quick: bool,
    runs: usize,
    bytes: String,
    rate: String,
    subjects: Vec<&'static Subject>,
    restart_bytes: Option<String>,
    restart_only: bool,
    out: String,
}

impl Asked {
    fn parse(arguments: &[String]) -> Result<Asked> {
        let is_there = |name: &str| arguments.iter().any(|word| word == name);
        let (quick, restart_only) = (is_there("--quick"), is_there("--restart-only"));
        let bare = ["--quick", "--restart-only"];
        let arguments: Vec<_> = arguments.iter().filter(|word| !bare.contains(&word.as_str())).collect();
        let value = |name: &str| {
            let at = arguments.iter().position(|word| *word == name)?;
            arguments.get(at + 1).map(|word| word.as_str())
        };
        let known = ["--kload", "--runs", "--bytes", "--rate", "--only", "--restart-bytes", "--out"];
        let odd = arguments.iter().step_by(2).find(|word| !known.contains(&word.as_str()));
        if odd.is_some() {
            bail!("{HELP}");
        }
        if restart_only && value("--restart-bytes").is_none() {
            bail!("--restart-only wants --restart-bytes");
        }
        let only = value("--only").unwrap_or("kafka,monedula,monedula-replicated").split(',');
        Ok(Asked {
            program: Program::find(value("--kload"))?,
            quick,
            runs: value("--runs")
                .unwrap_or(if quick { "1" } else { "3" })
                .parse()
                .context("--runs is a number")?,
            bytes: value("--bytes").unwrap_or(if quick { "192M" } else { "1G" }).into(),
            rate: value("--rate").unwrap_or("10000").into(),
            subjects: only.map(subject).collect::<Result<_>>()?,
            restart_bytes: value("--restart-bytes").map(str::to_owned),
            restart_only,
            out: value("--out").unwrap_or(if quick { "-" } else { "bench/RESULTS.md" }).into(),
        })
    }
}

/// The command.
pub fn run(arguments: &[String]) -> Result<()> {
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["--help"] => {
            println!("{HELP}");
            return Ok(());
        }
        ["--instructions"] => return instructions::run(false),
        ["--instructions", "--keep"] => return instructions::run(true),
        ["--machine", rest @ ..] => return machine::run(rest),
        ["--table", ..] => return table::run(&arguments[1..]).and_then(|()| remove_spent()),
        _ => {}
    }
    let asked = Asked::parse(arguments)?;
    crate::node::build()?;
    let mut figures = Figures::default();
    for run in 1..=asked.runs {
        // Whoever comes first in a run may find the machine in another state than the others.
        for turn in 0..asked.subjects.len() {
            let subject = asked.subjects[(turn + run - 1) % asked.subjects.len()];
            println!("== run {run} of {}: {}", asked.runs, subject.name);
            session(subject, &asked, &mut figures)
                .with_context(|| format!("{} in run {run}", subject.name))?;
        }
    }
    let names: Vec<_> = asked.subjects.iter().map(|subject| subject.name).collect();
    let page = figures.page(&names, &format!("cargo xtask bench {}", arguments.join(" ")), asked.runs)?;
    println!("{page}");
    if asked.out != "-" {
        figures::replace(&root().join(&asked.out), figures::HEADING, &page)?;
    }
    remove_spent()
}

/// Where the folders of subjects that were measured lie until all are.
fn spent() -> PathBuf {
    root().join("target/bench/spent")
}

fn remove_spent() -> Result<()> {
    if spent().exists() {
        std::fs::remove_dir_all(spent())?;
    }
    Ok(())
}

/// Gives the room of a folder's files back.
fn empty(folder: &Path) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        match entry.file_type()?.is_dir() {
            true => empty(&entry.path())?,
            false => std::fs::File::options().write(true).open(entry.path())?.set_len(0)?,
        }
    }
    Ok(())
}

/// Where a subject lives.
struct Place {
    subject: &'static Subject,
    folder: PathBuf,
    port: u16,
    /// The generator's program, which is also the floor's.
    program: PathBuf,
}

impl Place {
    /// An empty one.
    fn new(subject: &'static Subject, program: &Program) -> Result<Place> {
        let folder = root().join("target/bench").join(subject.name);
        let (port, program) = (crate::node::free_port()?, program.path().to_owned());
        let place = Place { subject, folder, port, program };
        place.clear()?;
        Ok(place)
    }

    /// Puts the folder aside with its files, which are emptied but not deleted: while many were deleted within the last minutes, ext4
    /// looks through those for each new file, and the next subject would be slowed by this one.
    fn clear(&self) -> Result<()> {
        if self.folder.exists() {
            empty(&self.folder)?;
            std::fs::create_dir_all(spent())?;
            let place = std::fs::read_dir(spent())?.count();
            std::fs::rename(&self.folder, spent().join(place.to_string()))?;
        }
        Ok(())
    }

    fn start(&self) -> Result<Node> {
        match self.subject.serves {
            Serves::Node(product, settings) => {
                let settings: Vec<String> = settings.iter().map(|line| (*line).to_owned()).collect();
                let pinned = generator::pinned_to(0);
                let pinned: Vec<&str> = pinned.iter().map(String::as_str).collect();
                Node::start(product, &self.folder, self.port, &settings, &pinned)
            }
            Serves::Floor => {
                std::fs::create_dir_all(&self.folder)?;
                let mut command = generator::pinned(0, &self.program);
                command.args(["floor", "--listen", &format!("127.0.0.1:{}", self.port), "--dir"]);
                command.arg(self.folder.join("data"));
                Node::serve(command, self.folder.clone(), self.port)
            }
        }
    }
}

/// One subject in one run: where it lives, and where its figures go.
struct Session<'a> {
    place: Place,
    asked: &'a Asked,
    figures: &'a mut Figures,
}

/// Everything that is measured of one subject in one run.
fn session(subject: &'static Subject, asked: &Asked, figures: &mut Figures) -> Result<()> {
    let mut session = Session { place: Place::new(subject, &asked.program)?, asked, figures };
    if !asked.restart_only {
        session.all_but_much()?;
    }
    if let Some(bytes) = &asked.restart_bytes {
        session.restart_with_much(bytes)?;
    }
    session.place.clear()
}

impl Session<'_> {
    fn note(&mut self, what: &str, value: f64) {
        let name = self.place.subject.name;
        println!("{name:24} {what:52} {value:.3}");
        self.figures.note(what, name, value);
    }

    /// Produces a topic and consumes it; `name` says what is in it.
    fn throughput(&mut self, generator: &Generator<'_>, topic: &str, load: (&str, &str, &str)) -> Result<()> {
        let (name, size, codec) = load;
        let produced = generator.produce(topic, size, codec, &self.asked.bytes)?;
        self.note(&format!("produce {name} acks=all, MiB/s"), produced.mib_s);
        self.note(&format!("produce {name} acks=all, broker CPU s/GiB"), produced.cpu_s_per_gib);
        let consumed = generator.consume(topic)?;
        self.note(&format!("consume {name}, MiB/s"), consumed.mib_s);
        self.note(&format!("consume {name}, broker CPU s/GiB"), consumed.cpu_s_per_gib);
        Ok(())
    }

    fn all_but_much(&mut self) -> Result<()> {
        let node = self.place.start()?;
        self.note("start on an empty directory, ms", millis(node.answered_after));
        std::thread::sleep(Duration::from_secs(if self.asked.quick { 2 } else { 8 }));
        self.note("memory idle, MiB", memory(node.pid, "VmRSS:"));
        self.few_partitions(&node)?;
        let rest = self.restarts(node)?;
        if !self.asked.quick {
            self.many_partitions(&rest)?;
        }
        rest.stop("KILL")?;
        self.place.clear()
    }

    /// Throughput and latency over six partitions.
    fn few_partitions(&mut self, node: &Node) -> Result<()> {
        let generator = Generator::new(&self.asked.program, node);
        generator.warm_up(if self.asked.quick { "64M" } else { "512M" })?;
        for load in [("1 KiB", "1024", "none"), ("100 B", "100", "none"), ("100 B lz4", "100", "lz4")] {
            let topic = format!("load-{}-{}", load.1, load.2);
            generator.topic(&topic, 6)?;
            self.throughput(&generator, &topic, load)?;
        }
        self.note("memory under load, most, MiB", memory(node.pid, "VmHWM:"));
        generator.topic("latency", 6)?;
        let secs = if self.asked.quick { "4" } else { "10" };
        for (what, micros) in generator.latency("latency", &self.asked.rate, secs)? {
            self.note(&format!("{} records/s of 1 KiB: {what}, ms", self.asked.rate), micros / 1000.0);
        }
        self.note("create 1,000 partitions, ms", generator.topic("many", 1000)? * 1000.0);
        Ok(())
    }

    /// Kills the node and starts it, stops it and starts it; returns it running.
    fn restarts(&mut self, node: Node) -> Result<Node> {
        node.stop("KILL")?;
        let node = self.restart("restart after kill -9", ("load-1024-none", 6))?;
        let asked_to_stop = Instant::now();
        node.stop("TERM")?;
        self.note("clean stop, ms", millis(asked_to_stop.elapsed()));
        self.restart("clean restart", ("load-1024-none", 6))
    }

    /// Starts the node again, until all partitions of `topic` answer.
    fn restart(&mut self, what: &str, (topic, partitions): (&str, u32)) -> Result<Node> {
        let began = Instant::now();
        let node = self.place.start()?;
        self.note(&format!("{what}: first answer, ms"), millis(node.answered_after));
        Generator::new(&self.asked.program, &node).topic(topic, partitions)?;
        self.note(&format!("{what}: all leaders there, ms"), millis(began.elapsed()));
        Ok(node)
    }

    /// Throughput over a thousand partitions, and ten thousand more.
    fn many_partitions(&mut self, node: &Node) -> Result<()> {
        let generator = Generator::new(&self.asked.program, node);
        self.throughput(&generator, "many", ("1 KiB, 1,000 partitions", "1024", "none"))?;
        let before = memory(node.pid, "VmRSS:");
        // Apache Kafka refuses 10,000 partitions in one request.
        let created: Result<f64> = (0..5).map(|n| generator.topic(&format!("very-many-{n}"), 2_000)).sum();
        self.note("create 10,000 partitions, ms", created? * 1000.0);
        let grown = memory(node.pid, "VmRSS:") - before;
        self.note("memory of each of 10,000 new partitions, KiB", grown * 1024.0 / 10_000.0);
        Ok(())
    }

    /// Fills a thousand partitions, kills the node while more comes, and starts it; then stops it and starts it.
    fn restart_with_much(&mut self, bytes: &str) -> Result<()> {
        let node = self.place.start()?;
        let generator = Generator::new(&self.asked.program, &node);
        generator.topic("much", 1000)?;
        generator.fill("much", bytes)?;
        let mut more = generator.begin_to_produce("much")?;
        std::thread::sleep(KILLED_AFTER);
        node.stop("KILL")?;
        // It lost its connection.
        more.wait()?;
        let node =
            self.restart(&format!("restart after kill -9, {bytes} in 1,000 partitions"), ("much", 1000))?;
        let asked_to_stop = Instant::now();
        node.stop("TERM")?;
        self.note(&format!("clean stop, {bytes} in 1,000 partitions, ms"), millis(asked_to_stop.elapsed()));
        self.restart(&format!("clean restart, {bytes} in 1,000 partitions"), ("much", 1000))?.stop("KILL")
    }
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

/// Memory of a process in MiB: `VmRSS:` is what is resident now, `VmHWM:` the most that ever was.
fn memory(pid: u32, field: &str) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(field)).unwrap_or_default();
    line.trim().trim_end_matches(" kB").parse::<f64>().unwrap_or_default() / 1024.0
}
