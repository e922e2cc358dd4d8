//! When batches go, in which order, and what memory they take; with a clock of our own.

mod numbers;

use std::pin::pin;
use std::task::{Context, Poll, Waker};

use model::{LeaderEpoch, Offset, ProducerEpoch, ProducerId};
use protocol::metadata_response::{MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic};
use protocol::{ErrorCode, MetadataResponse};

use super::super::batch::Work;
use super::super::delivery::Fate;
use super::super::sequences::Identity;
use super::drain::Ready;
use super::*;

const NODE: NodeId = NodeId(1);

/// Partitions 0 to `partitions` - 1 of topic `t` on node 1, with leaders of `epoch`.
fn metadata(partitions: i32, epoch: i32) -> ClusterMetadata {
    described((0..partitions).map(|_| NODE), epoch)
}

/// Partitions 0 and 1 of topic `t`, led by these.
fn led_by(leaders: [NodeId; 2]) -> ClusterMetadata {
    described(leaders, 0)
}

fn described(leaders: impl IntoIterator<Item = NodeId>, leader_epoch: i32) -> ClusterMetadata {
    let partition = |(index, leader): (usize, NodeId)| MetadataResponsePartition {
        partition_index: index as i32,
        leader_id: leader.0,
        leader_epoch,
        ..Default::default()
    };
    let topic = MetadataResponseTopic {
        name: Some("t".into()),
        partitions: leaders.into_iter().enumerate().map(partition).collect(),
        ..Default::default()
    };
    let broker =
        |node_id| MetadataResponseBroker { node_id, host: "h".into(), port: 1, ..Default::default() };
    let brokers = vec![broker(NODE.0), broker(2)];
    let response = MetadataResponse { brokers, topics: vec![topic], ..Default::default() };
    ClusterMetadata::default().updated(response, false)
}

fn limits() -> Limits {
    let map = crate::config_map([("bootstrap.servers", "h:1"), ("linger.ms", "10"), ("batch.size", "500")]);
    let config = ProducerConfig::from_map(&map).expect("a valid configuration");
    Limits { idempotent: false, ..Limits::new(&config) }
}

struct Fixture {
    accumulator: Accumulator,
    metadata: ClusterMetadata,
    now: Instant,
}

impl Fixture {
    fn new(limits: Limits) -> Self {
        Self { accumulator: Accumulator::new(limits), metadata: metadata(2, 0), now: Instant::now() }
    }

    /// An idempotent producer that begins.
    fn unknown() -> Self {
        let mut fixture = Self::new(Limits { idempotent: true, ..limits() });
        let identity = Identity { id: ProducerId(7), epoch: ProducerEpoch(0) };
        fixture.accumulator.sequences.take_identity(identity);
        fixture
    }

    /// An idempotent producer whose numbers begin, but of whom brokers have heard before.
    fn idempotent() -> Self {
        let mut fixture = Self::unknown();
        for partition in [0, 1].map(|index| TopicPartition::new("t", index)) {
            let sequences = &mut fixture.accumulator.sequences;
            let (identity, first) = sequences.assign(&partition, BatchId(u64::MAX), 1).expect("it has an id");
            sequences.acked(&partition, identity, first, 1);
        }
        let identity = Identity { id: ProducerId(7), epoch: ProducerEpoch(0) };
        fixture.accumulator.sequences.start_anew(identity);
        fixture
    }

    /// An idempotent producer whose records of partition 0 are written up to the number before `next`.
    fn written_up_to(next: i32) -> Self {
        let mut fixture = Self::idempotent();
        let (partition, before) = (TopicPartition::new("t", 0), BatchId(u64::MAX));
        let sequences = &mut fixture.accumulator.sequences;
        let (identity, first) = sequences.assign(&partition, before, next).expect("there is an identity");
        sequences.acked(&partition, identity, first, next);
        fixture
    }

    fn append(&mut self, partition: i32, bytes: usize) -> Option<Delivery> {
        self.append_in_turn(partition, bytes, None)
    }

    fn append_in_turn(&mut self, partition: i32, bytes: usize, turn: Option<Turn>) -> Option<Delivery> {
        let record = ProducerRecord::to("t").value(vec![b'x'; bytes]);
        let offer = Offer { record: &record, chosen: Some(partition), timestamp: Timestamp(1), turn };
        match self.accumulator.append(self.now, &self.metadata, &offer, 0).expect("the record is valid") {
            Append::Taken { delivery, .. } => Some(delivery),
            Append::Full => None,
        }
    }

