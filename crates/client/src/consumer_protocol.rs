//! What consumers of the classic protocol write for each other: subscriptions and assignments.
//! Kafka: `ConsumerProtocol`, whose formats members of other clients share with us.
//!
//! Invariant: bytes of a newer version are read as the newest that we know; what was added comes last.

use bytes::Bytes;
use model::TopicPartition;
use protocol::{ConsumerProtocolAssignment, ConsumerProtocolSubscription, Message, Reader, Writer};
use protocol::{consumer_protocol_assignment as assignment, consumer_protocol_subscription as subscription};

use crate::error::{Error, Result};
use crate::offsets::by_topic;

/// What a member says when it joins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Subscription {
    /// The topics that it wants.
    pub topics: Vec<String>,
    /// What its assignor wrote for itself.
    pub user_data: Option<Bytes>,
    /// The partitions that it has.
    pub owned: Vec<TopicPartition>,
    /// The generation in which it got them; `None` from old clients.
    pub generation: Option<i32>,
    /// Its rack.
    pub rack: Option<String>,
}

/// What the leader gives a member.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Assignment {
    /// Its partitions.
    pub partitions: Vec<TopicPartition>,
    /// What the assignor wrote for it.
    pub user_data: Option<Bytes>,
}

/// Writes a subscription at the newest version.
pub fn encode_subscription(value: &Subscription) -> Result<Bytes> {
    let mut topics = value.topics.clone();
    topics.sort();
    let owned = |(topic, partitions): (&str, Vec<(i32, ())>)| subscription::TopicPartition {
        topic: topic.to_owned(),
        partitions: partitions.into_iter().map(|(index, ())| index).collect(),
        ..Default::default()
    };
    let message = ConsumerProtocolSubscription {
        topics,
        user_data: value.user_data.clone(),
        owned_partitions: by_topic(value.owned.iter().map(|name| (name, ())))
            .into_iter()
            .map(owned)
            .collect(),
        generation_id: value.generation.unwrap_or(-1),
        rack_id: value.rack.clone().filter(|rack| !rack.is_empty()),
        ..Default::default()
    };
    versioned(&message)
}

/// Reads a subscription of any version.
pub fn decode_subscription(bytes: &Bytes) -> Result<Subscription> {
    let message: ConsumerProtocolSubscription = from_versioned(bytes)?;
    let mut owned = Vec::new();
    for topic in message.owned_partitions {
        owned.extend(topic.partitions.iter().map(|index| TopicPartition::new(topic.topic.as_str(), *index)));
    }
    Ok(Subscription {
        topics: message.topics,
        user_data: message.user_data,
        owned,
        generation: Some(message.generation_id).filter(|generation| *generation >= 0),
        rack: message.rack_id,
    })
}

/// Writes an assignment at the newest version.
pub fn encode_assignment(value: &Assignment) -> Result<Bytes> {
    let assigned = |(topic, partitions): (&str, Vec<(i32, ())>)| assignment::TopicPartition {
        topic: topic.to_owned(),
        partitions: partitions.into_iter().map(|(index, ())| index).collect(),
        ..Default::default()
    };
    let message = ConsumerProtocolAssignment {
        assigned_partitions: by_topic(value.partitions.iter().map(|name| (name, ())))
            .into_iter()
            .map(assigned)
            .collect(),
        user_data: value.user_data.clone(),
        ..Default::default()
    };
    versioned(&message)
}

/// Reads an assignment of any version. No bytes at all are no partitions.
pub fn decode_assignment(bytes: &Bytes) -> Result<Assignment> {
    if bytes.is_empty() {
        return Ok(Assignment::default());
    }
    let message: ConsumerProtocolAssignment = from_versioned(bytes)?;
    let mut partitions = Vec::new();
    for topic in message.assigned_partitions {
        partitions
            .extend(topic.partitions.iter().map(|index| TopicPartition::new(topic.topic.as_str(), *index)));
    }
    Ok(Assignment { partitions, user_data: message.user_data })
}

fn versioned<M: Message>(message: &M) -> Result<Bytes> {
    let version = *M::VERSIONS.end();
    let mut out = Writer::new();
    out.put_slice(&version.to_be_bytes());
    message.encode(&mut out, version)?;
    Ok(out.into_bytes()?)
}

fn from_versioned<M: Message>(bytes: &Bytes) -> Result<M> {
    let version = bytes.get(..2).map(|bytes| i16::from_be_bytes([bytes[0], bytes[1]]));
    let version = version.filter(|version| *version >= 0);
    let version =
        version.ok_or_else(|| Error::Protocol("the consumer protocol's version is missing".into()))?;
    let mut input = Reader::new(bytes.slice(2..));
    Ok(M::decode(&mut input, version.min(*M::VERSIONS.end()))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owned() -> Vec<TopicPartition> {
        vec![TopicPartition::new("a", 0), TopicPartition::new("a", 2), TopicPartition::new("b", 1)]
    }

    #[test]
    fn a_subscription_is_read_as_it_was_written() {
        let value = Subscription {
            topics: vec!["a".into(), "b".into()],
            user_data: Some(Bytes::from_static(b"x")),
            owned: owned(),
            generation: Some(7),
            rack: Some("r".into()),
        };
        let bytes = encode_subscription(&value).expect("it can be written");
        assert_eq!(decode_subscription(&bytes).expect("it can be read"), value);
    }

    #[test]
    fn a_subscription_of_the_first_version_has_no_owned_partitions() {
        let bytes = Bytes::from_static(b"\0\0\0\0\0\x01\0\x01t\xff\xff\xff\xff");
        let value = decode_subscription(&bytes).expect("it can be read");
        assert_eq!(value, Subscription { topics: vec!["t".into()], ..Default::default() });
    }

    #[test]
    fn a_newer_version_is_read_as_the_newest_known() {
        let value = Assignment { partitions: owned(), user_data: None };
        let mut bytes = encode_assignment(&value).expect("it can be written").to_vec();
        bytes[1] = 99;
        bytes.extend_from_slice(b"what was added");
        assert_eq!(decode_assignment(&bytes.into()).expect("it can be read"), value);
    }

    #[test]
    fn bytes_that_are_no_protocol_are_refused() {
        for wrong in [&b"\0"[..], b"\xff\xff", b"\0\x01\x7f\xff\xff\xff"] {
            assert!(decode_subscription(&Bytes::copy_from_slice(wrong)).is_err());
        }
    }
}
