//! Records on their way through a share consumer: arrived, delivered to the user, acknowledged.
//!
//! Invariants:
//! - a record is in one place at a time, and what is acknowledged is sent to the node that the record came from
//! - offsets that were acquired without a record are acknowledged as gaps by themselves
//!
//! Kafka: `ShareInFlightBatch`, `Acknowledgements`.

use std::collections::{BTreeMap, VecDeque};

use model::{NodeId, Offset, Uuid};

use super::{AcknowledgeType, ShareRecord};

/// The type of an offset without a record.
const GAP: i8 = 0;

/// A partition as share requests name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ShareKey {
    pub topic_id: Uuid,
    pub partition: i32,
}

/// Acknowledgements of one partition: a type for each offset.
pub(super) type Said = BTreeMap<Offset, i8>;

#[derive(Clone, Debug)]
struct Held {
    node: NodeId,
    key: ShareKey,
    record: ShareRecord,
}

/// Records on their way.
#[derive(Debug, Default)]
pub(super) struct Deliveries {
    arrived: VecDeque<Held>,
    /// Delivered and not acknowledged yet, in order of delivery.
    delivered: Vec<Held>,
    /// To be sent, or on its way, to have its lock begin anew.
    renewing: Vec<Held>,
    said: BTreeMap<NodeId, BTreeMap<ShareKey, Said>>,
}

impl Deliveries {
    /// Takes in what a node gave of a partition: records, and first and last offsets of what was acquired.
    pub(super) fn arrive(
        &mut self,
        node: NodeId,
        key: ShareKey,
        records: Vec<ShareRecord>,
        acquired: &[(Offset, Offset)],
    ) {
        let said = self.said.entry(node).or_default().entry(key).or_default();
        for (first, last) in acquired {
            said.extend((first.0..=last.0).map(|offset| (Offset(offset), GAP)));
        }
        for record in &records {
            said.remove(&record.record.offset);
        }
        self.drop_empty();
        self.arrived.extend(records.into_iter().map(|record| Held { node, key, record }));
    }

    /// Whether something waits to be delivered.
    pub(super) fn has_arrived(&self) -> bool {
        !self.arrived.is_empty()
    }

    /// Whether something was delivered and is not acknowledged.
    pub(super) fn has_delivered(&self) -> bool {
        !self.delivered.is_empty()
    }

    /// Delivers up to `max` records.
    pub(super) fn deliver(&mut self, max: usize) -> Vec<ShareRecord> {
        let taken: Vec<Held> = self.arrived.drain(..max.min(self.arrived.len())).collect();
        let records = taken.iter().map(|held| held.record.clone()).collect();
        self.delivered.extend(taken);
        records
    }

    /// Acknowledges what was delivered as processed.
    pub(super) fn accept_all(&mut self) {
        for held in std::mem::take(&mut self.delivered) {
            self.say(&held, AcknowledgeType::Accept as i8);
        }
    }

    /// Acknowledges a record; false if it was not delivered, or was acknowledged before.
    pub(super) fn acknowledge(
        &mut self,
        topic: &str,
        partition: i32,
        offset: Offset,
        kind: AcknowledgeType,
    ) -> bool {
        let is_it = |held: &Held| {
            let record = &held.record.record;
            (&*record.topic, record.partition, record.offset) == (topic, partition, offset)
        };
        let Some(index) = self.delivered.iter().position(is_it) else { return false };
        let held = self.delivered.remove(index);
        self.say(&held, kind as i8);
        if kind == AcknowledgeType::Renew {
            self.renewing.push(held);
        }
        true
    }

    fn say(&mut self, held: &Held, kind: i8) {
        let of_node = self.said.entry(held.node).or_default();
        of_node.entry(held.key).or_default().insert(held.record.record.offset, kind);
    }

    /// The nodes to which something is to be sent.
    pub(super) fn nodes(&self) -> Vec<NodeId> {
        self.said.keys().copied().collect()
    }

    /// Takes what is to be sent to a node: renewals alone, if there are any, and else all.
    pub(super) fn take_said(&mut self, node: NodeId) -> (BTreeMap<ShareKey, Said>, bool) {
        let Some(said) = self.said.get_mut(&node) else { return (BTreeMap::new(), false) };
        let renew = AcknowledgeType::Renew as i8;
        let mut renewals = BTreeMap::new();
        for (key, offsets) in said.iter_mut() {
            let taken: Said = offsets.extract_if(.., |_, kind| *kind == renew).collect();
            if !taken.is_empty() {
                renewals.insert(*key, taken);
            }
        }
        let is_renewal = !renewals.is_empty();
        let taken = if is_renewal { renewals } else { std::mem::take(said) };
        self.drop_empty();
        (taken, is_renewal)
    }

