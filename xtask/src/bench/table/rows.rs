//! The figures that are to be reached: where each is measured, what is wanted of it, and the table of both.

use super::super::figures::number;
use super::lines::{Cell, Lines};
use std::fmt::Write;

/// What the page begins with.
pub const HEADING: &str = "# Figures to reach";

const KAFKA: &str = "kafka";
const FLOOR: &str = "floor";
const SYNCED: &str = "monedula";
const REPLICATED: &str = "monedula-replicated";
/// The columns.
const SUBJECTS: [&str; 4] = [KAFKA, REPLICATED, SYNCED, FLOOR];
/// Latency that is wanted whatever another broker's is.
const TAIL_MS: f64 = 10.0;
const THIRD: f64 = 1.0 / 3.0;

/// What is wanted of a figure.
#[derive(Clone, Copy)]
enum Wanted {
    /// At most this share of the other subject's figure.
    AtMost(f64, &'static str),
    /// At least so many times the other subject's figure.
    AtLeast(f64, &'static str),
    /// Below a fixed value.
    Below(f64),
}

use Wanted::{AtLeast, AtMost, Below};

/// A figure.
struct Row {
    what: &'static str,
    from: Cell,
    field: &'static str,
    /// What a value is multiplied with.
    scale: f64,
    wanted: &'static [Wanted],
    /// The most of all runs counts, not the median.
    most: bool,
}

const fn row(
    what: &'static str,
    suite: &'static str,
    cell: &'static str,
    field: &'static str,
    wanted: &'static [Wanted],
) -> Row {
    Row { what, from: Cell { suite, cell }, field, scale: 1.0, wanted, most: false }
}

/// A row in milliseconds of a field in microseconds.
const fn millis(row: Row) -> Row {
    Row { scale: 0.001, ..row }
}

const PLAIN: &str = "acks=-1,size=1024,parts=6,codec=none";
const SHORT: &str = "acks=-1,size=100,parts=6,codec=none";
const PACKED: &str = "acks=-1,size=100,parts=6,codec=lz4";
const MANY: &str = "acks=-1,size=1024,parts=1000,codec=none";
const PRODUCE: &str = "short-produce";
const CONSUME: &str = "short-consume";
const CPU: &str = "cpu_s_per_gib";
const RATE: &str = "mib_s";
const TENTH_AND_TAIL: &[Wanted] = &[AtMost(0.1, KAFKA), Below(TAIL_MS)];
const A_TENTH: &[Wanted] = &[AtMost(0.1, KAFKA)];
const A_THIRD: &[Wanted] = &[AtMost(THIRD, KAFKA)];
const NO_MORE: &[Wanted] = &[AtMost(1.0, KAFKA)];
const THRICE: &[Wanted] = &[AtLeast(3.0, KAFKA)];
const THRICE_AND_FLOOR: &[Wanted] = &[AtLeast(3.0, KAFKA), AtLeast(0.6, FLOOR)];

const ROWS: &[Row] = &[
    millis(row("10,000 records/s of 1 KiB, end to end p99, ms", "tail", "rate=10000", "e2e_us.p99", A_TENTH)),
    millis(row("… p99.9", "tail", "rate=10000", "e2e_us.p999", TENTH_AND_TAIL)),
    millis(row("50,000 records/s of 1 KiB, end to end p99, ms", "tail", "rate=50000", "e2e_us.p99", A_TENTH)),
    millis(row("… p99.9", "tail", "rate=50000", "e2e_us.p999", TENTH_AND_TAIL)),
    row("produce 1 KiB, CPU s/GiB", PRODUCE, PLAIN, CPU, A_THIRD),
    row("produce 100 B, CPU s/GiB", PRODUCE, SHORT, CPU, A_THIRD),
    row("produce 100 B lz4, CPU s/GiB", PRODUCE, PACKED, CPU, &[AtMost(0.5, KAFKA)]),
    row("consume 1 KiB, CPU s/GiB", CONSUME, PLAIN, CPU, NO_MORE),
    row("consume 100 B, CPU s/GiB", CONSUME, SHORT, CPU, NO_MORE),
    row("consume over 1,000 partitions, MiB/s", CONSUME, MANY, RATE, &[AtLeast(2.0, KAFKA)]),
    row("produce of one record, requests/s", "rpc", "produce", "req_s", THRICE),
    row("… CPU µs", "rpc", "produce", "cpu_us_per_req", A_THIRD),
    row("fetch of one batch, requests/s", "one batch", "fetch", "req_s", THRICE),
    row("… CPU µs", "one batch", "fetch", "cpu_us_per_req", A_THIRD),
    row("fetch at the end, requests/s", "rpc", "fetch", "req_s", THRICE),
    row("… CPU µs", "rpc", "fetch", "cpu_us_per_req", A_THIRD),
    row("metadata, requests/s", "rpc", "metadata", "req_s", THRICE),
    row("… CPU µs", "rpc", "metadata", "cpu_us_per_req", A_THIRD),
    row("commit of an offset, requests/s", "rpc", "offsetcommit", "req_s", THRICE),
    row("… CPU µs", "rpc", "offsetcommit", "cpu_us_per_req", A_THIRD),
    row("transactions/s, 1 producer", "txn", "producers=1", "txn_s", THRICE),
    row("… CPU ms", "txn", "producers=1", "cpu_ms_per_txn", A_THIRD),
    row("transactions/s, 10 producers", "txn", "producers=10", "txn_s", THRICE),
    row("… CPU ms", "txn", "producers=10", "cpu_ms_per_txn", A_THIRD),
    row("produce 1 KiB on one core, MiB/s", PRODUCE, PLAIN, RATE, THRICE_AND_FLOOR),
    row("produce 100 B on one core, MiB/s", PRODUCE, SHORT, RATE, THRICE_AND_FLOOR),
    row("produce over 1,000 partitions, MiB/s", PRODUCE, MANY, RATE, &[AtLeast(10.0, KAFKA)]),
    row("memory idle, MiB", "idle", "empty, 18 s after the start", "rss", &[Below(32.0)]),
    Row { most: true, ..row("memory under full load, most, MiB", PRODUCE, "", "hwm", &[Below(128.0)]) },
    Row {
        scale: 1000.0,
        ..row("start to the first answer, ms", "startup", "empty", "value", &[Below(100.0)])
    },
    Row {
        scale: 1000.0,
        ..row("create 10,000 partitions, ms", "create", "10,000 partitions", "usable", A_TENTH)
    },
    row("restart after kill -9 with 10 GiB, ms", "restart", "kill -9, 10 partitions", "usable_ms", A_TENTH),
    row(
        "64 producers, 5 requests in flight of each, MiB/s",
        "producers",
        "64, 5 in flight",
        RATE,
        &[AtLeast(0.5, REPLICATED)],
    ),
    row(
        "64 producers, 1 request in flight of each, MiB/s",
        "producers",
        "64, 1 in flight",
        RATE,
        &[AtLeast(0.5, REPLICATED)],
    ),
    row(
        "restart after kill -9 with 10 GiB in 1,000 partitions: first answer, ms",
        "restart",
        "kill -9, 1,000 partitions",
        "answered_ms",
        &[Below(200.0)],
    ),
    row("… every partition", "restart", "kill -9, 1,000 partitions", "usable_ms", &[Below(1000.0)]),
    row(
        "… clean restart: first answer",
        "restart",
        "kill -9, 1,000 partitions",
        "clean_answered_ms",
        &[Below(200.0)],
    ),
];

impl Wanted {
    fn text(self) -> String {
        match self {
            AtMost(1.0, other) => format!("no more than {other}'s"),
            AtMost(share, other) => format!("≤ {share:.2} × {other}"),
            AtLeast(times, other) => format!("≥ {times} × {other}"),
            Below(most) => format!("< {most}"),
        }
    }

    /// Whether a figure is as wanted; nothing where what it is compared with was not measured.
    fn reached(self, found: f64, other: impl Fn(&str) -> Option<f64>) -> Option<bool> {
        Some(match self {
            AtMost(share, name) => found <= share * other(name)?,
            AtLeast(times, name) => found >= times * other(name)?,
            Below(most) => found < most,
        })
    }

    /// Who is compared with, if anybody.
    fn other(self) -> Option<&'static str> {
        match self {
            AtMost(_, name) | AtLeast(_, name) => Some(name),
            Below(_) => None,
        }
    }
}

impl Row {
    fn values(&self, lines: &Lines, subject: &str) -> Vec<f64> {
        let found = lines.values(self.from, subject, self.field);
        found.into_iter().map(|value| value * self.scale).collect()
    }

