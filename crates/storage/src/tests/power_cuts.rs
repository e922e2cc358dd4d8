//! Nothing acknowledged is lost, and nothing torn is read, whatever a power cut or kill leaves.

use std::path::Path;
use std::sync::Arc;

use model::{LeaderEpoch, Offset};
use records::{BatchOptions, RecordBatch};
use world::chance::{Chance, SeededChance};
use world::files::{Files, SimFiles};

use super::support::*;
use crate::{FetchIsolation, ProducerState, UnifiedLog};

struct Model {
    /// What was appended, by offset; truncated to what a cut left.
    written: Vec<String>,
    acknowledged: usize,
    sequences: Vec<i32>,
    /// Up to where records were deleted, if any are.
    deleted: Option<usize>,
}

fn below(chance: &SeededChance, limit: u64) -> u64 {
    chance.next_u64() % limit
}

fn life(files: &SimFiles, chance: &SeededChance, model: &mut Model) {
    let node = Node::start(files, &["/d"], &small());
    let log = node.log(0, &small());
    check(&log, model);
    log.update_high_watermark(log.log_end_offset());
    for _ in 0..below(chance, 80) {
        match below(chance, 12) {
            0..7 => write(&log, chance, model),
            7..9 => {
                log.sync().expect("the disk is well");
                model.acknowledged = model.written.len();
            }
            9 => node.step(),
            10 => drop(log.roll().expect("the disk is well")),
            11 if model.deleted.is_some() => delete(&log, chance, model),
            _ => drop(log.update_high_watermark(log.log_end_offset())),
        }
    }
    match below(chance, 4) {
        0 => {
            node.manager.shutdown(7);
            model.acknowledged = model.written.len();
            files.kill();
        }
        1 => {
            model.acknowledged = model.written.len();
            files.kill();
        }
        2 => files.power_cut(None),
        _ => files.power_cut(Some(chance)),
    }
}

fn write(log: &Arc<UnifiedLog>, chance: &SeededChance, model: &mut Model) {
    let count = 1 + below(chance, 5) as usize;
    let text = format!("{}-{}", model.written.len(), "x".repeat(below(chance, 60) as usize));
    let producer = below(chance, 4) as usize;
    let options = match model.sequences.get_mut(producer) {
        Some(sequence) => {
            let options = idempotent(producer as i64, 0, *sequence);
            *sequence += count as i32;
            options
        }
        None => BatchOptions::default(),
    };
    append(log, build(&text, count, options, START_MS)).expect("valid");
    model.written.extend((0..count).map(|n| format!("{text}.{n}")));
}

fn delete(log: &Arc<UnifiedLog>, chance: &SeededChance, model: &mut Model) {
    let high_watermark = log.update_high_watermark(log.log_end_offset());
    let start = below(chance, high_watermark.0 as u64 + 1);
    log.maybe_increment_log_start_offset(Offset(start as i64), "test").expect("in range");
    model.deleted = model.deleted.max(Some(start as usize));
}

fn check(log: &UnifiedLog, model: &mut Model) {
    let found = values(log, log.log_start_offset());
    let end = log.log_end_offset().0 as usize;
    assert!(end >= model.acknowledged, "{end} of {} acknowledged", model.acknowledged);
    for (offset, value) in &found {
        assert_eq!(model.written[offset.0 as usize], *value, "at {offset}");
    }
    let first = log.log_start_offset().0 as usize;
    assert_eq!(found.len(), end - first, "offsets go on without a gap");
    model.written.truncate(end);
    model.acknowledged = end;
    assert!(first <= model.deleted.unwrap_or(0), "nobody deleted what is below {first}");
    check_producers(log, model);
    assert!(log.latest_epoch().is_none_or(|epoch| epoch == LeaderEpoch(0)));
    let is_known = log.latest_epoch().is_some();
    assert!(is_known || end == first, "the epoch of what is there is not known");
    assert!(!is_known || end > 0, "an epoch of nothing is known");
}

/// The producers are those that the log itself tells of.
fn check_producers(log: &UnifiedLog, model: &mut Model) {
    let mut expected = ProducerState::empty(Offset(0));
    let mut next = log.log_start_offset();
    while next < log.log_end_offset() {
        let read = log.read(next, 1, FetchIsolation::LogEnd, true).expect("in range");
        let batch = RecordBatch::parse(&read.records.read().expect("the disk is well")).expect("whole");
        expected.replay(batch.header(), None);
        next = batch.header().next_offset();
    }
    let found = log.active_producers();
    let last = |entry: &crate::ProducerStateEntry| {
        (entry.producer_id, entry.producer_epoch, entry.last_sequence(), entry.last_data_offset())
    };
    assert_eq!(
        found.iter().map(last).collect::<Vec<_>>(),
        expected.producers().map(last).collect::<Vec<_>>()
    );
    for (producer, sequence) in model.sequences.iter_mut().enumerate() {
        let entry = found.iter().find(|entry| entry.producer_id.0 == producer as i64);
        *sequence = entry.map_or(0, |entry| entry.last_sequence() + 1);
    }
}

