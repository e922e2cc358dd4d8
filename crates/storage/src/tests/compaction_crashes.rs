//! Compaction that is broken off anywhere, by kills, power cuts and failing disks, loses nothing and doubles nothing.

use std::collections::BTreeMap;
use std::sync::Arc;

use records::BatchOptions;
use world::chance::{Chance, SeededChance};
use world::files::{Fault, Files, Operation, SimFiles};

use super::compaction::{clean, compacted, keyed, records, settle};
use super::support::*;
use crate::UnifiedLog;

/// All that was ever written and is known to be on disk: key and value by offset.
type Written = Vec<(String, Option<String>)>;

/// Checks that the log has nothing that was not written, and the last value of each key; once it is whole, also that it
/// has nothing that a later record stands for.
fn check(log: &UnifiedLog, written: &Written) {
    let found = records(log);
    for (offset, key, value) in &found {
        assert_eq!(written[*offset as usize], (key.clone(), value.clone()), "at {offset}");
    }
    let latest = |records: &mut dyn Iterator<Item = (String, Option<String>)>| -> BTreeMap<String, String> {
        let last: BTreeMap<_, _> = records.collect();
        last.into_iter().filter_map(|(key, value)| Some((key, value?))).collect()
    };
    let expected = latest(&mut written.iter().cloned());
    assert_eq!(latest(&mut found.iter().map(|(_, key, value)| (key.clone(), value.clone()))), expected);
    assert_eq!(log.log_end_offset().0 as usize, written.len());
    let Some(cleaned) = log.cleaned_to() else { return };
    let mut last = BTreeMap::new();
    for (offset, key, _) in found.iter().filter(|(offset, ..)| *offset < cleaned.0) {
        assert_eq!(last.insert(key, offset), None, "{key} twice below {cleaned}");
    }
}

fn update(log: &Arc<UnifiedLog>, chance: &SeededChance, written: &mut Written, producer: &mut i32) {
    let below = |limit: u64| chance.next_u64() % limit;
    let updates: Vec<(String, Option<String>)> = (0..1 + below(5))
        .map(|_| {
            let value = format!("{}-{}", written.len(), "x".repeat(below(40) as usize));
            (format!("key{}", below(12)), (below(6) > 0).then_some(value))
        })
        .collect();
    let options = match below(3) {
        0 => {
            *producer += updates.len() as i32;
            idempotent(1, 0, *producer - updates.len() as i32)
        }
        _ => BatchOptions::default(),
    };
    let borrowed: Vec<_> = updates.iter().map(|(key, value)| (&**key, value.as_deref())).collect();
    append(log, keyed(&borrowed, options, START_MS)).expect("valid");
    written.extend(updates);
}

/// A log of which part was compacted, and more is to be.
fn prepared(seed: u64) -> (SimFiles, Node, Arc<UnifiedLog>, Written) {
    let (files, chance, config) = (SimFiles::default(), SeededChance::new(seed), config_of_tests());
    let node = Node::start(&files, &["/d"], &config);
    let log = node.log(0, &config);
    let (mut written, mut producer) = (Vec::new(), 0);
    for _ in 0..2 {
        for _ in 0..25 {
            update(&log, &chance, &mut written, &mut producer);
        }
        settle(&node, &log);
        if log.cleaned_to().is_none() {
            clean(&node);
        }
    }
    (files, node, log, written)
}

fn config_of_tests() -> Arc<config::LogConfig> {
    compacted(&[("delete.retention.ms", "1000"), ("file.delete.delay.ms", "0")])
}

