//! Torn tails, lying indexes, wrong checksums, cut and missing files.

use std::path::{Path, PathBuf};

use model::{Offset, Timestamp};
use protocol::ErrorCode;
use records::BatchOptions;
use world::chance::{Chance, SeededChance};
use world::files::{Files, SimFiles};

use super::support::*;
use crate::{AbortedTxn, FetchIsolation, UnifiedLog};

/// Writes 60 batches of 3 records over several segments and kills the node, or stops it.
fn written(clean: bool) -> (SimFiles, PathBuf) {
    let files = SimFiles::default();
    let node = Node::start(&files, &["/d"], &small());
    let log = node.log(0, &small());
    for n in 0..60 {
        append(&log, build("record", 3, idempotent_at(n), START_MS + i64::from(n))).expect("valid");
    }
    if clean {
        node.manager.shutdown(1);
    } else {
        log.sync().expect("the disk is well");
    }
    files.kill();
    (files, log.folder().to_path_buf())
}

fn idempotent_at(n: i32) -> BatchOptions {
    idempotent(1, 0, n * 3)
}

fn with_suffix(files: &SimFiles, folder: &Path, suffix: &str) -> Vec<PathBuf> {
    let mut found = files.read_dir(folder).expect("well");
    found.retain(|path| path.to_string_lossy().ends_with(suffix));
    found.sort();
    found
}

fn check_all(log: &UnifiedLog, end: i64) {
    assert_eq!(log.log_end_offset(), Offset(end));
    for offset in 0..end {
        assert_eq!(values(log, Offset(offset))[0].0, Offset(offset));
    }
    for n in 0..end / 3 {
        let found = log.offset_for_timestamp(Timestamp(START_MS + n)).expect("well").expect("there is one");
        assert!(
            found.timestamp >= Timestamp(START_MS + n) && found.offset <= Offset(n * 3),
            "{n}: {found:?}"
        );
    }
}

#[test]
fn a_torn_tail_is_cut_off() {
    for cut in 1..70 {
        let (files, folder) = written(false);
        let last = with_suffix(&files, &folder, ".log").pop().expect("segments");
        files.damage(&last, |bytes| bytes.truncate(bytes.len() - cut)).expect("it is there");
        let node = Node::start(&files, &["/d"], &small());
        let log = node.log(0, &small());
        check_all(&log, 177);
        append(&log, build("again", 3, idempotent_at(59), START_MS)).expect("the sequence goes on");
    }
}

#[test]
fn a_wrong_checksum_past_the_recovery_point_ends_the_log() {
    let (files, folder) = written(false);
    let logs = with_suffix(&files, &folder, ".log");
    let damaged = &logs[logs.len() / 2];
    let base: i64 = damaged.file_stem().expect("named").to_string_lossy().parse().expect("digits");
    files.damage(damaged, |bytes| bytes[100] ^= 4).expect("it is there");
    let node = Node::start(&files, &["/d"], &small());
    let log = node.log(0, &small());
    assert_eq!(log.log_end_offset(), Offset(base), "the segment's first batch was hit");
    assert_eq!(values(&log, Offset(0)).len(), base as usize);
    append(&log, build("again", 3, BatchOptions::default(), START_MS)).expect("valid");
}

#[test]
fn garbage_after_the_log_is_cut_off() {
    for garbage in [vec![0; 5000], vec![0xff; 5000], b"\0\0\0\0\0\0\0\0\x7f\xff\xff\xff".to_vec()] {
        let (files, folder) = written(false);
        let last = with_suffix(&files, &folder, ".log").pop().expect("segments");
        files.damage(&last, |bytes| bytes.extend_from_slice(&garbage)).expect("it is there");
        let node = Node::start(&files, &["/d"], &small());
        check_all(&node.log(0, &small()), 180);
    }
}

#[test]
fn lying_indexes_change_no_answer() {
    for seed in seeds(40) {
        let chance = SeededChance::new(seed);
        let (files, folder) = written(seed % 2 == 0);
        for suffix in [".index", ".timeindex"] {
            for path in with_suffix(&files, &folder, suffix) {
                damage_index(&files, &path, &chance);
            }
        }
        let node = Node::start(&files, &["/d"], &small());
        let log = node.log(0, &small());
        assert_eq!(log.log_end_offset(), Offset(180), "seed {seed}");
        for offset in 0..180 {
            assert_eq!(values(&log, Offset(offset))[0].0, Offset(offset), "seed {seed}");
        }
        append(&log, build("again", 3, idempotent_at(60), START_MS)).expect("the sequence goes on");
    }
}

