//! Tasks and threads without which a node would do only half of its work: if one of them panics, the node stops.
//!
//! Kafka: `ProcessTerminatingFaultHandler`.

use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Watches over tasks and threads, and tells if one of them failed.
#[derive(Clone, Debug)]
pub struct Essential {
    failed: watch::Sender<Option<String>>,
}

impl Default for Essential {
    fn default() -> Self {
        Self { failed: watch::Sender::new(None) }
    }
}

/// Lives as long as a thread does its work.
#[derive(Debug)]
pub struct AtWork {
    essential: Essential,
    name: &'static str,
}

impl Essential {
    /// Watches over a task. Must be called within a tokio runtime.
    pub fn watch(&self, name: &'static str, task: JoinHandle<()>) {
        let at_work = self.at_work(name);
        tokio::spawn(async move {
            if task.await.is_err_and(|error| error.is_panic()) {
                at_work.fail();
            }
        });
    }

    /// Watches over the present thread until what comes back is dropped.
    pub fn at_work(&self, name: &'static str) -> AtWork {
        AtWork { essential: self.clone(), name }
    }

    /// Tells when one of them failed, and which.
    pub fn failure(&self) -> watch::Receiver<Option<String>> {
        self.failed.subscribe()
    }
}

impl AtWork {
    fn fail(&self) {
        let what = format!("{} panicked, without which the node cannot go on", self.name);
        tracing::error!("{what}");
        self.essential.failed.send_replace(Some(what));
    }
}

impl Drop for AtWork {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.fail();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_task_that_panics_is_told_of_and_one_that_ends_is_not() {
        let essential = Essential::default();
        let mut failure = essential.failure();
        let (task, ended) = (tokio::spawn(async {}), tokio::sync::oneshot::channel::<()>());
        essential.watch("what ends", task);
        let at_work = essential.at_work("a thread that ends");
        std::thread::spawn(move || drop((at_work, ended.0))).join().unwrap();
        assert!(ended.1.await.is_err() && failure.borrow().is_none());
        essential.watch("what fails", tokio::spawn(async { panic!("as it is to") }));
        let told = failure.wait_for(Option::is_some).await.unwrap().clone();
        assert!(told.unwrap().starts_with("what fails"));
    }

    #[test]
    fn a_thread_that_panics_is_told_of() {
        let essential = Essential::default();
        let at_work = essential.at_work("the thread");
        let ended = std::thread::spawn(move || {
            let _at_work = at_work;
            panic!("as it is to");
        });
        assert!(ended.join().is_err());
        assert!(essential.failure().borrow().as_ref().unwrap().starts_with("the thread"));
    }
}
