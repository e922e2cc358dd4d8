//! Does what the group machines ask of their shell: the states of share groups' partitions are begun, and the machine told
//! how it went.
//!
//! Kafka: `GroupCoordinatorService.persisterInitialize`.

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};

use coordinators::group::{
    GroupMachine, GroupRequest, GroupResponse, ShareGroupRequest, ShareGroupResponse, SharePartitions,
};
use model::Offset;
use protocol::ErrorCode;
use tokio::sync::mpsc::UnboundedReceiver;

use super::share::{begin_states, first_error};
use crate::partition::Told;
use crate::runtime::Runtime;
use crate::share::Persister;

/// Where the leader of a partition is to choose where the group begins.
const NOT_CHOSEN: Offset = Offset(-1);

/// Does what the machines ask for, each in a task of its own, until the runtime is dropped.
pub(super) async fn run(
    runtime: Weak<Runtime<GroupMachine>>,
    mut work: UnboundedReceiver<Told<GroupResponse>>,
    persister: Arc<dyn Persister>,
) {
    while let Some(told) = work.recv().await {
        let GroupResponse::Share(ShareGroupResponse::BeginStates { group, state_epoch, partitions }) =
            told.response
        else {
            continue;
        };
        let (Some(runtime), persister) = (runtime.upgrade(), persister.clone()) else { return };
        let (partition, epoch, end) = (told.partition, told.epoch, told.end);
        tokio::spawn(async move {
            // Whoever leads the partition next begins the states that its log says are to begin.
            if runtime.committed(partition, epoch, end).await.is_ok() {
                let told = begin(&persister, group, state_epoch, partitions).await;
                tell(&runtime, partition, told);
            }
        });
    }
}

async fn begin(
    persister: &Arc<dyn Persister>,
    group: String,
    state_epoch: i32,
    partitions: SharePartitions,
) -> ShareGroupRequest {
    let offsets = partitions.iter().map(|(topic, indexes)| {
        (*topic, indexes.iter().map(|index| (*index, NOT_CHOSEN)).collect::<BTreeMap<_, _>>())
    });
    let verdicts = begin_states(persister, &group, state_epoch, &offsets.collect()).await;
    match verdicts.values().find_map(first_error) {
        None => ShareGroupRequest::StatesBegun(group, partitions),
        Some(error) => {
            tracing::error!(group, %error, "the states of a share group's partitions cannot be begun");
            ShareGroupRequest::StatesFailed(group, partitions)
        }
    }
}

fn tell(runtime: &Runtime<GroupMachine>, partition: i32, request: ShareGroupRequest) {
    match runtime.tell(partition, GroupRequest::Share(request)) {
        Ok(()) | Err(ErrorCode::NOT_COORDINATOR) => {}
        Err(error) => tracing::error!(
            partition,
            error = error.name(),
            "what became of a share group's states is not written: they are begun again"
        ),
    }
}
