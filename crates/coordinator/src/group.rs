//! The group coordinator as the server calls it: one method for each API, answers as Kafka's at every version.
//!
//! The caller authorizes, checks that topics exist, and turns topic ids into names. What a version cannot say is adapted
//! here. Kafka: `GroupCoordinatorService`.

mod consumer;
mod context;
mod machine_runner;
mod offset_fetch;
mod record;
mod refuse;
mod share;
mod streams;

pub use context::ClientContext;
pub use offset_fetch::{offset_fetch_groups, offset_fetch_response};

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use coordinators::group::{
    DeletedTopic, GroupCoordinatorConfig, GroupCounts, GroupMachine, GroupOutcome, GroupRequest,
    GroupResponse, MetadataChange, Producer,
};
use machine::Now;
use metadata::{MetadataDelta, MetadataImage};
use model::LeaderEpoch;
use protocol::delete_groups_response::DeletableGroupResult;
use protocol::describe_groups_response::DescribedGroup;
use protocol::leave_group_request::MemberIdentity;
use protocol::offset_fetch_request::OffsetFetchRequestGroup;
use protocol::offset_fetch_response::OffsetFetchResponseGroup;
use protocol::{
    ErrorCode, HeartbeatRequest, HeartbeatResponse, JoinGroupRequest, JoinGroupResponse, LeaveGroupRequest,
    LeaveGroupResponse, ListGroupsRequest, ListGroupsResponse, OffsetCommitRequest, OffsetCommitResponse,
    OffsetDeleteRequest, OffsetDeleteResponse, SyncGroupRequest, SyncGroupResponse, TxnOffsetCommitRequest,
    TxnOffsetCommitResponse,
};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::JoinHandle;
use world::chance::Chance;
use world::clock::Clock;

use crate::metrics::{PartitionCounts, RuntimeMetrics};
use crate::partition::Told;
use crate::partition_log::PartitionLog;
use crate::runtime::{PartitionMachine, Runtime, RuntimeConfig};
use crate::share::Persister;
pub(crate) use refuse::client_error;
use refuse::fetch_error;

impl PartitionMachine for GroupMachine {
    fn loaded(&mut self, now: Now) -> GroupOutcome {
        Self::loaded(self, now)
    }
}

/// The coordinator of consumer groups, over the partitions of `__consumer_offsets` that this broker leads.
pub struct GroupCoordinator {
    runtime: Arc<Runtime<GroupMachine>>,
    config: Arc<GroupCoordinatorConfig>,
    chance: Arc<dyn Chance>,
    /// Where the states of share groups' partitions are kept.
    persister: Arc<dyn Persister>,
    /// What the machines ask for, until somebody begins to do it.
    work: Mutex<Option<UnboundedReceiver<Told<GroupResponse>>>>,
    /// The newest metadata, for machines that are still to begin.
    metadata: Arc<RwLock<Arc<MetadataImage>>>,
}

/// Takes the variant that a request is answered with; the machine answers each request with its own.
macro_rules! expect_response {
    ($variant:ident, $result:expr) => {
        match $result {
            Ok(GroupResponse::$variant(response)) => Ok(response),
            Ok(_) => Err(ErrorCode::UNKNOWN_SERVER_ERROR),
            Err(error) => Err(error),
        }
    };
}

impl GroupCoordinator {
    /// Makes a coordinator that leads no partition. `partition_count` is `offsets.topic.num.partitions`, or how many the
    /// topic has.
    pub fn new(
        config: GroupCoordinatorConfig,
        runtime: RuntimeConfig,
        partition_count: i32,
        clock: Arc<dyn Clock>,
        chance: Arc<dyn Chance>,
        persister: Arc<dyn Persister>,
    ) -> Self {
        let (runtime, work) = Runtime::new(runtime, clock, partition_count);
        Self {
            runtime: Arc::new(runtime),
            config: Arc::new(config),
            chance,
            persister,
            work: Mutex::new(Some(work)),
            metadata: Arc::default(),
        }
    }

    /// Begins to answer. Must be called within a tokio runtime.
    pub fn startup(&self) {
        if let Some(work) = self.work.lock().unwrap_or_else(PoisonError::into_inner).take() {
            let runtime = Arc::downgrade(&self.runtime);
            self.runtime.keep(tokio::spawn(machine_runner::run(runtime, work, self.persister.clone())));
        }
        self.runtime.start();
    }

    /// Hands out the tasks that were begun, none of which may fail while the node runs.
    pub fn tasks(&self) -> Vec<JoinHandle<()>> {
        self.runtime.take_tasks()
    }

