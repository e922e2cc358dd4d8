//! Random plans of members, writes that fail, locks that run out and leaders that crash, held against a model that keeps a
//! state for each record.
//!
//! What must hold: no record is held by two at once; its delivery count is right; what a member was told is acknowledged is
//! never delivered again, after a crash either; and in the end every record is done with. Where there is a dead-letter queue,
//! a record that is given up is told to be written there once by each leader at most, and holds the start until it is.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::*;

const MEMBERS: [&str; 3] = ["a", "b", "c"];

/// One random number after another (splitmix64).
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Fate {
    Free,
    Held {
        member: usize,
        until: Instant,
    },
    /// Being written by the write of this number.
    Changing {
        write: u64,
        to: i8,
        member: usize,
        until: Instant,
    },
    Done,
}

#[derive(Clone, Copy, Debug)]
struct Record {
    fate: Fate,
    count: i16,
}

/// What the share coordinator keeps.
#[derive(Default)]
struct Persisted {
    start: i64,
    records: BTreeMap<i64, (DeliveryState, i16)>,
}

impl Persisted {
    fn write(&mut self, start: i64, batches: &[StateBatch]) {
        for batch in batches {
            for offset in batch.first_offset.0..=batch.last_offset.0 {
                self.records.insert(offset, (batch.state, batch.delivery_count));
            }
        }
        self.start = self.start.max(start);
        self.records = self.records.split_off(&self.start);
    }

    fn batches(&self) -> Vec<StateBatch> {
        let batch =
            |(offset, (kind, count)): (&i64, &(DeliveryState, i16))| state(*offset, *offset, *kind, *count);
        self.records.iter().map(batch).collect()
    }
}

struct Plan {
    chance: Chance,
    scene: Scene,
    /// The log's batches, by their first and last offsets; offsets between them have no record.
    log: Vec<(i64, i64)>,
    records: BTreeMap<i64, Record>,
    persisted: Persisted,
    writing: VecDeque<(u64, StateChange)>,
    last_write: u64,
    /// What this leader was to write to the dead-letter queue.
    told: BTreeSet<i64>,
}

impl Plan {
    fn new(seed: u64) -> Self {
        let mut chance = Chance(seed);
        let mut scene = Scene::new();
        scene.limits.delivery_count_limit = 2 + chance.below(5) as i16;
        scene.limits.max_record_locks = 20 + chance.below(200) as i64;
        scene.limits.dead_letters = chance.below(2) == 0;
        Self {
            chance,
            scene,
            log: Vec::new(),
            records: BTreeMap::new(),
            persisted: Persisted::default(),
            writing: VecDeque::new(),
            last_write: 0,
            told: BTreeSet::new(),
        }
    }

    fn write(&mut self, change: Option<StateChange>) {
        self.writing.extend(change.map(|change| (self.last_write, change)));
        self.last_write += 1;
    }

    fn produce(&mut self) {
        let end = self.log.last().map_or(0, |(_, last)| last + 1);
        let first = if self.chance.below(6) == 0 { end + 1 + self.chance.below(5) as i64 } else { end };
        let last = first + self.chance.below(12) as i64;
        self.log.push((first, last));
        let free = Record { fate: Fate::Free, count: 0 };
        self.records.extend((first..=last).map(|offset| (offset, free)));
    }

    fn fetch(&mut self) {
        let from = self.scene.partition.next_fetch_offset().0;
        if !self.scene.partition.can_acquire(&self.scene.limits) {
            return;
        }
        let member = self.chance.below(3) as usize;
        let max = 1 + self.chance.below(40) as i64;
        let mode = match self.chance.below(2) {
            0 => AcquireMode::BatchOptimized,
            _ => AcquireMode::RecordLimit,
        };
        let reached = 1 + self.chance.below(6) as usize;
        let read: Vec<_> = self.log.iter().filter(|(_, last)| *last >= from).take(reached).copied().collect();
        let got = self.scene.fetch(MEMBERS[member], mode, max, &log(&read));
        let count: i64 = got.iter().map(|(first, last, _)| last - first + 1).sum();
        assert!(mode == AcquireMode::BatchOptimized || count <= max, "{count} of {max}");
        let until = self.scene.now + LOCK;
        for (first, last, count) in got {
            for (offset, record) in self.records.range_mut(first..=last) {
                assert_eq!(record.fate, Fate::Free, "{offset} is acquired by {member}");
                *record = Record { fate: Fate::Held { member, until }, count: record.count + 1 };
                assert_eq!(record.count, count, "the deliveries of {offset}");
            }
        }
    }

