//! Waits for several futures at once, in one task.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;

/// Returns the outputs of all `futures`, in their order.
pub async fn join_all<F: Future>(futures: impl IntoIterator<Item = F>) -> Vec<F::Output> {
    let mut waiting: Vec<Pin<Box<F>>> = futures.into_iter().map(Box::pin).collect();
    let mut done: Vec<Option<F::Output>> = waiting.iter().map(|_| None).collect();
    poll_fn(|context| {
        let mut all = true;
        for (future, output) in waiting.iter_mut().zip(&mut done) {
            if output.is_none() {
                match future.as_mut().poll(context) {
                    Poll::Ready(value) => *output = Some(value),
                    Poll::Pending => all = false,
                }
            }
        }
        if all { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    done.into_iter().map(|output| output.expect("every future is done")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn outputs_come_in_the_order_of_the_futures_whoever_is_done_first() {
        let (first, second) = (tokio::sync::oneshot::channel(), tokio::sync::oneshot::channel());
        let sending = async {
            second.0.send(2).unwrap();
            tokio::task::yield_now().await;
            first.0.send(1).unwrap();
        };
        let (outputs, ()) = tokio::join!(join_all([first.1, second.1]), sending);
        assert_eq!(outputs, [Ok(1), Ok(2)]);
    }
}
