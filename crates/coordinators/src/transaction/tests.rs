//! Tests of the transaction coordinator: each drives the machine as its shell does.

use std::collections::BTreeSet;
use std::time::Duration;

use ::machine::{Machine, Now, Ticket};
use model::{ProducerEpoch, ProducerId, Timestamp, TopicPartition};
use protocol::ErrorCode;

use super::*;

const TV1: TransactionVersion = TransactionVersion(1);
const TV2: TransactionVersion = TransactionVersion(2);

/// A machine, its log, and what it told the shell.
struct Bench {
    machine: TransactionMachine,
    log: Vec<TransactionRecord>,
    markers: Vec<Markers>,
    now_ms: i64,
    next_producer_id: i64,
}

impl Bench {
    fn new(level: TransactionVersion) -> Self {
        let machine = TransactionMachine::new(TransactionConfig::default(), level);
        Self { machine, log: Vec::new(), markers: Vec::new(), now_ms: 1_000_000, next_producer_id: 4000 }
    }

    fn now(&self) -> Now {
        Now { monotonic: Duration::from_millis(self.now_ms as u64), wall: Timestamp(self.now_ms) }
    }

    fn spare(&mut self) -> ProducerId {
        self.next_producer_id += 1;
        ProducerId(self.next_producer_id)
    }

    fn act(
        &mut self,
        outcome: ::machine::Outcome<TransactionRecord, TransactionResponse>,
    ) -> Option<TransactionResponse> {
        for record in outcome.records {
            self.log.push(record.clone());
            self.machine.replay(record);
        }
        let mut answer = None;
        for (ticket, response) in outcome.answers {
            match response {
                TransactionResponse::WriteMarkers(markers) => self.markers.push(markers),
                response => {
                    assert_eq!(ticket, Ticket(7));
                    answer = Some(response);
                }
            }
        }
        answer
    }

    fn ask(&mut self, request: TransactionRequest) -> TransactionResponse {
        let outcome = self.machine.handle(self.now(), Ticket(7), request);
        self.act(outcome).expect("a request is answered")
    }

    fn init(&mut self, expected: Option<Producer>) -> Result<Producer, ErrorCode> {
        let spare = self.spare();
        let transactional_id = "pay".to_owned();
        match self.ask(TransactionRequest::InitProducerId {
            transactional_id,
            timeout_ms: 60_000,
            expected,
            spare,
        }) {
            TransactionResponse::InitProducerId(result) => result,
            other => panic!("{other:?}"),
        }
    }

    fn add(&mut self, producer: Producer, client_version: TransactionVersion) -> Result<(), ErrorCode> {
        let partitions = BTreeSet::from([TopicPartition::new("orders", 0), TopicPartition::new("orders", 1)]);
        let transactional_id = "pay".to_owned();
        match self.ask(TransactionRequest::AddPartitions {
            transactional_id,
            producer,
            partitions,
            client_version,
        }) {
            TransactionResponse::AddPartitions(result) => result,
            other => panic!("{other:?}"),
        }
    }

    fn end(
        &mut self,
        producer: Producer,
        commit: bool,
        version: TransactionVersion,
    ) -> Result<Producer, ErrorCode> {
        let spare = self.spare();
        let transactional_id = "pay".to_owned();
        let request =
            TransactionRequest::EndTxn { transactional_id, producer, commit, client_version: version, spare };
        match self.ask(request) {
            TransactionResponse::EndTxn(result) => result,
            other => panic!("{other:?}"),
        }
    }

    fn write_markers(&mut self) {
        for markers in std::mem::take(&mut self.markers) {
            let Markers { transactional_id, producer, .. } = markers;
            let request = TransactionRequest::MarkersWritten { transactional_id, producer };
            let outcome = self.machine.handle(self.now(), Ticket::SHELL, request);
            assert_eq!(self.act(outcome), None);
        }
    }

    fn state(&self) -> TransactionState {
        self.machine.get("pay").expect("the id is known").state
    }

