//! When batches go, in which order, and what memory they take; with a clock of our own.

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
    let partition = |partition_index| MetadataResponsePartition {
        partition_index,
        leader_id: NODE.0,
        leader_epoch: epoch,
        ..Default::default()
    };
    let topic = MetadataResponseTopic {
        name: Some("t".into()),
        partitions: (0..partitions).map(partition).collect(),
        ..Default::default()
    };
    let broker = MetadataResponseBroker { node_id: NODE.0, host: "h".into(), port: 1, ..Default::default() };
    let response = MetadataResponse { brokers: vec![broker], topics: vec![topic], ..Default::default() };
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

    fn idempotent() -> Self {
        let mut fixture = Self::new(Limits { idempotent: true, ..limits() });
        let identity = Identity { id: ProducerId(7), epoch: ProducerEpoch(0) };
        fixture.accumulator.sequences.take_identity(identity);
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
        let record = ProducerRecord::to("t").value(vec![b'x'; bytes]);
        let appended =
            self.accumulator.append(self.now, &self.metadata, &record, Some(partition), Timestamp(1), 0);
        match appended.expect("the record is valid") {
            Append::Taken { delivery, .. } => Some(delivery),
            Append::Full => None,
        }
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
    let error = told(delivery).expect("it has its fate").expect_err("it failed");
    assert_eq!(error.to_string(), "Expiring 1 record(s) for t-0:120000 ms has passed since batch creation");
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
fn batches_of_an_idempotent_producer_are_numbered_without_a_gap() {
    let mut fixture = Fixture::idempotent();
    for _ in 0..3 {
        fixture.append(0, 200);
        fixture.append(0, 200);
    }
    let ids: Vec<BatchId> = (0..3).map(|_| fixture.drain()[0]).collect();
    let numbers: Vec<_> = ids.into_iter().map(|id| fixture.number(id)).collect();
    assert_eq!(numbers, [Some((0, 0)), Some((0, 2)), Some((0, 4))]);
}

#[test]
fn retried_batches_go_in_the_order_of_their_numbers() {
    let mut fixture = Fixture::idempotent();
    for _ in 0..3 {
        fixture.append(0, 400);
    }
    let ids: Vec<BatchId> = (0..3).map(|_| fixture.drain()[0]).collect();
    for id in [ids[1], ids[0], ids[2]] {
        fixture.fail_once(id, ErrorCode::NOT_ENOUGH_REPLICAS);
    }
    fixture.pass(200);
    for id in ids {
        assert_eq!(fixture.drain(), [id]);
        assert!(fixture.drain().is_empty(), "the next waits until this one is written");
        fixture.accumulator.succeed(id, None, None);
    }
}

#[test]
fn retried_batches_keep_their_order_where_numbers_begin_again() {
    for order in [[0, 1, 2, 3], [3, 2, 1, 0], [1, 3, 0, 2], [2, 0, 3, 1]] {
        let mut fixture = Fixture::written_up_to(i32::MAX - 1);
        for _ in 0..4 {
            fixture.append(0, 400);
        }
        let ids: Vec<BatchId> = (0..4).map(|_| fixture.drain()[0]).collect();
        let numbers: Vec<_> = ids.iter().map(|id| fixture.number(*id)).collect();
        assert_eq!(numbers, [i32::MAX - 1, i32::MAX, 0, 1].map(|number| Some((0, number))));
        for at in order {
            fixture.fail_once(ids[at], ErrorCode::NOT_ENOUGH_REPLICAS);
        }
        fixture.pass(200);
        for id in ids {
            assert_eq!(fixture.drain(), [id], "failed in the order {order:?}");
            assert!(fixture.drain().is_empty(), "the next waits until this one is written");
            fixture.accumulator.succeed(id, None, None);
        }
        fixture.append(0, 480);
        let next = fixture.drain()[0];
        assert_eq!(fixture.number(next), Some((0, 2)));
    }
}

#[test]
fn a_new_epoch_numbers_batches_in_their_order_where_numbers_began_again() {
    let mut fixture = Fixture::written_up_to(i32::MAX - 1);
    for _ in 0..3 {
        fixture.append(0, 400);
    }
    let ids: Vec<BatchId> = (0..3).map(|_| fixture.drain()[0]).collect();
    for id in [ids[2], ids[1]] {
        fixture.fail_once(id, ErrorCode::NOT_ENOUGH_REPLICAS);
    }
    fixture.fail_once(ids[0], ErrorCode::UNKNOWN_PRODUCER_ID);
    let numbers: Vec<_> = ids.iter().map(|id| fixture.number(*id)).collect();
    assert_eq!(numbers, [Some((1, 0)), Some((1, 1)), Some((1, 2))]);
    fixture.pass(200);
    assert_eq!(fixture.drain(), [ids[0]]);
}

#[test]
fn parts_of_a_batch_go_in_their_order_where_numbers_begin_again() {
    let mut fixture = Fixture::written_up_to(i32::MAX - 2);
    fixture.accumulator.limits.batch_size = 5000;
    for _ in 0..10 {
        fixture.append(0, 200);
    }
    let whole = fixture.drain()[0];
    fixture.append(0, 480);
    let behind = fixture.drain()[0];
    fixture.fail_once(behind, ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER);
    fixture.accumulator.limits.batch_size = 500;
    assert!(fixture.accumulator.split(whole, fixture.now));
    fixture.pass(200);
    let mut number = i32::MAX - 2;
    for part in 0..5 {
        let id = fixture.drain()[0];
        assert_eq!(fixture.number(id), Some((0, number)), "part {part}");
        number = records::increment_sequence(number, fixture.accumulator.batches[&id].count);
        fixture.accumulator.succeed(id, None, None);
    }
    assert_eq!((fixture.drain(), number), (vec![behind], 7));
}

#[test]
fn no_number_is_given_out_twice_after_a_batch_was_refused_for_good() {
    let mut fixture = Fixture::idempotent();
    for _ in 0..3 {
        fixture.append(0, 400);
    }
    let ids: Vec<BatchId> = (0..2).map(|_| fixture.drain()[0]).collect();
    let refused = Fate::Failed(Error::broker(ErrorCode::INVALID_RECORD));
    fixture.accumulator.fail(ids[0], refused, true);
    // A broker that knew nothing of the producer has taken the second batch, with number 1 of epoch 0.
    fixture.accumulator.succeed(ids[1], Some(Offset(0)), None);
    fixture.accumulator.settle_sequences();
    let third = fixture.drain()[0];
    assert_eq!(fixture.number(third), Some((1, 0)), "number 1 of epoch 0 would be held for the second batch");
}

#[test]
fn answers_out_of_their_order_do_not_take_back_what_is_known_to_be_written() {
    let mut fixture = Fixture::idempotent();
    for _ in 0..3 {
        fixture.append(0, 400);
    }
    let ids: Vec<BatchId> = (0..3).map(|_| fixture.drain()[0]).collect();
    fixture.accumulator.succeed(ids[1], None, None);
    fixture.accumulator.succeed(ids[0], None, None);
    fixture.fail_once(ids[2], ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER);
    assert_eq!(fixture.number(ids[2]), Some((1, 0)), "it was the next one, so that only a new epoch helps");
}

#[test]
fn the_epoch_is_raised_when_the_fate_of_a_batch_cannot_be_known() {
    let mut fixture = Fixture::idempotent();
    for _ in 0..2 {
        fixture.append(0, 400);
    }
    let first = fixture.drain()[0];
    fixture.fail_once(first, ErrorCode::NOT_ENOUGH_REPLICAS);
    fixture.pass(120_000);
    fixture.append(0, 480);
    fixture.accumulator.expire(fixture.now);
    fixture.accumulator.settle_sequences();
    let next = fixture.drain()[0];
    assert_eq!(fixture.number(next), Some((1, 0)), "a new epoch begins at 0");
}

#[test]
fn the_first_batch_out_of_order_raises_the_epoch_and_keeps_its_records() {
    let mut fixture = Fixture::idempotent();
    fixture.append(0, 480);
    let first = fixture.drain()[0];
    fixture.fail_once(first, ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER);
    assert_eq!(fixture.number(first), Some((1, 0)));
    fixture.pass(200);
    assert_eq!(fixture.drain(), [first]);
}

#[test]
fn keys_decide_partitions_and_records_without_stick() {
    let mut fixture = Fixture::new(limits());
    let mut partition_of = |record: ProducerRecord, chance| {
        let appended =
            fixture.accumulator.append(fixture.now, &fixture.metadata, &record, None, Timestamp(1), chance);
        assert!(matches!(appended, Ok(Append::Taken { .. })));
        let last = *fixture.accumulator.batches.keys().next_back().expect("there is one");
        fixture.accumulator.batches[&last].partition.partition
    };
    assert_eq!(partition_of(ProducerRecord::to("t").value(vec![0; 10]), 1), 1);
    assert_eq!(partition_of(ProducerRecord::to("t").value(vec![0; 10]), 0), 1, "the partition is kept");
    let expected = partition_for_key(b"key", 2);
    assert_eq!(partition_of(ProducerRecord::to("t").key("key"), 0), expected);
}