    /// Offsets that follow each other and that a member holds.
    fn held_range(&mut self, member: usize) -> Option<(i64, i64)> {
        let is_held =
            |record: &Record| matches!(record.fate, Fate::Held { member: holder, .. } if holder == member);
        let held: Vec<i64> =
            self.records.iter().filter(|(_, record)| is_held(record)).map(|(offset, _)| *offset).collect();
        let first = *held.get(self.chance.below(held.len().max(1) as u64) as usize)?;
        let wanted = self.chance.below(15) as i64;
        let last = (first..=first + wanted).take_while(|offset| held.contains(offset)).last()?;
        Some((first, last))
    }

    fn acknowledge(&mut self) {
        let member = self.chance.below(3) as usize;
        let Some((first, last)) = self.held_range(member) else { return };
        let types: Vec<i8> = match self.chance.below(2) {
            0 => vec![self.chance.below(5) as i8],
            _ => (first..=last).map(|_| self.chance.below(5) as i8).collect(),
        };
        let change = self.scene.acknowledge(MEMBERS[member], first, last, &types).expect("it holds them");
        let write = self.last_write;
        for (index, offset) in (first..=last).enumerate() {
            let to = types[if types.len() == 1 { 0 } else { index }];
            let record = self.records.get_mut(&offset).expect("it was acquired");
            let Fate::Held { until, .. } = record.fate else { unreachable!("it is held") };
            record.fate = match to {
                4 => Fate::Held { member, until: self.scene.now + LOCK },
                to => Fate::Changing { write, to, member, until },
            };
        }
        self.write(change);
    }

    fn release(&mut self) {
        let member = self.chance.below(3) as usize;
        let change = self.scene.partition.release(&self.scene.limits, MEMBERS[member]);
        let write = self.last_write;
        for record in self.records.values_mut() {
            if let Fate::Held { member: holder, until } = record.fate
                && holder == member
            {
                record.fate = Fate::Changing { write, to: 2, member, until };
            }
        }
        self.write(change);
    }

    /// The oldest write ends; one that fails may have been done all the same.
    fn end_write(&mut self) {
        let Some((number, change)) = self.writing.pop_front() else { return };
        let (failed, done) = (self.chance.below(5) == 0, self.chance.below(2) == 0);
        if !failed || done {
            self.persisted.write(self.scene.partition.start_offset().0, &change.batches);
        }
        self.scene.partition.settle(self.scene.now, &self.scene.limits, &change, !failed);
        let (now, limit) = (self.scene.now, self.scene.limits.delivery_count_limit);
        for batch in &change.batches {
            for (_, record) in self.records.range_mut(batch.first_offset.0..=batch.last_offset.0) {
                let Fate::Changing { write, to, member, until } = record.fate else { continue };
                if write != number {
                    continue;
                }
                let gives_back = (!failed && to == 2) || (failed && until <= now);
                record.fate = match () {
                    () if gives_back && record.count < limit => Fate::Free,
                    () if failed && until > now => Fate::Held { member, until },
                    () => Fate::Done,
                };
            }
        }
        self.write_dead_letters();
    }

    /// What is to be written to the dead-letter queue is, and then archived.
    fn write_dead_letters(&mut self) {
        for letter in self.scene.partition.take_dead_letters() {
            let (first, last) = (letter.first_offset.0, letter.last_offset.0);
            assert!((first..=last).all(|offset| self.told.insert(offset)), "{letter:?} is told again");
            assert!(self.records.range(first..=last).all(|(_, record)| record.fate == Fate::Done));
            assert!(self.scene.ends().0 <= first, "the start passed {letter:?}");
            let change = self.scene.partition.archive_dead_letter(&letter);
            self.write(change);
        }
    }

