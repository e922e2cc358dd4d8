//! Several log dirs: full and failing disks, placement, moves, deletion, locks, clean stops.

use std::path::Path;
use std::time::Duration;

use model::{Offset, TopicPartition, Uuid};
use protocol::ErrorCode;
use world::files::{Fault, Files, Operation, SimFiles};

use super::support::*;
use crate::checkpoint::{HIGH_WATERMARK_FILE, RECOVERY_POINT_FILE};
use crate::{CLEAN_SHUTDOWN_FILE, FetchIsolation, MoveProgress, StorageError};

const EIO: i32 = 5;

fn fault(operation: Operation, path: &str) -> Fault {
    Fault { operation, path_contains: path.to_owned(), after: 0, errno: EIO }
}

#[test]
fn a_full_disk_takes_its_dir_offline_and_reads_go_on() {
    let files = SimFiles::default();
    let node = Node::start(&files, &["/d"], &small());
    let log = node.log(0, &small());
    append(&log, batch("kept", 3)).expect("valid");
    log.sync().expect("the disk is well");
    files.set_capacity(0);
    assert_eq!(append(&log, batch("lost", 3)).expect_err("full").code(), ErrorCode::KAFKA_STORAGE_ERROR);
    assert!(log.dir().is_offline());
    assert_eq!(node.manager.offline_dirs().len(), 1);
    assert!(matches!(append(&log, batch("lost", 3)), Err(StorageError::OfflineDir(_))));
    assert_eq!(values(&log, Offset(0)).len(), 3, "what was there can be read");
    files.set_capacity(u64::MAX);
    files.kill();
    let node = Node::start(&files, &["/d"], &small());
    assert_eq!(values(&node.log(0, &small()), Offset(0)).len(), 3, "the torn batch is gone");
}

#[tokio::test]
async fn a_failed_sync_is_told_and_never_tried_again() {
    let files = SimFiles::default();
    let node = Node::start(&files, &["/a", "/b"], &small());
    let (one, two) = (node.log(0, &small()), node.log(1, &small()));
    assert_ne!(one.dir().path(), two.dir().path(), "each goes to the dir with the fewest logs");
    append(&one, batch("x", 1)).expect("valid");
    append(&two, batch("x", 1)).expect("valid");
    files.add_fault(fault(Operation::Sync, &one.dir().path().to_string_lossy()));
    let waits = tokio::spawn({
        let one = one.clone();
        async move { one.wait_synced(Offset(1)).await }
    });
    tokio::task::yield_now().await;
    node.manager.environment().group_commit.step();
    assert!(waits.await.expect("does not panic").is_err());
    node.manager.dir_failed().notified().await;
    files.clear_faults();
    assert!(one.sync().is_err(), "the system may have forgotten what it could not write");
    two.sync().expect("the other dir is well");
    append(&two, batch("y", 1)).expect("the other dir is well");
    let new = node.log(2, &small());
    assert_eq!(new.dir().path(), two.dir().path());
}

#[test]
fn a_dir_that_cannot_be_read_at_start_leaves_the_others() {
    let files = SimFiles::default();
    let node = Node::start(&files, &["/a", "/b"], &small());
    node.log(0, &small());
    node.log(1, &small());
    node.manager.shutdown(1);
    drop(node);
    files.add_fault(fault(Operation::Read, "/a"));
    let node = Node::start(&files, &["/a", "/b"], &small());
    assert_eq!(node.manager.all_logs().len(), 1);
    assert_eq!(node.manager.offline_dirs()[0].0, Path::new("/a"));
    files.add_fault(fault(Operation::Read, "/b"));
    drop(node);
    assert!(matches!(Node::try_start(&files, &["/a", "/b"], &small()), Err(StorageError::NoLogDir(_))));
}

#[test]
fn a_dir_is_locked_while_it_is_used() {
    let files = SimFiles::default();
    let node = Node::start(&files, &["/d"], &small());
    assert!(matches!(Node::try_start(&files, &["/d"], &small()), Err(StorageError::Locked(_))));
    drop(node);
    Node::start(&files, &["/d"], &small());
}

