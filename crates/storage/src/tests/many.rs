//! Many partitions: what an empty one costs, syncs of many logs at once, and what a start after a kill reads.

use std::path::Path;
use std::sync::Arc;

use model::{LeaderEpoch, Offset, Timestamp, TopicPartition, Uuid};
use records::BatchOptions;
use world::chance::{Chance, SeededChance};
use world::files::{Fault, Files, Operation, SimFiles};

use super::support::*;
use crate::checkpoint::PRODUCERLESS_FILE;
use crate::unified_log::{Extent, sync_together};
use crate::{AppendOptions, UnifiedLog};

const LOGS: usize = 12;

fn names(files: &SimFiles, folder: &str) -> Vec<String> {
    let listed = files.read_dir(Path::new(folder)).expect("it is there");
    listed
        .iter()
        .map(|path| path.file_name().expect("it has a name").to_string_lossy().into_owned())
        .collect()
}

#[test]
fn a_partition_without_records_has_no_files_and_costs_no_sync() {
    let files = SimFiles::default();
    let node = Node::start(&files, &["/d"], &small());
    node.step();
    let syncs = files.syncs();
    let logs: Vec<_> = (0..LOGS as i32).map(|n| node.log(n, &small())).collect();
    for log in &logs {
        log.assign_epoch_start_offset(LeaderEpoch(3), Offset(0));
        assert_eq!(log.offset_for_timestamp(Timestamp(0)).expect("nothing is read"), None);
    }
    let names_of_checkpoints = 4;
    node.step();
    assert!(files.syncs() <= syncs + names_of_checkpoints, "{} syncs", files.syncs() - syncs);
    assert_eq!(names(&files, "/d/t-0"), Vec::<String>::new());
    drop(logs);
    node.manager.shutdown(1);
    files.kill();
    let node = Node::start(&files, &["/d"], &small());
    let log = node.log(0, &small());
    append(&log, batch("first", 1)).expect("valid");
    log.sync().expect("the disk is well");
    files.power_cut(None);
    let node = Node::start(&files, &["/d"], &small());
    assert_eq!(values(&node.log(0, &small()), Offset(0)).len(), 1);
}

/// Appends to some of the logs, and lets as many wait for their sync at once.
async fn acknowledge(node: &Node, logs: &[Arc<UnifiedLog>], chance: &SeededChance) -> Vec<(usize, i64)> {
    let mut waits = Vec::new();
    for (n, log) in logs.iter().enumerate().filter(|_| !chance.next_u64().is_multiple_of(4)) {
        let count = 1 + (chance.next_u64() % 3) as usize;
        let end = append(log, batch("x", count)).expect("valid").last_offset.plus(1);
        let log = log.clone();
        waits.push((n, end, tokio::spawn(async move { log.wait_synced(end).await })));
    }
    for _ in 0..4 {
        tokio::task::yield_now().await;
    }
    node.manager.environment().group_commit.step();
    let mut acknowledged = Vec::new();
    for (n, end, wait) in waits {
        wait.await.expect("does not panic").expect("the disk is well");
        acknowledged.push((n, end.0));
    }
    acknowledged
}

#[tokio::test]
async fn what_is_acknowledged_in_many_logs_at_once_survives_a_power_cut() {
    for seed in seeds(20) {
        let chance = SeededChance::new(seed);
        let files = SimFiles::default();
        let mut ends = [0; LOGS];
        for _ in 0..4 {
            let node = Node::start(&files, &["/d"], &small());
            let logs: Vec<_> = (0..LOGS as i32).map(|n| node.log(n, &small())).collect();
            for (log, end) in logs.iter().zip(ends) {
                assert!(log.log_end_offset().0 >= end, "seed {seed}: {} of {end}", log.log_end_offset());
                assert_eq!(values(log, Offset(0)).len() as i64, log.log_end_offset().0);
            }
            for _ in 0..5 {
                for (n, end) in acknowledge(&node, &logs, &chance).await {
                    ends[n] = end;
                }
                if chance.next_u64().is_multiple_of(3) {
                    node.step();
                }
            }
            match chance.next_u64() % 3 {
                0 => node.manager.shutdown(1),
                1 => files.power_cut(None),
                _ => files.power_cut(Some(&chance)),
            }
            files.kill();
        }
    }
}

#[tokio::test]
async fn logs_that_wait_at_the_same_time_share_a_sync() {
    let files = SimFiles::default();
    let node = Node::start(&files, &["/d"], &small());
    let logs: Vec<_> = (0..LOGS as i32).map(|n| node.log(n, &small())).collect();
    let before = files.syncs();
    acknowledge(&node, &logs, &SeededChance::new(1)).await;
    assert_eq!(files.syncs(), before + 1);
}

