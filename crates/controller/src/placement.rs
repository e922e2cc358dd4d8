//! Where the replicas of new partitions go: round robin over racks and, within a rack, over brokers, from a random
//! start, so that load, racks and the order of fail-over are spread evenly.
//!
//! Kafka: `StripedReplicaPlacer`.

use std::collections::BTreeMap;

use metadata::BrokerRegistration;
use model::{NodeId, Uuid};
use protocol::ErrorCode;

use crate::heartbeats::Heartbeats;
use crate::random::Random;
use crate::{ApiError, Controller};

/// Brokers in the order in which a rack gives them out; each round begins one further on.
#[derive(Debug, Default)]
struct BrokerList {
    brokers: Vec<NodeId>,
    offset: usize,
    /// The round of the last answer, and how many were given out in it.
    epoch: usize,
    index: usize,
}

impl BrokerList {
    fn initialize(&mut self, random: &mut Random) {
        if !self.brokers.is_empty() {
            self.brokers.sort_unstable();
            self.offset = random.below(self.brokers.len());
        }
    }

    fn next(&mut self, epoch: usize) -> Option<NodeId> {
        if self.brokers.is_empty() {
            return None;
        }
        if self.epoch != epoch {
            self.epoch = epoch;
            self.index = 0;
            self.offset = (self.offset + 1) % self.brokers.len();
        }
        if self.index >= self.brokers.len() {
            return None;
        }
        let broker = self.brokers[(self.index + self.offset) % self.brokers.len()];
        self.index += 1;
        Some(broker)
    }
}

#[derive(Debug, Default)]
struct Rack {
    fenced: BrokerList,
    unfenced: BrokerList,
}

impl Rack {
    fn next(&mut self, epoch: usize) -> Option<NodeId> {
        self.unfenced.next(epoch).or_else(|| self.fenced.next(epoch))
    }
}

#[derive(Debug)]
struct RackList {
    racks: Vec<Rack>,
    total: usize,
    unfenced: usize,
    epoch: usize,
    offset: usize,
}

impl RackList {
    fn new<'a>(brokers: impl Iterator<Item = &'a BrokerRegistration>, random: &mut Random) -> Self {
        let mut racks: BTreeMap<Option<&str>, Rack> = BTreeMap::new();
        let (mut total, mut unfenced) = (0, 0);
        for broker in brokers {
            let rack = racks.entry(broker.rack.as_deref()).or_default();
            let list = if broker.fenced { &mut rack.fenced } else { &mut rack.unfenced };
            list.brokers.push(broker.id);
            total += 1;
            unfenced += usize::from(!broker.fenced);
        }
        let mut racks: Vec<Rack> = racks.into_values().collect();
        for rack in &mut racks {
            rack.fenced.initialize(random);
            rack.unfenced.initialize(random);
        }
        let offset = if racks.is_empty() { 0 } else { random.below(racks.len()) };
        Self { racks, total, unfenced, epoch: 0, offset }
    }

    /// Places one partition. There must be an unfenced broker and enough brokers.
    fn place(&mut self, replicas: usize, random: &mut Random) -> Vec<NodeId> {
        if self.epoch == self.unfenced && self.unfenced > 1 {
            self.shuffle(random);
        }
        self.offset %= self.racks.len();
        let count = self.racks.len();
        let epoch = self.epoch;
        let mut placed = Vec::with_capacity(replicas);
        let mut first = self.offset;
        for index in (0..count).map(|step| (self.offset + step) % count) {
            if let Some(leader) = self.racks[index].unfenced.next(epoch) {
                placed.push(leader);
                first = index;
                break;
            }
        }
        let mut skip_first = true;
        let mut rack = self.offset;
        while placed.len() < replicas {
            if skip_first && rack == first {
                skip_first = false;
            } else if let Some(follower) = self.racks[rack].next(epoch) {
                placed.push(follower);
            }
            rack = (rack + 1) % count;
        }
        self.epoch += 1;
        self.offset += 1;
        placed
    }

    fn shuffle(&mut self, random: &mut Random) {
        random.shuffle(&mut self.racks);
        for rack in &mut self.racks {
            random.shuffle(&mut rack.fenced.brokers);
            random.shuffle(&mut rack.unfenced.brokers);
        }
        self.epoch = 0;
    }
}

