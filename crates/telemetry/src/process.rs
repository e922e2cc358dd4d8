//! What the process uses, under the names that all Prometheus clients give it.
//!
//! Kafka has none of these; its Java machine's stand in `java.lang:*`.

use std::fmt;
use std::fs;

use crate::{Metric, Page, Source};

const CPU: Metric = Metric::new("process:name=cpu_seconds", "Seconds of CPU used, by user and system");
const RESIDENT: Metric = Metric::new("process:name=resident_memory_bytes", "Bytes of memory in use");
const OPEN_FDS: Metric = Metric::new("process:name=open_fds", "Open file descriptors");
const MAX_FDS: Metric = Metric::new("process:name=max_fds", "File descriptors that may be open");

/// The process itself.
#[derive(Clone, Copy, Debug, Default)]
pub struct ProcessSource;

impl Source for ProcessSource {
    /// What the system does not tell is left out.
    fn write(&self, page: &mut Page<'_>) -> fmt::Result {
        if let Some(seconds) = cpu_seconds() {
            page.counter_of_seconds(CPU, seconds)?;
        }
        if let Some(bytes) = resident_bytes() {
            page.gauge(RESIDENT, bytes)?;
        }
        if let Ok(open) = fs::read_dir("/proc/self/fd") {
            page.gauge(OPEN_FDS, open.count() as f64)?;
        }
        let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
        page.gauge(MAX_FDS, limit.map_or(f64::INFINITY, |limit| limit as f64))
    }
}

/// Fields 14 and 15 of `/proc/self/stat`, counted after the name, which may hold anything.
fn cpu_seconds() -> Option<f64> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let ticks = fields.next()?.parse::<u64>().ok()? + fields.next()?.parse::<u64>().ok()?;
    Some(ticks as f64 / rustix::param::clock_ticks_per_second() as f64)
}

/// The second field of `/proc/self/statm`, in pages.
fn resident_bytes() -> Option<f64> {
    let statm = fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = statm.split_whitespace().nth(1)?.parse().ok()?;
    Some((pages * rustix::param::page_size() as u64) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_tells_what_this_process_uses() {
        assert!(cpu_seconds().is_some_and(|seconds| seconds >= 0.0));
        assert!(resident_bytes().is_some_and(|bytes| bytes > 100_000.0));
    }
}
