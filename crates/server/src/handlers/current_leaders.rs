//! What answers say of a partition that is led elsewhere: its leader, the leader's epoch, and where the leader is.
//!
//! KIP-951.

use metadata::{MetadataImage, TopicImage};
use model::NodeId;

use crate::broker::metadata_cache::{BrokerNode, node};

/// A leader and its epoch, in an answer of some API.
pub(super) trait CurrentLeader {
    /// Says them; -1 for none.
    fn new(leader_id: i32, leader_epoch: i32) -> Self;
}

/// Where a broker is, in an answer of some API.
pub(super) trait NodeEndpoint {
    /// Says it.
    fn new(node: BrokerNode) -> Self;

    /// Which broker it is of.
    fn node_id(&self) -> i32;
}

macro_rules! said_by {
    ($($response:ident)*) => {
        $(
            impl CurrentLeader for protocol::$response::LeaderIdAndEpoch {
                fn new(leader_id: i32, leader_epoch: i32) -> Self {
                    Self { leader_id, leader_epoch, ..Default::default() }
                }
            }

            impl NodeEndpoint for protocol::$response::NodeEndpoint {
                fn new(BrokerNode { id, host, port, rack }: BrokerNode) -> Self {
                    Self { node_id: id.0, host, port, rack, ..Default::default() }
                }

                fn node_id(&self) -> i32 {
                    self.node_id
                }
            }
        )*
    };
}

said_by! { fetch_response produce_response share_acknowledge_response share_fetch_response }

/// Tells who leads a partition of `topic`.
pub(super) fn current_leader<L: CurrentLeader>(topic: Option<&TopicImage>, partition: i32) -> L {
    let state = topic.and_then(|topic| topic.partition(partition));
    state.map_or_else(|| L::new(-1, -1), |state| L::new(state.leader.0, state.leader_epoch.0))
}

/// Adds where `leader` is on `listener`, unless it is there already.
pub(super) fn add_endpoint<E: NodeEndpoint>(
    endpoints: &mut Vec<E>,
    image: &MetadataImage,
    leader: i32,
    listener: &str,
) {
    if leader < 0 || endpoints.iter().any(|endpoint| endpoint.node_id() == leader) {
        return;
    }
    endpoints.extend(node(image, NodeId(leader), listener).map(E::new));
}
