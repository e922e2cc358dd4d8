//! What a transactional producer asks in which order, and what it makes of the answers; without a network.

use std::time::{Duration, Instant};

use model::{Offset, ProducerEpoch, ProducerId, TopicPartition};
use protocol::{EndTxnResponse, ErrorCode, InitProducerIdResponse};

use super::*;
use crate::offsets::OffsetAndMetadata;

struct Fixture {
    transactions: Transactions,
    now: Instant,
}

const LEVEL_1: Option<(i64, i16)> = Some((1, 1));
const LEVEL_2: Option<(i64, i16)> = Some((1, 2));

fn identity(epoch: i16) -> Identity {
    Identity { id: ProducerId(7), epoch: ProducerEpoch(epoch) }
}

fn initialized(code: ErrorCode, epoch: i16) -> Answer {
    let response = InitProducerIdResponse {
        error_code: code,
        producer_id: 7,
        producer_epoch: epoch,
        ..Default::default()
    };
    Answer::Initialized { response, bumps: true }
}

fn ended(code: ErrorCode, id: i64, epoch: i16) -> Answer {
    Answer::Ended(EndTxnResponse {
        error_code: code,
        producer_id: id,
        producer_epoch: epoch,
        ..Default::default()
    })
}

fn t(partition: i32) -> TopicPartition {
    TopicPartition::new("t", partition)
}

fn group() -> GroupMetadata {
    GroupMetadata { group_id: "g".into(), generation: 3, member_id: "m".into(), group_instance_id: None }
}

fn offsets() -> Offsets {
    [(t(0), OffsetAndMetadata::new(Offset(5)))].into()
}

fn code_of(outcome: &Outcome) -> Option<std::result::Result<(), Option<ErrorCode>>> {
    use std::future::Future;
    let mut wait = std::pin::pin!(outcome.wait());
    match wait.as_mut().poll(&mut std::task::Context::from_waker(std::task::Waker::noop())) {
        std::task::Poll::Ready(result) => Some(result.map_err(|error| error.code())),
        std::task::Poll::Pending => None,
    }
}

impl Fixture {
    /// A producer that has its identity, in a cluster whose features are `feature`.
    fn ready(feature: Option<(i64, i16)>) -> Self {
        let transactions = Transactions::new("tx", Duration::from_millis(100));
        let mut fixture = Self { transactions, now: Instant::now() };
        let outcome = fixture.transactions.initialize().expect("it is the first call");
        let request = fixture.next().expect("an identity is asked for");
        assert_eq!(request.step, Step::Initialize { bump: None });
        assert_eq!(fixture.answer(request, initialized(ErrorCode::NONE, 0)), Some(identity(0)));
        assert_eq!(code_of(&outcome), Some(Ok(())));
        fixture.transactions.observed(&outcome);
        fixture.transactions.learn_level(feature, true);
        fixture
    }

    fn next(&mut self) -> Option<Request> {
        self.transactions.next_request(self.now, false)
    }

    fn answer(&mut self, request: Request, answer: Answer) -> Option<Identity> {
        self.transactions.answered(self.now, request, Ok(answer))
    }

    fn begin_with_record(&mut self) {
        self.transactions.begin().expect("nothing is open");
        self.transactions.check_send("t").expect("a transaction is open");
        self.transactions.add_partition(&t(0));
    }

    fn end(&mut self, commit: bool) -> Arc<Outcome> {
        self.transactions.end(commit, None).expect("a transaction is open")
    }
}

#[test]
fn at_level_1_a_partition_is_added_before_records_go_to_it() {
    let mut fixture = Fixture::ready(LEVEL_1);
    fixture.begin_with_record();
    assert!(!fixture.transactions.may_send_to(&t(0)));
    assert_eq!(fixture.transactions.produce_cap(), 11);
    let request = fixture.next().expect("the partition is added");
    assert_eq!(request.step, Step::AddPartitions { identity: identity(0), partitions: vec![t(0)] });
    assert!(fixture.next().is_none(), "one request at a time");
    fixture.answer(request, Answer::PartitionsAdded(vec![(t(0), ErrorCode::NONE)]));
    assert!(fixture.transactions.may_send_to(&t(0)));
    let outcome = fixture.end(true);
    let request = fixture.next().expect("the transaction is ended");
    assert_eq!(request.step, Step::End { identity: identity(0), commit: true, implicit: false });
    assert_eq!(fixture.answer(request, ended(ErrorCode::NONE, -1, -1)), None);
    assert_eq!(code_of(&outcome), Some(Ok(())));
}

