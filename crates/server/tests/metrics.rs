//! What Prometheus reads: over a real socket, after real requests, and as the documentation says.

#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

#[path = "harness/harness.rs"]
mod harness;

use std::collections::BTreeSet;
use std::path::Path;

use harness::{Client, TestNode, batch, fetch_request};
use protocol::ErrorCode;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

async fn read(node: &TestNode, path: &str) -> String {
    let mut socket = TcpStream::connect(node.address_of("metrics")).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).await.unwrap();
    answer
}

/// The value of a row, as it is written.
fn value<'a>(page: &'a str, row: &str) -> Option<&'a str> {
    page.lines().find_map(|line| line.strip_prefix(row)?.strip_prefix(' '))
}

fn in_repository(path: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    std::fs::read_to_string(root.join(path)).unwrap()
}

#[tokio::test]
async fn a_reader_that_never_ends_its_question_does_not_keep_the_node_from_stopping() {
    let dir = tempfile::tempdir().unwrap();
    let node = TestNode::start(dir.path(), &["monedula.metrics.listener=localhost:0"]).await;
    let mut socket = TcpStream::connect(node.address_of("metrics")).await.unwrap();
    socket.write_all(b"GET /metrics HTTP/1.1\r\nHost: loc").await.unwrap();
    // The endpoint has taken the first connection up when it answers the second.
    assert!(read(&node, "/metrics").await.starts_with("HTTP/1.1 200"));
    tokio::time::timeout(std::time::Duration::from_secs(60), node.stop()).await.expect("the node stops");
}

#[tokio::test]
async fn what_clients_did_is_read_by_prometheus() {
    let dir = tempfile::tempdir().unwrap();
    let node = TestNode::start(dir.path(), &["monedula.metrics.listener=localhost:0"]).await;
    let mut client = node.client().await;
    client.create_topic("orders", 2, &[]).await;
    assert_eq!(client.produce("orders", 0, batch(&["a", "b"])).await.error_code, ErrorCode::NONE);
    assert_eq!(client.produce("orders", 1, batch(&["c"])).await.error_code, ErrorCode::NONE);
    let fetched = client.fetch("orders", 0, 0, 0).await;
    let size = fetched.records.as_ref().map_or(0, |records| records.len());
    client.produce("nowhere", 0, batch(&["lost"])).await;

    let page = read(&node, "/metrics").await;
    assert!(page.starts_with("HTTP/1.1 200"), "{page}");
    assert!(page.contains("application/openmetrics-text"), "{page}");
    for (row, expected) in [
        ("kafka_server_brokertopicmetrics_messagesin_total{topic=\"orders\"}", "3".to_owned()),
        ("kafka_server_brokertopicmetrics_messagesin_total", "3".to_owned()),
        ("kafka_server_brokertopicmetrics_bytesout_total{topic=\"orders\"}", size.to_string()),
        ("kafka_server_brokertopicmetrics_totalproducerequests_total", "3".to_owned()),
        ("kafka_server_brokertopicmetrics_failedproducerequests_total", "1".to_owned()),
        ("kafka_network_requestmetrics_totaltimems_count{request=\"Produce\"}", "3".to_owned()),
        ("kafka_network_requestmetrics_remotetimems_count{request=\"Produce\"}", "3".to_owned()),
        ("kafka_network_requestmetrics_localtimems_count{request=\"FetchConsumer\"}", "1".to_owned()),
        (
            "kafka_network_requestmetrics_errors_total{request=\"Produce\",error=\"UNKNOWN_TOPIC_OR_PARTITION\"}",
            "1".to_owned(),
        ),
        ("kafka_network_requestmetrics_errors_total{request=\"Produce\",error=\"NONE\"}", "2".to_owned()),
        ("kafka_network_requestmetrics_throttletimems_count{request=\"Produce\"}", "3".to_owned()),
        ("kafka_server_replicamanager_leadercount", "2.0".to_owned()),
        ("kafka_server_replicamanager_underreplicatedpartitions", "0.0".to_owned()),
        ("kafka_log_log_logendoffset{topic=\"orders\",partition=\"0\"}", "2.0".to_owned()),
        ("kafka_controller_kafkacontroller_globaltopiccount", "1.0".to_owned()),
        ("kafka_controller_kafkacontroller_activecontrollercount", "1.0".to_owned()),
        ("kafka_server_raft_metrics_current_leader", "1.0".to_owned()),
        ("kafka_server_socket_server_metrics_connection_count{listener=\"PLAINTEXT\"}", "1.0".to_owned()),
    ] {
        assert_eq!(value(&page, row), Some(expected.as_str()), "{row} in\n{page}");
    }
    assert!(read(&node, "/").await.starts_with("HTTP/1.1 404"));
    node.stop().await;
}

