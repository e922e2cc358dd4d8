//! What a consumer reads and how far it has come. Kafka: `SubscriptionState`.
//!
//! Invariants: topics, a pattern and chosen partitions exclude each other; a partition is fetched only if it has a
//! position that its leader has not been found to contradict.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use model::{LeaderEpoch, NodeId, Offset, TopicPartition};
use regex::Regex;

use crate::cluster::{ClusterMetadata, LeaderAndEpoch};
use crate::config::AutoOffsetReset;
use crate::error::{Error, Result};
use crate::offsets::OffsetAndMetadata;

/// What the user asked for.
#[derive(Clone, Debug, Default)]
pub(super) enum Wanted {
    #[default]
    Nothing,
    Topics(BTreeSet<Arc<str>>),
    Pattern(Regex),
    /// A regular expression that the coordinator matches.
    RemotePattern(String),
    Chosen,
}

/// The offset of the next record, and what is known of the one before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Position {
    pub offset: Offset,
    pub epoch: Option<LeaderEpoch>,
    /// The leader's epoch that the position was last held to be right in.
    pub checked_in: LeaderEpoch,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Phase {
    /// It is not known where to begin.
    Unknown,
    /// The broker must tell where to begin.
    Reset(AutoOffsetReset),
    /// The leader must tell whether the position still is in its log.
    Validate(Position),
    Fetch(Position),
}

#[derive(Clone, Debug)]
pub(super) struct Partition {
    pub phase: Phase,
    pub paused: bool,
    /// It is about to be given up: no more records of it.
    pub leaving: bool,
    /// Not before then is the broker asked again.
    pub not_before: Option<Instant>,
    /// The replica that the leader told us to read from, until then.
    pub preferred: Option<(NodeId, Instant)>,
    pub high_watermark: Option<Offset>,
    pub last_stable: Option<Offset>,
    pub log_start: Option<Offset>,
    /// Those that have waited longest for records are fetched first.
    pub turn: u64,
}

impl Partition {
    fn new() -> Self {
        Self {
            phase: Phase::Unknown,
            paused: false,
            leaving: false,
            not_before: None,
            preferred: None,
            high_watermark: None,
            last_stable: None,
            log_start: None,
            turn: 0,
        }
    }

    pub(super) fn position(&self) -> Option<Position> {
        match self.phase {
            Phase::Fetch(position) | Phase::Validate(position) => Some(position),
            Phase::Unknown | Phase::Reset(_) => None,
        }
    }

    /// Whether records of it may be given to the user. While its leader is asked whether the position still holds, what
    /// was fetched waits: the position must not move meanwhile, or the answer would take it back.
    pub(super) fn is_readable(&self) -> bool {
        !self.paused && !self.leaving && matches!(self.phase, Phase::Fetch(_))
    }

    fn may_ask(&self, now: Instant) -> bool {
        self.not_before.is_none_or(|at| now >= at)
    }
}

#[derive(Debug)]
pub(super) struct Subscriptions {
    pub wanted: Wanted,
    /// The topics that `wanted` means now.
    pub topics: BTreeSet<Arc<str>>,
    pub partitions: BTreeMap<TopicPartition, Partition>,
    reset: AutoOffsetReset,
}

impl Subscriptions {
    pub(super) fn new(reset: AutoOffsetReset) -> Self {
        Self { wanted: Wanted::Nothing, topics: BTreeSet::new(), partitions: BTreeMap::new(), reset }
    }

    /// Whether a group assigns partitions.
    pub(super) fn is_subscribed(&self) -> bool {
        matches!(self.wanted, Wanted::Topics(_) | Wanted::Pattern(_) | Wanted::RemotePattern(_))
    }

    /// Takes what the user wants; fails where that would mix ways.
    pub(super) fn want(&mut self, wanted: Wanted) -> Result<()> {
        let chosen = matches!(wanted, Wanted::Chosen);
        let mixed = match &self.wanted {
            Wanted::Nothing => false,
            Wanted::Chosen => !chosen,
            Wanted::Topics(_) => !matches!(wanted, Wanted::Topics(_)),
            Wanted::Pattern(_) => !matches!(wanted, Wanted::Pattern(_)),
            Wanted::RemotePattern(_) => !matches!(wanted, Wanted::RemotePattern(_)),
        };
        if mixed {
            return Err(Error::IllegalState(
                "Subscription to topics, partitions and pattern are mutually exclusive".into(),
            ));
        }
        if let Wanted::Topics(topics) = &wanted {
            self.topics = topics.clone();
        }
        self.wanted = wanted;
        Ok(())
    }

    pub(super) fn forget_all(&mut self) {
        *self = Self::new(self.reset);
    }

