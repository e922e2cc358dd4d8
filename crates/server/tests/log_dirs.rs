//! Several log dirs: where partitions go, cordoned dirs, dirs that fail, and moves, which go no faster than they may.

#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

#[path = "harness/harness.rs"]
mod harness;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use harness::{Client, TestNode, batch, values};
use protocol::alter_replica_log_dirs_request::{AlterReplicaLogDir, AlterReplicaLogDirTopic};
use protocol::incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig};
use protocol::{
    AlterReplicaLogDirsRequest, DescribeLogDirsRequest, ErrorCode, IncrementalAlterConfigsRequest,
};
use world::files::{Fault, Operation, RealFiles, SimFiles};

const BROKER: i8 = 4;

async fn set(client: &mut Client, broker: &str, key: &str, value: &str) {
    let config =
        AlterableConfig { name: key.to_owned(), value: Some(value.to_owned()), ..Default::default() };
    let resource = AlterConfigsResource {
        resource_type: BROKER,
        resource_name: broker.to_owned(),
        configs: vec![config],
        ..Default::default()
    };
    let request = IncrementalAlterConfigsRequest { resources: vec![resource], ..Default::default() };
    let answer = client.ask(request, 1).await.responses.remove(0);
    assert_eq!(answer.error_code, ErrorCode::NONE, "{:?}", answer.error_message);
}

async fn start_move(client: &mut Client, partition: i32, path: &Path) -> ErrorCode {
    let topic =
        AlterReplicaLogDirTopic { name: "t".to_owned(), partitions: vec![partition], ..Default::default() };
    let target =
        AlterReplicaLogDir { path: path.display().to_string(), topics: vec![topic], ..Default::default() };
    let request = AlterReplicaLogDirsRequest { dirs: vec![target], ..Default::default() };
    client.ask(request, 2).await.results[0].partitions[0].error_code
}

#[tokio::test]
async fn a_cordoned_dir_gets_nothing_new() {
    let dir = tempfile::tempdir().unwrap();
    let (one, two) = (dir.path().join("one"), dir.path().join("two"));
    let node = TestNode::start(dir.path(), &[&format!("log.dirs={},{}", one.display(), two.display())]).await;
    let mut client = node.client().await;
    set(&mut client, "1", "cordoned.log.dirs", &one.display().to_string()).await;
    client.create_topic("t", 4, &[]).await;
    for partition in 0..4 {
        assert!(two.join(format!("t-{partition}")).exists(), "partition {partition} is elsewhere");
    }
    let described = client.ask(DescribeLogDirsRequest { topics: None, ..Default::default() }, 5).await;
    let cordoned = described.results.iter().filter(|dir| dir.is_cordoned).map(|dir| dir.log_dir.clone());
    assert_eq!(cordoned.collect::<Vec<_>>(), [one.display().to_string()]);
    assert_eq!(start_move(&mut client, 0, &one).await, ErrorCode::INVALID_REPLICA_ASSIGNMENT);
    set(&mut client, "1", "cordoned.log.dirs", "").await;
    assert_eq!(start_move(&mut client, 0, &one).await, ErrorCode::NONE);
    node.stop().await;
}

#[tokio::test]
async fn moves_to_several_dirs_are_answered_once_for_a_topic() {
    let dir = tempfile::tempdir().unwrap();
    let node = TestNode::start(dir.path(), &[]).await;
    let mut client = node.client().await;
    let to = |path: &str, partition| AlterReplicaLogDir {
        path: path.to_owned(),
        topics: vec![AlterReplicaLogDirTopic {
            name: "t".to_owned(),
            partitions: vec![partition],
            ..Default::default()
        }],
        ..Default::default()
    };
    let request =
        AlterReplicaLogDirsRequest { dirs: vec![to("/no", 0), to("/where", 1)], ..Default::default() };
    let results = client.ask(request, 2).await.results;
    let rows: Vec<_> =
        results.iter().map(|topic| (topic.topic_name.as_str(), topic.partitions.len())).collect();
    assert_eq!(rows, [("t", 2)]);
    node.stop().await;
}

