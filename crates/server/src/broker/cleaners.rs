//! The threads that compact logs: as many as `log.cleaner.threads` says, also when that changes.
//!
//! Kafka: `LogCleaner.reconfigure`.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use config::BrokerConfig;
use storage::{CleanerOptions, LogManager};

use crate::essential::Essential;

/// How logs are compacted, as the configuration has it.
pub(super) fn options(config: &BrokerConfig) -> CleanerOptions {
    let log = &config.log;
    CleanerOptions {
        threads: if log.log_cleaner_enable { log.log_cleaner_threads.max(0) as usize } else { 0 },
        dedupe_buffer_size: log.log_cleaner_dedupe_buffer_size.max(0) as u64,
        io_buffer_load_factor: log.log_cleaner_io_buffer_load_factor,
        io_buffer_size: log.log_cleaner_io_buffer_size.max(0) as usize,
        io_max_bytes_per_second: log.log_cleaner_io_max_bytes_per_second,
        backoff_ms: log.log_cleaner_backoff_ms.max(0) as u64,
    }
}

/// The threads, by number.
#[derive(Debug, Default)]
pub(super) struct Cleaners {
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl Cleaners {
    fn threads(&self) -> MutexGuard<'_, Vec<JoinHandle<()>>> {
        self.threads.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts threads that are missing; those that are too many end by themselves.
    pub(super) fn fit(&self, logs: &Arc<LogManager>, essential: &Essential) {
        let mut threads = self.threads();
        while let Some(ended) = threads.pop_if(|last| last.is_finished()) {
            join(ended);
        }
        for number in threads.len()..logs.cleaner().options().threads {
            let its_logs = logs.clone();
            let (name, work) = (format!("monedula-cleaner-{number}"), move || its_logs.run_cleaner(number));
            match essential.spawn("a thread that compacts logs", name, work) {
                Ok(thread) => threads.push(thread),
                Err(error) => return tracing::error!(%error, "cannot start a thread to compact logs"),
            }
        }
    }

    /// Ends all threads, and waits for that. [`Cleaners::fit`] must not be called any more.
    pub(super) fn stop(&self, logs: &LogManager) {
        logs.cleaner().stop();
        self.threads().drain(..).for_each(join);
    }
}

fn join(thread: JoinHandle<()>) {
    if thread.join().is_err() {
        tracing::error!("a thread that compacts logs had panicked");
    }
}