#[test]
fn at_level_2_records_add_their_partition_and_each_transaction_has_its_epoch() {
    let mut fixture = Fixture::ready(LEVEL_2);
    fixture.begin_with_record();
    assert!(fixture.transactions.may_send_to(&t(0)));
    assert!(fixture.next().is_none());
    let outcome = fixture.end(true);
    assert!(fixture.transactions.next_request(fixture.now, true).is_none(), "a batch has no fate yet");
    let request = fixture.next().expect("the transaction is ended");
    assert_eq!(request.step, Step::End { identity: identity(0), commit: true, implicit: true });
    assert_eq!(fixture.answer(request, ended(ErrorCode::NONE, 7, 1)), Some(identity(1)));
    fixture.transactions.observed(&outcome);
    assert!(!fixture.transactions.may_send_to(&t(0)));
    fixture.transactions.begin().expect("the one before has ended");
}

#[test]
fn a_transaction_that_the_coordinator_never_heard_of_is_ended_without_it() {
    for feature in [LEVEL_1, LEVEL_2] {
        let mut fixture = Fixture::ready(feature);
        fixture.transactions.begin().expect("nothing is open");
        let outcome = fixture.end(true);
        assert!(fixture.next().is_none());
        assert_eq!(code_of(&outcome), Some(Ok(())));
    }
}

#[test]
fn offsets_go_to_the_groups_coordinator_once_the_transaction_knows_the_group() {
    let mut fixture = Fixture::ready(LEVEL_1);
    fixture.transactions.begin().expect("nothing is open");
    let outcome = fixture.transactions.send_offsets(offsets(), group()).expect("a transaction is open");
    let request = fixture.next().expect("the group is added");
    assert!(matches!(request.step, Step::AddOffsets { .. }));
    fixture.answer(request, Answer::OffsetsAdded(ErrorCode::NONE));
    assert_eq!(code_of(&outcome), None);
    let request = fixture.next().expect("the offsets are committed");
    assert!(matches!(request.step, Step::CommitOffsets { implicit: false, .. }));
    fixture.answer(request, Answer::OffsetsCommitted(vec![(t(0), ErrorCode::NOT_COORDINATOR)]));
    assert!(fixture.next().is_none(), "not before the backoff has passed");
    fixture.now += Duration::from_millis(100);
    let request = fixture.next().expect("the offsets are committed again");
    fixture.answer(request, Answer::OffsetsCommitted(vec![(t(0), ErrorCode::NONE)]));
    assert_eq!(code_of(&outcome), Some(Ok(())));
}

#[test]
fn a_member_of_another_generation_can_only_abort() {
    let mut fixture = Fixture::ready(LEVEL_2);
    fixture.transactions.begin().expect("nothing is open");
    let outcome = fixture.transactions.send_offsets(offsets(), group()).expect("a transaction is open");
    let request = fixture.next().expect("the offsets are committed");
    fixture.answer(request, Answer::OffsetsCommitted(vec![(t(0), ErrorCode::ILLEGAL_GENERATION)]));
    assert_eq!(code_of(&outcome), Some(Err(None)));
    assert!(matches!(fixture.transactions.end(true, None), Err(Error::InErrorState(_))));
    let aborted = fixture.end(false);
    let request = fixture.next().expect("the transaction is ended");
    assert_eq!(fixture.answer(request, ended(ErrorCode::NONE, 7, 1)), Some(identity(1)));
    assert_eq!(code_of(&aborted), Some(Ok(())));
}

#[test]
fn a_fenced_producer_is_told_at_every_call() {
    let mut fixture = Fixture::ready(LEVEL_2);
    fixture.begin_with_record();
    let outcome = fixture.end(true);
    let request = fixture.next().expect("the transaction is ended");
    fixture.answer(request, ended(ErrorCode::INVALID_PRODUCER_EPOCH, -1, -1));
    assert_eq!(code_of(&outcome), Some(Err(Some(ErrorCode::PRODUCER_FENCED))));
    fixture.transactions.observed(&outcome);
    let again = fixture.transactions.begin().expect_err("it is fenced");
    assert!(again.is(ErrorCode::PRODUCER_FENCED), "{again}");
    assert!(again.to_string().contains("has been fenced by another producer"), "{again}");
    assert!(fixture.transactions.fatal_error().is_some());
}

#[test]
fn a_record_that_failed_makes_the_commit_fail_and_an_abort_raises_the_epoch_at_level_1() {
    let mut fixture = Fixture::ready(LEVEL_1);
    fixture.begin_with_record();
    let request = fixture.next().expect("the partition is added");
    fixture.answer(request, Answer::PartitionsAdded(vec![(t(0), ErrorCode::NONE)]));
    fixture.transactions.record_failed(&Error::Timeout("too old".into()));
    assert!(matches!(fixture.transactions.end(true, None), Err(Error::InErrorState(_))));
    let outcome = fixture.end(false);
    let request = fixture.next().expect("the transaction is ended");
    assert!(matches!(request.step, Step::End { commit: false, .. }));
    fixture.answer(request, ended(ErrorCode::NONE, -1, -1));
    assert_eq!(code_of(&outcome), None, "the abort is done with the new epoch");
    let request = fixture.next().expect("an epoch is asked for");
    assert_eq!(request.step, Step::Initialize { bump: Some(identity(0)) });
    assert_eq!(fixture.answer(request, initialized(ErrorCode::NONE, 1)), Some(identity(1)));
    assert_eq!(code_of(&outcome), Some(Ok(())));
}