fn damage_index(files: &SimFiles, path: &Path, chance: &SeededChance) {
    let result = match chance.next_u64() % 5 {
        0 => files.remove_file(path),
        1 => files.damage(path, |bytes| bytes.truncate(bytes.len() / 2 + 1)),
        2 => files.damage(path, |bytes| bytes.extend_from_slice(&[0; 64])),
        3 => files.damage(path, |bytes| {
            if !bytes.is_empty() {
                let n = chance.next_u64() as usize % bytes.len();
                bytes[n] ^= 1 << (chance.next_u64() % 8);
            }
        }),
        _ => files.damage(path, |bytes| chance.fill(bytes)),
    };
    result.expect("it is there");
}

#[test]
fn random_damage_never_panics_and_never_makes_records_up() {
    for seed in seeds(100) {
        let chance = SeededChance::new(seed);
        let (files, folder) = written(chance.next_u64().is_multiple_of(2));
        let all = files.read_dir(&folder).expect("well");
        for _ in 0..3 {
            let path = &all[chance.next_u64() as usize % all.len()];
            files
                .damage(path, |bytes| match chance.next_u64() % 3 {
                    0 => bytes.truncate(chance.next_u64() as usize % (bytes.len() + 1)),
                    1 => bytes.extend((0..chance.next_u64() % 100).map(|n| n as u8)),
                    _ => {
                        let from = chance.next_u64() as usize % (bytes.len() + 1);
                        chance.fill(&mut bytes[from..]);
                    }
                })
                .expect("it is there");
        }
        let Ok(node) = Node::try_start(&files, &["/d"], &small()) else { continue };
        let Some(log) = node.manager.get_log(&model::TopicPartition::new("t", 0)) else { continue };
        let mut next = log.log_start_offset();
        while next < log.log_end_offset() {
            let Ok(read) = log.read(next, 4096, FetchIsolation::LogEnd, true) else { break };
            let mut batches = records::batches(read.records.read().expect("the disk is well"));
            let Some(last) = batches.by_ref().map_while(Result::ok).last() else { break };
            next = last.header().next_offset().max(next.plus(1));
        }
        let _ = log.offset_for_timestamp(Timestamp(START_MS + 7));
        let _ = log.offset_for_timestamp(Timestamp(-3));
        let _ = append(&log, batch("after", 1));
    }
}

#[test]
fn a_corrupt_snapshot_is_replaced_by_the_log() {
    let (files, folder) = written(true);
    for path in with_suffix(&files, &folder, ".snapshot") {
        files.damage(&path, |bytes| bytes[9] ^= 1).expect("it is there");
    }
    let node = Node::start(&files, &["/d"], &small());
    // Without any snapshot after a clean stop Kafka takes it that there were no producers; the log of this one tells.
    let log = node.log(0, &small());
    assert_eq!(log.active_producers()[0].last_sequence(), 179);
}

#[test]
fn a_torn_magic_byte_does_not_make_an_old_batch() {
    let (files, folder) = written(false);
    let last = with_suffix(&files, &folder, ".log").pop().expect("segments");
    files.damage(&last, |bytes| bytes[16..].fill(0)).expect("it is there");
    let base: i64 = last.file_stem().expect("named").to_string_lossy().parse().expect("digits");
    let node = Node::start(&files, &["/d"], &small());
    assert_eq!(node.log(0, &small()).log_end_offset(), Offset(base));
}

