//! Finding where to begin, where the ends of a log or a time decide. Kafka: `OffsetFetcher.resetPositionsIfNeeded`.
//!
//! Invariant: each leader is asked by itself, so that one that is missing, or does not answer, keeps nobody from reading
//! what the others have.

use std::collections::BTreeMap;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use model::{LeaderEpoch, NodeId, Timestamp, TopicPartition};
use protocol::ErrorCode;

use super::positions::is_told;
use super::{Consumer, Event};
use crate::admin::{ListedOffset, OffsetSpec, offsets_request, read_offsets};
use crate::cluster::Cluster;
use crate::config::{AutoOffsetReset, IsolationLevel};
use crate::error::{Error, Result};

/// What was found for each partition that is to be reset.
pub(super) type Resets = Vec<(TopicPartition, AutoOffsetReset, Result<ListedOffset>)>;

/// What is asked of one leader: for each partition how to reset it, and the leader's term as we know it.
type Asked = Vec<(TopicPartition, AutoOffsetReset, LeaderEpoch)>;

impl Consumer {
    /// Asks the leaders of the partitions that are to be reset.
    pub(super) fn look_up_resets(&mut self, now: Instant) {
        let metadata = self.cluster.metadata();
        let mut by_leader: BTreeMap<NodeId, Asked> = BTreeMap::new();
        for (name, how) in self.subscriptions.to_reset(now) {
            let leader = metadata.leader_and_epoch(&name);
            match leader.leader {
                Some(node) => by_leader.entry(node).or_default().push((name, how, leader.epoch)),
                None => self.cluster.request_update(),
            }
        }
        for (leader, asked) in by_leader {
            let names: Vec<TopicPartition> = asked.iter().map(|(name, ..)| name.clone()).collect();
            self.subscriptions.ask_again(&names, now + self.config.client.request_timeout);
            let (cluster, isolation) = (self.cluster.clone(), self.config.isolation_level);
            self.tasks.spawn(async move { Event::Reset(find(&cluster, leader, asked, isolation).await) });
        }
    }

    /// Takes in what was found.
    pub(super) fn take_resets(&mut self, resets: Resets) -> Result<()> {
        let retry_at = Instant::now() + self.cluster.retry_delay(0);
        let mut failure = Ok(());
        for (name, how, result) in resets {
            match result {
                Ok(listed) => self.subscriptions.finish_reset(&name, how, listed.offset, listed.leader_epoch),
                Err(error) => {
                    self.subscriptions.ask_again(std::slice::from_ref(&name), retry_at);
                    self.cluster.request_update();
                    if is_told(&error) {
                        failure = Err(error);
                    }
                }
            }
        }
        failure
    }
}

async fn find(cluster: &Cluster, leader: NodeId, asked: Asked, isolation: IsolationLevel) -> Resets {
    let found = find_all(cluster, leader, &asked, isolation).await;
    let answer = |(name, how, _): (TopicPartition, AutoOffsetReset, LeaderEpoch)| {
        let missing = || Err(Error::broker(ErrorCode::LEADER_NOT_AVAILABLE));
        let result = match &found {
            Ok(found) => found.get(&name).cloned().unwrap_or_else(missing),
            Err(error) => Err(error.clone()),
        };
        (name, how, result)
    };
    asked.into_iter().map(answer).collect()
}

/// Where no record is young enough, reading begins at the end of the log, which is asked for first: what comes between
/// the two questions is not passed over.
async fn find_all(
    cluster: &Cluster,
    leader: NodeId,
    asked: &Asked,
    isolation: IsolationLevel,
) -> Result<BTreeMap<TopicPartition, Result<ListedOffset>>> {
    let by_age = asked.iter().filter(|(_, how, _)| matches!(how, AutoOffsetReset::ByDuration(_)));
    let ends = by_age.map(|(name, _, epoch)| (name.clone(), (OffsetSpec::Latest, *epoch)));
    let ends = list(cluster, leader, ends.collect(), isolation).await?;
    let all = asked.iter().map(|(name, how, epoch)| (name.clone(), (spec(*how), *epoch)));
    let mut found = list(cluster, leader, all.collect(), isolation).await?;
    for (name, end) in ends {
        if let Some(found) = found.get_mut(&name)
            && found.as_ref().is_ok_and(|listed| listed.offset.0 < 0)
        {
            *found = end;
        }
    }
    Ok(found)
}

type Specs = BTreeMap<TopicPartition, (OffsetSpec, LeaderEpoch)>;

async fn list(
    cluster: &Cluster,
    leader: NodeId,
    specs: Specs,
    isolation: IsolationLevel,
) -> Result<BTreeMap<TopicPartition, Result<ListedOffset>>> {
    if specs.is_empty() {
        return Ok(BTreeMap::new());
    }
    let timeout = cluster.settings().request_timeout;
    let timeout_ms = i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX);
    let timestamps = specs.iter().map(|(name, (spec, epoch))| (name, (spec.wire(), *epoch)));
    let request = offsets_request(timestamps, isolation, timeout_ms);
    Ok(read_offsets(cluster.send(leader, &request).await?).into_iter().collect())
}

fn spec(how: AutoOffsetReset) -> OffsetSpec {
    match how {
        AutoOffsetReset::Earliest => OffsetSpec::Earliest,
        AutoOffsetReset::Latest | AutoOffsetReset::None => OffsetSpec::Latest,
        AutoOffsetReset::ByDuration(age) => {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
            OffsetSpec::Timestamp(Timestamp(now.saturating_sub(age).as_millis() as i64))
        }
    }
}

#[cfg(test)]
mod tests;