#[test]
fn a_cluster_that_is_raised_to_level_2_is_followed_with_a_new_epoch() {
    let mut fixture = Fixture::ready(LEVEL_1);
    fixture.begin_with_record();
    let request = fixture.next().expect("the partition is added");
    fixture.answer(request, Answer::PartitionsAdded(vec![(t(0), ErrorCode::NONE)]));
    fixture.transactions.end(true, Some((2, 2))).expect("a transaction is open");
    let request = fixture.next().expect("the transaction is ended");
    assert!(matches!(request.step, Step::End { implicit: false, .. }));
    fixture.answer(request, ended(ErrorCode::NONE, -1, -1));
    let request = fixture.next().expect("an epoch is asked for");
    assert_eq!(request.step, Step::Initialize { bump: Some(identity(0)) });
    fixture.answer(request, initialized(ErrorCode::NONE, 1));
    assert_eq!(fixture.transactions.produce_cap(), i16::MAX);
}

#[test]
fn an_end_that_is_still_under_way_can_only_be_repeated() {
    let mut fixture = Fixture::ready(LEVEL_2);
    fixture.begin_with_record();
    let first = fixture.end(true);
    assert!(matches!(fixture.transactions.end(false, None), Err(Error::IllegalState(_))));
    assert!(matches!(fixture.transactions.begin(), Err(Error::IllegalState(_))));
    assert!(Arc::ptr_eq(&first, &fixture.end(true)));
    let request = fixture.next().expect("the transaction is ended");
    let lost = Err(Error::Disconnected("gone".into()));
    fixture.transactions.answered(fixture.now, request, lost);
    fixture.now += Duration::from_millis(100);
    let request = fixture.next().expect("it is ended again");
    assert_eq!(request.step, Step::End { identity: identity(0), commit: true, implicit: true });
}

#[test]
fn partitions_wait_shortly_for_the_end_of_the_transaction_before() {
    let mut fixture = Fixture::ready(LEVEL_1);
    fixture.begin_with_record();
    let request = fixture.next().expect("the partition is added");
    let busy = vec![(t(0), ErrorCode::CONCURRENT_TRANSACTIONS)];
    fixture.answer(request, Answer::PartitionsAdded(busy));
    assert!(fixture.next().is_none());
    fixture.now += Duration::from_millis(20);
    assert!(matches!(fixture.next().expect("it is added again").step, Step::AddPartitions { .. }));
}

#[test]
fn calls_at_the_wrong_time_are_refused() {
    let mut transactions = Transactions::new("tx", Duration::from_millis(100));
    let begin = transactions.begin().expect_err("there is no identity");
    assert_eq!(
        begin.to_string(),
        "TransactionalId tx: Invalid transition attempted from state UNINITIALIZED to state IN_TRANSACTION"
    );
    let mut fixture = Fixture::ready(LEVEL_2);
    assert!(matches!(fixture.transactions.check_send("t"), Err(Error::IllegalState(_))));
    assert!(matches!(fixture.transactions.send_offsets(offsets(), group()), Err(Error::IllegalState(_))));
    assert!(matches!(fixture.transactions.end(true, None), Err(Error::IllegalState(_))));
    assert!(matches!(fixture.transactions.initialize(), Err(Error::IllegalState(_))));
}

#[test]
fn records_whose_fate_stays_unknown_while_the_transaction_is_aborted_ask_for_a_newer_epoch_after_it() {
    let mut fixture = Fixture::ready(LEVEL_1);
    fixture.transactions.begin().expect("it is ready");
    fixture.transactions.add_partition(&t(0));
    let added = fixture.next().expect("the partition is added");
    fixture.answer(added, Answer::PartitionsAdded(vec![(t(0), ErrorCode::NONE)]));
    let aborted = fixture.transactions.end(false, LEVEL_1).expect("there is a transaction");
    fixture.transactions.records_unresolved();
    let end = fixture.next().expect("the transaction is ended");
    assert!(matches!(end.step, Step::End { commit: false, .. }));
    fixture.answer(end, ended(ErrorCode::NONE, -1, -1));
    assert_eq!(code_of(&aborted), None, "it is not over before there is a newer epoch");
    let bump = fixture.next().expect("an epoch is asked for");
    assert_eq!(bump.step, Step::Initialize { bump: Some(identity(0)) });
    fixture.answer(bump, initialized(ErrorCode::NONE, 1));
    assert_eq!(code_of(&aborted), Some(Ok(())));
    fixture.transactions.observed(&aborted);
    fixture.transactions.begin().expect("it is ready again");
}