    /// Ends renewals: what is locked anew is delivered again, what is not belongs to others.
    pub(super) fn renewed(&mut self, key: ShareKey, said: &Said, renewed: bool) {
        let of_it = |held: &mut Held| held.key == key && said.contains_key(&held.record.record.offset);
        let ended: Vec<Held> = self.renewing.extract_if(.., of_it).collect();
        if renewed {
            self.arrived.extend(ended);
        }
    }

    fn drop_empty(&mut self) {
        for said in self.said.values_mut() {
            said.retain(|_, offsets| !offsets.is_empty());
        }
        self.said.retain(|_, said| !said.is_empty());
    }
}

/// Divides acknowledgements into runs of offsets: first, last, and one type for all or one for each.
pub(super) fn runs(said: &Said) -> Vec<(i64, i64, Vec<i8>)> {
    let mut runs: Vec<(i64, i64, Vec<i8>)> = Vec::new();
    for (offset, kind) in said {
        match runs.last_mut() {
            Some((_, last, types)) if *last + 1 == offset.0 => {
                *last = offset.0;
                types.push(*kind);
            }
            _ => runs.push((offset.0, offset.0, vec![*kind])),
        }
    }
    for (.., types) in &mut runs {
        if types.iter().all(|kind| *kind == types[0]) {
            types.truncate(1);
        }
    }
    runs
}

#[cfg(test)]
mod tests {
    use model::Timestamp;
    use records::TimestampType;

    use super::*;
    use crate::consumer::ConsumerRecord;

    const NODE: NodeId = NodeId(1);
    const KEY: ShareKey = ShareKey { topic_id: Uuid::from_u128(7), partition: 0 };

    fn record(offset: i64) -> ShareRecord {
        let record = ConsumerRecord {
            topic: "t".into(),
            partition: 0,
            offset: Offset(offset),
            timestamp: Timestamp(0),
            timestamp_type: TimestampType::CreateTime,
            key: None,
            value: None,
            headers: Vec::new(),
            leader_epoch: None,
        };
        ShareRecord { record, delivery_count: 1 }
    }

    fn arrived(offsets: &[i64], acquired: (i64, i64)) -> Deliveries {
        let mut deliveries = Deliveries::default();
        let records = offsets.iter().copied().map(record).collect();
        deliveries.arrive(NODE, KEY, records, &[(Offset(acquired.0), Offset(acquired.1))]);
        deliveries
    }

    #[test]
    fn offsets_without_a_record_are_acknowledged_as_gaps() {
        let mut deliveries = arrived(&[0, 1, 4], (0, 5));
        assert_eq!(deliveries.deliver(10).len(), 3);
        deliveries.accept_all();
        let (said, is_renewal) = deliveries.take_said(NODE);
        assert_eq!(runs(&said[&KEY]), [(0, 5, vec![1, 1, 0, 0, 1, 0])]);
        assert!(!is_renewal && deliveries.nodes().is_empty());
    }

    #[test]
    fn a_record_is_acknowledged_once_and_only_after_its_delivery() {
        let mut deliveries = arrived(&[0, 1, 2], (0, 2));
        assert!(!deliveries.acknowledge("t", 0, Offset(0), AcknowledgeType::Accept));
        deliveries.deliver(2);
        assert!(deliveries.acknowledge("t", 0, Offset(0), AcknowledgeType::Release));
        assert!(!deliveries.acknowledge("t", 0, Offset(0), AcknowledgeType::Accept));
        assert!(deliveries.has_delivered() && deliveries.has_arrived());
        let (said, _) = deliveries.take_said(NODE);
        assert_eq!(runs(&said[&KEY]), [(0, 0, vec![2])]);
    }

    #[test]
    fn a_renewed_record_is_delivered_again() {
        let mut deliveries = arrived(&[0, 1], (0, 1));
        deliveries.deliver(2);
        assert!(deliveries.acknowledge("t", 0, Offset(0), AcknowledgeType::Accept));
        assert!(deliveries.acknowledge("t", 0, Offset(1), AcknowledgeType::Renew));
        let (renewals, is_renewal) = deliveries.take_said(NODE);
        assert!(is_renewal);
        assert_eq!(runs(&renewals[&KEY]), [(1, 1, vec![4])]);
        deliveries.renewed(KEY, &renewals[&KEY], true);
        assert_eq!(deliveries.deliver(2), [record(1)]);
        let (said, is_renewal) = deliveries.take_said(NODE);
        assert_eq!((runs(&said[&KEY]), is_renewal), (vec![(0, 0, vec![1])], false));
    }
}
