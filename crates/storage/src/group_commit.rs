//! Group commit: one sync of a log for all the appends that wait for it.
//!
//! Invariants:
//! - a log is synced by one thread at a time; who asks meanwhile is served by one more sync after it
//! - threads sleep while nobody asks
//!
//! Kafka has no such thing: it acknowledges before it syncs.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};

use crate::UnifiedLog;

/// The logs that somebody waits for, and the threads that sync them.
#[derive(Debug, Default)]
pub struct GroupCommit {
    queue: Mutex<Queue>,
    asked: Condvar,
}

#[derive(Debug, Default)]
struct Queue {
    logs: VecDeque<Arc<UnifiedLog>>,
    stopped: bool,
}

impl GroupCommit {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().expect("no holder panics")
    }

    /// Starts `threads` threads that sync; they end at [`GroupCommit::stop`].
    pub fn start(self: &Arc<Self>, threads: usize) -> std::io::Result<Vec<std::thread::JoinHandle<()>>> {
        (0..threads)
            .map(|n| {
                let commit = self.clone();
                let name = format!("monedula-sync-{n}");
                std::thread::Builder::new().name(name).spawn(move || while commit.serve_one() {})
            })
            .collect()
    }

    /// Ends the threads once the queue is empty.
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

    /// Syncs all logs in the queue in the caller's thread; returns how many.
    pub fn step(&self) -> usize {
        let mut served = 0;
        loop {
            let next = self.queue().logs.pop_front();
            let Some(log) = next else { return served };
            self.serve(&log);
            served += 1;
        }
    }

    fn serve_one(&self) -> bool {
        let log = {
            let mut queue = self.queue();
            loop {
                if let Some(log) = queue.logs.pop_front() {
                    break log;
                }
                if queue.stopped {
                    return false;
                }
                queue = self.asked.wait(queue).expect("no holder panics");
            }
        };
        self.serve(&log);
        true
    }

    fn serve(&self, log: &Arc<UnifiedLog>) {
        log.commit_state().begin();
        // A failure took the dir offline and woke the waiters, who find out from the dir.
        let _ = log.sync();
        if log.commit_state().end() {
            self.queue().logs.push_back(log.clone());
            self.asked.notify_one();
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
