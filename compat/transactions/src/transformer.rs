//! Consume, transform, produce: each input becomes one output of each kind, and the offsets go with them.

use client::consumer::{ListenerFuture, Offsets, RebalanceListener};
use client::{Consumer, ConsumerRecord, Error, OffsetAndMetadata, Producer, ProducerRecord};
use model::{Offset, TopicPartition};
use std::time::Duration;

use crate::chance::Chance;
use crate::history::{History, What};
use crate::plan::{OUTPUTS, PARTITIONS, PROCESSES, Plan, Plant, Sharing};
use crate::transaction::{Transaction, producer};

/// One who transforms, until it is killed.
pub struct Transformer {
    /// The run.
    pub plan: Plan,
    /// Where events go.
    pub history: History,
    /// Its dice.
    pub chance: Chance,
    /// Which of the processes it is in.
    pub process: u64,
    /// How often the process was started.
    pub generation: u64,
}

impl Transformer {
    /// Works for ever: after an error with a new producer and a new consumer.
    pub async fn run(mut self) {
        let id = self.plan.transactional_id(self.process, "x");
        for incarnation in 0.. {
            let who = format!("{id}.{}.{incarnation}", self.generation);
            if let Err(error) = self.live(&id, &who).await {
                self.history.note(&who, format!("begins anew after {error:?}"));
                tokio::time::sleep(Duration::from_millis(30)).await;
            }
        }
    }

    async fn live(&mut self, id: &str, who: &str) -> Result<(), Error> {
        let producer = producer(&self.plan, id).await?;
        let mut consumer = self.consumer(who).await?;
        for number in 0.. {
            let records = consumer.poll(Duration::from_millis(100)).await?.records;
            if !records.is_empty() {
                let txn = format!("{who}.{number}");
                self.transform(&producer, &mut consumer, &txn, records).await?;
            }
        }
        Ok(())
    }

    async fn consumer(&self, who: &str) -> Result<Consumer, Error> {
        let plan = &self.plan;
        let mut config = plan.config([
            ("group.id", plan.group()),
            ("enable.auto.commit", "false".to_owned()),
            ("isolation.level", plan.isolation().to_owned()),
            ("auto.offset.reset", "earliest".to_owned()),
            ("max.poll.records", "5".to_owned()),
            ("fetch.max.wait.ms", "50".to_owned()),
        ]);
        match plan.sharing {
            Sharing::Consumer => drop(config.insert("group.protocol".into(), "consumer".into())),
            Sharing::Classic | Sharing::Manual => {
                config.insert("session.timeout.ms".into(), "1000".into());
                config.insert("heartbeat.interval.ms".into(), "200".into());
            }
        }
        let mut consumer = Consumer::from_map(&config)?;
        let topic = plan.topic("in");
        if plan.sharing == Sharing::Manual {
            let mine = (0..PARTITIONS).filter(|partition| *partition as u64 % PROCESSES == self.process);
            let mine: Vec<_> = mine.map(|partition| TopicPartition::new(topic.as_str(), partition)).collect();
            consumer.assign(&mine).await?;
        } else {
            let told = Told { who: who.to_owned(), history: self.history.clone() };
            consumer.set_rebalance_listener(told);
            consumer.subscribe(&[topic]).await?;
        }
        Ok(consumer)
    }

