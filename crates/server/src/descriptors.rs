//! How the file descriptors that the process may have are shared out: half for the files of logs, the rest for connections,
//! but for a few.
//!
//! Invariants:
//! - however many connections clients make, a log's file can be opened: could it not, its log dir would go offline
//!
//! Kafka has no such thing: connections over the limit take its log dirs offline.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Where the system sets no limit, it is taken to be this.
const UNLIMITED: u64 = 1 << 20;
/// What is left for all else: at most so many, and no more than one in eight.
const OTHERS_MAX: u64 = 1024;

/// Who gets how many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Descriptors {
    /// Files of logs that stay open.
    pub(crate) files: usize,
    /// Connections of clients.
    pub(crate) connections: usize,
}

impl Descriptors {
    /// Asks the system for as many as the administrator allows, and shares them out.
    pub(crate) fn of_process() -> Self {
        let limit = getrlimit(Resource::Nofile);
        // Where that is refused, what there is must do.
        let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
        Self::share(getrlimit(Resource::Nofile).current.unwrap_or(UNLIMITED))
    }

    fn share(limit: u64) -> Self {
        let files = (limit / 2).clamp(64, 1 << 20);
        let connections = limit.saturating_sub(files + OTHERS_MAX.min(limit / 8)).max(16);
        let count = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
        Self { files: count(files), connections: count(connections) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_get_half_and_connections_not_all_of_the_rest() {
        for (limit, files, connections) in
            [(256, 128, 96), (1024, 512, 384), (20_000, 10_000, 8976), (1 << 20, 1 << 19, (1 << 19) - 1024)]
        {
            assert_eq!(Descriptors::share(limit), Descriptors { files, connections }, "{limit}");
        }
        assert!(Descriptors::share(u64::MAX).files <= 1 << 20);
    }
}