#[test]
fn a_clean_stop_leaves_its_mark_and_checkpoints_and_a_start_takes_the_mark() {
    let files = SimFiles::default();
    let node = Node::start(&files, &["/d"], &small());
    let log = node.log(0, &small());
    append(&log, batch("x", 4)).expect("valid");
    log.update_high_watermark(Offset(4));
    node.manager.shutdown(42);
    drop(node);
    let text = |name: &str| {
        String::from_utf8(files.read(&Path::new("/d").join(name)).expect("written")).expect("text")
    };
    assert_eq!(text(CLEAN_SHUTDOWN_FILE), "{\"version\":0,\"brokerEpoch\":42}");
    assert_eq!(text(RECOVERY_POINT_FILE), "0\n1\nt 0 4\n");
    assert_eq!(text(HIGH_WATERMARK_FILE), "0\n1\nt 0 4\n");
    let node = Node::start(&files, &["/d"], &small());
    assert_eq!(node.manager.previous_broker_epoch(), 42);
    assert!(!files.exists(&Path::new("/d").join(CLEAN_SHUTDOWN_FILE)));
    let log = node.log(0, &small());
    assert_eq!((log.high_watermark(), log.recovery_point()), (Offset(4), Offset(4)));
}

#[test]
fn the_high_watermark_is_checkpointed_though_nothing_is_appended() {
    let files = SimFiles::default();
    let node = Node::start(&files, &["/d"], &small());
    let log = node.log(0, &small());
    append(&log, batch("x", 4)).expect("valid");
    node.step();
    log.update_high_watermark(Offset(4));
    node.step();
    files.kill();
    let node = Node::start(&files, &["/d"], &small());
    assert_eq!(node.log(0, &small()).high_watermark(), Offset(4));
}

#[test]
fn a_deleted_partition_may_be_made_anew_at_once() {
    let files = SimFiles::default();
    let node = Node::start(&files, &["/d"], &small());
    let partition = TopicPartition::new("t", 0);
    let log = node.log(0, &small());
    append(&log, batch("old", 1)).expect("valid");
    log.assign_topic_id(Uuid::from_u128(1000)).expect("the disk is well");
    node.manager.delete_log(&partition).expect("the disk is well");
    assert!(matches!(append(&log, batch("late", 1)), Err(StorageError::Closed(_))));
    let new = node.log(0, &small());
    assert_eq!((new.log_end_offset(), new.topic_id()), (Offset(0), None));
    let folders =
        || files.read_dir(Path::new("/d")).expect("well").iter().filter(|path| files.is_dir(path)).count();
    assert_eq!(folders(), 2);
    node.clock.advance(Duration::from_secs(61));
    node.step();
    assert_eq!(folders(), 1);
}

#[test]
fn a_topic_of_another_id_is_refused() {
    let node = Node::start(&SimFiles::default(), &["/d"], &small());
    let partition = TopicPartition::new("t", 0);
    let make = |id| node.manager.get_or_create_log(&partition, Some(Uuid::from_u128(id)), None, small());
    make(1000).expect("the first");
    assert_eq!(make(1001).expect_err("another").code(), ErrorCode::INCONSISTENT_TOPIC_ID);
}

#[test]
fn a_log_that_nobody_knows_is_put_aside() {
    let files = SimFiles::default();
    let node = Node::start(&files, &["/d"], &small());
    node.log(0, &small());
    files.kill();
    let (node, found) = Node::find(&files, &["/d"]);
    node.manager.load_found(found, &|_, _| None, &|_| {}).expect("the disk is well");
    assert!(node.manager.all_logs().is_empty());
    let listed = files.read_dir(Path::new("/d")).expect("well");
    assert!(listed.iter().any(|path| path.to_string_lossy().ends_with("-stray")));
    files.kill();
    assert!(Node::start(&files, &["/d"], &small()).manager.all_logs().is_empty());
}

