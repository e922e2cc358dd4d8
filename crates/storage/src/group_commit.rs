//! Group commit: one sync of a log for all the appends that wait for it; and room on the disk before appends need it.
//!
//! Many logs of one dir that wait at the same time are synced with their whole filesystem, where that takes less.
//!
//! Invariants:
//! - a log is synced by one thread at a time; who asks meanwhile is served by one more sync after it
//! - threads sleep while nobody asks; room, which syncs make wait least, comes first
//!
//! Kafka has no such thing: it acknowledges before it syncs.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};

use crate::UnifiedLog;
use crate::log_dirs::LogDir;
use crate::segment::Segment;
use crate::unified_log::{Extent, sync_together};

/// The logs that somebody waits for, and the threads that sync them.
#[derive(Debug, Default)]
pub struct GroupCommit {
    queue: Mutex<Queue>,
    asked: Condvar,
}

#[derive(Debug, Default)]
struct Queue {
    rooms: VecDeque<Arc<Segment>>,
    logs: VecDeque<Arc<UnifiedLog>>,
    /// So many threads serve it.
    threads: usize,
    stopped: bool,
}

/// What a thread does next.
enum Task {
    MakeRoom(Arc<Segment>),
    Sync(Vec<Arc<UnifiedLog>>),
}

impl Queue {
    fn next(&mut self) -> Option<Task> {
        match self.rooms.pop_front() {
            Some(segment) => Some(Task::MakeRoom(segment)),
            None => self.next_logs().map(Task::Sync),
        }
    }

    /// Takes the next log, with all others of its dir if they are better synced together.
    fn next_logs(&mut self) -> Option<Vec<Arc<UnifiedLog>>> {
        let next = self.logs.pop_front()?;
        if !next.dir().prefers_whole_sync(self.logs.len() + 1, self.threads) {
            return Some(vec![next]);
        }
        let dir = next.dir().clone();
        let (mut together, others): (Vec<_>, _) =
            self.logs.drain(..).partition(|log| Arc::ptr_eq(log.dir(), &dir));
        self.logs = others.into();
        together.push(next);
        Some(together)
    }
}

impl GroupCommit {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().expect("no holder panics")
    }

    /// Syncs until [`GroupCommit::stop`]: the life of one of the threads that do.
    pub fn run(&self) {
        self.queue().threads += 1;
        while self.serve_one() {}
        self.queue().threads -= 1;
    }

    /// Ends [`GroupCommit::run`] in all threads once the queue is empty.
    pub fn stop(&self) {
        self.queue().stopped = true;
        self.asked.notify_all();
    }

    /// Asks for a sync of what `log` has now.
    pub(crate) fn ask(&self, log: &Arc<UnifiedLog>) {
        if log.commit_state().ask() {
            self.queue().logs.push_back(log.clone());
            self.asked.notify_one();
        }
    }

    /// Asks for room ahead of what is written to `segment`.
    pub(crate) fn ask_room(&self, segment: &Arc<Segment>) {
        self.queue().rooms.push_back(segment.clone());
        self.asked.notify_one();
    }

    /// Does all that is asked in the caller's thread; returns how many logs it synced.
    pub fn step(&self) -> usize {
        let mut synced = 0;
        loop {
            let next = self.queue().next();
            let Some(task) = next else { return synced };
            synced += match &task {
                Task::MakeRoom(_) => 0,
                Task::Sync(logs) => logs.len(),
            };
            self.serve(task);
        }
    }

    fn serve_one(&self) -> bool {
        let task = {
            let mut queue = self.queue();
            loop {
                if let Some(task) = queue.next() {
                    break task;
                }
                if queue.stopped {
                    return false;
                }
                queue = self.asked.wait(queue).expect("no holder panics");
            }
        };
        self.serve(task);
        true
    }

    fn serve(&self, task: Task) {
        match task {
            Task::MakeRoom(segment) => segment.make_room(),
            Task::Sync(logs) => self.sync(&logs),
        }
    }

    fn sync(&self, logs: &[Arc<UnifiedLog>]) {
        logs.iter().for_each(|log| log.commit_state().begin());
        // A failure took the dir offline and woke the waiters, who find out from the dir.
        match logs {
            [] => {}
            [log] => drop(log.sync()),
            [first, ..] => drop(sync_together(logs, Extent::Batches, first.dir())),
        }
        for log in logs.iter().filter(|log| log.commit_state().end()) {
            self.queue().logs.push_back(log.clone());
            self.asked.notify_one();
        }
    }
}

/// Syncs the logs of each dir together where that takes less than syncing them one after the other; else nothing.
pub(crate) fn sync_many(logs: &[Arc<UnifiedLog>], extent: Extent, dirs: &[Arc<LogDir>]) {
    for dir in dirs {
        let is_unsynced = |log: &&Arc<UnifiedLog>| Arc::ptr_eq(log.dir(), dir) && extent.is_unsynced(log);
        let here: Vec<_> = logs.iter().filter(is_unsynced).cloned().collect();
        if dir.prefers_whole_sync(here.len(), 1) {
            sync_together(&here, extent, dir);
        }
    }
}

/// Where a log stands with the threads that sync.
#[derive(Debug, Default)]
pub(crate) struct CommitState(Mutex<Stage>);

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Stage {
    #[default]
    Idle,
    Queued,
    Running,
    RunningAskedAgain,
}

impl CommitState {
    fn stage(&self) -> MutexGuard<'_, Stage> {
        self.0.lock().expect("no holder panics")
    }

    /// Returns whether the log has to be queued.
    fn ask(&self) -> bool {
        let mut stage = self.stage();
        let idle = *stage == Stage::Idle;
        *stage = match *stage {
            Stage::Idle | Stage::Queued => Stage::Queued,
            Stage::Running | Stage::RunningAskedAgain => Stage::RunningAskedAgain,
        };
        idle
    }

    fn begin(&self) {
        *self.stage() = Stage::Running;
    }

    /// Returns whether the log has to be queued again.
    fn end(&self) -> bool {
        let mut stage = self.stage();
        let again = *stage == Stage::RunningAskedAgain;
        *stage = if again { Stage::Queued } else { Stage::Idle };
        again
    }
}
