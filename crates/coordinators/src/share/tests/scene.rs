//! A share machine with a clock that is moved by hand, and its log.

use std::sync::Arc;
use std::time::Duration;

use machine::{Machine, Now, Outcome, Ticket};
use metadata::MetadataImage;
use model::{NodeId, Offset, Timestamp, Uuid};
use protocol::{MetadataRecord, PartitionRecord, TopicRecord};

use crate::share::{
    ShareCoordinatorConfig, ShareMachine, SharePartitionKey, ShareRecord, ShareRequest, ShareResponse,
    ShareState, ShareStateError, ShareStateSummary, ShareStateWrite,
};

const TOPIC: Uuid = Uuid::from_u128(7);
const PARTITIONS: i32 = 3;

pub(super) fn key(partition: i32) -> SharePartitionKey {
    SharePartitionKey::new("group", TOPIC, partition)
}

pub(super) struct Scene {
    pub(super) config: ShareCoordinatorConfig,
    pub(super) machine: ShareMachine,
    pub(super) log: Vec<ShareRecord>,
    elapsed: Duration,
    image: Arc<MetadataImage>,
}

impl Scene {
    pub(super) fn new(config: ShareCoordinatorConfig) -> Self {
        let image = Arc::new(image());
        let mut machine = ShareMachine::new(config, image.clone());
        machine.loaded(Now::default());
        Self { config, machine, log: Vec::new(), elapsed: Duration::ZERO, image }
    }

    fn now(&self) -> Now {
        let wall = 1_000_000 + i64::try_from(self.elapsed.as_millis()).expect("scenes are short");
        Now { monotonic: self.elapsed, wall: Timestamp(wall) }
    }

    pub(super) fn ask(&mut self, request: ShareRequest) -> ShareResponse {
        let outcome = self.machine.handle(self.now(), Ticket(1), request);
        self.settle(outcome).pop().expect("each request is answered")
    }

    fn done(&mut self, request: ShareRequest) -> Result<(), ShareStateError> {
        match self.ask(request) {
            ShareResponse::Done(answer) => answer,
            other => panic!("{other:?}"),
        }
    }

    pub(super) fn initialize(
        &mut self,
        partition: i32,
        state_epoch: i32,
        start: i64,
    ) -> Result<(), ShareStateError> {
        let (key, start_offset) = (key(partition), Offset(start));
        self.done(ShareRequest::Initialize { key, state_epoch, start_offset })
    }

    pub(super) fn write(&mut self, partition: i32, write: ShareStateWrite) -> Result<(), ShareStateError> {
        self.done(ShareRequest::Write { key: key(partition), write })
    }

    pub(super) fn delete(&mut self, partition: i32) -> Result<(), ShareStateError> {
        self.done(ShareRequest::Delete(key(partition)))
    }

    pub(super) fn read(&mut self, partition: i32, leader_epoch: i32) -> Result<ShareState, ShareStateError> {
        match self.ask(ShareRequest::Read { key: key(partition), leader_epoch }) {
            ShareResponse::Read(answer) => answer,
            other => panic!("{other:?}"),
        }
    }

    pub(super) fn summary(&mut self, partition: i32) -> Result<ShareStateSummary, ShareStateError> {
        match self.ask(ShareRequest::Summarize(key(partition))) {
            ShareResponse::Summary(answer) => answer,
            other => panic!("{other:?}"),
        }
    }

    /// Moves the clock on, and returns what the machine then tells its shell.
    pub(super) fn advance(&mut self, by: Duration) -> Vec<ShareResponse> {
        let target = self.elapsed + by;
        let mut told = Vec::new();
        while let Some(deadline) = self.machine.poll_timeout().filter(|deadline| *deadline <= target) {
            self.elapsed = self.elapsed.max(deadline);
            let outcome = self.machine.handle_timeout(self.now());
            told.extend(self.settle(outcome));
        }
        self.elapsed = target;
        told
    }

    /// Replays the log, from `start` on, into a new machine.
    pub(super) fn restart_from(&mut self, start: usize) {
        let mut machine = ShareMachine::new(self.config, self.image.clone());
        for (offset, record) in self.log.iter().enumerate().skip(start) {
            machine.replay_at(offset_of(offset), through_bytes(record));
        }
        machine.loaded(self.now());
        self.machine = machine;
    }

    fn settle(&mut self, outcome: Outcome<ShareRecord, ShareResponse>) -> Vec<ShareResponse> {
        for record in outcome.records {
            self.machine.replay_at(offset_of(self.log.len()), through_bytes(&record));
            self.log.push(record);
        }
        outcome.answers.into_iter().map(|(_, answer)| answer).collect()
    }
}

fn offset_of(index: usize) -> Offset {
    Offset(i64::try_from(index).expect("logs are short"))
}

fn through_bytes(record: &ShareRecord) -> ShareRecord {
    let key = record.key_bytes().expect("records are written");
    let value = record.value_bytes().expect("records are written");
    let read = ShareRecord::from_bytes(key, value).expect("what was written is read");
    assert_eq!(&read, record);
    read
}

fn image() -> MetadataImage {
    let topic = TopicRecord { name: "topic".into(), topic_id: TOPIC, ..Default::default() };
    let partition = |partition_id| PartitionRecord {
        partition_id,
        topic_id: TOPIC,
        replicas: vec![NodeId(1).0],
        isr: vec![NodeId(1).0],
        leader: 1,
        ..Default::default()
    };
    let records = (0..PARTITIONS).map(|index| MetadataRecord::PartitionRecord(partition(index)));
    let mut image = MetadataImage::default();
    for record in std::iter::once(MetadataRecord::TopicRecord(topic)).chain(records) {
        image.replay(&record).expect("records fit");
    }
    image
}
