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

/// A broker that may get replicas.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsableBroker {
    /// Its id.
    pub id: NodeId,
    /// Its rack, if it tells one.
    pub rack: Option<String>,
    /// Whether it may not lead for now.
    pub fenced: bool,
}

impl From<&BrokerRegistration> for UsableBroker {
    fn from(broker: &BrokerRegistration) -> Self {
        Self { id: broker.id, rack: broker.rack.clone(), fenced: broker.fenced }
    }
}

/// Places `partitions` partitions of `replicas` replicas each on `brokers`; `seed` decides where to begin.
pub fn place(
    brokers: &[UsableBroker],
    partitions: i32,
    replicas: i16,
    seed: u128,
) -> Result<Vec<Vec<NodeId>>, ApiError> {
    place_with(brokers.iter().cloned(), partitions, replicas, &mut Random::new(seed))
}

fn place_with(
    brokers: impl Iterator<Item = UsableBroker>,
    partitions: i32,
    replicas: i16,
    random: &mut Random,
) -> Result<Vec<Vec<NodeId>>, ApiError> {
    let mut racks = RackList::new(brokers, random);
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
    Ok((0..partitions).map(|_| racks.place(wanted, random)).collect())
}

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
    fn new(brokers: impl Iterator<Item = UsableBroker>, random: &mut Random) -> Self {
        let mut racks: BTreeMap<Option<String>, Rack> = BTreeMap::new();
        let (mut total, mut unfenced) = (0, 0);
        for broker in brokers {
            let rack = racks.entry(broker.rack).or_default();
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
        let usable = cluster.brokers().filter(|broker| is_usable(&self.heartbeats, broker));
        place_with(usable.map(|broker| broker.as_ref().into()), partitions, replicas, &mut self.random)
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

    fn brokers(racks: &[Option<&str>], fenced: &[i32]) -> impl Iterator<Item = UsableBroker> {
        let broker = |(id, rack): (i32, &Option<&str>)| UsableBroker {
            id: NodeId(id),
            rack: rack.map(str::to_owned),
            fenced: fenced.contains(&id),
        };
        (0..).zip(racks).map(broker).collect::<Vec<_>>().into_iter()
    }

    #[test]
    fn leaders_are_spread_evenly() {
        let (brokers, mut random) = (brokers(&[None; 4], &[]), Random::new(7));
        let mut racks = RackList::new(brokers, &mut random);
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
        let mut racks = RackList::new(brokers, &mut random);
        for _ in 0..20 {
            let placed = racks.place(2, &mut random);
            assert_ne!(placed[0].0 / 2, placed[1].0 / 2, "{placed:?} share a rack");
        }
    }

    #[test]
    fn a_fenced_broker_follows_but_does_not_lead() {
        let (brokers, mut random) = (brokers(&[None, None, None], &[1]), Random::new(3));
        let mut racks = RackList::new(brokers, &mut random);
        for _ in 0..20 {
            let placed = racks.place(3, &mut random);
            assert_eq!(placed[2], NodeId(1));
        }
    }
}