#[test]
fn behind_a_batch_that_could_not_be_indexed_nothing_is_appended_at_its_offsets() {
    let files = SimFiles::default();
    let node = Node::start(&files, &["/d"], &small());
    append(&node.log(0, &small()), batch("a", 3)).expect("valid");
    node.manager.shutdown(1);
    let node = Node::start(&files, &["/d"], &small());
    let log = node.log(0, &small());
    assert!(log.offset_for_timestamp(Timestamp(-3)).expect("the indexes are well").is_some());
    let index = with_suffix(&files, &log.folder(), ".timeindex").pop().expect("there is one");
    files.damage(&index, Vec::clear).expect("it is there");
    let next = |n| append(&log, build("late", 1, BatchOptions::default(), START_MS + 1000 + n));
    let refused = (0..5).find_map(|n| next(n).err()).expect("an index entry is due");
    assert_eq!(refused.code(), ErrorCode::KAFKA_STORAGE_ERROR, "{refused}");
    let after = next(5).expect_err("its offset may be taken");
    assert_eq!(after.code(), ErrorCode::KAFKA_STORAGE_ERROR, "{after}");
}

/// Writes 30 aborted transactions over several segments, so that the recovery point is amid them; stops or kills the node.
fn written_and_aborted(clean: bool) -> (SimFiles, PathBuf, Vec<AbortedTxn>) {
    let files = SimFiles::default();
    let node = Node::start(&files, &["/d"], &small());
    let log = node.log(0, &small());
    for n in 0..30 {
        abort(&log, n, 3);
        append(&log, batch("plain", 2)).expect("valid");
        if n == 20 {
            node.step();
        }
    }
    let expected = aborted(&log);
    assert_eq!(expected.len(), 30);
    if clean {
        node.manager.shutdown(1);
    } else {
        log.sync().expect("the disk is well");
    }
    files.kill();
    (files, log.folder().to_path_buf(), expected)
}

fn check_aborted(files: &SimFiles, expected: &[AbortedTxn], what: &str) {
    let node = Node::start(files, &["/d"], &small());
    let log = node.log(0, &small());
    assert_eq!(aborted(&log), expected, "{what}");
    log.update_high_watermark(log.log_end_offset());
    assert_eq!(log.last_stable_offset(), log.log_end_offset(), "{what}");
    // Nor does it take a start to know.
    node.manager.shutdown(1);
    files.power_cut(None);
    assert_eq!(aborted(&Node::start(files, &["/d"], &small()).log(0, &small())), expected, "{what}");
}

#[test]
fn a_damaged_index_of_aborted_transactions_is_read_out_of_the_log() {
    let damages: [fn(&mut Vec<u8>); 4] = [
        |bytes| bytes.fill(0xff),
        |bytes| bytes.fill(0),
        |bytes| bytes[..34].fill(0),
        |bytes| bytes.reverse(),
    ];
    for clean in [true, false] {
        for damage in damages {
            let (files, folder, expected) = written_and_aborted(clean);
            for path in with_suffix(&files, &folder, ".txnindex") {
                files.damage(&path, damage).expect("it is there");
            }
            check_aborted(&files, &expected, if clean { "stopped" } else { "killed" });
        }
    }
}

#[test]
fn a_lying_offset_index_hides_no_aborted_transaction() {
    for damage in [|bytes: &mut Vec<u8>| bytes.fill(0xff), |bytes: &mut Vec<u8>| bytes.fill(0)] {
        let (files, folder, expected) = written_and_aborted(true);
        for path in with_suffix(&files, &folder, ".index") {
            files.damage(&path, damage).expect("it is there");
        }
        let node = Node::start(&files, &["/d"], &small());
        let log = node.log(0, &small());
        log.update_high_watermark(log.log_end_offset());
        for it in expected {
            let read = log.read(it.first_offset, 1, FetchIsolation::TxnCommitted, true).expect("in range");
            assert!(read.aborted_transactions.expect("asked for").contains(&it), "{it:?}");
        }
    }
}

#[test]
fn aborted_transactions_of_segments_without_any_index_are_read_out_of_the_log() {
    for clean in [true, false] {
        for without_snapshots in [false, true] {
            let (files, folder, expected) = written_and_aborted(clean);
            let mut gone = vec![".index", ".timeindex", ".txnindex"];
            // Kafka takes a clean stop without any snapshot to mean that there are no producers.
            gone.extend((without_snapshots && !clean).then_some(".snapshot"));
            for suffix in gone {
                for path in with_suffix(&files, &folder, suffix) {
                    files.remove_file(&path).expect("it is there");
                }
            }
            check_aborted(&files, &expected, if clean { "stopped" } else { "killed" });
        }
    }
}