/// The value of a row, as a number.
fn number(page: &str, row: &str) -> f64 {
    value(page, row).unwrap_or_else(|| panic!("{row} is missing in\n{page}")).parse().unwrap()
}

#[tokio::test]
async fn what_the_node_itself_did_is_read_by_prometheus() {
    let dir = tempfile::tempdir().unwrap();
    let node = TestNode::start(dir.path(), &["monedula.metrics.listener=localhost:0"]).await;
    let mut client = node.client().await;
    client.create_topic("packed", 1, &[("compression.type", "gzip")]).await;
    client.create_topic("keyed", 1, &[("cleanup.policy", "compact")]).await;
    client.produce("packed", 0, batch(&["a", "b", "c"])).await;
    assert_eq!(client.produce("keyed", 0, batch(&["a"])).await.error_code, ErrorCode::INVALID_RECORD);
    let mut broken = batch(&["a"]).to_vec();
    *broken.last_mut().unwrap() ^= 1;
    assert_eq!(client.produce("packed", 0, broken).await.error_code, ErrorCode::CORRUPT_MESSAGE);
    client.fetch("packed", 0, 3, 50).await;
    let mut in_session = fetch_request("packed", 0, 0, 0);
    in_session.session_epoch = 0;
    assert_ne!(client.ask(in_session, 12).await.session_id, 0);
    drop(node.client().await);

    let page = loop {
        // The connection that was dropped ends in its own time.
        let page = read(&node, "/metrics").await;
        if number(&page, "kafka_server_socket_server_metrics_connection_close_total{listener=\"PLAINTEXT\"}")
            > 0.0
        {
            break page;
        }
        tokio::task::yield_now().await;
    };
    let own = std::fs::read_to_string(dir.path().join("data/meta.properties")).unwrap();
    let directory = own.lines().find_map(|line| line.strip_prefix("directory.id=")).unwrap();
    let vote = format!("kafka_server_raft_metrics_current_vote_directory_id{{directory=\"{directory}\"}}");
    let silence = "kafka_controller_kafkacontroller_timesincelastheartbeatreceivedms{broker=\"1\"}";
    assert!((0.0..60_000.0).contains(&number(&page, silence)), "{page}");
    for (row, expected) in [
        ("kafka_server_brokertopicmetrics_producemessageconversions_total{topic=\"packed\"}", 3.0),
        ("kafka_network_requestmetrics_messageconversionstimems_count{request=\"Produce\"}", 1.0),
        ("kafka_server_brokertopicmetrics_nokeycompactedtopicrecords_total{topic=\"keyed\"}", 1.0),
        ("kafka_server_brokertopicmetrics_invalidmessagecrcrecords_total{topic=\"packed\"}", 1.0),
        ("kafka_server_delayedfetchmetrics_expires_total{fetcherType=\"consumer\"}", 1.0),
        ("kafka_server_fetchsessioncache_numincrementalfetchsessions", 1.0),
        ("kafka_server_fetchsessioncache_numincrementalfetchpartitionscached", 1.0),
        ("kafka_server_socket_server_metrics_connection_creation_total{listener=\"PLAINTEXT\"}", 2.0),
        ("kafka_server_socket_server_metrics_connection_accept_total{listener=\"PLAINTEXT\"}", 2.0),
        ("kafka_controller_kafkacontroller_brokerregistrationstate{broker=\"1\"}", 30.0),
        ("kafka_server_raft_metrics_current_state{state=\"leader\"}", 1.0),
        ("kafka_server_raft_metrics_election_latency_count", 1.0),
        ("kafka_server_replicamanager_partitionswithlatetransactionscount", 0.0),
        (vote.as_str(), 1.0),
    ] {
        assert_eq!(number(&page, row), expected, "{row} in\n{page}");
    }
    for row in [
        "kafka_log_logflushstats_logflushrateandtimems_count",
        "kafka_controller_controllereventmanager_eventqueuetimems_count",
        "kafka_controller_controllereventmanager_eventqueueprocessingtimems_count",
        "kafka_server_raft_metrics_commit_latency_count",
        "kafka_server_raft_metrics_append_records_total",
        "kafka_server_socket_server_metrics_incoming_byte_total{listener=\"PLAINTEXT\"}",
        "kafka_server_socket_server_metrics_response_total{listener=\"PLAINTEXT\"}",
        "kafka_server_metadataloader_currentmetadataversion",
    ] {
        assert!(number(&page, row) > 0.0, "{row} in\n{page}");
    }
    for row in [
        "kafka_server_kafkarequesthandlerpool_requesthandleravgidlepercent",
        "kafka_network_socketserver_networkprocessoravgidlepercent",
        "kafka_controller_controllereventmanager_avgidleratio",
    ] {
        assert!((0.0..=1.0).contains(&number(&page, row)), "{row} in\n{page}");
    }
    node.stop().await;
}