    fn set_epoch(&mut self, epoch: i16) -> Producer {
        let mut metadata = self.machine.get("pay").expect("the id is known").clone();
        metadata.producer.epoch = ProducerEpoch(epoch);
        let producer = metadata.producer;
        self.machine.replay(TransactionRecord {
            transactional_id: "pay".to_owned(),
            metadata: Some(metadata),
            level: TV2,
        });
        producer
    }
}

fn bumped(producer: Producer) -> Producer {
    Producer { epoch: ProducerEpoch(producer.epoch.0 + 1), ..producer }
}

#[test]
fn a_transaction_commits_and_its_markers_go_to_every_partition() {
    let mut bench = Bench::new(TV2);
    let producer = bench.init(None).expect("a new id");
    assert_eq!(producer.epoch, ProducerEpoch(0));
    bench.add(producer, TV2).expect("the producer is current");
    assert_eq!(bench.end(producer, true, TV2), Ok(bumped(producer)));
    assert_eq!(bench.state(), TransactionState::PrepareCommit);
    assert_eq!(bench.markers.len(), 1);
    assert_eq!(bench.markers[0].partitions.len(), 2);
    assert!(bench.markers[0].commit);
    assert_eq!(bench.markers[0].producer, bumped(producer), "at level 2 markers carry the raised epoch");
    bench.write_markers();
    assert_eq!(bench.state(), TransactionState::CompleteCommit);
}

#[test]
fn at_level_1_the_epoch_stays_and_the_answer_names_no_producer() {
    let mut bench = Bench::new(TV1);
    let producer = bench.init(None).expect("a new id");
    bench.add(producer, TV1).expect("the producer is current");
    assert_eq!(bench.end(producer, false, TV1), Ok(Producer::NONE));
    assert_eq!(bench.markers[0].producer, producer);
    assert_eq!(bench.end(producer, false, TV1), Err(ErrorCode::CONCURRENT_TRANSACTIONS));
    bench.write_markers();
    assert_eq!(bench.end(producer, false, TV1), Ok(Producer::NONE), "a retry of what is done");
    assert_eq!(bench.end(producer, true, TV1), Err(ErrorCode::INVALID_TXN_STATE));
}

#[test]
fn a_delayed_end_cannot_end_a_later_transaction() {
    let mut bench = Bench::new(TV2);
    let first = bench.init(None).expect("a new id");
    bench.add(first, TV2).expect("the producer is current");
    let second = bench.end(first, true, TV2).expect("the first transaction commits");
    bench.write_markers();
    bench.add(second, TV2).expect("the next transaction begins");
    assert_eq!(bench.end(first, true, TV2), Err(ErrorCode::PRODUCER_FENCED));
    assert_eq!(bench.state(), TransactionState::Ongoing);
}

#[test]
fn a_retried_end_gets_the_same_answer_again() {
    let mut bench = Bench::new(TV2);
    let producer = bench.init(None).expect("a new id");
    bench.add(producer, TV2).expect("the producer is current");
    let next = bench.end(producer, true, TV2).expect("it commits");
    assert_eq!(bench.end(producer, true, TV2), Err(ErrorCode::CONCURRENT_TRANSACTIONS));
    bench.write_markers();
    assert_eq!(bench.end(producer, true, TV2), Ok(next));
    assert_eq!(bench.end(producer, false, TV2), Err(ErrorCode::INVALID_TXN_STATE));
}

#[test]
fn an_abort_without_partitions_raises_the_epoch_at_level_2() {
    let mut bench = Bench::new(TV2);
    let producer = bench.init(None).expect("a new id");
    let next = bench.end(producer, false, TV2).expect("an empty abort");
    assert_eq!(next, bumped(producer));
    bench.write_markers();
    assert_eq!(bench.state(), TransactionState::CompleteAbort);
    assert_eq!(bench.end(next, true, TV2), Err(ErrorCode::INVALID_TXN_STATE), "there is nothing to commit");
}

