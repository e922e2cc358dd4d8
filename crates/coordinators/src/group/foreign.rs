//! Groups of the protocol that is not served (share) that a broker of Apache Kafka left in the log.
//!
//! Their records are kept as bytes, and the groups are listed; nothing else is served.
//!
//! Not yet: heartbeats, descriptions and states of these groups; a group with members lists as `Unknown`.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::record::GroupRecord;

/// Which protocol a group follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ForeignKind {
    /// KIP-932 share groups.
    Share,
}

impl ForeignKind {
    /// Tells which kind of group writes records of type `kind`.
    pub(super) fn of_record_type(kind: i16) -> Option<Self> {
        match kind {
            9..=15 => Some(Self::Share),
            _ => None,
        }
    }

    /// The group type as ListGroups writes it, which is the protocol type too.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Share => "share",
        }
    }

    /// The record type of one member's metadata.
    fn member_record_type(self) -> i16 {
        match self {
            Self::Share => 10,
        }
    }
}

/// A group that this coordinator does not serve, as its records.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct ForeignGroup {
    pub(super) kind: ForeignKind,
    records: BTreeMap<Bytes, Bytes>,
}

impl ForeignGroup {
    pub(super) fn new(kind: ForeignKind) -> Self {
        Self { kind, records: BTreeMap::new() }
    }

    /// Takes in one record. The bytes are copied, so that they do not keep a whole read buffer alive.
    pub(super) fn replay(&mut self, key: Bytes, value: Option<Bytes>) {
        match value {
            Some(value) => self.records.insert(Bytes::copy_from_slice(&key), Bytes::copy_from_slice(&value)),
            None => self.records.remove(&key),
        };
    }

    /// Tells whether nothing is left of the group.
    pub(super) fn is_gone(&self) -> bool {
        self.records.is_empty()
    }

    /// Tells whether the group has no members.
    pub(super) fn is_empty(&self) -> bool {
        let member = self.kind.member_record_type().to_be_bytes();
        !self.records.keys().any(|key| key.starts_with(&member))
    }

    /// The state as ListGroups writes it.
    pub(super) fn state(&self) -> &'static str {
        if self.is_empty() { "Empty" } else { "Unknown" }
    }

    /// Makes the tombstones of all its records, members and assignments before the group's own, as Kafka's replay asks for.
    pub(super) fn tombstones(&self, id: &str) -> Vec<GroupRecord> {
        let tombstone = |key: &Bytes| GroupRecord::Foreign {
            id: id.into(),
            kind: self.kind,
            key: key.clone(),
            value: None,
        };
        self.records.keys().rev().map(tombstone).collect()
    }
}
