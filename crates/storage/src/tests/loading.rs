//! Starts that serve while they load: kills, stops, checkpoints and failing disks in the midst of them.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, mpsc};
use std::time::Duration;

use model::{Offset, TopicPartition, Uuid};
use world::chance::{Chance, SeededChance};
use world::files::{Fault, Files, Operation, SimFiles};

use super::support::*;
use crate::checkpoint::{HIGH_WATERMARK_FILE, LOG_START_OFFSET_FILE, RECOVERY_POINT_FILE};
use crate::names::{FUTURE_DIR_SUFFIX, marked_folder};
use crate::{CLEAN_SHUTDOWN_FILE, MoveProgress, StorageError};

const LOGS: i32 = 6;

fn text(files: &SimFiles, name: &str) -> String {
    let bytes = files.read(&Path::new("/d").join(name)).expect("it is there");
    String::from_utf8(bytes).expect("text")
}

/// Logs of 4 records, of which the first is deleted and 3 are known to be replicated.
fn fill(node: &Node) {
    for n in 0..LOGS {
        let log = node.log(n, &small());
        append(&log, batch("x", 4)).expect("valid");
        log.update_high_watermark(Offset(3));
        log.maybe_increment_log_start_offset(Offset(1), "test").expect("replicated");
    }
    node.step();
}

#[test]
fn a_checkpoint_in_the_midst_of_a_start_keeps_what_it_said_of_logs_that_are_not_loaded() {
    let files = SimFiles::default();
    fill(&Node::start(&files, &["/d"], &small()));
    let names = [RECOVERY_POINT_FILE, LOG_START_OFFSET_FILE, HIGH_WATERMARK_FILE];
    let before = names.map(|name| text(&files, name));
    files.kill();
    let (node, found) = Node::find(&files, &["/d"]);
    let checkpoints = AtomicUsize::new(0);
    let loaded = |_: &TopicPartition| {
        node.manager.dirs()[0].note_changed();
        node.manager.checkpoint();
        assert_eq!(names.map(|name| text(&files, name)), before);
        checkpoints.fetch_add(1, Ordering::Relaxed);
    };
    node.manager.load_found(found, &|_, _| Some(small()), &loaded).expect("the disk is well");
    assert_eq!(checkpoints.into_inner(), LOGS as usize);
}

#[test]
fn a_stop_in_the_midst_of_a_start_is_not_clean() {
    for was_clean in [false, true] {
        let files = SimFiles::default();
        let node = Node::start(&files, &["/d"], &small());
        fill(&node);
        append(&node.log(LOGS - 1, &small()), batch("late", 1)).expect("valid");
        if was_clean {
            node.manager.shutdown(1);
        }
        files.kill();
        let (node, found) = Node::find(&files, &["/d"]);
        let stop = |_: &TopicPartition| node.manager.stop_loading();
        node.manager.load_found(found, &|_, _| Some(small()), &stop).expect("the disk is well");
        assert!(node.manager.all_logs().len() < LOGS as usize);
        node.manager.shutdown(2);
        files.kill();
        assert!(!files.exists(&Path::new("/d").join(CLEAN_SHUTDOWN_FILE)));
        let node = Node::start(&files, &["/d"], &small());
        for n in 0..LOGS {
            let offsets = node.log(n, &small()).offsets();
            let end = if n == LOGS - 1 { 5 } else { 4 };
            assert_eq!((offsets.log_start, offsets.log_end), (Offset(1), Offset(end)), "{n}");
            assert!(offsets.high_watermark >= Offset(3), "{n}");
        }
    }
}

#[test]
fn nobody_finds_a_log_before_what_recovery_kept_of_it_is_synced() {
    let files = SimFiles::default();
    let node = Node::start(&files, &["/d"], &small());
    for n in 0..LOGS {
        append(&node.log(n, &small()), batch("unsynced", 2)).expect("valid");
    }
    files.kill();
    let (node, found) = Node::find(&files, &["/d"]);
    let loaded = |partition: &TopicPartition| {
        assert!(node.manager.get_log(partition).is_some());
        for log in node.manager.all_logs() {
            assert_eq!(log.synced_offset(), Offset(2));
        }
    };
    node.manager.load_found(found, &|_, _| Some(small()), &loaded).expect("the disk is well");
    assert_eq!(node.manager.all_logs().len(), LOGS as usize);
}

