//! Nothing acknowledged is lost while threads append, sync, flush, roll and cut one log at the same time, at whatever
//! moment the power fails.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, RwLock};

use model::Offset;
use world::chance::{Chance, SeededChance};
use world::files::SimFiles;

use super::support::*;
use crate::{StorageError, UnifiedLog};
use slow_disk::SlowDisk;

mod slow_disk;

/// What the threads know of the log.
#[derive(Default)]
struct Book {
    /// Every value that was ever at an offset: what was cut off may come back, until something else is acknowledged there.
    written: BTreeMap<i64, Vec<String>>,
    /// Appends that may yet fail, by the beginning of their values: no offset is known, and they may be there.
    unanswered: BTreeSet<String>,
    /// What is there now, and whether it was acknowledged.
    present: BTreeMap<i64, (String, bool)>,
    /// Where its batches begin. Leaders' terms, at whose ends logs are cut, end with batches.
    batches: BTreeSet<i64>,
}

impl Book {
    fn note(&mut self, offset: i64, value: String) {
        self.written.entry(offset).or_default().push(value.clone());
        self.present.insert(offset, (value, false));
    }

    /// Acknowledges a record, unless it was cut off meanwhile.
    fn acknowledge(&mut self, offset: i64, value: &str) {
        if let Some((present, acknowledged)) = self.present.get_mut(&offset) {
            *acknowledged |= present == value;
        }
    }

    /// Forgets the last so many batches; returns where they begin.
    fn cut(&mut self, batches: usize) -> Option<Offset> {
        let target = *self.batches.iter().rev().take(batches).next_back()?;
        self.batches.retain(|base| *base < target);
        self.present.retain(|offset, _| *offset < target);
        Some(Offset(target))
    }

    /// Compares with what recovery left, and goes on from there.
    fn check(&mut self, log: &UnifiedLog) {
        let found = values(log, log.log_start_offset());
        let (start, end) = (log.log_start_offset().0, log.log_end_offset().0);
        let offsets: Vec<_> = found.iter().map(|(offset, _)| offset.0).collect();
        assert!(offsets.iter().copied().eq(start..end), "a gap between {start} and {end}: {offsets:?}");
        for (offset, (value, acknowledged)) in &self.present {
            let there = found.get((offset - start) as usize).map(|(_, value)| value);
            assert!(!acknowledged || there == Some(value), "{value} was acknowledged at {offset}: {there:?}");
        }
        for (offset, value) in &found {
            let text = value.rsplit_once('.').map_or("", |(text, _)| text);
            let written = self.written.get(&offset.0).is_some_and(|values| values.contains(value));
            assert!(written || self.unanswered.contains(text), "{value} was never written at {offset}");
        }
        self.unanswered.clear();
        self.written = found.iter().map(|(offset, value)| (offset.0, vec![value.clone()])).collect();
        self.batches.clear();
        self.present = found.into_iter().map(|(offset, value)| (offset.0, (value, true))).collect();
    }
}

/// One life of a node, and what its threads share.
struct Life {
    node: Node,
    log: Arc<UnifiedLog>,
    book: Mutex<Book>,
    /// Held by who appends, and exclusively by who cuts, until the book knows of it.
    turns: RwLock<()>,
}

impl Life {
    /// Appends and has it acknowledged, again and again.
    fn write(&self, chance: &SeededChance, name: &str) -> Result<(), StorageError> {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime without I/O");
        for n in 0.. {
            let mut appended = Vec::new();
            for part in 0..1 + chance.next_u64() % 2 {
                let text = format!("{name}-{n}-{part}-{}", "x".repeat((chance.next_u64() % 60) as usize));
                appended.extend(self.append(&text, 1 + chance.next_u64() as usize % 3)?);
            }
            let end = Offset(appended.last().map_or(0, |(offset, _)| offset + 1));
            let synced = match chance.next_u64() % 5 {
                0..2 => self.log.sync()? >= end,
                2..4 => match runtime.block_on(self.log.wait_synced(end)) {
                    Err(StorageError::Cut(_)) => false,
                    other => other.map(|()| true)?,
                },
                _ => false,
            };
            if synced {
                let mut book = self.book();
                appended.iter().for_each(|(offset, value)| book.acknowledge(*offset, value));
            }
        }
        Ok(())
    }

