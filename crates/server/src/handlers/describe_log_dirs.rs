//! DescribeLogDirs (key 35): which log dirs there are, how full they are, and what is in them.
//!
//! Versions: 1–5. 2 flexible · 3 top-level error · 4 total and usable bytes · 5 cordoned dirs (KIP-1066).
//! Kafka: `ReplicaManager.describeLogDirs`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use model::AclOperation;
use protocol::describe_log_dirs_request::DescribableLogDirTopic;
use protocol::describe_log_dirs_response::{
    DescribeLogDirsPartition, DescribeLogDirsResult, DescribeLogDirsTopic,
};
use protocol::{DescribeLogDirsRequest, DescribeLogDirsResponse, ErrorCode};
use storage::{LogDir, UnifiedLog};

use crate::broker::Broker;
use crate::request::RequestContext;

/// Describes every log dir, and in it the partitions asked for; after a start, once all logs are loaded: till then it does not
/// know what is in them.
pub async fn handle(
    broker: &Broker,
    context: &RequestContext,
    request: &DescribeLogDirsRequest,
) -> DescribeLogDirsResponse {
    if let Err(error_code) = broker.gate(context).check_cluster(AclOperation::Describe) {
        return DescribeLogDirsResponse { error_code, ..Default::default() };
    }
    broker.replicas.all_loaded().await;
    let manager = broker.replicas.logs();
    let logs: Vec<Arc<UnifiedLog>> =
        manager.all_logs().into_iter().chain(manager.all_future_logs()).collect();
    let asked = request.topics.as_deref().map(asked);
    let cordoned = broker.config().cordoned_log_dirs.clone();
    let online = manager.online_dirs().map(|dir| {
        let path = dir.path().display().to_string();
        let is_cordoned = cordoned.iter().any(|name| name == "*" || *name == path);
        let log_dir = path;
        match manager.environment().files().space(dir.path()) {
            Ok((total, usable)) => DescribeLogDirsResult {
                log_dir,
                topics: topics(broker, dir, &logs, asked.as_ref()),
                total_bytes: i64::try_from(total).unwrap_or(i64::MAX),
                usable_bytes: i64::try_from(usable).unwrap_or(i64::MAX),
                is_cordoned,
                ..Default::default()
            },
            Err(error) => {
                tracing::warn!(dir = log_dir, %error, "a log dir's space cannot be told");
                offline(log_dir)
            }
        }
    });
    let failed = manager.offline_dirs().into_iter().map(|(path, _)| offline(path.display().to_string()));
    DescribeLogDirsResponse { results: online.chain(failed).collect(), ..Default::default() }
}

fn offline(log_dir: String) -> DescribeLogDirsResult {
    DescribeLogDirsResult { error_code: ErrorCode::KAFKA_STORAGE_ERROR, log_dir, ..Default::default() }
}

/// The partitions that a request names, of each topic.
type Asked<'a> = BTreeMap<&'a str, BTreeSet<i32>>;

fn asked(topics: &[DescribableLogDirTopic]) -> Asked<'_> {
    let mut asked = Asked::new();
    for topic in topics {
        asked.entry(&topic.topic).or_default().extend(&topic.partitions);
    }
    asked
}

fn topics(
    broker: &Broker,
    dir: &Arc<LogDir>,
    logs: &[Arc<UnifiedLog>],
    asked: Option<&Asked<'_>>,
) -> Vec<DescribeLogDirsTopic> {
    let is_asked = |log: &UnifiedLog| {
        let name = log.topic_partition();
        asked.is_none_or(|asked| {
            asked.get(&*name.topic).is_some_and(|indexes| indexes.contains(&name.partition))
        })
    };
    let mut topics: BTreeMap<String, Vec<DescribeLogDirsPartition>> = BTreeMap::new();
    for log in logs.iter().filter(|log| log.dir().id() == dir.id() && is_asked(log)) {
        let topic = topics.entry(log.topic_partition().topic.to_string()).or_default();
        topic.push(describe(broker, log));
    }
    let topic = |(name, partitions)| DescribeLogDirsTopic { name, partitions, ..Default::default() };
    topics.into_iter().map(topic).collect()
}

/// A log's lag is what it has below the high watermark, or a future log below the current one.
/// Kafka: `ReplicaManager.getLogEndOffsetLag`.
fn describe(broker: &Broker, log: &UnifiedLog) -> DescribeLogDirsPartition {
    let end = log.log_end_offset().0;
    let target = match broker.replicas.logs().get_log(log.topic_partition()) {
        Some(current) if log.is_future() => current.log_end_offset().0,
        Some(current) => current.high_watermark().0.max(end),
        None => end,
    };
    DescribeLogDirsPartition {
        partition_index: log.topic_partition().partition,
        partition_size: i64::try_from(log.size()).unwrap_or(i64::MAX),
        offset_lag: (target - end).max(0),
        is_future_key: log.is_future(),
        ..Default::default()
    }
}