#[test]
fn logs_that_are_synced_together_in_opposite_orders_do_not_lock_each_other_out() {
    let files = SimFiles::default();
    let node = Node::start(&files, &["/d"], &small());
    let forth: Vec<_> = (0..10 * LOGS as i32).map(|n| node.log(n, &small())).collect();
    let back: Vec<_> = forth.iter().rev().cloned().collect();
    let together = Arc::new(std::sync::Barrier::new(2));
    let (done, ended) = std::sync::mpsc::channel();
    for logs in [forth, back] {
        let (together, done) = (together.clone(), done.clone());
        std::thread::spawn(move || {
            for _ in 0..200 {
                for log in &logs {
                    append(log, batch("x", 1)).expect("valid");
                }
                together.wait();
                sync_together(&logs, Extent::Batches, logs[0].dir());
            }
            done.send(()).expect("somebody waits");
        });
    }
    for _ in 0..2 {
        ended
            .recv_timeout(std::time::Duration::from_secs(180))
            .expect("neither waits for the other for ever");
    }
}

#[tokio::test]
async fn a_failed_sync_of_many_logs_is_told_to_all_who_wait_and_never_tried_again() {
    let files = SimFiles::default();
    let node = Node::start(&files, &["/d"], &small());
    let logs: Vec<_> = (0..LOGS as i32).map(|n| node.log(n, &small())).collect();
    files.add_fault(Fault {
        operation: Operation::Sync,
        path_contains: "/d/t-5".to_owned(),
        after: 0,
        errno: 5,
    });
    let mut waits = Vec::new();
    for log in &logs {
        append(log, batch("x", 1)).expect("valid");
        let log = log.clone();
        waits.push(tokio::spawn(async move { log.wait_synced(Offset(1)).await }));
    }
    tokio::task::yield_now().await;
    node.manager.environment().group_commit.step();
    for wait in waits {
        assert!(wait.await.expect("does not panic").is_err());
    }
    files.clear_faults();
    assert!(logs[0].sync().is_err(), "the system may have forgotten what it could not write");
}

/// Gives the first batch a producer that it was not written with: who reads it takes it for one.
fn forge_producer(files: &SimFiles, log: &UnifiedLog) {
    let path = log.folder().join("00000000000000000000.log");
    files.damage(&path, |bytes| bytes[43..51].copy_from_slice(&7_i64.to_be_bytes())).expect("it is there");
}

#[test]
fn after_a_kill_a_flushed_log_without_producers_is_not_read_again() {
    for clean_stop_before in [false, true] {
        let files = SimFiles::default();
        let big = config(&[("index.interval.bytes", "64")]);
        let mut node = Node::start(&files, &["/d"], &big);
        node.log(0, &big).assign_topic_id(Uuid::from_u128(1000)).expect("the disk is well");
        for _ in 0..9 {
            append(&node.log(0, &big), batch("x", 1)).expect("valid");
        }
        if clean_stop_before {
            node.manager.shutdown(1);
            files.kill();
            node = Node::start(&files, &["/d"], &big);
        } else {
            node.step();
        }
        forge_producer(&files, &node.log(0, &big));
        files.kill();
        let log = Node::start(&files, &["/d"], &big).log(0, &big);
        assert_eq!((log.log_end_offset(), log.active_producers().len()), (Offset(9), 0));
    }
}

#[test]
fn the_producers_of_a_partition_made_anew_are_not_taken_for_the_old_ones() {
    let files = SimFiles::default();
    let big = config(&[]);
    let node = Node::start(&files, &["/d"], &big);
    for _ in 0..3 {
        append(&node.log(0, &big), batch("old", 1)).expect("valid");
    }
    node.step();
    node.manager.delete_log(&TopicPartition::new("t", 0)).expect("the disk is well");
    let log = node.log(0, &big);
    for sequence in 0..3 {
        append(&log, build("new", 1, idempotent(7, 0, sequence), START_MS)).expect("in sequence");
    }
    log.sync().expect("the disk is well");
    files.kill();
    let log = Node::start(&files, &["/d"], &big).log(0, &big);
    assert_eq!((log.log_end_offset(), log.active_producers().len()), (Offset(3), 1));
}

/// Apache Kafka, which does not know the file, may have run in between.
#[test]
fn a_partition_that_another_broker_made_anew_is_read_for_its_producers() {
    let big = config(&[]);
    let path = Path::new("/d").join(PRODUCERLESS_FILE);
    let life = |files: &SimFiles, topic_id, options: fn(i32) -> BatchOptions| {
        let node = Node::start(files, &["/d"], &big);
        let log = node.log(0, &big);
        log.assign_topic_id(Uuid::from_u128(topic_id)).expect("the disk is well");
        for sequence in 0..3 {
            append(&log, build("x", 1, options(sequence), START_MS)).expect("in sequence");
        }
        node.step();
        node
    };
    let files = SimFiles::default();
    let node = life(&files, 1000, |_| BatchOptions::default());
    let stale = files.read(&path).expect("it is there");
    node.manager.delete_log(&TopicPartition::new("t", 0)).expect("the disk is well");
    node.step();
    files.kill();
    life(&files, 1001, |sequence| idempotent(7, 0, sequence));
    files.kill();
    files.remove_file(&Path::new("/d/t-0").join("00000000000000000003.snapshot")).expect("it is there");
    files.write_atomically(&path, &stale).expect("the disk is well");
    let log = Node::start(&files, &["/d"], &big).log(0, &big);
    assert_eq!((log.log_end_offset(), log.active_producers().len()), (Offset(3), 1));
}

