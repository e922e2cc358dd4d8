//! Where reading begins: what was committed; whether a position still is right; and offsets by time. Kafka: `OffsetFetcher`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use model::{NodeId, Offset, Timestamp, TopicPartition};
use protocol::offset_for_leader_epoch_request::{OffsetForLeaderPartition, OffsetForLeaderTopic};
use protocol::{ErrorCode, OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse};

use super::commits::fetch_committed;
use super::subscription::{Phase, Position};
use super::{Consumer, Event};
use crate::admin::{Admin, Committed, ListedOffset, OffsetSpec};
use crate::error::{Error, Result};
use crate::offsets::{OffsetAndTimestamp, by_topic, known_epoch};

impl Consumer {
    /// Starts finding out what is not known of positions.
    pub(super) fn step_positions(&mut self) -> Result<()> {
        let now = Instant::now();
        self.look_up_committed(now)?;
        self.look_up_resets(now);
        self.validate_positions(now);
        Ok(())
    }

    fn look_up_committed(&mut self, now: Instant) -> Result<()> {
        let unknown = self.subscriptions.unknown(now);
        if unknown.is_empty() {
            return Ok(());
        }
        let Some(client) = self.group_client.clone() else {
            return self.subscriptions.reset_unknown(&unknown);
        };
        // Asked for once at a time: until the answer, or the request's timeout.
        self.subscriptions.ask_again(&unknown, now + self.config.client.request_timeout);
        self.tasks.spawn(async move {
            let committed = fetch_committed(client, unknown.clone()).await;
            Event::Committed(unknown, committed)
        });
        Ok(())
    }

    pub(super) fn take_committed(
        &mut self,
        asked: &[TopicPartition],
        result: Result<Committed>,
    ) -> Result<()> {
        let retry_at = Instant::now() + self.cluster.retry_delay(0);
        let committed = match result {
            Ok(committed) => committed,
            Err(error) if error.is_retriable() => {
                self.subscriptions.ask_again(asked, retry_at);
                return Ok(());
            }
            Err(error) => {
                self.subscriptions.ask_again(asked, retry_at);
                return Err(error);
            }
        };
        let metadata = self.cluster.metadata();
        let mut without = Vec::new();
        let mut failure = Ok(());
        for (name, result) in committed {
            // Not where the user has gone somewhere else since.
            let unknown = self.subscriptions.partitions.get(&name).is_some_and(|p| p.phase == Phase::Unknown);
            match result {
                _ if !unknown => {}
                Ok(Some(committed)) => {
                    self.subscriptions.seek(&name, &committed, metadata.leader_and_epoch(&name))?;
                }
                Ok(None) => without.push(name),
                Err(error) if error.is_retriable() => self.subscriptions.ask_again(&[name], retry_at),
                Err(error) => {
                    self.subscriptions.ask_again(&[name], retry_at);
                    failure = Err(error);
                }
            }
        }
        self.subscriptions.ask_again(&without, retry_at);
        self.subscriptions.reset_unknown(&without).and(failure)
    }

    fn validate_positions(&mut self, now: Instant) {
        let metadata = self.cluster.metadata();
        let mut by_leader: BTreeMap<NodeId, Vec<(TopicPartition, Position)>> = BTreeMap::new();
        for (name, position) in self.subscriptions.to_validate(now) {
            match metadata.leader(&name) {
                Some(leader) => by_leader.entry(leader).or_default().push((name, position)),
                None => self.cluster.request_update(),
            }
        }
        for (leader, asked) in by_leader {
            let names: Vec<TopicPartition> = asked.iter().map(|(name, _)| name.clone()).collect();
            self.subscriptions.ask_again(&names, now + self.config.client.request_timeout);
            let request = leader_epoch_request(&asked);
            let cluster = self.cluster.clone();
            self.tasks.spawn(async move { Event::Validated(asked, cluster.send(leader, &request).await) });
        }
    }

    pub(super) fn take_validation(
        &mut self,
        asked: Vec<(TopicPartition, Position)>,
        result: Result<OffsetForLeaderEpochResponse>,
    ) -> Result<()> {
        let retry_at = Instant::now() + self.cluster.retry_delay(0);
        let mut failure = Ok(());
        let response = match result {
            Ok(response) => response,
            Err(error) => {
                let names: Vec<TopicPartition> = asked.into_iter().map(|(name, _)| name).collect();
                self.subscriptions.ask_again(&names, retry_at);
                self.cluster.request_update();
                return if error.is_retriable() { Ok(()) } else { Err(error) };
            }
        };
        let asked: BTreeMap<TopicPartition, Position> = asked.into_iter().collect();
        for topic in response.topics {
            for partition in topic.partitions {
                let name = TopicPartition::new(topic.topic.as_str(), partition.partition);
                let Some(position) = asked.get(&name) else { continue };
                if let Err(error) = Error::check(partition.error_code) {
                    self.subscriptions.ask_again(std::slice::from_ref(&name), retry_at);
                    self.cluster.request_update();
                    if is_told(&error) {
                        failure = Err(error);
                    }
                    continue;
                }
                let (epoch, end) = (known_epoch(partition.leader_epoch), Offset(partition.end_offset));
                if let Err(error) = self.subscriptions.finish_validation(&name, *position, epoch, end) {
                    failure = Err(error);
                }
            }
        }
        failure
    }

