//! What was found to be wrong; told on standard error after all files. Kafka: `TimeIndexDumpErrors` and its kin.

use std::collections::BTreeMap;
use std::path::Path;

type Pairs = BTreeMap<String, Vec<(i64, i64)>>;

/// Pairs of numbers that do not fit, by file.
#[derive(Default)]
pub(super) struct Problems {
    pub(super) index_mismatches: Pairs,
    pub(super) time_mismatches: Pairs,
    pub(super) out_of_order: Pairs,
    pub(super) not_found: Pairs,
    pub(super) gaps: Pairs,
}

/// Notes a pair for a file.
pub(super) fn note(pairs: &mut Pairs, path: &Path, pair: (i64, i64)) {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    pairs.entry(path.display().to_string()).or_default().push(pair);
}

impl Problems {
    pub(super) fn report(&self) {
        tell(&self.index_mismatches, "Mismatches in :", |a, b| {
            format!("  Index offset: {a}, log offset: {b}")
        });
        tell(&self.time_mismatches, "Found timestamp mismatch in :", |a, b| {
            format!("  Index timestamp: {a}, log timestamp: {b}")
        });
        tell(&self.out_of_order, "Found out of order timestamp in :", |a, b| {
            format!("  Index timestamp: {a}, Previously indexed timestamp: {b}")
        });
        for pairs in self.not_found.values() {
            complain!("The following indexed offsets are not found in the log.");
            for (indexed, found) in pairs {
                complain!("Indexed offset: {indexed}, found log offset: {found}");
            }
        }
        tell(&self.gaps, "Non-consecutive offsets in ", |a, b| format!("  {a} is followed by {b}"));
    }
}

fn tell(pairs: &Pairs, title: &str, line: impl Fn(i64, i64) -> String) {
    for (file, pairs) in pairs {
        complain!("{title}{file}");
        for (first, second) in pairs {
            complain!("{}", line(*first, *second));
        }
    }
}
