//! Random plans of requests and time: the log tells all, also what is left of it when the redundant part is deleted.

use std::time::Duration;

use proptest::prelude::*;

use super::scene::Scene;
use super::{batch, write};
use crate::share::{ShareCoordinatorConfig, ShareResponse, ShareStateWrite};

#[derive(Clone, Debug)]
enum Step {
    Initialize { partition: i32, state_epoch: i32, start: i64 },
    Read { partition: i32, leader_epoch: i32 },
    Write { partition: i32, leader_epoch: i32, first: i64, length: i64, state: i8, count: i16 },
    Delete { partition: i32 },
    Advance { seconds: u64 },
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    let partition = 0..3;
    prop_oneof![
        2 => (partition.clone(), 0..3, -1..20i64).prop_map(|(partition, state_epoch, start)| Step::Initialize { partition, state_epoch, start }),
        2 => (partition.clone(), -1..4).prop_map(|(partition, leader_epoch)| Step::Read { partition, leader_epoch }),
        8 => (partition.clone(), 0..4, 0..50i64, 0..9i64, prop_oneof![Just(0i8), Just(2), Just(4)], 1..4i16).prop_map(
            |(partition, leader_epoch, first, length, state, count)| Step::Write { partition, leader_epoch, first, length, state, count }
        ),
        1 => partition.prop_map(|partition| Step::Delete { partition }),
        2 => (1..400u64).prop_map(|seconds| Step::Advance { seconds }),
        1 => Just(Step::Restart),
    ]
}

/// What clients can learn of each partition.
fn seen(scene: &mut Scene) -> Vec<String> {
    (0..3)
        .map(|partition| format!("{:?} {:?}", scene.read(partition, -1), scene.summary(partition)))
        .collect()
}

proptest! {
    #[test]
    fn the_log_tells_all(steps in proptest::collection::vec(step(), 1..80)) {
        let config = ShareCoordinatorConfig { updates_per_snapshot: 3, ..Default::default() };
        let mut scene = Scene::new(config);
        let mut start = 0;
        for step in steps {
            match step {
                Step::Initialize { partition, state_epoch, start } => _ = scene.initialize(partition, state_epoch, start),
                Step::Read { partition, leader_epoch } => _ = scene.read(partition, leader_epoch),
                Step::Write { partition, leader_epoch, first, length, state, count } => {
                    let changed = [batch(first, first + length, state, count)];
                    let write = ShareStateWrite { state_epoch: -1, ..write(leader_epoch, -1, &changed) };
                    _ = scene.write(partition, write);
                }
                Step::Delete { partition } => _ = scene.delete(partition),
                Step::Advance { seconds } => {
                    for told in scene.advance(Duration::from_secs(seconds)) {
                        let ShareResponse::Prune(offset) = told else { panic!("{told:?}") };
                        start = usize::try_from(offset.0).expect("an offset");
                    }
                }
                Step::Restart => {
                    let before = seen(&mut scene);
                    scene.restart_from(start);
                    prop_assert_eq!(seen(&mut scene), before);
                }
            }
        }
    }
}