    fn figure(&self, lines: &Lines, subject: &str) -> Option<f64> {
        let values = self.values(lines, subject);
        let half = values.len() / 2;
        match values.len() {
            0 => None,
            count if self.most => Some(values[count - 1]),
            count if count % 2 == 1 => Some(values[half]),
            _ => Some((values[half - 1] + values[half]) / 2.0),
        }
    }

    /// Least and most are told where there are several runs.
    fn cell(&self, lines: &Lines, subject: &str) -> String {
        let Some(figure) = self.figure(lines, subject) else { return String::new() };
        let values = self.values(lines, subject);
        if self.most || values.len() < 2 {
            return number(figure);
        }
        format!("{} ({}–{})", number(figure), number(values[0]), number(values[values.len() - 1]))
    }

    /// The ratios, and whether all that is wanted is there.
    fn verdict(&self, lines: &Lines, subject: &str) -> String {
        let others = self.wanted.iter().filter_map(|wanted| wanted.other());
        let Some(figure) = self.figure(lines, subject) else { return String::new() };
        if others.clone().any(|other| other == subject) {
            return String::new();
        }
        let other = |name: &str| self.figure(lines, name);
        let mut text = String::new();
        for base in others.filter_map(other) {
            write!(text, "×{:.2} ", figure / base).expect("a string takes all");
        }
        let reached: Option<Vec<bool>> =
            self.wanted.iter().map(|wanted| wanted.reached(figure, other)).collect();
        text.push_str(match reached {
            Some(each) if each.iter().all(|one| *one) => "yes",
            Some(_) => "**no**",
            None => "?",
        });
        text
    }
}

/// The page.
pub fn page(lines: &Lines, machine: &str) -> String {
    let mut page = format!("{HEADING}\n\n{}\nMachine: {machine}.\n\n", FOREWORD.trim_start());
    page.push_str("| figure | to reach |");
    for name in SUBJECTS {
        page.push_str(&format!(" {name} |"));
    }
    page.push_str(" replicated: reached? | synced: reached? |\n|---|---|---|---|---|---|---|---|\n");
    for row in ROWS {
        let wanted: Vec<_> = row.wanted.iter().map(|wanted| wanted.text()).collect();
        page.push_str(&format!("| {} | {} |", row.what, wanted.join(", ")));
        for name in SUBJECTS {
            page.push_str(&format!(" {} |", row.cell(lines, name)));
        }
        page.push_str(&format!(" {} | {} |\n", row.verdict(lines, REPLICATED), row.verdict(lines, SYNCED)));
    }
    let failures = lines.failures();
    if !failures.is_empty() {
        page.push_str(&format!("\nWhat failed:\n- {}\n", failures.join("\n- ")));
    }
    page
}

const FOREWORD: &str = "
Medians of the runs in `bench/results/*.jsonl` (least–most in brackets), with ratios to what each is compared with. `kafka` is Apache
Kafka 4.3.1, which acknowledges `acks=all` before it syncs; so does `monedula-replicated`; `monedula` is the default, which answers
after the disk has the records; `floor` is the least that a broker could do. The broker is held to the first core, the generator to
the second; subjects take turns within a run. Made by `cargo xtask bench --table --generator FOLDER`, whose help says what
FOLDER holds.
";

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Lines {
        let mut lines = Lines::default();
        lines.add(text).expect("the lines are JSON");
        lines
    }