    /// Takes in a record without a chosen partition; gives the partition that it came to.
    fn partition_of(&mut self, record: &ProducerRecord, chance: u64) -> i32 {
        let offer = Offer { record, chosen: None, timestamp: Timestamp(1), turn: None };
        let appended = self.accumulator.append(self.now, &self.metadata, &offer, chance);
        let Ok(Append::Taken { mut delivery, .. }) = appended else { panic!("there is memory") };
        assert!(told(&mut delivery).is_none(), "it waits");
        let last = |partition: &i32| {
            let queue = self.accumulator.queues.get(&TopicPartition::new("t", *partition));
            queue.and_then(|queue| queue.back()).copied()
        };
        (0..2).max_by_key(last).expect("there are two")
    }

    fn ready(&mut self) -> Ready {
        self.accumulator.ready(self.now, &self.metadata, |_| true)
    }

    fn drain(&mut self) -> Vec<BatchId> {
        let drained = self.accumulator.drain(self.now, &self.metadata, NODE);
        let mut ids = Vec::new();
        for batch in drained {
            ids.push(batch.id);
            if let Work::Build(builder) = batch.work {
                let plain = builder.uncompressed_size();
                let sealed = builder.build_batch().expect("it can be built");
                self.accumulator.sealed(batch.id, sealed, plain);
            }
        }
        ids
    }

    fn number(&self, id: BatchId) -> Option<(i16, i32)> {
        let (identity, sequence) = self.accumulator.batches[&id].numbered?;
        Some((identity.epoch.0, sequence))
    }

    fn pass(&mut self, millis: u64) {
        self.now += Duration::from_millis(millis);
    }

    fn fail_once(&mut self, id: BatchId, code: ErrorCode) {
        assert!(self.accumulator.can_retry(id, self.now, Some(code), code.is_retriable()));
        self.accumulator.retry(id, self.now);
        self.accumulator.settle_sequences();
    }
}

fn told<F: Future>(future: F) -> Option<F::Output> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}

#[test]
fn a_small_batch_waits_for_its_linger() {
    let mut fixture = Fixture::new(limits());
    fixture.append(0, 10);
    let ready = fixture.ready();
    assert!(ready.nodes.is_empty());
    assert_eq!(ready.next, Some(fixture.now + Duration::from_millis(10)));
    fixture.pass(10);
    assert_eq!(fixture.ready().nodes, BTreeSet::from([NODE]));
}

#[test]
fn a_full_batch_and_a_flush_do_not_wait() {
    let mut fixture = Fixture::new(limits());
    fixture.append(0, 300);
    fixture.append(0, 300);
    assert_eq!(fixture.ready().nodes, BTreeSet::from([NODE]));
    let mut fixture = Fixture::new(limits());
    fixture.append(0, 10);
    assert_eq!(fixture.accumulator.begin_flush().len(), 1);
    assert_eq!(fixture.ready().nodes, BTreeSet::from([NODE]));
    fixture.accumulator.end_flush();
    assert!(fixture.ready().nodes.is_empty());
}

#[test]
fn memory_is_taken_by_batches_and_given_back_by_their_fates() {
    let mut fixture = Fixture::new(Limits { buffer_memory: 1000, ..limits() });
    let delivery = fixture.append(0, 10).expect("there is room");
    assert!(fixture.append(1, 10).is_some(), "there is room");
    assert!(fixture.append(1, 10).is_some(), "the batch has room");
    assert!(fixture.append(1, 400).is_none(), "two batches take all");
    fixture.pass(10);
    let drained = fixture.drain();
    assert_eq!(drained.len(), 2);
    fixture.accumulator.succeed(drained[0], Some(Offset(40)), None);
    assert_eq!(fixture.accumulator.free_memory(), 500);
    let written = told(delivery).expect("it has its fate").expect("it is written");
    assert_eq!((written.offset, written.timestamp), (Some(Offset(40)), Timestamp(1)));
    assert!(fixture.append(1, 400).is_some(), "there is room again");
}