#[test]
fn acknowledged_records_survive_kills_and_power_cuts() {
    for seed in seeds(60) {
        let chance = SeededChance::new(seed);
        let files = SimFiles::default();
        let mut model = Model { written: Vec::new(), acknowledged: 0, sequences: vec![0; 3], deleted: None };
        lives(seed, &files, &chance, &mut model);
    }
}

#[test]
fn acknowledged_records_survive_kills_and_power_cuts_while_older_ones_are_deleted() {
    for seed in seeds(60) {
        let chance = SeededChance::new(seed);
        let files = SimFiles::default();
        let mut model =
            Model { written: Vec::new(), acknowledged: 0, sequences: Vec::new(), deleted: Some(0) };
        lives(seed, &files, &chance, &mut model);
    }
}

fn lives(seed: u64, files: &SimFiles, chance: &SeededChance, model: &mut Model) {
    for _ in 0..6 {
        let life = std::panic::AssertUnwindSafe(|| life(files, chance, model));
        if let Err(panic) = std::panic::catch_unwind(life) {
            eprintln!("seed {seed}");
            std::panic::resume_unwind(panic);
        }
    }
}

#[test]
fn a_flushed_log_is_not_read_again_after_a_kill() {
    let files = SimFiles::default();
    let big = config(&[("index.interval.bytes", "64")]);
    let node = Node::start(&files, &["/d"], &big);
    let log = node.log(0, &big);
    for n in 0..100 {
        append(&log, build("a", 5, idempotent(1, 0, n * 5), START_MS)).expect("in sequence");
    }
    node.step();
    assert_eq!(log.recovery_point(), Offset(500));
    append(&log, batch("after", 1)).expect("valid");
    files.kill();
    // A checksum that is wrong below the recovery point goes unnoticed, which shows that it was not looked at.
    files
        .damage(&log.folder().join("00000000000000000000.log"), |bytes| bytes[80] ^= 1)
        .expect("it is there");
    let node = Node::start(&files, &["/d"], &big);
    let log = node.log(0, &big);
    assert_eq!(log.log_end_offset(), Offset(501));
    assert_eq!(log.recovery_point(), Offset(501), "what recovery kept is synced");
    assert_eq!(log.active_producers()[0].last_sequence(), 499);
}

#[test]
fn the_names_of_new_partitions_and_segments_survive_with_the_first_acknowledgement() {
    let files = SimFiles::default();
    let topic_id = model::Uuid::from_u128(1000);
    for life in 0..3 {
        let node = Node::start(&files, &["/d"], &small());
        for partition in [life, 7] {
            let log = node.log(partition, &small());
            log.assign_topic_id(topic_id).expect("the disk is well");
            log.roll().expect("the disk is well");
            append(&log, batch("x", 1)).expect("valid");
            log.sync().expect("the disk is well");
        }
        files.power_cut(None);
    }
    let node = Node::start(&files, &["/d"], &small());
    for (partition, end) in [(0, 1), (1, 1), (2, 1), (7, 3)] {
        let log = node.log(partition, &small());
        assert_eq!((log.log_end_offset(), log.topic_id()), (Offset(end), Some(topic_id)), "{partition}");
    }
}

#[test]
fn what_was_cut_off_does_not_come_back_after_a_clean_stop() {
    let files = SimFiles::default();
    let node = Node::start(&files, &["/d"], &small());
    let log = node.log(0, &small());
    append(&log, batch("kept", 1)).expect("valid");
    append(&log, batch("cut", 1)).expect("valid");
    log.flush().expect("the disk is well");
    log.truncate_to(Offset(1)).expect("the disk is well");
    node.manager.shutdown(1);
    files.power_cut(None);
    let node = Node::start(&files, &["/d"], &small());
    assert_eq!(node.log(0, &small()).log_end_offset(), Offset(1));
}