    fn offsets_admin(&self) -> Admin {
        Admin::of_cluster(self.cluster.clone(), self.config.default_api_timeout)
    }

    async fn list(
        &self,
        specs: BTreeMap<TopicPartition, OffsetSpec>,
    ) -> Result<BTreeMap<TopicPartition, ListedOffset>> {
        let listed = self.offsets_admin().list_offsets(&specs, self.config.isolation_level).await;
        listed.into_iter().map(|(name, result)| Ok((name, result?))).collect()
    }

    /// The first offset of each partition.
    pub async fn beginning_offsets(
        &self,
        partitions: &[TopicPartition],
    ) -> Result<BTreeMap<TopicPartition, Offset>> {
        let listed =
            self.list(partitions.iter().map(|name| (name.clone(), OffsetSpec::Earliest)).collect()).await?;
        Ok(listed.into_iter().map(|(name, listed)| (name, listed.offset)).collect())
    }

    /// The offset after the last record of each partition that can be read.
    pub async fn end_offsets(
        &self,
        partitions: &[TopicPartition],
    ) -> Result<BTreeMap<TopicPartition, Offset>> {
        let listed =
            self.list(partitions.iter().map(|name| (name.clone(), OffsetSpec::Latest)).collect()).await?;
        Ok(listed.into_iter().map(|(name, listed)| (name, listed.offset)).collect())
    }

    /// The first record at or after a time in each partition; `None` where there is none.
    pub async fn offsets_for_times(
        &self,
        times: &BTreeMap<TopicPartition, Timestamp>,
    ) -> Result<BTreeMap<TopicPartition, Option<OffsetAndTimestamp>>> {
        if let Some((_, time)) = times.iter().find(|(_, time)| time.0 < 0) {
            return Err(Error::IllegalArgument(format!(
                "The target time for partition is {time}. The target time cannot be negative."
            )));
        }
        let specs = times.iter().map(|(name, time)| (name.clone(), OffsetSpec::Timestamp(*time))).collect();
        let found = |listed: ListedOffset| OffsetAndTimestamp {
            offset: listed.offset,
            timestamp: listed.timestamp,
            leader_epoch: listed.leader_epoch,
        };
        let listed = self.list(specs).await?.into_iter();
        Ok(listed.map(|(name, listed)| (name, (listed.offset.0 >= 0).then(|| found(listed)))).collect())
    }

    /// The topics of the assigned partitions, or of the subscription, are those that metadata must cover.
    pub(super) fn cover(&self, topics: BTreeSet<Arc<str>>) {
        let create = self.config.allow_auto_create_topics;
        self.cluster.interest(|interest| interest.replace(topics, create, tokio::time::Instant::now()));
    }
}

/// Whether an error is the user's to know: of a partition, a broker may answer with any that passes.
/// Kafka: `OffsetFetcherUtils.handleListOffsetResponse`, `OffsetsForLeaderEpochUtils.handleResponse`.
pub(super) fn is_told(error: &Error) -> bool {
    let refused = error.is(ErrorCode::TOPIC_AUTHORIZATION_FAILED);
    !error.is_retriable() && (error.code().is_none() || refused)
}

fn leader_epoch_request(asked: &[(TopicPartition, Position)]) -> OffsetForLeaderEpochRequest {
    let partition = |(partition, position): (i32, &Position)| OffsetForLeaderPartition {
        partition,
        current_leader_epoch: position.checked_in.0,
        leader_epoch: position.epoch.map_or(-1, |epoch| epoch.0),
        ..Default::default()
    };
    let topic = |(name, partitions): (&str, Vec<_>)| OffsetForLeaderTopic {
        topic: name.to_owned(),
        partitions: partitions.into_iter().map(partition).collect(),
        ..Default::default()
    };
    let topics = by_topic(asked.iter().map(|(name, position)| (name, position)));
    OffsetForLeaderEpochRequest {
        replica_id: -1,
        topics: topics.into_iter().map(topic).collect(),
        ..Default::default()
    }
}

#[cfg(test)]
mod tests;