    /// Matches the pattern, if there is one, with the topics that exist; true if that means other topics now.
    pub(super) fn match_pattern(&mut self, metadata: &ClusterMetadata, exclude_internal: bool) -> bool {
        let Wanted::Pattern(pattern) = &self.wanted else { return false };
        let topics = metadata.topics.iter().filter(|(name, topic)| {
            let whole =
                pattern.find(name).is_some_and(|found| found.start() == 0 && found.end() == name.len());
            whole && !(exclude_internal && topic.internal) && topic.error.is_none()
        });
        let topics: BTreeSet<Arc<str>> = topics.map(|(name, _)| Arc::clone(name)).collect();
        let changed = topics != self.topics;
        self.topics = topics;
        changed
    }

    /// Makes exactly `partitions` assigned; those that stay keep their positions.
    pub(super) fn assign(&mut self, partitions: impl IntoIterator<Item = TopicPartition>) {
        let mut before = std::mem::take(&mut self.partitions);
        self.partitions = partitions
            .into_iter()
            .map(|name| {
                let state = before.remove(&name).unwrap_or_else(Partition::new);
                (name, Partition { leaving: false, ..state })
            })
            .collect();
    }

    pub(super) fn assigned(&self) -> Vec<TopicPartition> {
        self.partitions.keys().cloned().collect()
    }

    pub(super) fn get_mut(&mut self, name: &TopicPartition) -> Result<&mut Partition> {
        let missing = || Error::IllegalState(format!("No current assignment for partition {name}"));
        self.partitions.get_mut(name).ok_or_else(missing)
    }

    /// Moves to `offset`.
    pub(super) fn seek(
        &mut self,
        name: &TopicPartition,
        to: &OffsetAndMetadata,
        leader: LeaderAndEpoch,
    ) -> Result<()> {
        let partition = self.get_mut(name)?;
        let position = Position { offset: to.offset, epoch: to.leader_epoch, checked_in: leader.epoch };
        let newer = to.leader_epoch.is_some_and(|epoch| leader.epoch >= epoch);
        partition.phase = if newer { Phase::Validate(position) } else { Phase::Fetch(position) };
        partition.not_before = None;
        partition.preferred = None;
        Ok(())
    }

    /// Has the broker tell where to go.
    pub(super) fn request_reset(&mut self, name: &TopicPartition, how: AutoOffsetReset) -> Result<()> {
        let partition = self.get_mut(name)?;
        partition.phase = Phase::Reset(how);
        partition.not_before = None;
        partition.preferred = None;
        Ok(())
    }

    /// Partitions for which nothing is known, and that may be asked for.
    pub(super) fn unknown(&self, now: Instant) -> Vec<TopicPartition> {
        self.select(|partition| partition.phase == Phase::Unknown && partition.may_ask(now))
    }

    /// Sends partitions without a committed offset to where `auto.offset.reset` says.
    pub(super) fn reset_unknown(&mut self, names: &[TopicPartition]) -> Result<()> {
        let unknown: Vec<TopicPartition> = names
            .iter()
            .filter(|name| self.partitions.get(*name).is_some_and(|p| p.phase == Phase::Unknown))
            .cloned()
            .collect();
        if self.reset == AutoOffsetReset::None && !unknown.is_empty() {
            return Err(Error::NoOffsetForPartition(unknown));
        }
        unknown.iter().try_for_each(|name| self.request_reset(name, self.reset))
    }

    /// Partitions that must be reset now, each with how.
    pub(super) fn to_reset(&self, now: Instant) -> Vec<(TopicPartition, AutoOffsetReset)> {
        let of = |(name, partition): (&TopicPartition, &Partition)| match partition.phase {
            Phase::Reset(how) if partition.may_ask(now) => Some((name.clone(), how)),
            _ => None,
        };
        self.partitions.iter().filter_map(of).collect()
    }

    /// Takes the offset that a reset found, unless the user has gone elsewhere since.
    pub(super) fn finish_reset(
        &mut self,
        name: &TopicPartition,
        how: AutoOffsetReset,
        offset: Offset,
        epoch: Option<LeaderEpoch>,
    ) {
        if let Some(partition) =
            self.partitions.get_mut(name).filter(|partition| partition.phase == Phase::Reset(how))
        {
            tracing::info!(partition = %name, offset = offset.0, "the offset is reset");
            let checked_in = epoch.unwrap_or(LeaderEpoch::NONE);
            partition.phase = Phase::Fetch(Position { offset, epoch: None, checked_in });
            partition.not_before = None;
        }
    }

    pub(super) fn ask_again(&mut self, names: &[TopicPartition], at: Instant) {
        for name in names {
            if let Some(partition) = self.partitions.get_mut(name) {
                partition.not_before = Some(at);
            }
        }
    }

    /// No longer reads from `node` what leaders told us to read there. Kafka: `clearPreferredReadReplica`.
    pub(super) fn leave_replica(&mut self, node: NodeId) {
        for partition in self.partitions.values_mut() {
            partition.preferred.take_if(|(preferred, _)| *preferred == node);
        }
    }