#[tokio::test]
async fn a_partition_that_is_not_there_yet_is_made_where_it_was_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let (one, two) = (dir.path().join("one"), dir.path().join("two"));
    let node = TestNode::start(dir.path(), &[&format!("log.dirs={},{}", one.display(), two.display())]).await;
    let mut client = node.client().await;
    for partition in 0..4 {
        let refused = start_move(&mut client, partition, &two).await;
        assert_eq!(refused, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
    }
    client.create_topic("t", 4, &[]).await;
    for partition in 0..4 {
        assert!(two.join(format!("t-{partition}")).exists(), "partition {partition} is elsewhere");
    }
    node.stop().await;
}

#[tokio::test]
async fn a_move_takes_its_time_where_its_rate_is_bounded() {
    let dir = tempfile::tempdir().unwrap();
    let (one, two) = (dir.path().join("one"), dir.path().join("two"));
    let overrides = [
        format!("log.dirs={},{}", one.display(), two.display()),
        "alter.log.dirs.replication.quota.window.num=2".to_owned(),
    ];
    let node = TestNode::start(dir.path(), &overrides.each_ref().map(String::as_str)).await;
    let mut client = node.client().await;
    client.create_topic("t", 1, &[]).await;
    for _ in 0..10 {
        client.produce("t", 0, batch(&["x".repeat(100_000).as_str()])).await;
    }
    set(&mut client, "", "replica.alter.log.dirs.io.max.bytes.per.second", "200000").await;
    let (from, to) = if one.join("t-0").exists() { (&one, &two) } else { (&two, &one) };
    let begun = Instant::now();
    assert_eq!(start_move(&mut client, 0, to).await, ErrorCode::NONE);
    while !to.join("t-0").exists() || from.join("t-0").exists() {
        assert!(begun.elapsed() < Duration::from_secs(60), "the move does not end");
        client.fetch("t", 0, 0, 0).await;
    }
    assert!(begun.elapsed() >= Duration::from_secs(2), "a megabyte in {:?}", begun.elapsed());
    assert_eq!(values(&client.fetch("t", 0, 9, 0).await.records).len(), 1);
    node.stop().await;
}

#[tokio::test]
async fn partitions_spread_over_log_dirs_and_are_found_there_again() {
    let dir = tempfile::tempdir().unwrap();
    let (one, two) = (dir.path().join("one"), dir.path().join("two"));
    let log_dirs = format!("log.dirs={},{}", one.display(), two.display());
    let node = TestNode::start(dir.path(), &[&log_dirs]).await;
    let mut client = node.client().await;
    client.create_topic("t", 4, &[]).await;
    for partition in 0..4 {
        assert_eq!(client.produce("t", partition, batch(&["v"])).await.error_code, ErrorCode::NONE);
    }
    drop(client);
    node.stop().await;
    let here = |root: &Path| (0..4).filter(|n| root.join(format!("t-{n}")).exists()).count();
    assert_eq!((here(&one), here(&two)), (2, 2));
    let node = TestNode::start(dir.path(), &[&log_dirs]).await;
    let mut client = node.client().await;
    client.wait_for_topic("t").await;
    for partition in 0..4 {
        assert_eq!(values(&client.fetch("t", partition, 0, 0).await.records).len(), 1);
    }
    node.stop().await;
}