    fn pass(&mut self) {
        let time = Duration::from_secs(self.chance.below(12));
        let change = self.scene.pass(time);
        self.write(change);
        let (now, limit) = (self.scene.now, self.scene.limits.delivery_count_limit);
        for record in self.records.values_mut() {
            if matches!(record.fate, Fate::Held { until, .. } if until <= now) {
                record.fate = if record.count < limit { Fate::Free } else { Fate::Done };
            }
        }
    }

    /// The leader is gone with all it had in memory; of its writes that were under way, some were done.
    fn crash(&mut self) {
        while let Some((_, change)) = self.writing.pop_front() {
            if self.chance.below(2) == 0 {
                break;
            }
            self.persisted.write(self.scene.partition.start_offset().0, &change.batches);
        }
        self.writing.clear();
        let partition = SharePartition::new(Offset(self.persisted.start), &self.persisted.batches());
        self.scene.partition = partition.expect("what was written is a valid state");
        self.scene.partition.resume_dead_letters(&self.scene.limits);
        self.told.clear();
        for (offset, record) in &mut self.records {
            let is_told = record.fate == Fate::Done && !self.persisted.records.contains_key(offset);
            let (fate, count) = match self.persisted.records.get(offset) {
                _ if *offset < self.persisted.start => (Fate::Done, record.count),
                None => (Fate::Free, 0),
                Some((DeliveryState::AVAILABLE, count)) => (Fate::Free, *count),
                Some((_, count)) => (Fate::Done, *count),
            };
            // Only what was given up without anybody waiting may come back.
            assert!(!is_told || fate == Fate::Done || record.count >= self.scene.limits.delivery_count_limit);
            *record = Record { fate, count };
        }
        self.write_dead_letters();
    }

    fn step(&mut self) {
        match self.chance.below(20) {
            0..=2 => self.produce(),
            3..=8 => self.fetch(),
            9..=12 => self.acknowledge(),
            13 => self.release(),
            14..=16 => self.end_write(),
            17 | 18 => self.pass(),
            _ if self.chance.below(6) == 0 => self.crash(),
            _ => {}
        }
        self.check();
    }

    fn check(&self) {
        let (start, next) = self.scene.ends();
        assert!(start <= next);
        let done = |record: &Record| record.fate == Fate::Done;
        assert!(self.records.range(..start).all(|(_, record)| done(record)), "the start passed a record");
        let first_open = self.records.iter().find(|(_, record)| !done(record)).map(|(offset, _)| *offset);
        assert!(first_open.is_none_or(|open| open >= start));
        let beyond = self.records.range(next..);
        assert!(beyond.into_iter().all(|(_, record)| record.fate == Fate::Free || start == next));
    }

    /// All writes succeed and all members accept: nothing may stay behind.
    fn finish(&mut self) {
        for _ in 0..20_000 {
            while !self.writing.is_empty() {
                self.end_write();
            }
            // Offsets without a record, which nobody acknowledges here, take until the next look at the log.
            let (start, next) = self.scene.ends();
            if start == next && self.records.values().all(|record| record.fate == Fate::Done) {
                break;
            }
            self.fetch();
            self.acknowledge();
            self.pass();
            self.check();
        }
        let open = self.records.iter().find(|(_, record)| record.fate != Fate::Done);
        assert!(open.is_none(), "{open:?} stays behind");
        assert_eq!(self.scene.ends().0, self.scene.ends().1);
        assert_eq!(self.scene.partition.delivery_complete_count(), 0);
    }
}

#[test]
fn no_record_is_held_by_two_or_lost_and_every_record_is_done_with_in_the_end() {
    for seed in 0..600 {
        let run = std::panic::catch_unwind(|| {
            let mut plan = Plan::new(seed);
            (0..300).for_each(|_| plan.step());
            plan.finish();
        });
        assert!(run.is_ok(), "seed {seed}");
    }
}