    async fn transform(
        &mut self,
        producer: &Producer,
        consumer: &mut Consumer,
        txn: &str,
        records: Vec<ConsumerRecord>,
    ) -> Result<(), Error> {
        let next = next_offsets(&records);
        if self.plan.plant == Some(Plant::OffsetsFirst) {
            consumer.commit_offsets_sync(&next).await?;
        }
        let history = self.history.clone();
        let mut transaction = Transaction::begin(producer, &history, txn)?;
        let sent = self.outputs(&mut transaction, &records).await;
        let sent = match sent {
            Ok(()) if self.plan.plant.is_none_or(|plant| plant == Plant::ReadUncommitted) => {
                producer.send_offsets_to_transaction(&next, &consumer.group_metadata()?).await
            }
            other => other,
        };
        let gives_up = !self.plan.calm && self.chance.percent(self.plan.aborts);
        if !transaction.end(sent, !gives_up).await? {
            for (name, offset) in first_offsets(&records) {
                // What was taken away meanwhile is another's to read.
                let _ = consumer.seek(&name, offset);
            }
        } else if self.plan.plant == Some(Plant::NoTransaction) {
            consumer.commit_offsets_sync(&next).await?;
        }
        Ok(())
    }

    async fn outputs(
        &mut self,
        transaction: &mut Transaction<'_>,
        records: &[ConsumerRecord],
    ) -> Result<(), Error> {
        let plain = self.plan.plant == Some(Plant::NoTransaction);
        let outside = if plain { Some(Producer::from_map(&self.plan.config([]))?) } else { None };
        for record in records {
            let input = String::from_utf8_lossy(record.value.as_deref().unwrap_or_default()).into_owned();
            for output in OUTPUTS {
                let (topic, partition) =
                    (self.plan.topic(output), self.chance.below(PARTITIONS as u64) as i32);
                let name = format!("{output}:{input}");
                if let Some(outside) = &outside {
                    let value = format!("{}|{name}", transaction.name());
                    let sending =
                        What::Sending { txn: None, topic: topic.clone(), partition, value: value.clone() };
                    self.history.tell(transaction.name(), sending);
                    outside
                        .send(ProducerRecord::to(topic.as_str()).partition(partition).value(value))
                        .await?;
                } else {
                    transaction.send(&topic, partition, &name).await?;
                }
            }
            if self.chance.percent(5) {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
        Ok(())
    }
}

/// Tells what the group gives and takes.
struct Told {
    who: String,
    history: History,
}

impl Told {
    fn note<'a>(&self, what: &str, consumer: &Consumer, names: &[TopicPartition]) -> ListenerFuture<'a> {
        let places = names.iter().map(|name| format!("{name} at {:?}", consumer.known_position(name)));
        let (places, who) = (places.collect::<Vec<_>>().join(", "), consumer.group_metadata());
        self.history.note(&self.who, format!("{what}: {places}; {who:?}"));
        Box::pin(async { Ok(()) })
    }
}

impl RebalanceListener for Told {
    fn on_partitions_revoked<'a>(
        &'a mut self,
        consumer: &'a mut Consumer,
        names: &'a [TopicPartition],
    ) -> ListenerFuture<'a> {
        self.note("revoked", consumer, names)
    }

    fn on_partitions_assigned<'a>(
        &'a mut self,
        consumer: &'a mut Consumer,
        names: &'a [TopicPartition],
    ) -> ListenerFuture<'a> {
        self.note("assigned", consumer, names)
    }

    fn on_partitions_lost<'a>(
        &'a mut self,
        consumer: &'a mut Consumer,
        names: &'a [TopicPartition],
    ) -> ListenerFuture<'a> {
        self.note("lost", consumer, names)
    }
}

fn next_offsets(records: &[ConsumerRecord]) -> Offsets {
    let next = |record: &ConsumerRecord| {
        let name = TopicPartition::new(record.topic.clone(), record.partition);
        (name, OffsetAndMetadata::new(record.offset.plus(1)))
    };
    records.iter().map(next).collect()
}

fn first_offsets(records: &[ConsumerRecord]) -> Vec<(TopicPartition, Offset)> {
    let place = |record: &ConsumerRecord| {
        (TopicPartition::new(record.topic.clone(), record.partition), record.offset)
    };
    let mut first = std::collections::BTreeMap::new();
    for (name, offset) in records.iter().map(place) {
        first.entry(name).or_insert(offset);
    }
    first.into_iter().collect()
}
