//! The five APIs of the share coordinator, version by version as Kafka answers them.
//!
//! A request without a group, without topics, or with a topic without partitions has an empty answer. Each method is told
//! what the caller's authorization says; where that is an error, it is the answer for each partition.

use std::future::Future;

use coordinators::share::{DeliveryState, SharePartitionKey, ShareStateError, ShareStateWrite, StateBatch};
use model::{Offset, Uuid};
use protocol::{
    DeleteShareGroupStateRequest, DeleteShareGroupStateResponse, ErrorCode, InitializeShareGroupStateRequest,
    InitializeShareGroupStateResponse, ReadShareGroupStateRequest, ReadShareGroupStateResponse,
    ReadShareGroupStateSummaryRequest, ReadShareGroupStateSummaryResponse, WriteShareGroupStateRequest,
    WriteShareGroupStateResponse, delete_share_group_state_response as deleted,
    initialize_share_group_state_response as initialized, read_share_group_state_response as read,
    read_share_group_state_summary_response as summary, write_share_group_state_request as asked,
    write_share_group_state_response as written,
};

use super::ShareCoordinator;

/// The partitions of a request by topic, with what is asked of each.
type Topics<P> = Vec<(Uuid, Vec<P>)>;

/// Takes a request's topics apart, or says that there is nothing to answer.
macro_rules! topics_of {
    ($request:expr) => {{
        let topics: Topics<_> =
            $request.topics.into_iter().map(|topic| (topic.topic_id, topic.partitions)).collect();
        let is_empty = $request.group_id.is_empty() || topics.iter().any(|(_, asked)| asked.is_empty());
        if is_empty { Topics::new() } else { topics }
    }};
}

/// Makes a partition's row of an answer that has nothing to say but whether it was done.
macro_rules! row {
    ($api:ident, $partition:expr, $done:expr) => {{
        let (error_code, error_message) = error_of($done.err());
        $api::PartitionResult { partition: $partition, error_code, error_message, ..Default::default() }
    }};
}

impl ShareCoordinator {
    /// InitializeShareGroupState 0.
    pub async fn initialize_state(
        &self,
        permit: Result<(), ErrorCode>,
        request: InitializeShareGroupStateRequest,
    ) -> InitializeShareGroupStateResponse {
        let group = request.group_id.clone();
        let one = async |topic_id, asked: protocol::initialize_share_group_state_request::PartitionData| {
            let key = SharePartitionKey::new(group.as_str(), topic_id, asked.partition);
            let done = match permit {
                Ok(()) => self.initialize(key, asked.state_epoch, Offset(asked.start_offset)).await,
                Err(error) => Err(error.into()),
            };
            row!(initialized, asked.partition, done)
        };
        let results = each(topics_of!(request), one).await.into_iter().map(|(topic_id, partitions)| {
            initialized::InitializeStateResult { topic_id, partitions, ..Default::default() }
        });
        InitializeShareGroupStateResponse { results: results.collect(), ..Default::default() }
    }

    /// ReadShareGroupState 0.
    pub async fn read_state(
        &self,
        permit: Result<(), ErrorCode>,
        request: ReadShareGroupStateRequest,
    ) -> ReadShareGroupStateResponse {
        let group = request.group_id.clone();
        let one = async |topic_id, asked: protocol::read_share_group_state_request::PartitionData| {
            let key = SharePartitionKey::new(group.as_str(), topic_id, asked.partition);
            let state = match permit {
                Ok(()) => self.read(key, asked.leader_epoch).await,
                Err(error) => Err(error.into()),
            };
            match state {
                Ok(state) => read::PartitionResult {
                    partition: asked.partition,
                    state_epoch: state.state_epoch,
                    start_offset: state.start_offset.0,
                    state_batches: state.batches.into_iter().map(to_response).collect(),
                    ..Default::default()
                },
                Err(error) => row!(read, asked.partition, Err::<(), _>(error)),
            }
        };
        let results = each(topics_of!(request), one).await.into_iter().map(|(topic_id, partitions)| {
            read::ReadStateResult { topic_id, partitions, ..Default::default() }
        });
        ReadShareGroupStateResponse { results: results.collect(), ..Default::default() }
    }