#[tokio::test]
async fn what_groups_and_clients_with_quotas_did_is_read_by_prometheus() {
    let dir = tempfile::tempdir().unwrap();
    let node = TestNode::start(dir.path(), &["monedula.metrics.listener=localhost:0"]).await;
    let mut client = node.client().await;
    client.create_topic("t", 1, &[]).await;
    commit(&mut client, "g", "t").await;
    let entity = protocol::alter_client_quotas_request::EntityData {
        entity_type: "client-id".to_owned(),
        entity_name: Some("test".to_owned()),
        ..Default::default()
    };
    let op = protocol::alter_client_quotas_request::OpData {
        key: "producer_byte_rate".to_owned(),
        value: 1e9,
        ..Default::default()
    };
    let entry = protocol::alter_client_quotas_request::EntryData {
        entity: vec![entity],
        ops: vec![op],
        ..Default::default()
    };
    let request = protocol::AlterClientQuotasRequest { entries: vec![entry], ..Default::default() };
    assert_eq!(client.ask(request, 1).await.entries[0].error_code, ErrorCode::NONE);
    client.produce("t", 0, batch(&["a"])).await;
    let page = read(&node, "/metrics").await;
    for (row, expected) in [
        ("kafka_server_group_coordinator_metrics_offset_commit_count_total", 1.0),
        ("kafka_server_group_coordinator_metrics_num_partitions{state=\"active\"}", 4.0),
        ("kafka_server_group_coordinator_metrics_num_partitions{state=\"failed\"}", 0.0),
        ("kafka_server_group_coordinator_metrics_event_queue_size", 0.0),
        ("kafka_server_group_coordinator_metrics_partition_load_time_count", 4.0),
        ("kafka_coordinator_group_groupmetadatamanager_numgroups", 1.0),
        ("kafka_coordinator_group_groupmetadatamanager_numgroupsempty", 1.0),
        ("kafka_coordinator_group_groupmetadatamanager_numgroupsstable", 0.0),
        ("kafka_server_produce_throttle_time{client_id=\"test\"}", 0.0),
    ] {
        assert_eq!(number(&page, row), expected, "{row} in\n{page}");
    }
    for row in [
        "kafka_server_group_coordinator_metrics_event_processing_time_ms_count",
        "kafka_server_group_coordinator_metrics_batch_flush_time_ms_count",
        "kafka_server_group_coordinator_metrics_event_purgatory_time_ms_count",
        "kafka_server_produce_byte_rate{client_id=\"test\"}",
    ] {
        assert!(number(&page, row) > 0.0, "{row} in\n{page}");
    }
    node.stop().await;
}

#[tokio::test]
async fn connections_are_counted_by_what_their_clients_are_made_with() {
    let dir = tempfile::tempdir().unwrap();
    let node = TestNode::start(dir.path(), &["monedula.metrics.listener=localhost:0"]).await;
    let (mut named, mut nameless) = (node.client().await, node.client().await);
    let request = |name: &str| protocol::ApiVersionsRequest {
        client_software_name: name.to_owned(),
        client_software_version: "1.0".to_owned(),
        ..Default::default()
    };
    assert_eq!(named.ask(request("jackdaw"), 3).await.error_code, ErrorCode::NONE);
    assert_eq!(nameless.ask(request("-"), 3).await.error_code, ErrorCode::INVALID_REQUEST);
    let page = read(&node, "/metrics").await;
    for (name, version) in [("jackdaw", "1.0"), ("unknown", "unknown")] {
        let labels = format!(
            "{{listener=\"PLAINTEXT\",clientSoftwareName=\"{name}\",clientSoftwareVersion=\"{version}\"}}"
        );
        let row = format!("kafka_server_socket_server_metrics_connections{labels}");
        assert_eq!(value(&page, &row), Some("1.0"), "{row} in\n{page}");
    }
    node.stop().await;
}

/// Commits an offset for a group without members.
async fn commit(client: &mut Client, group: &str, topic: &str) {
    use protocol::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
    let partition = OffsetCommitRequestPartition { committed_offset: 1, ..Default::default() };
    let topic = OffsetCommitRequestTopic {
        name: topic.to_owned(),
        partitions: vec![partition],
        ..Default::default()
    };
    loop {
        let keys = vec![group.to_owned()];
        let find = protocol::FindCoordinatorRequest { coordinator_keys: keys, ..Default::default() };
        if client.ask(find, 4).await.coordinators.remove(0).error_code != ErrorCode::NONE {
            tokio::task::yield_now().await;
            continue;
        }
        let request = protocol::OffsetCommitRequest {
            group_id: group.to_owned(),
            generation_id_or_member_epoch: -1,
            topics: vec![topic.clone()],
            ..Default::default()
        };
        if client.ask(request, 8).await.topics.remove(0).partitions.remove(0).error_code == ErrorCode::NONE {
            return;
        }
        tokio::task::yield_now().await;
    }
}

