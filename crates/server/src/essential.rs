//! Tasks and threads without which a node would do only half of its work: if one of them panics, the node stops.
//!
//! Kafka: `ProcessTerminatingFaultHandler`.

use std::{io, thread};

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

/// Lives as long as a task or a thread does its work.
struct AtWork {
    essential: Essential,
    what: &'static str,
}

impl Essential {
    /// Watches over a task; what comes back ends when it does. Must be called within a tokio runtime.
    pub fn watch(&self, what: &'static str, task: JoinHandle<()>) -> JoinHandle<()> {
        let at_work = self.at_work(what);
        tokio::spawn(async move {
            if task.await.is_err_and(|error| error.is_panic()) {
                at_work.fail();
            }
        })
    }

    /// Starts a thread, which the system knows as `name`, and watches over it.
    ///
    /// # Errors
    /// No thread can be started.
    pub fn spawn(
        &self,
        what: &'static str,
        name: String,
        work: impl FnOnce() + Send + 'static,
    ) -> io::Result<thread::JoinHandle<()>> {
        let at_work = self.at_work(what);
        thread::Builder::new().name(name).spawn(move || {
            let _at_work = at_work;
            work();
        })
    }

    fn at_work(&self, what: &'static str) -> AtWork {
        AtWork { essential: self.clone(), what }
    }

    /// Tells when one of them failed, and which.
    pub fn failure(&self) -> watch::Receiver<Option<String>> {
        self.failed.subscribe()
    }
}

impl AtWork {
    fn fail(&self) {
        let what = format!("{} panicked, without which the node cannot go on", self.what);
        tracing::error!("{what}");
        self.essential.failed.send_replace(Some(what));
    }
}

impl Drop for AtWork {
    fn drop(&mut self) {
        if thread::panicking() {
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
        let ended = essential.watch("what ends", tokio::spawn(async {}));
        let thread = essential.spawn("a thread that ends", "ends".to_owned(), || {}).unwrap();
        assert!(ended.await.is_ok() && thread.join().is_ok() && failure.borrow().is_none());
        essential.watch("what fails", tokio::spawn(async { panic!("as it is to") }));
        let told = failure.wait_for(Option::is_some).await.unwrap().clone();
        assert!(told.unwrap().starts_with("what fails"));
    }

    #[test]
    fn a_thread_that_panics_is_told_of() {
        let essential = Essential::default();
        let thread = essential.spawn("the thread", "fails".to_owned(), || panic!("as it is to")).unwrap();
        assert!(thread.join().is_err());
        assert!(essential.failure().borrow().as_ref().unwrap().starts_with("the thread"));
    }
}
