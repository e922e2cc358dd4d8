//! Broker keys: sockets, connections, requests and threads.

use super::typed::typed_config;
use crate::Importance::{High, Low, Medium};
use crate::Key;

typed_config! {
    /// Sockets, connections, requests and threads. Field names are the keys'; sizes are in bytes, times in the unit of the name's end.
    NetworkConfig {
        background_threads: int "background.threads",
        connection_failed_authentication_delay_ms: int "connection.failed.authentication.delay.ms",
        connections_max_idle_ms: long "connections.max.idle.ms",
        delete_records_purgatory_purge_interval_requests: int "delete.records.purgatory.purge.interval.requests",
        fetch_max_bytes: int "fetch.max.bytes",
        fetch_purgatory_purge_interval_requests: int "fetch.purgatory.purge.interval.requests",
        max_connection_creation_rate: int "max.connection.creation.rate",
        max_connections: int "max.connections",
        max_connections_per_ip: int "max.connections.per.ip",
        max_connections_per_ip_overrides: text "max.connections.per.ip.overrides",
        max_incremental_fetch_session_cache_slots: int "max.incremental.fetch.session.cache.slots",
        max_request_partition_size_limit: int "max.request.partition.size.limit",
        num_io_threads: int "num.io.threads",
        num_network_threads: int "num.network.threads",
        producer_purgatory_purge_interval_requests: int "producer.purgatory.purge.interval.requests",
        queued_max_request_bytes: long "queued.max.request.bytes",
        queued_max_requests: int "queued.max.requests",
        request_timeout_ms: int "request.timeout.ms",
        server_max_startup_time_ms: long "server.max.startup.time.ms",
        share_fetch_purgatory_purge_interval_requests: int "share.fetch.purgatory.purge.interval.requests",
        socket_connection_setup_timeout_max_ms: long "socket.connection.setup.timeout.max.ms",
        socket_connection_setup_timeout_ms: long "socket.connection.setup.timeout.ms",
        socket_listen_backlog_size: int "socket.listen.backlog.size",
        socket_receive_buffer_bytes: int "socket.receive.buffer.bytes",
        socket_request_max_bytes: int "socket.request.max.bytes",
        socket_send_buffer_bytes: int "socket.send.buffer.bytes",
        unstable_api_versions_enable: boolean "unstable.api.versions.enable",
        request_memory_bytes: long "monedula.request.memory.bytes",
        frame_timeout_ms: int "monedula.frame.timeout.ms",
        handshake_timeout_ms: int "monedula.handshake.timeout.ms",
    }
}