#[test]
fn producers_that_came_after_the_checkpoint_are_found() {
    let files = SimFiles::default();
    let big = config(&[]);
    let node = Node::start(&files, &["/d"], &big);
    let log = node.log(0, &big);
    append(&log, build("x", 1, BatchOptions::default(), START_MS)).expect("valid");
    node.step();
    append(&log, build("x", 1, idempotent(7, 0, 0), START_MS)).expect("in sequence");
    files.kill();
    let node = Node::start(&files, &["/d"], &big);
    let log = node.log(0, &big);
    assert_eq!(log.active_producers().len(), 1);
    node.step();
    files.kill();
    let log = Node::start(&files, &["/d"], &big).log(0, &big);
    assert_eq!(log.active_producers().len(), 1, "a recovery point with producers is none without");
}

fn logs_of(node: &Node) -> Vec<Arc<UnifiedLog>> {
    (0..LOGS as i32).map(|n| node.log(n, &small())).collect()
}

#[test]
fn a_checkpoint_of_many_logs_syncs_them_all_at_once() {
    let files = SimFiles::default();
    let node = Node::start(&files, &["/d"], &small());
    let logs = logs_of(&node);
    for log in &logs {
        append(log, build("first", 1, idempotent(1, 0, 0), START_MS)).expect("valid");
    }
    let syncs = files.syncs();
    node.step();
    // Two of the filesystem, for the batches and for the names of what tells of leaders; one for each of four checkpoints.
    assert_eq!(files.syncs() - syncs, 2 + 4);
    assert!(logs.iter().all(|log| log.recovery_point() == Offset(1)));
    for log in &logs {
        append(log, build("second", 1, idempotent(1, 0, 1), START_MS)).expect("valid");
    }
    let syncs = files.syncs();
    node.step();
    assert_eq!(files.syncs() - syncs, 1 + 4, "of the leaders nothing is new");
}

#[test]
fn what_was_flushed_together_survives_a_power_cut_with_its_leaders_and_producers() {
    for seed in seeds(20) {
        let chance = SeededChance::new(seed);
        let files = SimFiles::default();
        let node = Node::start(&files, &["/d"], &small());
        let logs = logs_of(&node);
        let mut sequence = 0;
        for epoch in 0..3 {
            for (n, log) in logs.iter().enumerate() {
                let options = idempotent(n as i64, 0, sequence);
                log.append_as_leader(
                    build("x", 2, options, START_MS),
                    LeaderEpoch(epoch),
                    AppendOptions::default(),
                )
                .expect("valid");
            }
            sequence += 2;
            if epoch < 2 {
                node.step();
            }
        }
        let flushed: Vec<_> = logs.iter().map(|log| log.recovery_point()).collect();
        assert_eq!(flushed, [Offset(4); LOGS], "seed {seed}");
        if seed.is_multiple_of(4) {
            files.power_cut(None);
        } else {
            files.power_cut(Some(&chance));
        }
        let node = Node::start(&files, &["/d"], &small());
        for (n, log) in logs_of(&node).iter().enumerate() {
            let end = log.log_end_offset();
            assert!(end >= Offset(4), "seed {seed}: {end}");
            assert_eq!(values(log, Offset(0)).len() as i64, end.0);
            assert_eq!(
                log.end_offset_for_epoch(LeaderEpoch(0)),
                Some((LeaderEpoch(0), Offset(2))),
                "seed {seed}"
            );
            let known = log.active_producers();
            let last =
                known.iter().find(|entry| entry.producer_id.0 == n as i64).map(|entry| entry.last_sequence());
            assert_eq!(last, Some(end.0 as i32 - 1), "seed {seed}");
        }
    }
}

#[test]
fn a_flush_of_many_logs_that_fails_anywhere_takes_the_dir_offline_and_loses_nothing() {
    for (operation, name) in [
        (Operation::Write, "leader-epoch"),
        (Operation::Name, "leader-epoch"),
        (Operation::Sync, ""),
        (Operation::Write, ".snapshot"),
    ] {
        let files = SimFiles::default();
        let node = Node::start(&files, &["/d"], &small());
        let logs = logs_of(&node);
        for log in &logs {
            append(log, build("x", 1, idempotent(1, 0, 0), START_MS)).expect("valid");
        }
        files.add_fault(Fault { operation, path_contains: name.to_owned(), after: 0, errno: 5 });
        node.step();
        assert!(logs[0].dir().is_offline(), "{operation:?} {name}");
        files.clear_faults();
        files.kill();
        let node = Node::start(&files, &["/d"], &small());
        for log in logs_of(&node) {
            assert_eq!(values(&log, Offset(0)).len(), 1, "{operation:?} {name}");
        }
    }
}