#[tokio::test]
async fn a_log_dir_that_fails_is_read_on_and_the_others_are_written_on() {
    let dir = tempfile::tempdir().unwrap();
    let dirs = format!("log.dirs={},{}", dir.path().join("a").display(), dir.path().join("b").display());
    let node = TestNode::start(dir.path(), &[&dirs]).await;
    let mut client = node.client().await;
    client.create_topic("t", 2, &[]).await;
    for partition in 0..2 {
        assert_eq!(client.produce("t", partition, batch(&["before"])).await.error_code, ErrorCode::NONE);
    }
    let log_of = |index| node.node.broker().replicas.by_name("t", index).unwrap().log();
    assert_ne!(log_of(0).dir().id(), log_of(1).dir().id(), "partitions spread over the log dirs");
    // The metadata log is on the first dir, without which a node cannot go on.
    let (failing, well) = if log_of(0).dir().path().ends_with("b") { (0, 1) } else { (1, 0) };
    _ = log_of(failing).dir().fail("a test fails it", std::io::Error::other("no space left"));
    let refused = client.produce("t", failing, batch(&["lost"])).await.error_code;
    assert_eq!(refused, ErrorCode::KAFKA_STORAGE_ERROR);
    assert_eq!(values(&client.fetch("t", failing, 0, 0).await.records), [(0, "before".to_owned())]);
    assert_eq!(client.produce("t", well, batch(&["after"])).await.error_code, ErrorCode::NONE);
    node.stop().await;
}

#[tokio::test]
async fn a_replica_moves_to_another_log_dir_while_it_is_written_and_read() {
    let dir = tempfile::tempdir().unwrap();
    let (one, two) = (dir.path().join("one"), dir.path().join("two"));
    let node = TestNode::start(dir.path(), &[&format!("log.dirs={},{}", one.display(), two.display())]).await;
    let mut client = node.client().await;
    client.create_topic("t", 1, &[]).await;
    client.produce("t", 0, batch(&["before"])).await;
    let (from, to) = if one.join("t-0").exists() { (&one, &two) } else { (&two, &one) };
    assert_eq!(start_move(&mut client, 0, Path::new("/nowhere")).await, ErrorCode::LOG_DIR_NOT_FOUND);
    assert_eq!(start_move(&mut client, 0, to).await, ErrorCode::NONE);
    let mut written = 1;
    while !to.join("t-0").exists() || from.join("t-0").exists() {
        let row = client.produce("t", 0, batch(&["during"])).await;
        // In the moment of the change a producer is sent to look for the leader, and comes again.
        match row.error_code {
            ErrorCode::NONE => written += 1,
            error => assert_eq!(error, ErrorCode::NOT_LEADER_OR_FOLLOWER),
        }
    }
    let mut after = client.produce("t", 0, batch(&["after"])).await;
    while after.error_code == ErrorCode::NOT_LEADER_OR_FOLLOWER {
        after = client.produce("t", 0, batch(&["after"])).await;
    }
    assert_eq!(after.error_code, ErrorCode::NONE);
    // What was refused in that moment may have been written all the same, as ever where a producer is told to try again.
    assert!(after.base_offset >= written, "{written} were acknowledged, and {} are there", after.base_offset);
    let fetched = client.fetch("t", 0, 0, 0).await;
    assert_eq!((fetched.error_code, fetched.high_watermark), (ErrorCode::NONE, after.base_offset + 1));
    node.stop().await;
}

#[tokio::test]
async fn a_metadata_log_may_lie_in_a_dir_of_its_own() {
    let dir = tempfile::tempdir().unwrap();
    let (one, two, own) = (dir.path().join("one"), dir.path().join("two"), dir.path().join("own"));
    let metadata = format!("metadata.log.dir={}", own.display());
    let log_dirs = format!("log.dirs={}", one.display());
    for round in 0..2 {
        let node = TestNode::start(dir.path(), &[&log_dirs, &metadata]).await;
        let mut client = node.client().await;
        if round == 0 {
            client.create_topic("t", 1, &[]).await;
        }
        assert_eq!(client.produce("t", 0, batch(&["v"])).await.error_code, ErrorCode::NONE);
        assert_eq!(values(&client.fetch("t", 0, 0, 0).await.records).len(), round + 1);
        let other = [format!("log.dirs={}", two.display()), metadata.clone()];
        let refused =
            TestNode::try_start_on(Arc::new(RealFiles), dir.path(), &other.each_ref().map(String::as_str))
                .await;
        let refused = refused.err().expect("the metadata log is another's").to_string();
        assert!(refused.contains("Failed to acquire lock"), "{refused}");
        drop(client);
        node.stop().await;
    }
    assert!(own.join("__cluster_metadata-0").exists() && !one.join("__cluster_metadata-0").exists());
}