#[test]
fn a_large_record_that_waits_for_memory_is_not_overtaken() {
    let mut fixture = Fixture::new(Limits { buffer_memory: 1000, ..limits() });
    for partition in [0, 1] {
        fixture.append(partition, 400).map(drop).expect("there is room");
    }
    let drained = fixture.drain();
    assert!(fixture.append(0, 800).is_none(), "two batches take all");
    let turn = fixture.accumulator.starve();
    fixture.accumulator.succeed(drained[0], None, None);
    assert!(fixture.append(1, 10).is_none(), "the one who waits is first");
    assert!(fixture.append_in_turn(0, 800, Some(turn)).is_none(), "it needs more");
    fixture.accumulator.succeed(drained[1], None, None);
    assert!(fixture.append_in_turn(0, 800, Some(turn)).is_some(), "now there is room");
    fixture.accumulator.waits_no_more(turn);
    let large = fixture.drain();
    fixture.accumulator.succeed(large[0], None, None);
    assert!(fixture.append(1, 10).is_some(), "nobody waits any more");
}

#[test]
fn a_record_that_can_never_be_sent_is_refused() {
    let fixture = Fixture::new(Limits { max_request_size: 100, ..limits() });
    let refused = fixture.accumulator.check_size(&ProducerRecord::to("t").value(vec![0; 200]));
    assert!(matches!(refused, Err(Error::RecordTooLarge(_))));
}

#[test]
fn a_request_takes_one_batch_of_each_partition_up_to_its_size() {
    let mut fixture = Fixture::new(Limits { max_request_size: 600, ..limits() });
    for partition in [0, 0, 1, 1] {
        fixture.append(partition, 400);
    }
    assert_eq!(fixture.drain().len(), 1, "two would be too large");
    let second = fixture.drain();
    assert_eq!(fixture.accumulator.batches[&second[0]].partition.partition, 1, "each partition has its turn");
}

#[test]
fn a_batch_that_failed_goes_again_first_after_its_backoff() {
    let mut fixture = Fixture::new(limits());
    for _ in 0..2 {
        fixture.append(0, 400);
    }
    let first = fixture.drain()[0];
    fixture.fail_once(first, ErrorCode::NOT_ENOUGH_REPLICAS);
    assert!(fixture.ready().nodes.is_empty());
    assert!(fixture.drain().is_empty(), "what comes later does not overtake it");
    fixture.pass(121);
    assert_eq!(fixture.drain(), [first]);
}

#[test]
fn a_new_leader_is_tried_at_once() {
    let mut fixture = Fixture::new(limits());
    fixture.append(0, 480);
    let first = fixture.drain()[0];
    fixture.fail_once(first, ErrorCode::NOT_LEADER_OR_FOLLOWER);
    assert!(fixture.drain().is_empty());
    fixture.metadata = metadata(2, 1);
    assert_eq!(fixture.drain(), [first]);
    assert_eq!(fixture.accumulator.batches[&first].leader_epoch, LeaderEpoch(1));
}

#[test]
fn with_one_request_in_flight_a_partition_waits_for_its_answer() {
    let mut fixture = Fixture::new(Limits { one_by_one: true, ..limits() });
    for _ in 0..2 {
        fixture.append(0, 400);
    }
    let first = fixture.drain();
    assert_eq!(first.len(), 1);
    fixture.pass(50);
    assert!(fixture.ready().nodes.is_empty() && fixture.drain().is_empty());
    fixture.accumulator.succeed(first[0], None, None);
    assert_eq!(fixture.drain().len(), 1);
}

#[test]
fn what_is_too_old_fails() {
    let mut fixture = Fixture::new(limits());
    let delivery = fixture.append(0, 10).expect("there is room");
    assert_eq!(fixture.accumulator.expire(fixture.now), Some(fixture.now + Duration::from_secs(120)));
    fixture.pass(120_000);
    assert_eq!(fixture.accumulator.expire(fixture.now), None);
    let error = told(delivery).expect("it has its fate").expect_err("it failed").to_string();
    assert!(
        error.starts_with("Expiring 1 record(s) for t-0:120000 ms has passed since batch creation. "),
        "{error}"
    );
}