    /// WriteShareGroupState 0-1.
    pub async fn write_state(
        &self,
        permit: Result<(), ErrorCode>,
        request: WriteShareGroupStateRequest,
    ) -> WriteShareGroupStateResponse {
        let group = request.group_id.clone();
        let one = async |topic_id, asked: asked::PartitionData| {
            let key = SharePartitionKey::new(group.as_str(), topic_id, asked.partition);
            let partition = asked.partition;
            let done = match permit {
                Ok(()) => self.write(key, to_write(asked)).await,
                Err(error) => Err(error.into()),
            };
            row!(written, partition, done)
        };
        let results = each(topics_of!(request), one).await.into_iter().map(|(topic_id, partitions)| {
            written::WriteStateResult { topic_id, partitions, ..Default::default() }
        });
        WriteShareGroupStateResponse { results: results.collect(), ..Default::default() }
    }

    /// DeleteShareGroupState 0.
    pub async fn delete_state(
        &self,
        permit: Result<(), ErrorCode>,
        request: DeleteShareGroupStateRequest,
    ) -> DeleteShareGroupStateResponse {
        let group = request.group_id.clone();
        let one = async |topic_id, asked: protocol::delete_share_group_state_request::PartitionData| {
            let key = SharePartitionKey::new(group.as_str(), topic_id, asked.partition);
            let done = match permit {
                Ok(()) => self.delete(key).await,
                Err(error) => Err(error.into()),
            };
            row!(deleted, asked.partition, done)
        };
        let results = each(topics_of!(request), one).await.into_iter().map(|(topic_id, partitions)| {
            deleted::DeleteStateResult { topic_id, partitions, ..Default::default() }
        });
        DeleteShareGroupStateResponse { results: results.collect(), ..Default::default() }
    }

    /// ReadShareGroupStateSummary 0-1.
    pub async fn read_state_summary(
        &self,
        permit: Result<(), ErrorCode>,
        request: ReadShareGroupStateSummaryRequest,
    ) -> ReadShareGroupStateSummaryResponse {
        let group = request.group_id.clone();
        let one = async |topic_id, asked: protocol::read_share_group_state_summary_request::PartitionData| {
            let key = SharePartitionKey::new(group.as_str(), topic_id, asked.partition);
            let state = match permit {
                Ok(()) => self.summarize(key).await,
                Err(error) => Err(error.into()),
            };
            match state {
                Ok(state) => summary::PartitionResult {
                    partition: asked.partition,
                    state_epoch: state.state_epoch,
                    leader_epoch: state.leader_epoch,
                    start_offset: state.start_offset.0,
                    delivery_complete_count: state.delivery_complete_count,
                    ..Default::default()
                },
                Err(error) => row!(summary, asked.partition, Err::<(), _>(error)),
            }
        };
        let results = each(topics_of!(request), one).await.into_iter().map(|(topic_id, partitions)| {
            summary::ReadStateSummaryResult { topic_id, partitions, ..Default::default() }
        });
        ReadShareGroupStateSummaryResponse { results: results.collect(), ..Default::default() }
    }
}

/// Asks for each partition in turn.
async fn each<P, R, F>(topics: Topics<P>, one: impl Fn(Uuid, P) -> F) -> Topics<R>
where
    F: Future<Output = R>,
{
    let mut results = Vec::with_capacity(topics.len());
    for (topic_id, partitions) in topics {
        let mut rows = Vec::with_capacity(partitions.len());
        for partition in partitions {
            rows.push(one(topic_id, partition).await);
        }
        results.push((topic_id, rows));
    }
    results
}

fn error_of(error: Option<ShareStateError>) -> (ErrorCode, Option<String>) {
    error.map_or((ErrorCode::NONE, None), |error| (error.code, Some(error.message)))
}

fn to_write(asked: asked::PartitionData) -> ShareStateWrite {
    let batch = |batch: asked::StateBatch| StateBatch {
        first_offset: Offset(batch.first_offset),
        last_offset: Offset(batch.last_offset),
        delivery_count: batch.delivery_count,
        state: DeliveryState(batch.delivery_state),
    };
    ShareStateWrite {
        state_epoch: asked.state_epoch,
        leader_epoch: asked.leader_epoch,
        start_offset: Offset(asked.start_offset),
        delivery_complete_count: asked.delivery_complete_count,
        batches: asked.state_batches.into_iter().map(batch).collect(),
    }
}

fn to_response(batch: StateBatch) -> read::StateBatch {
    read::StateBatch {
        first_offset: batch.first_offset.0,
        last_offset: batch.last_offset.0,
        delivery_state: batch.state.0,
        delivery_count: batch.delivery_count,
        ..Default::default()
    }
}
