//! A producer that speaks the protocol by hand and plays tricks: requests are repeated at once, out of order, and long after
//! their transaction. Each is a request that the network may repeat or hold back; none may change what was decided.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use client::cluster::{CoordinatorKind, Interest, Purpose};
use client::{Cluster, Error, ProducerConfig};
use model::{ProducerEpoch, ProducerId, Timestamp};
use protocol::add_partitions_to_txn_request::AddPartitionsToTxnTopic;
use protocol::produce_request::{PartitionProduceData, TopicProduceData};
use protocol::{
    AddPartitionsToTxnRequest, EndTxnRequest, ErrorCode, InitProducerIdRequest, ProduceRequest, Records,
};
use records::{BatchBuilder, BatchOptions};

use crate::chance::Chance;
use crate::history::{History, What};
use crate::plan::{PARTITIONS, Plan};

/// With this version a broker adds partitions by itself, and topics still have names.
const PRODUCE: i16 = 12;
const ADD_PARTITIONS: i16 = 3;
const END: i16 = 5;
const INIT: i16 = 5;

/// A request that was sent, and can be sent again.
#[derive(Clone)]
enum Sent {
    Produce(ProduceRequest),
    Add(AddPartitionsToTxnRequest),
    End(EndTxnRequest),
}

/// The trickster.
pub struct Raw {
    plan: Plan,
    history: History,
    chance: Chance,
    cluster: Cluster,
    id: String,
    producer: (i64, i16),
    /// Requests of transactions that have ended.
    old: Vec<Sent>,
}

impl Raw {
    /// Makes one; nothing is sent yet.
    pub fn new(plan: Plan, history: History) -> Result<Self, Error> {
        let settings = ProducerConfig::from_map(&plan.config([("client.id", "raw".to_owned())]))?.client;
        let id = plan.transactional_id(9, "raw");
        let chance = Chance::new(plan.seed ^ 0x5eed);
        let cluster = Cluster::new(settings, Interest::Brokers);
        Ok(Self { plan, history, chance, cluster, id, producer: (-1, -1), old: Vec::new() })
    }

