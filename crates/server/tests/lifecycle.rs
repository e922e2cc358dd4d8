//! A broker's life as the controller sees it: what it knows of one that stops, and whom it lets in.

#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

#[path = "harness/harness.rs"]
mod harness;

use std::path::Path;
use std::sync::Arc;

use harness::{TestNode, options, real_world};
use model::NodeId;
use server::broker::start::ControllerLink;
use server::controller::ControllerService;
use server::node::PreparedNode;

const UNANNOUNCED: &str = "controlled.shutdown.enable=false";

/// Stops a broker that leads a partition; tells whether the controller knew of that before it was done.
async fn is_announced(overrides: &[&str]) -> bool {
    let dir = tempfile::tempdir().unwrap();
    let node = TestNode::start(dir.path(), overrides).await;
    node.client().await.create_topic("t", 1, &[]).await;
    let controller = node.stop_broker().await;
    let own = controller.image().cluster().broker(NodeId(1)).cloned().unwrap();
    harness::stop_controller(controller).await;

    let node = TestNode::start(dir.path(), overrides).await;
    node.client().await.wait_for_topic("t").await;
    node.stop().await;
    own.fenced || own.in_controlled_shutdown
}

#[tokio::test]
async fn a_broker_asks_before_it_stops() {
    assert!(is_announced(&[]).await);
}

#[tokio::test]
async fn a_broker_without_controlled_shutdown_goes_unannounced() {
    assert!(!is_announced(&[UNANNOUNCED]).await);
}

/// Starts a broker in place of one whose controller has not missed it yet; returns why that fails.
async fn refusal(
    dir: &Path,
    controller: &Arc<ControllerService>,
    cluster_id: &str,
    patience: &str,
) -> String {
    let config = Arc::new(server::configuration(&options(dir, &[patience])).unwrap());
    let prepared = PreparedNode::new(config, real_world(), false).unwrap();
    let (channel, service) = (controller.clone(), controller.clone());
    let link = ControllerLink { channel, images: controller.subscribe(), service };
    prepared.start(cluster_id.to_owned(), link).await.expect_err("another is in its place").to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_is_not_let_in_gives_up() {
    for (patience, told) in [
        ("initial.broker.registration.timeout.ms=200", "register with the controller quorum within 200 ms"),
        ("server.max.startup.time.ms=300", "not ready after 300 ms"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let node = TestNode::start(dir.path(), &[UNANNOUNCED, "broker.session.timeout.ms=60000"]).await;
        let cluster_id = node.node.broker().cluster_id.clone();
        let controller = node.stop_broker().await;
        let why = refusal(dir.path(), &controller, &cluster_id, patience).await;
        assert!(why.contains(told), "{why}");
        harness::stop_controller(controller).await;
    }
}
