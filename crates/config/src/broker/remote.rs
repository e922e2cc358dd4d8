//! Broker keys: tiered storage.

use crate::Importance::{Low, Medium};
use crate::{Key, KeyType, Validator};

/// The keys of this part.
pub(super) const KEYS: &[Key] = &[
    Key::int("remote.fetch.max.wait.ms", "500", Medium, "How long a fetch waits for remote storage.")
        .at_least(1)
        .cluster_wide(),
    Key::long(
        "remote.list.offsets.request.timeout.ms",
        "30000",
        Medium,
        "How long a search for an offset waits for remote storage.",
    )
    .at_least(1)
    .cluster_wide(),
    Key::long(
        "remote.log.index.file.cache.total.size.bytes",
        "1073741824",
        Low,
        "How much local disk the indexes of remote segments may take.",
    )
    .at_least(1)
    .cluster_wide(),
    Key::long(
        "remote.log.index.file.cache.ttl.ms",
        "900000",
        Low,
        "How long an unused index of a remote segment stays on local disk; -1 for ever.",
    )
    .at_least(-1)
    .hidden(),
    Key::int(
        "remote.log.manager.copier.thread.pool.size",
        "10",
        Medium,
        "How many threads copy segments to remote storage.",
    )
    .at_least(1)
    .cluster_wide(),
    Key::long(
        "remote.log.manager.copy.max.bytes.per.second",
        "9223372036854775807",
        Medium,
        "How fast segments are copied to remote storage at most.",
    )
    .at_least(1)
    .cluster_wide(),
    Key::int(
        "remote.log.manager.copy.quota.window.num",
        "11",
        Medium,
        "How many samples the measure of that speed keeps.",
    )
    .at_least(1),
    Key::int(
        "remote.log.manager.copy.quota.window.size.seconds",
        "1",
        Medium,
        "How many seconds each of those samples spans.",
    )
    .at_least(1),
    Key::int(
        "remote.log.manager.expiration.thread.pool.size",
        "10",
        Medium,
        "How many threads delete expired segments from remote storage.",
    )
    .at_least(1)
    .cluster_wide(),
    Key::long(
        "remote.log.manager.fetch.max.bytes.per.second",
        "9223372036854775807",
        Medium,
        "How fast remote storage is read at most.",
    )
    .at_least(1)
    .cluster_wide(),
    Key::int(
        "remote.log.manager.fetch.quota.window.num",
        "11",
        Medium,
        "How many samples the measure of that speed keeps.",
    )
    .at_least(1),
    Key::int(
        "remote.log.manager.fetch.quota.window.size.seconds",
        "1",
        Medium,
        "How many seconds each of those samples spans.",
    )
    .at_least(1),
    Key::int(
        "remote.log.manager.follower.thread.pool.size",
        "2",
        Medium,
        "How many threads tell followers what is tiered.",
    )
    .at_least(1)
    .cluster_wide(),
    Key::long(
        "remote.log.manager.task.interval.ms",
        "30000",
        Low,
        "How often logs are looked at for segments to copy or delete.",
    )
    .at_least(1),
    Key::long(
        "remote.log.manager.task.retry.backoff.max.ms",
        "30000",
        Low,
        "How long a failed task rests at most before it is tried again.",
    )
    .at_least(1)
    .hidden(),
    Key::long(
        "remote.log.manager.task.retry.backoff.ms",
        "500",
        Low,
        "How long a task rests after its first failure.",
    )
    .at_least(1)
    .hidden(),
    Key::double(
        "remote.log.manager.task.retry.jitter",
        "0.2",
        Low,
        "By which share chance changes these rests.",
    )
    .valid(Validator::BetweenDoubles(0.0, 0.5))
    .hidden(),
    Key::int(
        "remote.log.manager.thread.pool.size",
        "2",
        Medium,
        "The old name of `remote.log.manager.follower.thread.pool.size`.",
    )
    .at_least(1),
    Key::int(
        "remote.log.metadata.custom.metadata.max.bytes",
        "128",
        Low,
        "How many bytes of its own a plug-in may add to a segment's metadata.",
    )
    .at_least(0),
    Key::string(
        "remote.log.metadata.manager.class.name",
        "org.apache.kafka.server.log.remote.metadata.storage.TopicBasedRemoteLogMetadataManager",
        Medium,
        "The class that keeps track of remote segments.",
    )
    .valid(Validator::NonEmpty),
    Key::nullable(
        "remote.log.metadata.manager.class.path",
        KeyType::String,
        Medium,
        "Where that class is found.",
    ),
    Key::string(
        "remote.log.metadata.manager.impl.prefix",
        "rlmm.config.",
        Medium,
        "The prefix of the keys that are passed to that class.",
    )
    .valid(Validator::NonEmpty),
    Key::nullable(
        "remote.log.metadata.manager.listener.name",
        KeyType::String,
        Medium,
        "The listener by which that class reaches this broker.",
    )
    .valid(Validator::NonEmpty),
    Key::int(
        "remote.log.reader.max.pending.tasks",
        "100",
        Medium,
        "How many reads may wait for remote storage.",
    )
    .at_least(1),
    Key::int("remote.log.reader.threads", "10", Medium, "How many threads read from remote storage.")
        .at_least(1)
        .cluster_wide(),
    Key::nullable(
        "remote.log.storage.manager.class.name",
        KeyType::String,
        Medium,
        "The class that is the remote storage.",
    )
    .valid(Validator::NonEmpty),
    Key::nullable(
        "remote.log.storage.manager.class.path",
        KeyType::String,
        Medium,
        "Where that class is found.",
    ),
    Key::string(
        "remote.log.storage.manager.impl.prefix",
        "rsm.config.",
        Medium,
        "The prefix of the keys that are passed to that class.",
    )
    .valid(Validator::NonEmpty),
    Key::boolean("remote.log.storage.system.enable", "false", Medium, "Whether topics can be tiered."),
];
