//! One run: things are written, things break, things heal, everything is read.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use client::admin::{CreateTopicsOptions, NewTopic};
use client::{Admin, Error, Producer, ProducerRecord};
use model::TopicPartition;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

use crate::chance::Chance;
use crate::history::{Event, History, What};
use crate::node::Node;
use crate::plan::{PARTITIONS, PROCESSES, Plan};
use crate::raw::Raw;
use crate::{reader, transaction};

/// How a run is done.
pub struct Run {
    /// What it is like.
    pub plan: Plan,
    /// Who serves.
    pub node: Node,
    /// Where events go.
    pub history: History,
    /// How long things break.
    pub length: Duration,
    /// Whether the node's level lets the trickster play.
    pub tricks: bool,
}

/// A process of clients.
struct Clients {
    child: Child,
    ends: JoinHandle<()>,
}

impl Run {
    /// Does it; fails where the product did not become available again.
    pub async fn run(&self) -> Result<(), String> {
        self.create_topics().await?;
        let follower = tokio::spawn(reader::follow(self.plan.clone(), self.history.clone(), "live".into()));
        let watcher = tokio::spawn(watch(self.plan.clone(), self.history.clone()));
        let raw = match Raw::new(self.plan.clone(), self.history.clone()) {
            Ok(raw) if self.tricks => Some(tokio::spawn(raw.run())),
            _ => None,
        };
        let feeder = tokio::spawn(feed(self.plan.clone(), self.history.clone(), self.length));
        let broken = self.break_things().await;
        if let Some(raw) = raw {
            raw.abort();
        }
        broken?;
        feeder.await.map_err(|error| error.to_string())?;
        let healed = self.heal().await;
        sleep(Duration::from_millis(300)).await;
        follower.abort();
        watcher.abort();
        healed
    }

    async fn create_topics(&self) -> Result<(), String> {
        let say = |error: Error| format!("{error:?}");
        let admin = Admin::from_map(&self.plan.config([])).map_err(say)?;
        let topics: Vec<NewTopic> =
            self.plan.topics().iter().map(|topic| NewTopic::new(topic).sized(PARTITIONS, 1)).collect();
        let created = admin.create_topics(&topics, CreateTopicsOptions::default()).await.map_err(say)?;
        created.into_values().try_for_each(|topic| topic.map(drop)).map_err(say)
    }

    /// Kills clients and node by the seed's dice.
    async fn break_things(&self) -> Result<(), String> {
        let mut chance = Chance::new(self.plan.seed ^ 0xdead);
        let mut clients = Vec::new();
        for process in 0..PROCESSES {
            clients.push(self.spawn(&self.plan, process, 0)?);
        }
        let end = Instant::now() + self.length;
        let mut generation = 1;
        let mut node_kills = chance.below(3);
        while Instant::now() < end {
            sleep(Duration::from_millis(150 + chance.below(600))).await;
            if node_kills > 0 && chance.percent(40) {
                node_kills -= 1;
                self.kill_node(chance.below(150)).await?;
            } else if chance.percent(60) {
                let process = chance.below(PROCESSES);
                let killed = std::mem::replace(
                    &mut clients[process as usize],
                    self.spawn(&self.plan, process, generation)?,
                );
                // For a moment the old one and the new one live side by side, as when only a network was broken.
                sleep(Duration::from_millis([0, 0, 100][chance.below(3) as usize])).await;
                self.kill(killed).await;
                generation += 1;
            }
        }
        for killed in clients {
            self.kill(killed).await;
        }
        Ok(())
    }

    async fn kill_node(&self, rest: u64) -> Result<(), String> {
        self.history.note("chaos", "the node is killed");
        let node = self.node.clone();
        let again = tokio::task::spawn_blocking(move || {
            node.down("KILL")?;
            std::thread::sleep(Duration::from_millis(rest));
            node.up()
        });
        again.await.map_err(|error| error.to_string())??;
        self.history.note("chaos", "the node is back");
        Ok(())
    }

    fn spawn(&self, plan: &Plan, process: u64, generation: u64) -> Result<Clients, String> {
        let program: PathBuf = std::env::current_exe().map_err(|error| error.to_string())?;
        let plan = serde_json::to_string(plan).map_err(|error| error.to_string())?;
        let mut child = Command::new(program)
            .args(["clients", &plan, &process.to_string(), &generation.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| error.to_string())?;
        let output = child.stdout.take().expect("it is piped");
        let history = self.history.clone();
        let ends = tokio::spawn(async move {
            let mut lines = BufReader::new(output).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                // The last line of one that was killed may be cut.
                if let Ok(event) = serde_json::from_str::<Event>(&line) {
                    history.add(event);
                }
            }
        });
        Ok(Clients { child, ends })
    }

