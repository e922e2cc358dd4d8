//! Waits for many futures at once, in one task.
//!
//! Invariant: when one of them wakes the task, only a few others are looked at, for clients say how many partitions a request has.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

/// How many futures are looked at together.
const TOGETHER: usize = 64;

/// A future, and its output once that is there.
type One<F> = (Pin<Box<F>>, Option<<F as Future>::Output>);

/// Futures that share a waker.
struct Group<F: Future> {
    waiting: Vec<One<F>>,
    is_done: bool,
    woken: Arc<Woken>,
}

/// Says that a group is to be looked at.
struct Woken {
    group: usize,
    is_ready: AtomicBool,
    ready: Arc<Mutex<Ready>>,
}

/// The groups that are to be looked at, and whom to tell of them.
#[derive(Default)]
struct Ready {
    groups: Vec<usize>,
    task: Option<Waker>,
}

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        if self.is_ready.swap(true, Ordering::AcqRel) {
            return;
        }
        let mut ready = self.ready.lock().unwrap_or_else(PoisonError::into_inner);
        ready.groups.push(self.group);
        let task = ready.task.take();
        drop(ready);
        if let Some(task) = task {
            task.wake();
        }
    }
}

impl<F: Future> Group<F> {
    /// Looks at all that are not done; true if that were the last. A waker may come late.
    fn poll(&mut self) -> bool {
        if self.is_done {
            return false;
        }
        self.woken.is_ready.store(false, Ordering::Release);
        let waker = Waker::from(self.woken.clone());
        let mut context = Context::from_waker(&waker);
        self.is_done = true;
        for (future, output) in self.waiting.iter_mut().filter(|(_, output)| output.is_none()) {
            match future.as_mut().poll(&mut context) {
                Poll::Ready(value) => *output = Some(value),
                Poll::Pending => self.is_done = false,
            }
        }
        self.is_done
    }
}

fn grouped<F: Future>(futures: impl IntoIterator<Item = F>, ready: &Arc<Mutex<Ready>>) -> Vec<Group<F>> {
    let mut futures = futures.into_iter().peekable();
    let mut groups = Vec::new();
    while futures.peek().is_some() {
        let waiting = futures.by_ref().take(TOGETHER).map(|future| (Box::pin(future), None)).collect();
        let woken = Woken { group: groups.len(), is_ready: AtomicBool::new(true), ready: ready.clone() };
        groups.push(Group { waiting, is_done: false, woken: Arc::new(woken) });
    }
    groups
}

/// Returns the outputs of all `futures`, in their order.
pub async fn join_all<F: Future>(futures: impl IntoIterator<Item = F>) -> Vec<F::Output> {
    let ready = Arc::<Mutex<Ready>>::default();
    let mut groups = grouped(futures, &ready);
    let mut left = groups.len();
    let mut next: Vec<usize> = (0..left).collect();
    poll_fn(|context| {
        let mut waits = ready.lock().unwrap_or_else(PoisonError::into_inner);
        waits.task = Some(context.waker().clone());
        next.append(&mut waits.groups);
        drop(waits);
        for group in next.drain(..) {
            left -= usize::from(groups[group].poll());
        }
        if left == 0 { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    let outputs = groups.into_iter().flat_map(|group| group.waiting);
    outputs.map(|(_, output)| output.expect("every future is done")).collect()
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn outputs_come_in_the_order_of_the_futures_whoever_is_done_first() {
        let (first, second) = (oneshot::channel(), oneshot::channel());
        let sending = async {
            second.0.send(2).unwrap();
            tokio::task::yield_now().await;
            first.0.send(1).unwrap();
        };
        let (outputs, ()) = tokio::join!(join_all([first.1, second.1]), sending);
        assert_eq!(outputs, [Ok(1), Ok(2)]);
        assert_eq!(join_all(Vec::<std::future::Ready<()>>::new()).await, []);
    }

    /// This ends only where not all others are looked at for each that is done.
    #[tokio::test]
    async fn many_futures_may_be_done_one_after_the_other() {
        let many = 0..50_000_usize;
        let (senders, receivers): (Vec<_>, Vec<_>) = many.clone().map(|_| oneshot::channel()).unzip();
        let joined = tokio::spawn(join_all(receivers));
        for (number, sender) in many.clone().zip(senders).rev() {
            tokio::task::yield_now().await;
            sender.send(number).unwrap();
        }
        let outputs: Vec<_> = joined.await.unwrap().into_iter().map(Result::unwrap).collect();
        assert_eq!(outputs, many.collect::<Vec<_>>());
    }
}