    /// Ceases to answer; requests that wait are told to find another coordinator.
    pub fn shutdown(&self) {
        self.runtime.shutdown();
    }

    /// Takes in how many partitions `__consumer_offsets` has, once it exists.
    pub fn set_partition_count(&self, partition_count: i32) {
        self.runtime.set_partition_count(partition_count);
    }

    /// Returns the partition of `__consumer_offsets` that serves `group`.
    pub fn partition_for(&self, group: &str) -> i32 {
        self.runtime.partition_for(group)
    }

    /// Returns what is measured of requests and partitions.
    pub fn metrics(&self) -> &RuntimeMetrics {
        self.runtime.metrics()
    }

    /// Returns how many partitions of `__consumer_offsets` this broker leads, by how far they are.
    pub fn partition_counts(&self) -> PartitionCounts {
        self.runtime.partition_counts()
    }

    /// Counts the groups and offsets of the partitions that this broker leads.
    pub fn counts(&self) -> GroupCounts {
        let mut counts = GroupCounts::default();
        self.runtime.look(|machine| machine.add_counts(&mut counts));
        counts
    }

    fn metadata(&self) -> Arc<MetadataImage> {
        self.metadata.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes in new metadata and how it differs from the metadata before, which consumer groups follow.
    pub fn on_new_metadata(&self, image: Arc<MetadataImage>, delta: &MetadataDelta) {
        *self.metadata.write().unwrap_or_else(PoisonError::into_inner) = image.clone();
        let change = Arc::new(MetadataChange::new(image, delta));
        for partition in self.runtime.partitions() {
            // One that is still loaded takes the newest metadata when it begins; one that is no longer led needs none.
            _ = self.runtime.tell(partition, GroupRequest::MetadataChanged(change.clone()));
        }
    }

    /// Begins to lead a partition of `__consumer_offsets`: its log is replayed in the background.
    pub fn on_partition_elected(&self, partition: i32, epoch: LeaderEpoch, log: Arc<dyn PartitionLog>) {
        let machine = GroupMachine::new(self.config.clone(), self.metadata());
        let metadata = self.metadata.clone();
        self.runtime.elect(partition, epoch, log, machine, move |machine| {
            machine.set_metadata(metadata.read().unwrap_or_else(PoisonError::into_inner).clone());
        });
    }

    /// Ceases to lead a partition of `__consumer_offsets`, at `epoch` or, without one, at any.
    pub fn on_partition_resigned(&self, partition: i32, epoch: Option<LeaderEpoch>) {
        self.runtime.resign(partition, epoch);
    }

    /// Wakes the timers that are due at the clock's present time; for simulations, where no task sleeps.
    pub fn wake_due(&self) {
        self.runtime.wake_due();
    }

    /// JoinGroup 0-9. Answers when the join phase ends, at once if there is no need to wait.
    pub async fn join_group(
        &self,
        context: &ClientContext,
        mut request: JoinGroupRequest,
    ) -> JoinGroupResponse {
        let version = context.api_version;
        if version == 0 {
            request.rebalance_timeout_ms = request.session_timeout_ms;
        }
        let joined = match self.check_join(&request) {
            Ok(()) => {
                let asked = context.to_request(&*self.chance);
                let group = request.group_id.clone();
                let joined = self.ask(&group, GroupRequest::Join(asked, request)).await;
                expect_response!(Join, joined).unwrap_or_else(|error| refuse::join(error, ""))
            }
            Err(error) => refuse::join(error, &request.member_id),
        };
        refuse::adapt_join(joined, version)
    }

    fn check_join(&self, request: &JoinGroupRequest) -> Result<(), ErrorCode> {
        self.runtime.check_serving()?;
        check_group_id(&request.group_id)?;
        let timeout = i128::from(request.session_timeout_ms);
        let bounds = [self.config.min_session_timeout, self.config.max_session_timeout];
        let [min, max] = bounds.map(|bound| i128::try_from(bound.as_millis()).unwrap_or(i128::MAX));
        if (min..=max).contains(&timeout) { Ok(()) } else { Err(ErrorCode::INVALID_SESSION_TIMEOUT) }
    }

    /// SyncGroup 0-5. Answers when the leader has brought the assignment.
    pub async fn sync_group(&self, context: &ClientContext, request: SyncGroupRequest) -> SyncGroupResponse {
        let names_protocol = request.protocol_type.is_some() && request.protocol_name.is_some();
        if context.api_version >= 5 && !names_protocol {
            return refuse::sync(ErrorCode::INCONSISTENT_GROUP_PROTOCOL);
        }
        let group = request.group_id.clone();
        let synced = self.ask_about(&group, GroupRequest::Sync(request)).await;
        expect_response!(Sync, synced).unwrap_or_else(refuse::sync)
    }

    /// Heartbeat 0-4. While the group is loaded, members are left in peace.
    pub async fn heartbeat(&self, request: HeartbeatRequest) -> HeartbeatResponse {
        let group = request.group_id.clone();
        let beat = self.ask_about(&group, GroupRequest::Heartbeat(request)).await;
        expect_response!(Heartbeat, beat).unwrap_or_else(|error| match error {
            ErrorCode::COORDINATOR_LOAD_IN_PROGRESS => HeartbeatResponse::default(),
            error_code => HeartbeatResponse { error_code, ..Default::default() },
        })
    }

    /// LeaveGroup 0-5; up to v2 there is one member, and its error is the whole answer's.
    pub async fn leave_group(
        &self,
        context: &ClientContext,
        mut request: LeaveGroupRequest,
    ) -> LeaveGroupResponse {
        let version = context.api_version;
        if version < 3 {
            let member_id = std::mem::take(&mut request.member_id);
            request.members = vec![MemberIdentity { member_id, ..Default::default() }];
        }
        let group = request.group_id.clone();
        let left = self.ask_about(&group, GroupRequest::Leave(request)).await;
        let left = expect_response!(Leave, left)
            .unwrap_or_else(|error_code| LeaveGroupResponse { error_code, ..Default::default() });
        refuse::adapt_leave(left, version)
    }

    /// DescribeGroups 0-6, in the order of `groups`; authorized operations are the caller's to fill in.
    pub async fn describe_groups(&self, context: &ClientContext, groups: Vec<String>) -> Vec<DescribedGroup> {
        let order = order_of(&groups);
        let mut described = Vec::with_capacity(groups.len());
        for (partition, groups) in self.by_partition(groups) {
            let request = GroupRequest::Describe(context.api_version, groups.clone());
            let answer = expect_response!(Describe, self.ask_partition(partition, request).await);
            described.extend(answer.unwrap_or_else(|error| refuse::describe(groups, error)));
        }
        described.sort_by_key(|group| order.get(&group.group_id).copied());
        described
    }

    /// ListGroups 0-5: the groups of all partitions that this broker leads.
    pub async fn list_groups(&self, request: ListGroupsRequest) -> ListGroupsResponse {
        let mut groups = Vec::new();
        if let Err(error_code) = self.runtime.check_serving() {
            return ListGroupsResponse { error_code, ..Default::default() };
        }
        for partition in self.runtime.partitions() {
            let answer = self.ask_partition(partition, GroupRequest::List(request.clone())).await;
            match expect_response!(List, answer) {
                Ok(listed) => groups.extend(listed),
                // It was led a moment ago.
                Err(ErrorCode::NOT_COORDINATOR) => {}
                Err(error_code) => return ListGroupsResponse { error_code, ..Default::default() },
            }
        }
        ListGroupsResponse { groups, ..Default::default() }
    }

    /// DeleteGroups 0-3, one result for each of `groups`, in their order.
    pub async fn delete_groups(&self, groups: Vec<String>) -> Vec<DeletableGroupResult> {
        let order = order_of(&groups);
        let mut results = Vec::with_capacity(groups.len());
        for (partition, mut groups) in self.by_partition(groups) {
            match self.forget_share_groups(partition, &groups).await {
                Ok(refused) => {
                    let named: BTreeSet<&str> = refused.iter().map(|refused| &*refused.group_id).collect();
                    groups.retain(|group| !named.contains(group.as_str()));
                    results.extend(refused);
                }
                Err(error) => {
                    results.extend(refuse::delete(groups, error));
                    continue;
                }
            }
            let answer = self.ask_partition(partition, GroupRequest::Delete(groups.clone())).await;
            let deleted = expect_response!(Delete, answer);
            results.extend(deleted.unwrap_or_else(|error| refuse::delete(groups, error)));
        }
        results.sort_by_key(|result| order.get(&result.group_id).copied());
        results
    }

    /// OffsetCommit 2-10. Topics have names; where the client sent ids, both.
    pub async fn commit_offsets(
        &self,
        context: &ClientContext,
        request: OffsetCommitRequest,
    ) -> OffsetCommitResponse {
        let refused = refuse::offset_commit(&request);
        let group = request.group_id.clone();
        let asked = context.to_request(&*self.chance);
        let committed = self.ask(&group, GroupRequest::OffsetCommit(asked, request)).await;
        expect_response!(OffsetCommit, committed).unwrap_or_else(|error| refused.with_error(error))
    }

    /// TxnOffsetCommit 0-6. The caller has verified that the partition is part of the transaction.
    pub async fn commit_transactional_offsets(
        &self,
        request: TxnOffsetCommitRequest,
    ) -> TxnOffsetCommitResponse {
        let refused = refuse::txn_offset_commit(&request);
        let group = request.group_id.clone();
        let committed = self.ask_about(&group, GroupRequest::TxnOffsetCommit(request)).await;
        expect_response!(TxnOffsetCommit, committed).unwrap_or_else(|error| refused.with_error(error))
    }

    /// OffsetFetch of one group; [`offset_fetch_groups`] and [`offset_fetch_response`] go between it and the versions.
    pub async fn fetch_offsets(
        &self,
        context: &ClientContext,
        request: OffsetFetchRequestGroup,
        require_stable: bool,
    ) -> OffsetFetchResponseGroup {
        let refused = refuse::OffsetFetch::new(&request, context.api_version);
        let partition = self.partition_for(&request.group_id);
        let fetched = match self.runtime.check_serving() {
            Ok(()) => {
                let request = GroupRequest::OffsetFetch { group: request, require_stable };
                self.runtime.submit(partition, request).await
            }
            Err(error) => Err(error),
        };
        expect_response!(OffsetFetch, fetched).unwrap_or_else(|error| refused.with_error(fetch_error(error)))
    }

    /// OffsetDelete 0.
    pub async fn delete_offsets(&self, request: OffsetDeleteRequest) -> OffsetDeleteResponse {
        let group = request.group_id.clone();
        let deleted = self.ask_about(&group, GroupRequest::OffsetDelete(request)).await;
        let refuse = |error_code| OffsetDeleteResponse { error_code, ..Default::default() };
        expect_response!(OffsetDelete, deleted).unwrap_or_else(refuse)
    }

    /// Removes the offsets of topics that were deleted, in all partitions that this broker leads.
    pub async fn on_topics_deleted(&self, topics: Vec<DeletedTopic>) {
        for partition in self.runtime.partitions() {
            if let Err(error) =
                self.ask_partition(partition, GroupRequest::TopicsDeleted(topics.clone())).await
            {
                tracing::warn!(
                    partition,
                    error = error.name(),
                    "offsets of deleted topics could not be removed"
                );
            }
        }
    }

    /// Ends a producer's transaction in a partition of `__consumer_offsets`: WriteTxnMarkers for this topic.
    pub async fn complete_transaction(
        &self,
        partition: i32,
        producer: Producer,
        coordinator_epoch: i32,
        commit: bool,
    ) -> Result<(), ErrorCode> {
        self.runtime.check_serving()?;
        let request = GroupRequest::EndTransaction { producer, coordinator_epoch, commit };
        self.runtime.submit(partition, request).await.map(|_| ())
    }

    /// Asks about a group that must have a name.
    async fn ask_about(&self, group: &str, request: GroupRequest) -> Result<GroupResponse, ErrorCode> {
        self.runtime.check_serving()?;
        check_group_id(group)?;
        self.ask(group, request).await
    }

    async fn ask(&self, group: &str, request: GroupRequest) -> Result<GroupResponse, ErrorCode> {
        self.ask_partition(self.partition_for(group), request).await
    }

    async fn ask_partition(&self, partition: i32, request: GroupRequest) -> Result<GroupResponse, ErrorCode> {
        self.runtime.check_serving()?;
        self.runtime.submit(partition, request).await.map_err(client_error)
    }

    fn by_partition(&self, groups: Vec<String>) -> BTreeMap<i32, Vec<String>> {
        let mut by_partition: BTreeMap<i32, Vec<String>> = BTreeMap::new();
        for group in groups {
            by_partition.entry(self.partition_for(&group)).or_default().push(group);
        }
        by_partition
    }
}

/// Tells at which place each group was asked for first.
fn order_of(groups: &[String]) -> HashMap<String, usize> {
    groups.iter().enumerate().rev().map(|(place, group)| (group.clone(), place)).collect()
}

fn check_group_id(group: &str) -> Result<(), ErrorCode> {
    if group.is_empty() { Err(ErrorCode::INVALID_GROUP_ID) } else { Ok(()) }
}