impl Controller {
    /// Places `partitions` partitions of `replicas` replicas each.
    pub(crate) fn place(&mut self, partitions: i32, replicas: i16) -> Result<Vec<Vec<NodeId>>, ApiError> {
        let cluster = self.image.cluster().clone();
        let usable =
            cluster.brokers().filter(|broker| is_usable(&self.heartbeats, broker)).map(AsRef::as_ref);
        let mut racks = RackList::new(usable, &mut self.random);
        let refuse = |message: String| Err(ApiError::new(ErrorCode::INVALID_REPLICATION_FACTOR, message));
        let wanted = usize::try_from(replicas).unwrap_or(0);
        if wanted == 0 {
            return refuse(format!(
                "Invalid replication factor {replicas}: the replication factor must be positive."
            ));
        }
        if racks.unfenced == 0 {
            return refuse("All brokers are currently fenced.".to_owned());
        }
        if wanted > racks.total {
            return refuse(format!(
                "The target replication factor of {replicas} cannot be reached because only {} broker(s) are \
                 registered or some brokers have all their log directories cordoned.",
                racks.total
            ));
        }
        Ok((0..partitions).map(|_| racks.place(wanted, &mut self.random)).collect())
    }

    /// The log dir of a new replica on `broker`, where there is no choice. Kafka: `ClusterControlManager.defaultDir`.
    pub(crate) fn default_dir(&self, broker: NodeId) -> Uuid {
        let Some(broker) = self.broker(broker) else { return Uuid::DIRECTORY_UNASSIGNED };
        match broker.directories.as_slice() {
            [] => Uuid::DIRECTORY_MIGRATING,
            [only] => *only,
            _ => Uuid::DIRECTORY_UNASSIGNED,
        }
    }
}

/// Whether new replicas may be put on a broker: it is not stopping, and not all its log dirs are cordoned.
fn is_usable(heartbeats: &Heartbeats, broker: &BrokerRegistration) -> bool {
    let is_cordoned =
        |dir: &Uuid| broker.cordoned_directories.as_ref().is_some_and(|dirs| dirs.contains(dir));
    !heartbeats.is_shutting_down(broker.id)
        && (broker.directories.is_empty() || !broker.directories.iter().all(is_cordoned))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn brokers(racks: &[Option<&str>], fenced: &[i32]) -> Vec<BrokerRegistration> {
        let broker = |(id, rack): (usize, &Option<&str>)| BrokerRegistration {
            id: NodeId(id as i32),
            epoch: 0,
            incarnation_id: Uuid::ZERO,
            listeners: BTreeMap::new(),
            supported_features: BTreeMap::new(),
            rack: rack.map(str::to_owned),
            fenced: fenced.contains(&(id as i32)),
            in_controlled_shutdown: false,
            is_migrating_zk_broker: false,
            directories: Vec::new(),
            cordoned_directories: None,
        };
        racks.iter().enumerate().map(broker).collect()
    }

    #[test]
    fn leaders_are_spread_evenly() {
        let (brokers, mut random) = (brokers(&[None; 4], &[]), Random::new(7));
        let mut racks = RackList::new(brokers.iter(), &mut random);
        let mut leaders = [0; 4];
        for _ in 0..400 {
            let placed = racks.place(3, &mut random);
            leaders[placed[0].0 as usize] += 1;
            let distinct: std::collections::BTreeSet<_> = placed.iter().collect();
            assert_eq!(distinct.len(), 3);
        }
        assert_eq!(leaders, [100; 4]);
    }

    #[test]
    fn replicas_are_spread_over_racks() {
        let (brokers, mut random) =
            (brokers(&[Some("a"), Some("a"), Some("b"), Some("b")], &[]), Random::new(9));
        let mut racks = RackList::new(brokers.iter(), &mut random);
        for _ in 0..20 {
            let placed = racks.place(2, &mut random);
            assert_ne!(placed[0].0 / 2, placed[1].0 / 2, "{placed:?} share a rack");
        }
    }

    #[test]
    fn a_fenced_broker_follows_but_does_not_lead() {
        let (brokers, mut random) = (brokers(&[None, None, None], &[1]), Random::new(3));
        let mut racks = RackList::new(brokers.iter(), &mut random);
        for _ in 0..20 {
            let placed = racks.place(3, &mut random);
            assert_eq!(placed[2], NodeId(1));
        }
    }
}
