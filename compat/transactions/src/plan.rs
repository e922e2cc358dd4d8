//! What a run is like: everything that its seed decides, and what was planted in it.

use client::{ConfigMap, config_map};
use serde::{Deserialize, Serialize};

use crate::chance::Chance;

/// Partitions of each topic.
pub const PARTITIONS: i32 = 3;
/// What every input is transformed into.
pub const OUTPUTS: [&str; 2] = ["a", "b"];
/// Processes that can be killed.
pub const PROCESSES: u64 = 2;
/// Writers of transactions in each of them, beside the one that transforms.
pub const WRITERS: u64 = 2;

/// How those who transform share the inputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sharing {
    /// As members of a classic group.
    Classic,
    /// As members of a group of the consumer protocol.
    Consumer,
    /// Each has its partitions.
    Manual,
}

/// A mistake that the verdict must tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Plant {
    /// Readers see what is not committed.
    ReadUncommitted,
    /// Offsets are committed on their own, before the outputs.
    OffsetsFirst,
    /// Outputs are written in no transaction.
    NoTransaction,
}

/// A run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Plan {
    /// What decides all else.
    pub seed: u64,
    /// Where the node listens.
    pub bootstrap: String,
    /// How inputs are shared.
    pub sharing: Sharing,
    /// How often (in percent) a transaction is aborted on purpose.
    pub aborts: u64,
    /// Whether to stay calm: no aborts, no writers; so that what is left gets done.
    pub calm: bool,
    /// What was planted.
    pub plant: Option<Plant>,
}

impl Plan {
    /// The run of a seed.
    pub fn new(seed: u64, bootstrap: &str, plant: Option<Plant>) -> Self {
        let mut chance = Chance::new(seed);
        let sharing = [Sharing::Classic, Sharing::Consumer, Sharing::Manual][chance.below(3) as usize];
        let aborts = [5, 20, 50][chance.below(3) as usize];
        Self { seed, bootstrap: bootstrap.to_owned(), sharing, aborts, calm: false, plant }
    }

    /// A topic of this run.
    pub fn topic(&self, name: &str) -> String {
        format!("{name}-{}", self.seed)
    }

    /// All topics that are read in the end.
    pub fn topics(&self) -> Vec<String> {
        ["in", "a", "b", "plain", "raw"].map(|name| self.topic(name)).into()
    }

    /// The group of those who transform.
    pub fn group(&self) -> String {
        format!("transform-{}", self.seed)
    }

    /// The name of a producer's transactions, which stays when its process is killed.
    pub fn transactional_id(&self, process: u64, part: &str) -> String {
        format!("t{}-{process}-{part}", self.seed)
    }

    /// Every transactional id of the run.
    pub fn transactional_ids(&self) -> Vec<String> {
        let parts = |process| {
            let writers = (0..WRITERS).map(move |writer| format!("w{writer}"));
            writers.chain(["x".to_owned()]).map(move |part| self.transactional_id(process, &part))
        };
        (0..PROCESSES).flat_map(parts).chain([self.transactional_id(9, "raw")]).collect()
    }

    /// Properties of a client that finds its node again soon after it was killed.
    pub fn config<'a>(&self, pairs: impl IntoIterator<Item = (&'a str, String)>) -> ConfigMap {
        let base = [
            ("bootstrap.servers", self.bootstrap.as_str()),
            ("reconnect.backoff.max.ms", "100"),
            ("retry.backoff.ms", "30"),
            ("retry.backoff.max.ms", "100"),
            ("request.timeout.ms", "3000"),
        ];
        let mut config = config_map(base);
        config.extend(pairs.into_iter().map(|(key, value)| (key.to_owned(), value)));
        config
    }

    /// Properties of a producer of transactions.
    pub fn producer(&self, transactional_id: &str) -> ConfigMap {
        self.config([
            ("transactional.id", transactional_id.to_owned()),
            ("transaction.timeout.ms", "20000".to_owned()),
            ("max.block.ms", "15000".to_owned()),
            ("linger.ms", "1".to_owned()),
        ])
    }

    /// The isolation that readers have.
    pub fn isolation(&self) -> &'static str {
        if self.plant == Some(Plant::ReadUncommitted) { "read_uncommitted" } else { "read_committed" }
    }
}