#[test]
fn a_new_incarnation_fences_the_old_one_and_aborts_its_transaction() {
    let mut bench = Bench::new(TV2);
    let old = bench.init(None).expect("a new id");
    bench.add(old, TV2).expect("the producer is current");
    assert_eq!(bench.init(None), Err(ErrorCode::CONCURRENT_TRANSACTIONS));
    assert!(!bench.markers[0].commit);
    assert_eq!(bench.add(old, TV2), Err(ErrorCode::PRODUCER_FENCED));
    bench.write_markers();
    let new = bench.init(None).expect("the old transaction is gone");
    assert_eq!(new, bumped(bumped(old)), "one epoch for the abort, one for the new incarnation");
    assert_eq!(bench.end(old, true, TV2), Err(ErrorCode::PRODUCER_FENCED));
}

#[test]
fn a_producer_whose_epochs_are_used_up_goes_on_with_a_new_id() {
    let mut bench = Bench::new(TV2);
    bench.init(None).expect("a new id");
    let last = bench.set_epoch(i16::MAX - 1);
    bench.add(last, TV2).expect("the producer is current");
    let next = bench.end(last, true, TV2).expect("it commits");
    assert_ne!(next.id, last.id);
    assert_eq!(next.epoch, ProducerEpoch(0));
    assert_eq!(bench.markers[0].producer, Producer { id: last.id, epoch: ProducerEpoch(i16::MAX) });
    bench.write_markers();
    assert_eq!(bench.end(last, true, TV2), Ok(next), "a retry after the change of ids");
    bench.add(next, TV2).expect("the new id is current");
}

#[test]
fn a_retried_init_gets_the_same_epoch_and_a_stranger_is_fenced() {
    let mut bench = Bench::new(TV2);
    let first = bench.init(None).expect("a new id");
    let second = bench.init(Some(first)).expect("it goes on after an error");
    assert_eq!(second, bumped(first));
    assert_eq!(bench.init(Some(first)), Ok(second), "the first answer was lost");
    let stranger = Producer { id: ProducerId(1), epoch: ProducerEpoch(0) };
    assert_eq!(bench.init(Some(stranger)), Err(ErrorCode::PRODUCER_FENCED));
}

#[test]
fn an_overdue_transaction_is_aborted_and_its_producer_fenced() {
    let mut bench = Bench::new(TV2);
    let producer = bench.init(None).expect("a new id");
    bench.add(producer, TV2).expect("the producer is current");
    bench.now_ms += 60_000;
    let outcome = bench.machine.handle_timeout(bench.now());
    bench.act(outcome);
    assert_eq!(
        bench.state(),
        TransactionState::Ongoing,
        "the timeout is not over before its last millisecond"
    );
    bench.now_ms += 10_001;
    let outcome = bench.machine.handle_timeout(bench.now());
    bench.act(outcome);
    assert_eq!(bench.state(), TransactionState::PrepareAbort);
    assert_eq!(bench.end(producer, true, TV2), Err(ErrorCode::CONCURRENT_TRANSACTIONS));
    bench.write_markers();
    assert_eq!(bench.end(producer, true, TV2), Err(ErrorCode::INVALID_TXN_STATE));
    assert_eq!(bench.end(producer, false, TV2), Ok(bumped(producer)), "it may go on after an abort");
}

#[test]
fn an_end_waits_for_the_markers_of_the_transaction_before() {
    let mut bench = Bench::new(TV2);
    let producer = bench.init(None).expect("a new id");
    bench.add(producer, TV2).expect("the producer is current");
    let next = bench.end(producer, true, TV2).expect("it commits");
    assert_eq!(bench.end(next, false, TV2), Err(ErrorCode::CONCURRENT_TRANSACTIONS));
    bench.write_markers();
    assert_eq!(bench.end(next, false, TV2), Ok(bumped(next)), "no partition was added");
}