    #[test]
    fn a_ratio_is_judged_by_medians() {
        let text =
            [("kafka", 30), ("kafka", 10), ("kafka", 20), ("monedula", 60), ("monedula-replicated", 59)]
                .map(|(name, rate)| {
                    format!(r#"{{"suite":"rpc","cell":"produce","subject":"{name}","run":0,"req_s":{rate}}}"#)
                })
                .join("\n");
        let page = page(&lines(&text), "a machine");
        let row = "| produce of one record, requests/s | ≥ 3 × kafka | 20.0 (10.0–30.0) | 59.0 | 60.0 |  | ×2.95 **no** | ×3.00 yes |";
        assert!(page.contains(row), "{page}");
    }

    #[test]
    fn what_was_not_measured_is_not_reached() {
        let text = r#"{"suite":"short-produce","cell":"acks=-1,size=1024,parts=6,codec=none","subject":"monedula","mib_s":900.0}"#;
        let page = page(&lines(text), "a machine");
        assert!(page.contains("| 900 |  |  | ? |"), "{page}");
    }

    #[test]
    fn a_run_that_failed_counts_for_nothing_and_is_told() {
        let text = r#"{"suite":"rpc","cell":"fetch","subject":"kafka","rc":2,"req_s":5,"stderr":"kload: answers stopped"}"#;
        let page = page(&lines(text), "a machine");
        assert!(page.contains("- rpc, fetch, kafka: kload: answers stopped"), "{page}");
        assert!(!page.contains("5.00"), "{page}");
    }
}