#[test]
fn a_segment_that_recovery_dropped_does_not_come_back_after_what_was_appended_since() {
    let files = SimFiles::default();
    let node = Node::start(&files, &["/d"], &small());
    let log = node.log(0, &small());
    append(&log, batch("kept", 1)).expect("valid");
    log.sync().expect("the disk is well");
    append(&log, batch("lost", 1)).expect("valid");
    log.roll().expect("the disk is well");
    // The name of the new segment is on the disk before the record that it follows.
    files.sync_dir(Path::new("/d/t-0")).expect("the disk is well");
    files.power_cut(None);
    let node = Node::start(&files, &["/d"], &small());
    let log = node.log(0, &small());
    assert_eq!(log.log_end_offset(), Offset(1));
    append(&log, batch("new", 2)).expect("valid");
    log.sync().expect("the disk is well");
    files.power_cut(None);
    let node = Node::start(&files, &["/d"], &small());
    let found: Vec<_> =
        values(&node.log(0, &small()), Offset(0)).into_iter().map(|(_, value)| value).collect();
    assert_eq!(found, ["kept.0", "new.0", "new.1"]);
    assert_eq!(node.log(0, &small()).log_end_offset(), Offset(3));
}

/// A log of many small segments, of which nothing is synced and all records are deleted; the segments are still there.
fn deleted_unsynced(files: &SimFiles) -> (Node, Arc<UnifiedLog>) {
    let node = Node::start(files, &["/d"], &small());
    let log = node.log(0, &small());
    for _ in 0..40 {
        append(&log, batch("deleted", 3)).expect("valid");
    }
    log.update_high_watermark(log.log_end_offset());
    log.maybe_increment_log_start_offset(Offset(120), "test").expect("in range");
    (node, log)
}

#[test]
fn what_is_acknowledged_behind_deleted_records_that_were_not_synced_survives_a_power_cut() {
    let files = SimFiles::default();
    let (_node, log) = deleted_unsynced(&files);
    append(&log, batch("kept", 1)).expect("valid");
    log.sync().expect("the disk is well");
    files.power_cut(None);
    let log = Node::start(&files, &["/d"], &small()).log(0, &small());
    assert_eq!(log.log_end_offset(), Offset(121));
    assert_eq!(values(&log, Offset(120)), [(Offset(120), "kept.0".to_owned())]);
}

#[test]
fn what_is_acknowledged_behind_deleted_records_after_a_kill_survives_a_power_cut() {
    let files = SimFiles::default();
    let (node, _log) = deleted_unsynced(&files);
    node.manager.checkpoint();
    files.kill();
    let node = Node::start(&files, &["/d"], &small());
    let log = node.log(0, &small());
    assert_eq!((log.log_start_offset(), log.log_end_offset()), (Offset(120), Offset(120)));
    append(&log, batch("kept", 1)).expect("valid");
    log.sync().expect("the disk is well");
    files.power_cut(None);
    let log = Node::start(&files, &["/d"], &small()).log(0, &small());
    assert_eq!(values(&log, log.log_start_offset()), [(Offset(120), "kept.0".to_owned())]);
}

#[test]
fn what_was_aborted_below_the_recovery_point_stays_so_after_a_power_cut() {
    for (is_rolled, others) in [(false, 0), (true, 0), (false, 40)] {
        let files = SimFiles::default();
        let node = Node::start(&files, &["/d"], &small());
        let logs: Vec<_> = (0..=others).map(|n| node.log(n, &small())).collect();
        for log in &logs {
            append(log, batch("plain", 1)).expect("valid");
        }
        node.step();
        logs.iter().for_each(|log| abort(log, 7, 2));
        node.step();
        if is_rolled {
            logs[0].roll().expect("the disk is well");
        }
        for log in &logs {
            assert_eq!((log.recovery_point(), log.log_end_offset()), (Offset(4), Offset(4)));
        }
        files.power_cut(None);
        let node = Node::start(&files, &["/d"], &small());
        for n in 0..=others {
            let found: Vec<_> = aborted(&node.log(n, &small())).iter().map(|it| it.first_offset).collect();
            assert_eq!(found, [Offset(1)], "{is_rolled} {n}");
        }
    }
}

#[test]
fn a_segment_that_was_closed_just_before_a_power_cut_has_its_indexes() {
    let files = SimFiles::default();
    let big = config(&[("index.interval.bytes", "64")]);
    let node = Node::start(&files, &["/d"], &big);
    let log = node.log(0, &big);
    for _ in 0..100 {
        append(&log, batch("x", 5)).expect("valid");
    }
    node.step();
    log.roll().expect("the disk is well");
    log.sync().expect("the disk is well");
    files.sync_dir(Path::new("/d/t-0")).expect("the disk is well");
    files.power_cut(None);
    let node = Node::start(&files, &["/d"], &big);
    let segments = node.log(0, &big).segments();
    assert_eq!((segments.len(), segments[0].base_offset()), (2, Offset(0)));
    assert!(segments[0].offset_index().file.entries().expect("well") > 90);
}
