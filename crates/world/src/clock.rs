//! Time: a wall clock for timestamps and a monotonic one for timers.

use std::sync::Mutex;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Tells the time.
pub trait Clock: Send + Sync + std::fmt::Debug {
    /// Milliseconds since 1970-01-01T00:00Z.
    fn wall_ms(&self) -> i64;
    /// Time since the clock was made; never goes back.
    fn monotonic(&self) -> Duration;
}

/// The machine's clocks.
#[derive(Debug)]
pub struct RealClock {
    start: Instant,
}

impl Default for RealClock {
    fn default() -> Self {
        Self { start: Instant::now() }
    }
}

impl Clock for RealClock {
    fn wall_ms(&self) -> i64 {
        SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64)
    }

    fn monotonic(&self) -> Duration {
        self.start.elapsed()
    }
}

/// A clock that stands still until it is told to go on; for tests and the simulator.
#[derive(Debug)]
pub struct FakeClock {
    wall_ms_at_start: i64,
    elapsed: Mutex<Duration>,
}

impl FakeClock {
    /// Makes a clock that shows `wall_ms` and a monotonic time of zero.
    pub fn at(wall_ms: i64) -> Self {
        Self { wall_ms_at_start: wall_ms, elapsed: Mutex::new(Duration::ZERO) }
    }

    /// Moves both clocks on.
    pub fn advance(&self, by: Duration) {
        *self.elapsed.lock().expect("no holder panics") += by;
    }
}

impl Clock for FakeClock {
    fn wall_ms(&self) -> i64 {
        self.wall_ms_at_start + self.monotonic().as_millis() as i64
    }

    fn monotonic(&self) -> Duration {
        *self.elapsed.lock().expect("no holder panics")
    }
}
