//! Threads without which a node would do half of its work: if one panics, it is told of, and the node can still be stopped.

#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

#[path = "harness/harness.rs"]
mod harness;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use harness::{TestNode, batch, produce_request};
use server::broker::start::World;
use world::chance::RealChance;
use world::clock::{Clock, RealClock};
use world::files::RealFiles;

/// A clock that makes threads panic whose names begin so.
#[derive(Debug)]
struct Trap {
    clock: RealClock,
    threads: &'static str,
}

impl Trap {
    fn check(&self) {
        let present = std::thread::current();
        assert!(!present.name().is_some_and(|name| name.starts_with(self.threads)), "as it is to");
    }
}

impl Clock for Trap {
    fn wall_ms(&self) -> i64 {
        self.check();
        self.clock.wall_ms()
    }

    fn monotonic(&self) -> Duration {
        self.check();
        self.clock.monotonic()
    }
}

async fn node_with_trap(threads: &'static str, dir: &Path) -> TestNode {
    let clock = Arc::new(Trap { clock: RealClock::default(), threads });
    let world = World { files: Arc::new(RealFiles), clock, chance: Arc::new(RealChance) };
    TestNode::start_in(world, dir, &[]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_whose_thread_for_syncs_panics_says_so_and_stops() {
    let dir = tempfile::tempdir().unwrap();
    let node = node_with_trap("monedula-sync-", dir.path()).await;
    let mut client = node.client().await;
    client.create_topic("t", 1, &[]).await;
    client.send(produce_request("t", 0, batch(&["never acknowledged"]), -1), 12).await;
    assert!(node.failure().await.starts_with("a thread that syncs logs panicked"));
    node.stop().await;
    assert!(client.is_closed().await, "who waited for the sync is not kept waiting");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_whose_thread_for_compaction_panics_says_so_and_stops() {
    let dir = tempfile::tempdir().unwrap();
    let node = node_with_trap("monedula-cleaner-", dir.path()).await;
    assert!(node.failure().await.starts_with("a thread that compacts logs panicked"));
    node.stop().await;
}
