//! What Prometheus reads: over a real socket, after real requests, and as the documentation says.

#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

#[path = "harness/harness.rs"]
mod harness;

use std::collections::BTreeSet;
use std::path::Path;

use harness::{TestNode, batch};
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