    fn append(&self, text: &str, count: usize) -> Result<Vec<(i64, String)>, StorageError> {
        let _turn = self.turns.read().expect("no holder panics");
        self.book().unanswered.insert(text.to_owned());
        let first = append(&self.log, batch(text, count))?.first_offset.0;
        let records: Vec<_> = (0..count).map(|n| (first + n as i64, format!("{text}.{n}"))).collect();
        let mut book = self.book();
        book.unanswered.remove(text);
        book.batches.insert(first);
        records.iter().for_each(|(offset, value)| book.note(*offset, value.clone()));
        Ok(records)
    }

    /// What happens to a log beside appends.
    fn keep_house(&self, chance: &SeededChance) -> Result<(), StorageError> {
        loop {
            match chance.next_u64() % 8 {
                0 => drop(self.log.roll()?),
                1 => self.node.step(),
                2 => drop(self.log.flush()?),
                3..5 => self.cut(chance)?,
                _ => drop(self.log.update_high_watermark(self.log.log_end_offset())),
            }
            self.log.dir().check()?;
        }
    }

    fn cut(&self, chance: &SeededChance) -> Result<(), StorageError> {
        let _turn = self.turns.write().expect("no holder panics");
        let target = self.book().cut(chance.next_u64() as usize % 6);
        self.node.manager.truncate_to(target.map(|target| (self.log.clone(), target)))
    }

    fn book(&self) -> std::sync::MutexGuard<'_, Book> {
        self.book.lock().expect("no holder panics")
    }
}

/// Lets threads work until the power fails; returns what they know.
fn live(files: &SimFiles, chance: &SeededChance, mut book: Book) -> Book {
    let disk = SlowDisk::new(files, chance.next_u64());
    let node = Node::start_on(Arc::new(disk.clone()), &["/d"], &small()).expect("the disk is well");
    let log = node.log(0, &small());
    book.check(&log);
    let commit = node.manager.environment().group_commit.clone();
    let its_commit = commit.clone();
    let syncing = std::thread::spawn(move || its_commit.run());
    disk.fail_after(20 + chance.next_u64() % 400);
    let life = Life { node, log, book: Mutex::new(book), turns: RwLock::default() };
    std::thread::scope(|scope| {
        for name in ["a", "b", "c"] {
            let (life, disk, chance) = (&life, &disk, SeededChance::new(chance.next_u64()));
            scope.spawn(move || {
                let ended = life.write(&chance, name);
                assert!(!disk.is_alive(), "the disk is well: {ended:?}");
            });
        }
        let ended = life.keep_house(chance);
        assert!(!disk.is_alive(), "the disk is well: {ended:?}");
    });
    commit.stop();
    syncing.join().expect("a thread that syncs does not panic");
    life.book.into_inner().expect("no holder panics")
}

#[test]
fn acknowledged_records_survive_a_power_cut_amid_many_threads() {
    for seed in seeds(15) {
        let chance = SeededChance::new(seed);
        let files = SimFiles::default();
        let lives = || (0..5).fold(Book::default(), |book, _| live(&files, &chance, book));
        if let Err(panic) = std::panic::catch_unwind(std::panic::AssertUnwindSafe(lives)) {
            eprintln!("seed {seed}");
            std::panic::resume_unwind(panic);
        }
    }
}

#[test]
fn a_sync_that_a_cut_overtook_does_not_vouch_for_what_came_after_the_cut() {
    let files = SimFiles::default();
    let disk = SlowDisk::new(&files, 1);
    let node = Node::start_on(Arc::new(disk.clone()), &["/d"], &small()).expect("the disk is well");
    let log = node.log(0, &small());
    for text in ["cut", "cut too"] {
        append(&log, batch(text, 1)).expect("valid");
    }
    let same = log.clone();
    disk.after_next_sync(Box::new(move || {
        same.truncate_fully_and_start_at(Offset(1)).expect("the disk is well");
        append(&same, batch("after", 1)).expect("valid");
    }));
    assert_eq!(log.sync().expect("the disk is well"), Offset(2));
    disk.fail_now();
    let log = Node::start(&files, &["/d"], &small()).log(0, &small());
    assert_eq!(values(&log, Offset(1)), [(Offset(1), "after.0".to_owned())]);
}
