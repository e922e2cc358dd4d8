//! One transaction through the client, told step by step.

use client::producer::Delivery;
use client::{Error, Producer, ProducerRecord};

use crate::history::{History, What};
use crate::plan::Plan;

/// A producer that has its identity. A call that ran out of time is repeated, as it must be.
pub async fn producer(plan: &Plan, transactional_id: &str) -> Result<Producer, Error> {
    let producer = Producer::from_map(&plan.producer(transactional_id))?;
    loop {
        match producer.init_transactions().await {
            Err(Error::Timeout(_)) => {}
            other => return other.map(|()| producer),
        }
    }
}

/// An open transaction.
pub struct Transaction<'a> {
    producer: &'a Producer,
    history: &'a History,
    name: String,
    sent: Vec<(String, i32, String, Delivery)>,
}

impl<'a> Transaction<'a> {
    /// Begins one.
    pub fn begin(producer: &'a Producer, history: &'a History, name: &str) -> Result<Self, Error> {
        producer.begin_transaction()?;
        Ok(Self { producer, history, name: name.to_owned(), sent: Vec::new() })
    }

    /// What it is called in the history.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Sends a value of that name.
    pub async fn send(&mut self, topic: &str, partition: i32, name: &str) -> Result<(), Error> {
        let value = format!("{}|{name}", self.name);
        let (topic, txn) = (topic.to_owned(), Some(self.name.clone()));
        self.tell(What::Sending { txn, topic: topic.clone(), partition, value: value.clone() });
        let record = ProducerRecord::to(topic.as_str()).partition(partition).value(value.clone());
        let delivery = self.producer.enqueue(record).await?;
        self.sent.push((topic, partition, value, delivery));
        Ok(())
    }

    /// Ends it: commits if that is wanted and nothing failed. True where it was committed; fails where the producer can do
    /// nothing more.
    pub async fn end(self, sent: Result<(), Error>, commit: bool) -> Result<bool, Error> {
        if let Err(error) = &sent {
            self.history.note(&self.name, format!("failed with {error:?}"));
        }
        if sent.is_ok() && commit {
            match self.finish(true).await {
                Ok(()) => {
                    self.acknowledged().await;
                    return Ok(true);
                }
                Err(error) => self.history.note(&self.name, format!("could not be committed: {error:?}")),
            }
        }
        if let Some(fatal) = self.producer.fatal_error() {
            return Err(fatal);
        }
        self.finish(false).await?;
        Ok(false)
    }

    async fn finish(&self, commit: bool) -> Result<(), Error> {
        self.tell(What::Ending { txn: self.name.clone(), commit });
        loop {
            let ended = if commit {
                self.producer.commit_transaction().await
            } else {
                self.producer.abort_transaction().await
            };
            match ended {
                Err(Error::Timeout(_)) => {}
                other => {
                    other?;
                    self.tell(What::Ended { txn: self.name.clone(), commit });
                    return Ok(());
                }
            }
        }
    }

    async fn acknowledged(self) {
        for (topic, partition, value, delivery) in self.sent {
            if let Ok(Some(offset)) = delivery.await.map(|written| written.offset) {
                let acked = What::Acked { topic, partition, offset: offset.0, value };
                self.history.tell(&self.name, acked);
            }
        }
    }

    /// The order of sending counts within one producer, whatever the transaction.
    fn tell(&self, what: What) {
        let who = self.name.rsplit_once('.').map_or(self.name.as_str(), |(who, _)| who);
        self.history.tell(who, what);
    }
}