#[tokio::test]
async fn log_dirs_in_another_order_make_no_partition_a_stray() {
    let dir = tempfile::tempdir().unwrap();
    let (one, two) = (dir.path().join("one"), dir.path().join("two"));
    let in_order = |first: &Path, second: &Path| format!("log.dirs={},{}", first.display(), second.display());
    let node = TestNode::start(dir.path(), &[&in_order(&one, &two)]).await;
    node.client().await.create_topic("t", 4, &[]).await;
    node.stop().await;
    let refused =
        TestNode::try_start_on(Arc::new(RealFiles), dir.path(), &[&in_order(&two, &one)]).await.err();
    let refused = refused.expect("the metadata log is not where it should be").to_string();
    assert!(refused.starts_with("Found unexpected metadata location in data directory"), "{refused}");
    let node = TestNode::start(dir.path(), &[&in_order(&one, &two)]).await;
    let mut client = node.client().await;
    for partition in 0..4 {
        assert_eq!(client.produce("t", partition, batch(&["v"])).await.error_code, ErrorCode::NONE);
    }
    drop(client);
    node.stop().await;
}

#[tokio::test]
async fn a_log_dir_that_does_not_say_whose_it_is_leaves_the_others() {
    let dir = tempfile::tempdir().unwrap();
    let (one, two) = (dir.path().join("one"), dir.path().join("two"));
    let log_dirs = format!("log.dirs={},{}", one.display(), two.display());
    let node = TestNode::start(dir.path(), &[&log_dirs]).await;
    node.client().await.create_topic("t", 4, &[]).await;
    node.stop().await;
    let (file, own) = (two.join("meta.properties"), one.join("meta.properties"));
    let text = std::fs::read(&file).unwrap();

    std::fs::write(&file, std::fs::read(&own).unwrap()).unwrap();
    let refused = TestNode::try_start_on(Arc::new(RealFiles), dir.path(), &[&log_dirs]).await.err();
    let refused = refused.expect("one is a copy of the other").to_string();
    assert!(refused.starts_with("Duplicate directory ID"), "{refused}");

    for (contents, served) in [(&b"version=7"[..], false), (&text[..], true)] {
        std::fs::write(&file, contents).unwrap();
        let node = TestNode::start(dir.path(), &[&log_dirs]).await;
        let mut client = node.client().await;
        for partition in 0..4 {
            let is_here = one.join(format!("t-{partition}")).exists();
            let error = client.produce("t", partition, batch(&["v"])).await.error_code;
            let expected = if is_here || served { ErrorCode::NONE } else { ErrorCode::KAFKA_STORAGE_ERROR };
            assert_eq!(error, expected, "partition {partition}");
        }
        drop(client);
        node.stop().await;
    }

    std::fs::write(&own, b"version=7").unwrap();
    assert!(TestNode::try_start_on(Arc::new(RealFiles), dir.path(), &[&log_dirs]).await.is_err());
}

/// The disk fills up at each step of a start.
#[tokio::test]
async fn a_controller_that_fails_while_the_node_starts_ends_the_start() {
    let mut failures = 0;
    for after in 0.. {
        let files = SimFiles::default();
        let (path_contains, errno) = ("__cluster_metadata-0/0".to_owned(), 28);
        files.add_fault(Fault { operation: Operation::Write, path_contains, after, errno });
        let start = TestNode::try_start_on(Arc::new(files.clone()), Path::new("/d"), &[]);
        match tokio::time::timeout(Duration::from_secs(60), start).await.expect("it ends") {
            Err(_) => failures += 1,
            Ok(node) => {
                files.clear_faults();
                node.stop().await;
                break;
            }
        }
    }
    assert!(failures > 2, "{failures}");
}