#[test]
fn an_id_that_nobody_used_for_long_is_forgotten() {
    let mut bench = Bench::new(TV2);
    bench.init(None).expect("a new id");
    bench.now_ms += 604_800_000;
    let outcome = bench.machine.handle_timeout(bench.now());
    bench.act(outcome);
    assert_eq!(bench.machine.get("pay"), None);
    assert_eq!(bench.machine.poll_timeout(), None, "nothing is left to wake for");
}

#[test]
fn a_coordinator_that_restarts_before_the_markers_are_written_writes_them_again() {
    let mut bench = Bench::new(TV2);
    let producer = bench.init(None).expect("a new id");
    bench.add(producer, TV2).expect("the producer is current");
    bench.end(producer, true, TV2).expect("it commits");
    let mut again = TransactionMachine::new(TransactionConfig::default(), TV2);
    for record in &bench.log {
        let key = record.key_bytes().expect("a short id");
        let value = record.value_bytes().expect("few partitions");
        again.replay(TransactionRecord::from_bytes(key, value).expect("what was just written"));
    }
    assert_eq!(again.unfinished_markers(), bench.markers);
}

#[test]
fn a_record_reads_back_and_a_foreign_one_is_named() {
    let mut bench = Bench::new(TV2);
    let producer = bench.init(None).expect("a new id");
    bench.add(producer, TV2).expect("the producer is current");
    let record = bench.log.last().expect("partitions were added");
    let key = record.key_bytes().expect("a short id");
    let value = record.value_bytes().expect("few partitions");
    let again = TransactionRecord::from_bytes(key.clone(), value).expect("what was just written");
    assert_eq!(again.metadata, record.metadata);
    assert_eq!(again.transactional_id, record.transactional_id);
    let foreign = bytes::Bytes::from_static(&[0, 9, 0, 0]);
    assert_eq!(TransactionRecord::from_bytes(foreign, None), Err(TransactionRecordError::UnknownKey(9)));
    let future = Some(bytes::Bytes::from_static(&[0, 9]));
    assert_eq!(TransactionRecord::from_bytes(key, future), Err(TransactionRecordError::UnknownValue(9)));
}

#[test]
fn partitions_outside_the_transaction_are_told_from_those_inside() {
    let mut bench = Bench::new(TV1);
    let producer = bench.init(None).expect("a new id");
    bench.add(producer, TV1).expect("the producer is current");
    let partitions = BTreeSet::from([TopicPartition::new("orders", 0), TopicPartition::new("other", 0)]);
    let transactional_id = "pay".to_owned();
    let verdicts = bench.ask(TransactionRequest::VerifyPartitions { transactional_id, producer, partitions });
    let expected = vec![
        (TopicPartition::new("orders", 0), ErrorCode::NONE),
        (TopicPartition::new("other", 0), ErrorCode::TRANSACTION_ABORTABLE),
    ];
    assert_eq!(verdicts, TransactionResponse::VerifyPartitions(expected));
}

#[test]
fn ids_are_listed_by_state_and_described_with_their_partitions() {
    let mut bench = Bench::new(TV2);
    let producer = bench.init(None).expect("a new id");
    bench.add(producer, TV2).expect("the producer is current");
    let states = BTreeSet::from(["Ongoing".to_owned(), "Lost".to_owned()]);
    let filter = ListFilter { states, duration_ms: -1, ..Default::default() };
    assert_eq!(filter.unknown_states(), ["Lost"]);
    let TransactionResponse::List(listed) = bench.ask(TransactionRequest::List(filter)) else {
        panic!("a list")
    };
    assert_eq!(listed.len(), 1);
    let mut describe = |id: &str| match bench.ask(TransactionRequest::Describe(id.to_owned())) {
        TransactionResponse::Describe(described) => described,
        other => panic!("{other:?}"),
    };
    assert_eq!(describe("pay").topics[0].partitions, vec![0, 1]);
    assert_eq!(describe("none").error_code, ErrorCode::TRANSACTIONAL_ID_NOT_FOUND);
}
