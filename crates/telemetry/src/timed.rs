//! How much of a request's time went into work, and how much into waiting.

use std::cell::Cell;
use std::future::poll_fn;
use std::pin::pin;
use std::time::Duration;

thread_local! {
    /// Of the future that this thread works on: for how long it was worked on before, and when this thread began.
    static AT_WORK: Cell<Option<(Duration, Duration)>> = const { Cell::new(None) };
}

/// Runs a future to its end; returns what it gave and how long it was being worked on, without the time in which it waited
/// for something else: a disk, a timer, other clients, another node.
pub async fn timed<F: Future>(future: F, now: impl Fn() -> Duration) -> (F::Output, Duration) {
    let mut future = pin!(future);
    let mut worked = Duration::ZERO;
    let output = poll_fn(|context| {
        let started = now();
        let outer = AT_WORK.replace(Some((worked, started)));
        let polled = future.as_mut().poll(context);
        AT_WORK.set(outer);
        worked += now().saturating_sub(started);
        polled
    })
    .await;
    (output, worked)
}

/// Returns for how long the future that is [`timed`] and asks this was worked on until `now`; zero if none is timed.
pub fn worked_so_far(now: Duration) -> Duration {
    AT_WORK.get().map_or(Duration::ZERO, |(before, started)| before + now.saturating_sub(started))
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[tokio::test]
    async fn the_time_between_polls_is_not_work() {
        let clock = Cell::new(Duration::ZERO);
        let pass = |ms| clock.set(clock.get() + Duration::from_millis(ms));
        let mut polls = 0;
        let future = poll_fn(|context| {
            pass(3);
            polls += 1;
            assert_eq!(worked_so_far(clock.get()), Duration::from_millis(3 * polls));
            context.waker().wake_by_ref();
            if polls < 3 { std::task::Poll::Pending } else { std::task::Poll::Ready("done") }
        });
        let timed = timed(future, || clock.get());
        let passing = async {
            for _ in 0..2 {
                pass(100);
                tokio::task::yield_now().await;
            }
        };
        let ((output, worked), ()) = tokio::join!(timed, passing);
        assert_eq!((output, worked), ("done", Duration::from_millis(9)));
        assert_eq!(worked_so_far(clock.get()), Duration::ZERO, "nothing is timed any more");
    }
}
