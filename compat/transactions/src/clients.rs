//! The process that is killed: one who transforms and some who write. It tells its history on standard output.

use crate::chance::Chance;
use crate::history::History;
use crate::plan::{Plan, WRITERS};
use crate::transformer::Transformer;
use crate::writer;

/// Runs until it is killed.
pub async fn run(plan: Plan, process: u64, generation: u64) {
    let history = History::new(std::io::stdout(), false);
    let seed = plan.seed.wrapping_mul(1009).wrapping_add(process * 101 + generation);
    if !plan.calm {
        for number in 0..WRITERS {
            let id = plan.transactional_id(process, &format!("w{number}"));
            let chance = Chance::new(seed.wrapping_add(number * 7 + 1));
            tokio::spawn(writer::write(plan.clone(), history.clone(), chance, id, generation));
        }
    }
    Transformer { plan, history, chance: Chance::new(seed), process, generation }.run().await;
}
