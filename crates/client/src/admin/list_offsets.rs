//! Finding offsets: the ends of a log, and by time. Kafka: `Admin.listOffsets`.

use std::collections::BTreeMap;

use model::{LeaderEpoch, Offset, Timestamp, TopicPartition};
use protocol::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use protocol::{ListOffsetsRequest, ListOffsetsResponse};

use super::Admin;
use super::call::millis;
use crate::cluster::Purpose;
use crate::config::IsolationLevel;
use crate::error::{Error, Result};
use crate::offsets::{by_topic, known_epoch};

/// Which offset to find. Kafka: `OffsetSpec`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OffsetSpec {
    /// The one after the last record that can be read.
    Latest,
    /// The log's first.
    Earliest,
    /// That of the record with the largest timestamp.
    MaxTimestamp,
    /// The first that is on the broker's own disk.
    EarliestLocal,
    /// The last that was moved to remote storage.
    LatestTiered,
    /// The first that was not yet moved to remote storage.
    EarliestPendingUpload,
    /// That of the first record at or after this time.
    Timestamp(Timestamp),
}

impl OffsetSpec {
    /// The timestamp that stands for it on the wire.
    pub fn wire(self) -> i64 {
        match self {
            Self::Latest => -1,
            Self::Earliest => -2,
            Self::MaxTimestamp => -3,
            Self::EarliestLocal => -4,
            Self::LatestTiered => -5,
            Self::EarliestPendingUpload => -6,
            Self::Timestamp(timestamp) => timestamp.0,
        }
    }

    /// The first version of `ListOffsets` that knows it.
    fn since(self) -> i16 {
        match self {
            Self::MaxTimestamp => 7,
            Self::EarliestLocal => 8,
            Self::LatestTiered => 9,
            Self::EarliestPendingUpload => 11,
            _ => 1,
        }
    }
}

/// An offset that was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListedOffset {
    /// The offset; -1 where there is none.
    pub offset: Offset,
    /// The record's timestamp; -1 for the ends of the log.
    pub timestamp: Timestamp,
    /// The epoch that the record was written in, if known.
    pub leader_epoch: Option<LeaderEpoch>,
}

impl Admin {
    /// Finds an offset in each partition; the result of each is under its name.
    pub async fn list_offsets(
        &self,
        specs: &BTreeMap<TopicPartition, OffsetSpec>,
        isolation: IsolationLevel,
    ) -> BTreeMap<TopicPartition, Result<ListedOffset>> {
        let timeout_ms = millis(self.cluster().settings().request_timeout);
        self.on_leaders("listOffsets", specs.clone(), |leader, asked| async move {
            let connection = self.cluster().connection(leader, Purpose::Data).await?;
            let version = connection.version_of::<ListOffsetsRequest>()?;
            if let Some((_, spec)) = asked.iter().find(|(_, spec)| spec.since() > version) {
                let text = format!("Broker {leader} does not support {spec:?} offset spec");
                return Err(Error::UnsupportedVersion(text));
            }
            let timestamps = asked.iter().map(|(name, spec)| (name, (spec.wire(), LeaderEpoch::NONE)));
            let request = request(timestamps, isolation, timeout_ms);
            Ok(read(connection.send_version(&request, version).await?))
        })
        .await
    }
}

/// The request for a timestamp (or what stands for one) in each partition, with the leader epoch that we know.
pub(crate) fn request<'a>(
    timestamps: impl IntoIterator<Item = (&'a TopicPartition, (i64, LeaderEpoch))>,
    isolation: IsolationLevel,
    timeout_ms: i32,
) -> ListOffsetsRequest {
    let partition = |(partition_index, (timestamp, epoch)): (i32, (i64, LeaderEpoch))| ListOffsetsPartition {
        partition_index,
        timestamp,
        current_leader_epoch: epoch.0,
        ..Default::default()
    };
    let topic = |(name, partitions): (&str, Vec<_>)| ListOffsetsTopic {
        name: name.to_owned(),
        partitions: partitions.into_iter().map(partition).collect(),
        ..Default::default()
    };
    ListOffsetsRequest {
        replica_id: -1,
        isolation_level: isolation as i8,
        topics: by_topic(timestamps).into_iter().map(topic).collect(),
        timeout_ms,
        ..Default::default()
    }
}

/// What the answer says of each partition.
pub(crate) fn read(response: ListOffsetsResponse) -> Vec<(TopicPartition, Result<ListedOffset>)> {
    let mut done = Vec::new();
    for topic in response.topics {
        for partition in topic.partitions {
            let listed = ListedOffset {
                offset: Offset(partition.offset),
                timestamp: Timestamp(partition.timestamp),
                leader_epoch: known_epoch(partition.leader_epoch),
            };
            let name = TopicPartition::new(topic.name.as_str(), partition.partition_index);
            done.push((name, Error::check(partition.error_code).map(|()| listed)));
        }
    }
    done
}