/// Has a member join a share group, once its coordinator is there.
async fn join_share_group(client: &mut Client, group: &str, topic: &str) {
    let find = protocol::FindCoordinatorRequest {
        key_type: 0,
        coordinator_keys: vec![group.to_owned()],
        ..Default::default()
    };
    let heartbeat = protocol::ShareGroupHeartbeatRequest {
        group_id: group.to_owned(),
        member_id: "AAAAAAAAAAAAAAAAAAAAAQ".to_owned(),
        subscribed_topic_names: Some(vec![topic.to_owned()]),
        ..Default::default()
    };
    loop {
        client.ask(find.clone(), 6).await;
        match client.ask(heartbeat.clone(), 1).await.error_code {
            ErrorCode::NONE => return,
            ErrorCode::COORDINATOR_NOT_AVAILABLE
            | ErrorCode::COORDINATOR_LOAD_IN_PROGRESS
            | ErrorCode::NOT_COORDINATOR => tokio::task::yield_now().await,
            error => panic!("{error:?}"),
        }
    }
}

#[tokio::test]
async fn a_share_group_is_counted_by_its_kind_and_state_and_each_new_epoch_as_a_rebalance() {
    let dir = tempfile::tempdir().unwrap();
    let overrides = [
        "monedula.metrics.listener=localhost:0",
        "offsets.topic.num.partitions=1",
        "offsets.topic.replication.factor=1",
    ];
    let node = TestNode::start(dir.path(), &overrides).await;
    let mut client = node.client().await;
    client.create_topic("t", 1, &[]).await;
    client.wait_for_topic("t").await;
    join_share_group(&mut client, "g", "t").await;
    let page = harness::metrics_page(&node).await;
    for (row, expected) in [
        ("kafka_server_group_coordinator_metrics_group_count{protocol=\"share\"}", "1.0"),
        ("kafka_server_group_coordinator_metrics_share_group_count{state=\"Stable\"}", "1.0"),
        ("kafka_server_group_coordinator_metrics_share_group_rebalance_count_total", "1"),
        ("kafka_server_group_coordinator_metrics_consumer_group_rebalance_count_total", "0"),
    ] {
        assert_eq!(value(&page, row), Some(expected), "{row} in\n{page}");
    }
    node.stop().await;
}

#[tokio::test]
async fn the_documentation_and_the_dashboard_name_what_there_is() {
    let dir = tempfile::tempdir().unwrap();
    let node = TestNode::start(dir.path(), &["monedula.metrics.listener=localhost:0"]).await;
    let mut client = node.client().await;
    client.create_topic("t", 1, &[]).await;
    client.fetch("t", 0, 0, 0).await;
    let page = read(&node, "/metrics").await;
    node.stop().await;
    let served: BTreeSet<&str> =
        page.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_whitespace().next()).collect();
    let text = in_repository("docs/metrics.md");
    let rows = text.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    let documented: BTreeSet<&str> = rows.map(|name| name.trim_end_matches("_total")).collect();
    assert_eq!(served, documented);

    let dashboard = in_repository("docs/grafana-dashboard.json");
    let words = dashboard.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
    let used = words.filter(|word| word.starts_with("kafka_") || word.starts_with("process_"));
    for name in used {
        let family = ["_total", "_bucket", "_count", "_sum"].iter().find_map(|end| name.strip_suffix(end));
        assert!(served.contains(name) || family.is_some_and(|family| served.contains(family)), "{name}");
    }
}

#[tokio::test]
async fn metrics_are_not_shown_to_other_machines_unless_somebody_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let overrides = vec![
        format!("log.dirs={}", dir.path().join("data").display()),
        "listeners=PLAINTEXT://localhost:0,CONTROLLER://localhost:0".to_owned(),
        "controller.quorum.voters=1@localhost:9093".to_owned(),
        "monedula.metrics.listener=0.0.0.0:0".to_owned(),
    ];
    let options = server::RunOptions { overrides, ..Default::default() };
    let config = std::sync::Arc::new(server::configuration(&options).unwrap());
    let error = server::start(config, &options).await.expect_err("it refuses");
    assert!(error.to_string().contains("monedula.metrics.listener"), "{error}");
}