#[test]
fn a_dir_that_fails_while_it_is_loaded_leaves_the_others() {
    for operation in [Operation::Sync, Operation::Name] {
        let files = SimFiles::default();
        let node = Node::start(&files, &["/a", "/b"], &small());
        for n in 0..LOGS {
            append(&node.log(n, &small()), batch("x", 2)).expect("valid");
        }
        let on_b = node.log(1, &small()).dir().path() == Path::new("/b");
        let lost = if on_b { 1 } else { 0 };
        files.kill();
        let (node, found) = Node::find(&files, &["/a", "/b"]);
        let (path_contains, errno) = ("/b/t-".to_owned(), 5);
        files.add_fault(Fault { operation, path_contains, after: 0, errno });
        let told = Mutex::new(BTreeSet::new());
        let loaded = |partition: &TopicPartition| {
            assert!(told.lock().expect("no holder panics").insert(partition.clone()), "told once");
        };
        node.manager.load_found(found, &|_, _| Some(small()), &loaded).expect("a dir is left");
        assert_eq!(told.into_inner().expect("no holder panics").len(), LOGS as usize);
        for n in 0..LOGS {
            let found = node.manager.get_log(&TopicPartition::new("t", n));
            assert_eq!(found.is_none(), n % 2 == lost, "{operation:?} {n}");
        }
        assert_eq!(node.manager.offline_dirs().len(), 1);
    }
}

#[test]
fn a_panic_while_logs_are_loaded_ends_the_loading() {
    let files = SimFiles::default();
    fill(&Node::start(&files, &["/a", "/b"], &small()));
    files.kill();
    let (node, found) = Node::find(&files, &["/a", "/b"]);
    let (tell, ended) = mpsc::channel();
    let loading = std::thread::spawn(move || {
        let _tell_at_the_end = tell;
        let config_for = |partition: &TopicPartition, _| {
            assert!(partition.partition != 1, "as it is to");
            Some(small())
        };
        drop(node.manager.load_found(found, &config_for, &|_| {}));
    });
    let nothing: Result<(), _> = ended.recv_timeout(Duration::from_secs(60));
    assert_eq!(nothing, Err(mpsc::RecvTimeoutError::Disconnected), "it waits for a thread that is gone");
    assert!(loading.join().is_err(), "who loads hears of it");
}

#[test]
fn a_partition_with_several_logs_is_among_the_first() {
    let files = SimFiles::default();
    let node = Node::start(&files, &["/a", "/b"], &small());
    append(&node.log(0, &small()), batch("x", 1)).expect("valid");
    append(&node.log(1, &small()), batch("x", 1)).expect("valid");
    let elsewhere = if node.log(0, &small()).dir().path() == Path::new("/a") { "/b/t-0" } else { "/a/t-0" };
    files.create_dir_all(Path::new(elsewhere)).expect("the disk is well");
    files.kill();
    let (node, mut found) = Node::find(&files, &["/a", "/b"]);
    let first = found.take(|_| false);
    assert_eq!(first.partitions().count(), 2);
    assert_eq!(found.partitions().count(), 1);
    let refused = node.manager.load_found(first, &|_, _| Some(small()), &|_| {});
    assert!(matches!(refused, Err(StorageError::InvalidFolder(_))), "{refused:?}");
}

#[test]
fn a_move_that_was_killed_between_its_last_two_steps_is_ended() {
    let files = SimFiles::default();
    let node = Node::start(&files, &["/a"], &small());
    append(&node.log(0, &small()), batch("x", 3)).expect("valid");
    node.step();
    files.kill();
    Node::start(&files, &["/b"], &small());
    files.kill();
    let name = marked_folder(&TopicPartition::new("t", 0), [7; 16], FUTURE_DIR_SUFFIX);
    files.rename(Path::new("/a/t-0"), &Path::new("/b").join(name)).expect("the disk is well");
    files.sync_dir(Path::new("/a")).expect("the disk is well");
    for _ in 0..2 {
        let node = Node::start(&files, &["/a", "/b"], &small());
        let log = node.log(0, &small());
        assert_eq!((log.is_future(), values(&log, Offset(0)).len()), (false, 3));
        assert_eq!(&*log.folder(), Path::new("/b/t-0"));
        files.power_cut(None);
    }
}