#[test]
fn a_batch_that_is_too_large_is_sent_in_parts() {
    let mut fixture = Fixture::idempotent();
    fixture.accumulator.limits.batch_size = 5000;
    let deliveries: Vec<Delivery> = (0..10).map(|_| fixture.append(0, 200).expect("there is room")).collect();
    fixture.accumulator.limits.batch_size = 500;
    fixture.pass(10);
    let whole = fixture.drain()[0];
    assert!(fixture.accumulator.split(whole, fixture.now));
    let mut base = 100;
    while let Some(part) = fixture.drain().first().copied() {
        let count = fixture.accumulator.batches[&part].count;
        assert_eq!(fixture.number(part), Some((0, base - 100)));
        fixture.accumulator.succeed(part, Some(Offset(i64::from(base))), None);
        base += count;
    }
    assert_eq!(base, 110);
    for (at, delivery) in deliveries.into_iter().enumerate() {
        let written = told(delivery).expect("it has its fate").expect("it is written");
        assert_eq!(written.offset, Some(Offset(100 + at as i64)));
    }
}

#[test]
fn a_batch_that_is_too_large_for_its_topic_is_halved_until_it_is_taken() {
    let mut fixture = Fixture::idempotent();
    fixture.accumulator.limits.batch_size = 5000;
    let deliveries: Vec<Delivery> = (0..10).map(|_| fixture.append(0, 200).expect("there is room")).collect();
    fixture.pass(10);
    let mut written = 0;
    for _ in 0..20 {
        let Some(id) = fixture.drain().first().copied() else { break };
        if fixture.accumulator.batches[&id].size() > 600 {
            assert!(fixture.accumulator.split(id, fixture.now), "it has several records");
        } else {
            let count = fixture.accumulator.batches[&id].count;
            fixture.accumulator.succeed(id, Some(Offset(written)), None);
            written += i64::from(count);
        }
    }
    assert_eq!(written, 10, "a part of the size of the whole would be refused for ever");
    for (at, delivery) in deliveries.into_iter().enumerate() {
        let metadata = told(delivery).expect("it has its fate").expect("it is written");
        assert_eq!(metadata.offset, Some(Offset(at as i64)));
    }
}

#[test]
fn a_part_that_failed_goes_again_before_what_is_behind_it_where_nothing_is_numbered() {
    let mut fixture = Fixture::new(Limits { one_by_one: true, batch_size: 5000, ..limits() });
    for _ in 0..4 {
        fixture.append(0, 200);
    }
    fixture.pass(10);
    let whole = fixture.drain()[0];
    fixture.append(0, 480);
    fixture.accumulator.limits.batch_size = 500;
    assert!(fixture.accumulator.split(whole, fixture.now));
    let first = fixture.drain()[0];
    fixture.accumulator.succeed(first, None, None);
    let last = fixture.drain()[0];
    fixture.fail_once(last, ErrorCode::NOT_ENOUGH_REPLICAS);
    fixture.pass(200);
    assert_eq!(fixture.drain(), [last]);
}

#[test]
fn keys_decide_partitions_and_records_without_stick() {
    let mut fixture = Fixture::new(limits());
    assert_eq!(fixture.partition_of(&small(), 1), 1);
    assert_eq!(fixture.partition_of(&small(), 0), 1, "the partition is kept");
    assert_eq!(fixture.partition_of(&ProducerRecord::to("t").key("key"), 0), partition_for_key(b"key", 2));
}

fn small() -> ProducerRecord {
    ProducerRecord::to("t").value(vec![0; 10])
}

#[test]
fn records_without_a_key_change_their_partition_between_batches() {
    let mut fixture = Fixture::new(limits());
    let record = ProducerRecord::to("t").value(vec![0; 250]);
    for nth in 0..2 {
        assert_eq!(fixture.partition_of(&record, 0), 0, "too little was written for a change");
        fixture.pass(10);
        assert_eq!(fixture.drain().len(), 1, "batch {nth} is not full, and goes by its linger");
    }
    let other = 1 << 7;
    assert_eq!(fixture.partition_of(&record, other), 1, "no batch is begun that would be left behind");
}

#[test]
fn partitions_of_a_node_that_takes_nothing_for_long_are_not_chosen() {
    let timeout = Duration::from_millis(100);
    let mut fixture = Fixture::new(Limits { availability_timeout: timeout, ..limits() });
    let slow = NodeId(2);
    fixture.metadata = led_by([NODE, slow]);
    fixture.append(1, 480);
    for _ in 0..4 {
        fixture.accumulator.ready(fixture.now, &fixture.metadata, |node| node != slow);
        fixture.pass(80);
    }
    assert_eq!(fixture.partition_of(&small(), 1), 0);
}