    /// Positions whose partition has another leader are checked with it, also those that the leader before was to
    /// check: it may be gone. A term that is lower than before is of another topic of the same name.
    /// Kafka: `maybeValidatePositionForCurrentLeader`.
    pub(super) fn check_leaders(&mut self, metadata: &ClusterMetadata) {
        for (name, partition) in &mut self.partitions {
            let leader = metadata.leader_and_epoch(name);
            if let Phase::Fetch(position) | Phase::Validate(position) = partition.phase
                && leader.leader.is_some()
                && leader.epoch != position.checked_in
            {
                let position = Position { checked_in: leader.epoch, ..position };
                let checkable = position.epoch.is_some();
                partition.phase = if checkable { Phase::Validate(position) } else { Phase::Fetch(position) };
                partition.preferred = None;
                partition.not_before = None;
            }
        }
    }

    pub(super) fn to_validate(&self, now: Instant) -> Vec<(TopicPartition, Position)> {
        let of = |(name, partition): (&TopicPartition, &Partition)| match partition.phase {
            Phase::Validate(position) if partition.may_ask(now) => Some((name.clone(), position)),
            _ => None,
        };
        self.partitions.iter().filter_map(of).collect()
    }

    /// Takes the leader's answer: the end of the epoch before the position. Where the log was truncated and nothing says
    /// where to go on, the position stays in doubt until the user seeks. Kafka: `maybeCompleteValidation`.
    pub(super) fn finish_validation(
        &mut self,
        name: &TopicPartition,
        asked: Position,
        epoch: Option<LeaderEpoch>,
        end: Offset,
    ) -> Result<()> {
        let Some(partition) = self.partitions.get_mut(name).filter(|p| p.phase == Phase::Validate(asked))
        else {
            return Ok(());
        };
        let unknown = end.0 < 0 || epoch.is_none();
        let truncated = unknown || end < asked.offset;
        if truncated && self.reset == AutoOffsetReset::None {
            return Err(Error::LogTruncation(vec![(name.clone(), end)]));
        }
        if truncated {
            tracing::info!(partition = %name, position = asked.offset.0, end = end.0, "the log was truncated");
        }
        partition.not_before = None;
        partition.phase = if !truncated {
            Phase::Fetch(asked)
        } else if unknown {
            Phase::Reset(self.reset)
        } else {
            Phase::Fetch(Position { offset: end, epoch, ..asked })
        };
        Ok(())
    }

    /// The position lies outside the log.
    pub(super) fn out_of_range(
        &mut self,
        name: &TopicPartition,
        offset: Offset,
        replica: NodeId,
    ) -> Result<()> {
        let reset = self.reset;
        let Some(partition) = self.partitions.get_mut(name) else { return Ok(()) };
        if partition.position().is_none_or(|position| position.offset != offset) {
            return Ok(());
        }
        if partition.preferred.take().is_some_and(|(preferred, _)| preferred == replica) {
            return Ok(());
        }
        if reset == AutoOffsetReset::None {
            return Err(Error::OffsetOutOfRange(vec![(name.clone(), offset)]));
        }
        tracing::info!(partition = %name, offset = offset.0, "the position is out of range");
        partition.phase = Phase::Reset(reset);
        Ok(())
    }

    /// Partitions that can be fetched, with their positions.
    pub(super) fn fetchable(&self, now: Instant) -> Vec<(TopicPartition, Position)> {
        let of = |(name, partition): (&TopicPartition, &Partition)| match partition.phase {
            Phase::Fetch(position) if !partition.paused && !partition.leaving && partition.may_ask(now) => {
                Some((name.clone(), position))
            }
            _ => None,
        };
        self.partitions.iter().filter_map(of).collect()
    }

    /// Everything that was read, to be committed.
    pub(super) fn consumed(&self) -> BTreeMap<TopicPartition, OffsetAndMetadata> {
        let of = |(name, partition): (&TopicPartition, &Partition)| {
            let position = partition.position()?;
            let committed = OffsetAndMetadata {
                offset: position.offset,
                leader_epoch: position.epoch,
                metadata: String::new(),
            };
            Some((name.clone(), committed))
        };
        self.partitions.iter().filter_map(of).collect()
    }

    fn select(&self, which: impl Fn(&Partition) -> bool) -> Vec<TopicPartition> {
        self.partitions
            .iter()
            .filter(|(_, partition)| which(partition))
            .map(|(name, _)| name.clone())
            .collect()
    }

    pub(super) fn paused(&self) -> Vec<TopicPartition> {
        self.select(|partition| partition.paused)
    }

    /// When something that waits may be asked for again.
    pub(super) fn next_ask(&self, now: Instant) -> Option<Instant> {
        let times = self.partitions.values().filter_map(|partition| partition.not_before);
        times.filter(|at| *at > now).min()
    }
}

#[cfg(test)]
mod tests;