/// The checkpoint of a dir may still speak of the log that was there before it moved away.
#[test]
fn what_a_checkpoint_says_of_a_log_that_was_here_is_not_believed_of_one_that_moves_in() {
    let files = SimFiles::default();
    let node = Node::start(&files, &["/a"], &small());
    let log = node.log(0, &small());
    for _ in 0..60 {
        append(&log, batch("x", 3)).expect("valid");
    }
    node.step();
    assert_eq!(log.recovery_point(), Offset(180));
    files.kill();
    Node::start(&files, &["/b"], &small());
    files.kill();
    files.rename(Path::new("/a/t-0"), Path::new("/b/t-0")).expect("the disk is well");
    let name = marked_folder(&TopicPartition::new("t", 0), [7; 16], FUTURE_DIR_SUFFIX);
    let copy = Path::new("/a").join(name);
    files.create_dir_all(&copy).expect("the disk is well");
    for from in files.read_dir(Path::new("/b/t-0")).expect("the disk is well") {
        let bytes = files.read(&from).expect("it is there");
        files.write_atomically(&copy.join(from.file_name().expect("it has one")), &bytes).expect("well");
    }
    // A power cut took a piece of what was copied.
    let first = copy.join("00000000000000000000.log");
    files.damage(&first, |bytes| bytes[200..300].fill(0)).expect("it is there");
    let node = Node::start(&files, &["/a", "/b"], &small());
    let future = node.manager.get_future_log(&TopicPartition::new("t", 0)).expect("it moves on");
    let target = future.dir().id();
    node.manager.start_move(&TopicPartition::new("t", 0), target).expect("the disk is well");
    while node.manager.step_move(&TopicPartition::new("t", 0), 700).expect("well") != MoveProgress::Done {}
    assert_eq!(values(&node.log(0, &small()), Offset(0)).len(), 180);
}

/// Starts are stopped at any log, and killed or cut off from power then.
#[test]
fn what_is_acknowledged_survives_kills_in_the_midst_of_starts() {
    for seed in seeds(40) {
        let chance = SeededChance::new(seed);
        let files = SimFiles::default();
        let mut ends = [0; LOGS as usize];
        for _ in 0..6 {
            let (node, found) = Node::find(&files, &["/a", "/b"]);
            let stop_at = chance.next_u64() as usize % (2 * LOGS as usize);
            let loaded = AtomicUsize::new(0);
            let stop = |_: &TopicPartition| {
                if loaded.fetch_add(1, Ordering::Relaxed) == stop_at {
                    node.manager.stop_loading();
                }
                node.step();
            };
            node.manager.load_found(found, &|_, _| Some(small()), &stop).expect("the disk is well");
            let is_whole = stop_at >= LOGS as usize;
            for (n, end) in ends.iter_mut().enumerate() {
                let partition = TopicPartition::new("t", n as i32);
                let log = match node.manager.get_log(&partition) {
                    None if !is_whole => continue,
                    _ => node.log(n as i32, &small()),
                };
                log.assign_topic_id(Uuid::from_u128(1000)).expect("the disk is well");
                assert!(log.log_end_offset().0 >= *end, "seed {seed}: {} of {end}", log.log_end_offset());
                assert_eq!(values(&log, Offset(0)).len() as i64, log.log_end_offset().0, "seed {seed}");
                append(&log, batch("x", 1 + n)).expect("valid");
                if chance.next_u64().is_multiple_of(2) {
                    *end = log.sync().expect("the disk is well").0;
                }
            }
            match chance.next_u64() % 4 {
                0 => node.manager.shutdown(1),
                1 => files.power_cut(None),
                2 => files.power_cut(Some(&chance)),
                _ => {}
            }
            files.kill();
        }
    }
}