    async fn kill(&self, mut clients: Clients) {
        self.history.note("chaos", format!("clients {:?} are killed", clients.child.id()));
        let _ = clients.child.kill().await;
        let _ = clients.ends.await;
    }

    /// Lets what is left be done, ends what is open, and reads everything.
    async fn heal(&self) -> Result<(), String> {
        let plan = &self.plan;
        for id in plan.transactional_ids() {
            let producer =
                transaction::producer(plan, &id).await.map_err(|error| format!("{id}: {error:?}"))?;
            producer.close(Duration::from_secs(5)).await;
        }
        let calm = Plan { calm: true, ..plan.clone() };
        let mut clients = Vec::new();
        for process in 0..PROCESSES {
            clients.push(self.spawn(&calm, process, 1000)?);
        }
        let drained = self.drained().await;
        for killed in clients {
            self.kill(killed).await;
        }
        drained?;
        for process in 0..PROCESSES {
            let id = plan.transactional_id(process, "x");
            transaction::producer(plan, &id).await.map_err(|error| format!("{id}: {error:?}"))?;
        }
        let ends = reader::settled(plan).await?;
        reader::read_all(plan, &self.history, &ends).await
    }

    /// Waits until every input was transformed.
    async fn drained(&self) -> Result<(), String> {
        let say = |error: Error| format!("{error:?}");
        let admin = Admin::from_map(&self.plan.config([])).map_err(say)?;
        let consumer = client::Consumer::from_map(&self.plan.config([])).map_err(say)?;
        let inputs: Vec<TopicPartition> =
            (0..PARTITIONS).map(|index| TopicPartition::new(self.plan.topic("in"), index)).collect();
        let ends = consumer.end_offsets(&inputs).await.map_err(say)?;
        let mut seen = String::new();
        let deadline = Instant::now() + Duration::from_secs(40);
        while Instant::now() < deadline {
            if let Ok(committed) = admin.list_group_offsets(&self.plan.group(), Some(&inputs), true).await {
                let at = |name| committed.get(name)?.as_ref().ok()?.as_ref().map(|at| at.offset);
                if ends.iter().all(|(name, end)| end.0 == 0 || at(name).is_some_and(|at| at >= *end)) {
                    return Ok(());
                }
                seen = format!("{committed:?}");
            }
            sleep(Duration::from_millis(100)).await;
        }
        Err(format!("the inputs are not transformed to their end: {ends:?}, {seen}"))
    }
}

/// Writes inputs, as fast as they can be transformed.
async fn feed(plan: Plan, history: History, length: Duration) {
    let producer = match Producer::from_map(&plan.config([("linger.ms", "1".to_owned())])) {
        Ok(producer) => producer,
        Err(error) => return history.note("feeder", format!("{error:?}")),
    };
    let (topic, mut chance) = (plan.topic("in"), Chance::new(plan.seed ^ 0xfeed));
    let end = Instant::now() + length;
    let mut deliveries = Vec::new();
    for number in 0.. {
        if Instant::now() > end {
            break;
        }
        let (value, partition) = (format!("i{number}"), chance.below(PARTITIONS as u64) as i32);
        let sending = What::Sending { txn: None, topic: topic.clone(), partition, value: value.clone() };
        history.tell("feeder", sending);
        let record = ProducerRecord::to(topic.as_str()).partition(partition).value(value.clone());
        if let Ok(delivery) = producer.enqueue(record).await {
            deliveries.push((partition, value, delivery));
        }
        sleep(Duration::from_millis(10 + chance.below(20))).await;
    }
    for (partition, value, delivery) in deliveries {
        if let Ok(Some(offset)) = delivery.await.map(|written| written.offset) {
            history.tell("feeder", What::Acked { topic: topic.clone(), partition, offset: offset.0, value });
        }
    }
}

/// Asks for the group's offsets again and again.
async fn watch(plan: Plan, history: History) {
    let Ok(admin) = Admin::from_map(&plan.config([])) else { return };
    let group = plan.group();
    loop {
        if let Ok(committed) = admin.list_group_offsets(&group, None, false).await {
            for (name, at) in committed {
                if let Ok(Some(at)) = at {
                    let (topic, partition, offset) = (name.topic.to_string(), name.partition, at.offset.0);
                    history
                        .tell("watcher", What::Committed { group: group.clone(), topic, partition, offset });
                }
            }
        }
        sleep(Duration::from_millis(100)).await;
    }
}