    /// Plays for ever.
    pub async fn run(mut self) {
        for incarnation in 0.. {
            if let Err(error) = self.live(incarnation).await {
                self.history.note(&self.id, format!("begins anew after {error:?}"));
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }

    async fn live(&mut self, incarnation: u64) -> Result<(), Error> {
        self.initialize().await?;
        for number in 0.. {
            self.transaction(&format!("{}.{incarnation}.{number}", self.id)).await?;
        }
        Ok(())
    }

    async fn initialize(&mut self) -> Result<(), Error> {
        let request = InitProducerIdRequest {
            transactional_id: Some(self.id.clone()),
            transaction_timeout_ms: 20_000,
            ..Default::default()
        };
        loop {
            let node = self.cluster.find_coordinator(CoordinatorKind::Transaction, &self.id).await?;
            let connection = self.cluster.connection(node, Purpose::Coordinator).await?;
            let answer = connection.send_version(&request, INIT).await?;
            if answer.error_code == ErrorCode::NONE {
                self.producer = (answer.producer_id, answer.producer_epoch);
                return Ok(());
            }
            if !answer.error_code.is_retriable() {
                return Err(Error::broker(answer.error_code));
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn transaction(&mut self, txn: &str) -> Result<(), Error> {
        let mut mine = Vec::new();
        let mut written = false;
        for partition in 0..PARTITIONS {
            if self.chance.percent(40) {
                // The network holds this one back until its transaction has ended: it must never be seen.
                mine.push(Sent::Produce(self.produce(&format!("{txn}-late"), partition, 0)));
                continue;
            }
            let count = 1 + self.chance.below(3) as i32;
            let batches: Vec<_> = (0..count).map(|sequence| self.produce(txn, partition, sequence)).collect();
            if count > 1 && self.chance.percent(25) {
                // The second overtakes the first.
                self.spawn(Sent::Produce(batches[1].clone()), Duration::ZERO);
                tokio::task::yield_now().await;
            }
            for request in batches {
                mine.push(Sent::Produce(request.clone()));
                self.delayed().await;
                self.until_written(request).await?;
                written = true;
            }
        }
        if !written {
            return Ok(());
        }
        let commit = self.chance.percent(60);
        let request = EndTxnRequest {
            transactional_id: self.id.clone(),
            producer_id: self.producer.0,
            producer_epoch: self.producer.1,
            committed: commit,
            ..Default::default()
        };
        mine.push(Sent::End(request.clone()));
        mine.push(Sent::Add(self.add_partitions()));
        self.delayed().await;
        self.history.tell(&self.id, What::Ending { txn: txn.to_owned(), commit });
        self.until_ended(&request).await?;
        self.history.tell(&self.id, What::Ended { txn: txn.to_owned(), commit });
        self.old.extend(mine);
        let excess = self.old.len().saturating_sub(60);
        self.old.drain(..excess);
        Ok(())
    }

    fn produce(&mut self, txn: &str, partition: i32, sequence: i32) -> ProduceRequest {
        let value = format!("{txn}|{txn}.{partition}.{sequence}");
        let topic = self.plan.topic("raw");
        let sending = What::Sending {
            txn: Some(txn.to_owned()),
            topic: topic.clone(),
            partition,
            value: value.clone(),
        };
        self.history.tell(&self.id, sending);
        let mut batch = BatchBuilder::new(BatchOptions {
            producer_id: ProducerId(self.producer.0),
            producer_epoch: ProducerEpoch(self.producer.1),
            base_sequence: sequence,
            transactional: true,
            ..Default::default()
        });
        batch.append(now(), None, Some(value.as_bytes()), &[]).expect("it is small");
        let records: Bytes = batch.build().expect("it is small");
        let data = PartitionProduceData {
            index: partition,
            records: Some(Records::Bytes(records)),
            ..Default::default()
        };
        ProduceRequest {
            transactional_id: Some(self.id.clone()),
            acks: -1,
            timeout_ms: 3000,
            topic_data: vec![TopicProduceData {
                name: topic,
                partition_data: vec![data],
                ..Default::default()
            }],
            ..Default::default()
        }
    }

    fn add_partitions(&self) -> AddPartitionsToTxnRequest {
        let topic = AddPartitionsToTxnTopic {
            name: self.plan.topic("raw"),
            partitions: (0..PARTITIONS).collect(),
            ..Default::default()
        };
        AddPartitionsToTxnRequest {
            v3_and_below_transactional_id: self.id.clone(),
            v3_and_below_producer_id: self.producer.0,
            v3_and_below_producer_epoch: self.producer.1,
            v3_and_below_topics: vec![topic],
            ..Default::default()
        }
    }

    /// Sends the same batch until it is surely written; sometimes twice at once.
    async fn until_written(&mut self, request: ProduceRequest) -> Result<(), Error> {
        if self.chance.percent(30) {
            self.spawn(Sent::Produce(request.clone()), Duration::ZERO);
        }
        for _ in 0..200 {
            match send(&self.cluster, &self.id, &Sent::Produce(request.clone())).await {
                Ok(ErrorCode::NONE | ErrorCode::DUPLICATE_SEQUENCE_NUMBER) => return Ok(()),
                Ok(code) if !code.is_retriable() => return Err(Error::broker(code)),
                Ok(_) | Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
        Err(Error::Timeout("the batch could not be written".into()))
    }

    /// Asks for the same end until it is surely decided; sometimes twice at once. The answer raises the epoch.
    async fn until_ended(&mut self, request: &EndTxnRequest) -> Result<(), Error> {
        if self.chance.percent(40) {
            self.spawn(Sent::End(request.clone()), Duration::ZERO);
        }
        for _ in 0..200 {
            let ended = async {
                let node = self.cluster.find_coordinator(CoordinatorKind::Transaction, &self.id).await?;
                let connection = self.cluster.connection(node, Purpose::Coordinator).await?;
                connection.send_version(request, END).await
            };
            match ended.await {
                Ok(answer) if answer.error_code == ErrorCode::NONE => {
                    self.producer = (answer.producer_id, answer.producer_epoch);
                    return Ok(());
                }
                Ok(answer) if !answer.error_code.is_retriable() => {
                    return Err(Error::broker(answer.error_code));
                }
                Ok(_) | Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
        Err(Error::Timeout("the transaction could not be ended".into()))
    }

    /// Some requests of transactions that have ended come now, in any order, some a little later.
    async fn delayed(&mut self) {
        for _ in 0..self.chance.below(4) {
            if self.old.is_empty() {
                return;
            }
            let mut sent = self.old[self.chance.below(self.old.len() as u64) as usize].clone();
            if let Sent::End(end) = &mut sent
                && self.chance.percent(30)
            {
                end.committed = !end.committed;
            }
            let wait = Duration::from_millis([0, 1, 30][self.chance.below(3) as usize]);
            self.spawn(sent, wait);
        }
        if self.chance.percent(50) {
            tokio::task::yield_now().await;
        }
    }

    fn spawn(&self, sent: Sent, wait: Duration) {
        let (cluster, id, history) = (self.cluster.clone(), self.id.clone(), self.history.clone());
        tokio::spawn(async move {
            tokio::time::sleep(wait).await;
            let answer = send(&cluster, &id, &sent).await;
            let what = match &sent {
                Sent::Produce(_) => "Produce".to_owned(),
                Sent::Add(add) => format!("AddPartitionsToTxn of epoch {}", add.v3_and_below_producer_epoch),
                Sent::End(end) => format!("EndTxn({}) of epoch {}", end.committed, end.producer_epoch),
            };
            let text = match answer {
                Ok(code) => format!("{what} again: {}", code.name()),
                Err(error) => format!("{what} again: {error}"),
            };
            history.note(&format!("{id}-again"), text);
        });
    }
}

/// Records of another time would be deleted for their age.
fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    Timestamp(since.map_or(0, |since| since.as_millis() as i64))
}

async fn send(cluster: &Cluster, id: &str, sent: &Sent) -> Result<ErrorCode, Error> {
    let node = cluster.find_coordinator(CoordinatorKind::Transaction, id).await?;
    let connection = cluster.connection(node, Purpose::Data).await?;
    Ok(match sent {
        Sent::Produce(request) => {
            let answer = connection.send_version(request, PRODUCE).await?;
            let partitions = answer.responses.iter().flat_map(|topic| &topic.partition_responses);
            partitions.map(|partition| partition.error_code).next().unwrap_or(ErrorCode::UNKNOWN_SERVER_ERROR)
        }
        Sent::Add(request) => {
            let answer = connection.send_version(request, ADD_PARTITIONS).await?;
            let topics = answer.results_by_topic_v3_and_below.iter();
            let mut partitions = topics.flat_map(|topic| &topic.results_by_partition);
            partitions.next().map_or(ErrorCode::UNKNOWN_SERVER_ERROR, |first| first.partition_error_code)
        }
        Sent::End(request) => connection.send_version(request, END).await?.error_code,
    })
}