#[test]
fn a_move_to_another_dir_keeps_every_record() {
    let files = SimFiles::default();
    let node = Node::start(&files, &["/a", "/b"], &small());
    let log = node.log(0, &small());
    for n in 0..50 {
        append(&log, build("x", 3, idempotent(1, 0, n * 3), START_MS)).expect("in sequence");
    }
    log.update_high_watermark(log.log_end_offset());
    log.maybe_increment_log_start_offset(Offset(10), "test").expect("in range");
    let partition = TopicPartition::new("t", 0);
    let target = node.manager.dirs().iter().find(|dir| dir.id() != log.dir().id()).expect("two dirs").id();
    node.manager.start_move(&partition, target).expect("the disk is well");
    let mut steps = 0;
    while node.manager.step_move(&partition, 700).expect("the disk is well") != MoveProgress::Done {
        steps += 1;
        if steps == 2 {
            append(&log, build("during", 1, idempotent(1, 0, 150), START_MS))
                .expect("the move does not stop writes");
        }
    }
    assert!(steps > 3);
    let moved = node.log(0, &small());
    assert_eq!((moved.dir().id(), moved.is_future()), (target, false));
    assert_eq!((moved.log_end_offset(), moved.log_start_offset()), (Offset(151), Offset(10)));
    assert_eq!(values(&moved, Offset(10)).len(), 141);
    append(&moved, build("after", 1, idempotent(1, 0, 151), START_MS)).expect("the sequence goes on");
    assert!(append(&log, batch("old", 1)).is_err());
    let late = log.read(Offset(20), 9, FetchIsolation::LogEnd, true);
    assert!(late.is_ok(), "a read that found the old log goes on");
}

#[test]
fn idle_partitions_hold_no_file_open() {
    let files = SimFiles::default();
    let node = Node::start(&files, &["/d"], &small());
    for partition in 0..40 {
        append(&node.log(partition, &small()), batch("x", 1)).expect("valid");
    }
    let open = || node.manager.environment().open_files.count();
    assert!(open() > 0);
    for _ in 0..3 {
        node.clock.advance(Duration::from_secs(30));
        node.step();
    }
    assert_eq!(open(), 0);
    append(&node.log(3, &small()), batch("y", 1)).expect("its files open again");
    assert_eq!(values(&node.log(3, &small()), Offset(0)).len(), 2);
}

#[test]
fn flush_messages_and_flush_ms_sync_without_being_asked() {
    let node = Node::start(&SimFiles::default(), &["/d"], &small());
    let log = node.log(0, &config(&[("flush.messages", "3")]));
    append(&log, batch("x", 2)).expect("valid");
    assert_eq!(log.synced_offset(), Offset(0));
    append(&log, batch("x", 1)).expect("valid");
    assert_eq!((log.synced_offset(), log.recovery_point()), (Offset(3), Offset(3)));
    node.step();
    let timed = node.log(1, &config(&[("flush.ms", "100")]));
    append(&timed, batch("x", 1)).expect("valid");
    node.clock.advance(Duration::from_millis(99));
    node.manager.step();
    assert_eq!(timed.synced_offset(), Offset(0));
    node.clock.advance(Duration::from_millis(1));
    node.manager.step();
    assert_eq!(timed.synced_offset(), Offset(1));
}

/// Threads append, read, delete records and partitions while the background work goes on; nothing of that may look
/// like a failure of the disk.
#[test]
fn work_of_all_kinds_at_once_takes_no_dir_offline() {
    let files = SimFiles::default();
    let busy = config(&[
        ("internal.segment.bytes", "1024"),
        ("index.interval.bytes", "64"),
        ("file.delete.delay.ms", "0"),
        ("retention.bytes", "4096"),
    ]);
    let node = Node::start(&files, &["/a", "/b"], &busy);
    let manager = &node.manager;
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let busy = &busy;
            scope.spawn(move || {
                for n in 0..400 {
                    let partition = TopicPartition::new("t", (thread + n) % 5);
                    let Ok(log) = manager.get_or_create_log(&partition, None, None, busy.clone()) else {
                        continue;
                    };
                    let _ = append(&log, batch("some text", 3));
                    log.update_high_watermark(log.log_end_offset());
                    let start = log.log_start_offset();
                    let _ = log.read(start, 5000, FetchIsolation::HighWatermark, true);
                    let _ = log.offset_for_timestamp(model::Timestamp(START_MS + 1));
                    match n % 40 {
                        7 => drop(log.sync()),
                        13 => drop(manager.delete_log(&partition)),
                        17 => drop(log.maybe_increment_log_start_offset(start.plus(5), "test")),
                        23 => drop(manager.start_move(&partition, manager.dirs()[0].id())),
                        _ => drop(manager.step_move(&partition, 4096)),
                    }
                }
            });
        }
        for _ in 0..60 {
            node.step();
            std::thread::yield_now();
        }
    });
    assert_eq!(manager.offline_dirs(), []);
    manager.shutdown(1);
    assert_eq!(manager.offline_dirs(), []);
}