/// Ends a life of the node, and checks what the next finds and makes of it.
fn crash_and_check(files: &SimFiles, how: u64, chance: &SeededChance, written: &Written, sequence: i32) {
    match how {
        0 => files.kill(),
        1 => files.power_cut(None),
        _ => files.power_cut(Some(chance)),
    }
    files.clear_faults();
    let config = config_of_tests();
    let node = Node::start(files, &["/d"], &config);
    let log = node.log(0, &config);
    check(&log, written);
    assert_eq!(log.active_producers()[0].last_sequence(), sequence);
    log.update_high_watermark(log.log_end_offset());
    node.step();
    node.step();
    clean(&node);
    check(&log, written);
    for path in files.read_dir(&log.folder()).expect("the disk is well") {
        let name = path.to_string_lossy();
        assert!(!name.ends_with(".swap") && !name.ends_with(".cleaned"), "{name} is left over");
    }
}

#[test]
fn a_pass_that_fails_at_any_operation_is_made_good() {
    for operation in [Operation::Name, Operation::Sync, Operation::Write] {
        for how in 0..3 {
            for after in 0.. {
                let (files, node, log, written) = prepared(after % 3);
                let sequence = log.active_producers()[0].last_sequence();
                let everywhere = Fault { operation, path_contains: String::new(), after, errno: 5 };
                files.add_fault(everywhere);
                let done = node.manager.clean_next();
                let chance = SeededChance::new(after);
                crash_and_check(&files, how, &chance, &written, sequence);
                if done {
                    assert!(after > 3, "the fault hit nothing");
                    break;
                }
            }
        }
    }
}

#[test]
fn a_start_that_fails_while_it_finishes_a_swap_is_made_good() {
    for first in (0..).step_by(5) {
        for second in 0..8 {
            let (files, node, log, written) = prepared(1);
            let sequence = log.active_producers()[0].last_sequence();
            files.add_fault(Fault {
                operation: Operation::Name,
                path_contains: "t-0".into(),
                after: first,
                errno: 5,
            });
            if node.manager.clean_next() {
                return;
            }
            files.kill();
            files.clear_faults();
            files.add_fault(Fault {
                operation: Operation::Name,
                path_contains: "t-0".into(),
                after: second,
                errno: 5,
            });
            drop(Node::try_start(&files, &["/d"], &config_of_tests()));
            crash_and_check(&files, 2, &SeededChance::new(first * 8 + second), &written, sequence);
        }
    }
}

fn life(files: &SimFiles, chance: &SeededChance, written: &mut Written, producer: &mut i32) {
    let config = config_of_tests();
    let node = Node::start(files, &["/d"], &config);
    let log = node.log(0, &config);
    written.truncate(log.log_end_offset().0 as usize);
    check(&log, written);
    *producer = log.active_producers().first().map_or(0, |entry| entry.last_sequence() + 1);
    log.update_high_watermark(log.log_end_offset());
    for _ in 0..chance.next_u64() % 100 {
        match chance.next_u64() % 20 {
            0..14 => update(&log, chance, written, producer),
            14..16 => drop(log.update_high_watermark(log.log_end_offset())),
            16..18 => node.step(),
            18 => drop(log.roll().expect("the disk is well")),
            _ => drop(clean(&node)),
        }
    }
    check(&log, written);
    match chance.next_u64() % 4 {
        0 => {
            node.manager.shutdown(7);
            files.kill();
        }
        1 => files.kill(),
        2 => {
            log.sync().expect("the disk is well");
            files.power_cut(None);
        }
        _ => {
            log.sync().expect("the disk is well");
            files.power_cut(Some(chance));
        }
    }
}

#[test]
fn random_updates_keep_the_last_value_of_each_key_through_kills_and_power_cuts() {
    for seed in seeds(40) {
        let (files, chance) = (SimFiles::default(), SeededChance::new(seed));
        let (mut written, mut producer) = (Written::new(), 0);
        for _ in 0..6 {
            let life = std::panic::AssertUnwindSafe(|| life(&files, &chance, &mut written, &mut producer));
            if let Err(panic) = std::panic::catch_unwind(life) {
                eprintln!("seed {seed}");
                std::panic::resume_unwind(panic);
            }
        }
    }
}