/// The keys of this part.
pub(super) const KEYS: &[Key] = &[
    Key::int("background.threads", "10", High, "How many threads do the work that no request waits for.")
        .at_least(1)
        .cluster_wide(),
    Key::int(
        "connection.failed.authentication.delay.ms",
        "100",
        Low,
        "How long a connection whose authentication failed is kept before it is closed, so \
         that guessing is slow.",
    )
    .at_least(0),
    Key::long(
        "connections.max.idle.ms",
        "600000",
        Medium,
        "How long a connection may be silent before it is closed; negative for ever.",
    ),
    Key::int(
        "delete.records.purgatory.purge.interval.requests",
        "1",
        Medium,
        "After how many waiting deletions of records the finished ones are swept out in \
         Apache Kafka; waits here are dropped as they finish.",
    ),
    Key::int(
        "fetch.max.bytes",
        "57671680",
        Medium,
        "How many bytes one fetch is answered with at most, but for a first batch that is \
         larger.",
    )
    .at_least(1024),
    Key::int(
        "fetch.purgatory.purge.interval.requests",
        "1000",
        Medium,
        "After how many waiting fetches the finished ones are swept out in Apache Kafka; \
         waits here are dropped as they finish.",
    ),
    Key::int(
        "max.connection.creation.rate",
        "2147483647",
        Medium,
        "How many connections a second are accepted at most; `listener.name.NAME.` before it \
         sets it for one listener.",
    )
    .at_least(0)
    .cluster_wide(),
    Key::int(
        "max.connections",
        "2147483647",
        Medium,
        "How many connections are open at most; `listener.name.NAME.` before it sets it for \
         one listener.",
    )
    .at_least(0)
    .cluster_wide(),
    Key::int(
        "max.connections.per.ip",
        "2147483647",
        Medium,
        "How many connections one address may have; 0 only with overrides.",
    )
    .at_least(0)
    .cluster_wide(),
    Key::string(
        "max.connections.per.ip.overrides",
        "",
        Medium,
        "How many connections certain addresses may have: address:count, several between \
         commas.",
    )
    .cluster_wide(),
    Key::int(
        "max.incremental.fetch.session.cache.slots",
        "1000",
        Medium,
        "How many fetch sessions are kept.",
    )
    .at_least(0),
    Key::int(
        "max.request.partition.size.limit",
        "2000",
        Medium,
        "How many partitions one request may name where it could name any number.",
    )
    .at_least(1),
    Key::int("num.io.threads", "8", High, "How many threads work on requests.").at_least(1).cluster_wide(),
    Key::int(
        "num.network.threads",
        "3",
        High,
        "How many threads each listener has for its sockets in Apache Kafka.",
    )
    .at_least(1)
    .cluster_wide(),
    Key::int(
        "producer.purgatory.purge.interval.requests",
        "1000",
        Medium,
        "After how many waiting produce requests the finished ones are swept out in Apache \
         Kafka; waits here are dropped as they finish.",
    ),
    Key::long(
        "queued.max.request.bytes",
        "-1",
        Medium,
        "How many bytes of requests may wait before no more are read; -1 for no limit of this \
         kind.",
    ),
    Key::int(
        "queued.max.requests",
        "500",
        High,
        "How many requests may wait for work before no more are read.",
    )
    .at_least(1),
    Key::int(
        "request.timeout.ms",
        "30000",
        High,
        "How long a request of this node to another waits for its answer.",
    ),
    Key::long(
        "server.max.startup.time.ms",
        "9223372036854775807",
        Medium,
        "How long the start may take; for tests.",
    )
    .at_least(0)
    .hidden(),
    Key::int(
        "share.fetch.purgatory.purge.interval.requests",
        "1000",
        Medium,
        "After how many waiting share fetches the finished ones are swept out in Apache \
         Kafka; waits here are dropped as they finish.",
    ),
    Key::long(
        "socket.connection.setup.timeout.max.ms",
        "30000",
        Medium,
        "How long the setting up of a connection to another node may take after failures in a \
         row.",
    ),
    Key::long(
        "socket.connection.setup.timeout.ms",
        "10000",
        Medium,
        "How long the first setting up of a connection to another node may take.",
    ),
    Key::int(
        "socket.listen.backlog.size",
        "50",
        Medium,
        "How many connections may wait to be accepted; the system may set a lower limit.",
    )
    .at_least(1),
    Key::int(
        "socket.receive.buffer.bytes",
        "102400",
        High,
        "The size of a socket's receive buffer (SO_RCVBUF); -1 for the system's.",
    ),
    Key::int("socket.request.max.bytes", "104857600", High, "How large a request may be.").at_least(1),
    Key::int(
        "socket.send.buffer.bytes",
        "102400",
        High,
        "The size of a socket's send buffer (SO_SNDBUF); -1 for the system's.",
    ),
    Key::boolean(
        "unstable.api.versions.enable",
        "false",
        High,
        "Whether versions of requests that are not final yet are served.",
    )
    .hidden(),
    Key::long(
        "monedula.request.memory.bytes",
        "268435456",
        Medium,
        "How much memory the requests that are arriving may take together; a request that finds none waits.",
    )
    .at_least(1_048_576),
    Key::int(
        "monedula.frame.timeout.ms",
        "30000",
        Medium,
        "How long a request that has begun may stay without a further byte.",
    )
    .at_least(1),
    Key::int(
        "monedula.handshake.timeout.ms",
        "10000",
        Medium,
        "How long a client may take to authenticate, where it must.",
    )
    .at_least(1),
];
