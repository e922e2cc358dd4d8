//! The page: the figures that are to be reached, each with whether it is; other latencies; and what the machine allows.

use super::super::figures::number;
use super::lines::Lines;
use super::rows::Wanted::{AtLeast, AtMost, Below};
use super::rows::{
    ALONE, BESIDE, FLOOR, KAFKA, LATENCY, LIMITS, MACHINE, REACH, REPLICATED, Row, SYNCED, Wanted,
};
use std::fmt::Write;

/// What the page begins with.
pub const HEADING: &str = "# Figures to reach";
/// The columns.
const SUBJECTS: [&str; 4] = [KAFKA, REPLICATED, SYNCED, FLOOR];
/// What a row says that is not reached.
const NO: &str = "**no**";

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

    /// The cells of all subjects.
    fn cells(&self, lines: &Lines, page: &mut String) {
        for name in SUBJECTS {
            _ = write!(page, " {} |", self.cell(lines, name));
        }
    }

    /// How a figure compares with Kafka's.
    fn ratio(&self, lines: &Lines, subject: &str) -> String {
        let figures = self.figure(lines, subject).zip(self.figure(lines, KAFKA));
        figures.map_or_else(String::new, |(figure, kafka)| format!("×{:.2}", figure / kafka))
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
            Some(_) => NO,
            None => "?",
        });
        text
    }
}

/// What bounds figures that are not reached, in the order of their numbers.
#[derive(Default)]
struct Notes(Vec<String>);

impl Notes {
    /// The mark of what bounds a subject's figure, if that is known.
    fn mark(&mut self, row: &Row, lines: &Lines, subject: &str) -> String {
        let Some((_, bound)) = row.bounds.iter().find(|(of, _)| *of == subject) else { return String::new() };
        let text = filled(bound, |name| told(name, row, lines, subject));
        let known = self.0.iter().position(|note| *note == text);
        let place = known.unwrap_or_else(|| {
            self.0.push(text);
            self.0.len() - 1
        });
        format!(" [^{}]", place + 1)
    }
}

/// A measured figure that a bound names in braces.
fn told(name: &str, row: &Row, lines: &Lines, subject: &str) -> Option<f64> {
    let limit = |name: &str| LIMITS.iter().find(|(known, _)| *known == name)?.1.figure(lines, MACHINE);
    let figure = |subject: &str| row.figure(lines, subject);
    match name {
        FLOOR | KAFKA => figure(name),
        "floor/kafka" => Some(figure(FLOOR)? / figure(KAFKA)?),
        "alone" => hiccups(ALONE, row, lines),
        "beside" => hiccups(&format!("{BESIDE}{}", row.from.cell), row, lines),
        "as flushes" => Some(figure(subject)? / limit("flush p50")?),
        "flushes each" => Some(limit("flushes")? / figure(subject)?),
        "each flush" => Some(figure(subject)? / limit("flushes")?),
        "retries each" => {
            let count = |field| Row { field, scale: 1.0, ..*row }.figure(lines, subject);
            Some(count("retries")? / count("txns")?)
        }
        name => limit(name),
    }
}

/// How late the machine lets a thread be in `cell`, at the quantile of a latency's row.
fn hiccups(cell: &str, row: &Row, lines: &Lines) -> Option<f64> {
    let field = row.field.replace("e2e", "late");
    let (_, limit) = LIMITS.iter().find(|(_, limit)| limit.from.cell == cell && limit.field == field)?;
    limit.figure(lines, MACHINE)
}

/// The text with the figures in the place of the names in braces.
fn filled(text: &str, told: impl Fn(&str) -> Option<f64>) -> String {
    let mut parts = text.split('{');
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (name, rest) = part.split_once('}').unwrap_or((part, ""));
        out += &told(name).map_or_else(|| "(not measured)".to_owned(), number);
        out += rest;
    }
    out
}

/// The page.
pub fn page(lines: &Lines, machine: &str) -> String {
    let mut page = format!("{HEADING}\n\n{}\nMachine: {machine}.\n\n", FOREWORD.trim_start());
    let mut notes = Notes::default();
    let subjects = SUBJECTS.join(" | ");
    _ = writeln!(page, "| figure | to reach | {subjects} | replicated: reached? | synced: reached? |");
    page += "|---|---|---|---|---|---|---|---|\n";
    for row in REACH {
        let wanted: Vec<_> = row.wanted.iter().map(|wanted| wanted.text()).collect();
        _ = write!(page, "| {} | {} |", row.what, wanted.join(", "));
        row.cells(lines, &mut page);
        for subject in [REPLICATED, SYNCED] {
            let verdict = row.verdict(lines, subject);
            let mark = if verdict.ends_with(NO) { notes.mark(row, lines, subject) } else { String::new() };
            _ = write!(page, " {verdict}{mark} |");
        }
        page.push('\n');
    }
    for (place, note) in notes.0.iter().enumerate() {
        _ = write!(page, "\n[^{}]: {note}\n", place + 1);
    }
    _ = write!(
        page,
        "\n## Latency at every rate\n\n| | {subjects} | replicated: ratio | synced: ratio |\n|---|---|---|---|---|---|---|\n"
    );
    for row in LATENCY {
        _ = write!(page, "| {} |", row.what);
        row.cells(lines, &mut page);
        _ = writeln!(page, " {} | {} |", row.ratio(lines, REPLICATED), row.ratio(lines, SYNCED));
    }
    page += "\n## What the machine allows\n\n| | |\n|---|---|\n";
    for (_, row) in LIMITS {
        _ = writeln!(page, "| {} | {} |", row.what, row.cell(lines, MACHINE));
    }
    let failures = lines.failures();
    if !failures.is_empty() {
        _ = write!(page, "\nWhat failed:\n- {}\n", failures.join("\n- "));
    }
    page
}

const FOREWORD: &str = "
Medians of the runs in `bench/results/*.jsonl` (least–most in brackets), with ratios to what each is compared with. `kafka` is Apache
Kafka 4.3.1, which acknowledges `acks=all` before it syncs; so does `monedula-replicated`; `monedula` is the default, which answers
after the disk has the records; `floor` is the least that a broker could do: it receives, checks the checksum, appends and answers, and
serves fetches with `sendfile`. The broker is held to the first core, the generator to the second; subjects take turns within a run,
and the machine alone has its turn before them. Made by `cargo xtask bench --table --generator FOLDER`, whose help says what FOLDER holds.
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
    fn what_is_not_reached_is_told_with_the_bound_that_was_measured() {
        let text = [
            r#"{"suite":"rpc","cell":"offsetcommit","subject":"kafka","req_s":10000}"#,
            r#"{"suite":"rpc","cell":"offsetcommit","subject":"monedula","req_s":20000}"#,
            r#"{"suite":"rpc","cell":"offsetcommit","subject":"monedula-replicated","req_s":30000}"#,
            r#"{"suite":"machine","cell":"flush","subject":"machine","flushes_s":4000}"#,
        ];
        let page = page(&lines(&text.join("\n")), "a machine");
        assert!(page.contains("| ×3.00 yes | ×2.00 **no** [^1] |"), "{page}");
        assert!(page.contains("[^1]: a commit waits for a flush. One writer flushes 4000 times a second, so that 5.00 commits"), "{page}");
        assert!(page.contains("(one writer, 4 KiB appended before each) | 4000 |"), "{page}");
    }

    #[test]
    fn a_tail_is_told_with_the_hiccups_at_its_rate_and_quantile() {
        let text = [
            r#"{"suite":"tail","cell":"rate=50000","subject":"kafka","e2e_us":{"p99":15000,"p999":20000}}"#,
            r#"{"suite":"tail","cell":"rate=50000","subject":"monedula-replicated","e2e_us":{"p99":6000,"p999":7000}}"#,
            r#"{"suite":"machine","cell":"hiccups","subject":"machine","late_us":{"p99":1000,"p999":2000}}"#,
            r#"{"suite":"machine","cell":"hiccups beside the floor, rate=10000","subject":"machine","late_us":{"p99":2500,"p999":3000}}"#,
            r#"{"suite":"machine","cell":"hiccups beside the floor, rate=50000","subject":"machine","late_us":{"p99":3500,"p999":4000}}"#,
        ];
        let page = page(&lines(&text.join("\n")), "a machine");
        for (alone, beside) in [("1.00", "3.50"), ("2.00", "4.00")] {
            let told = format!(
                "wait {alone} ms on a core of its own, and {beside} ms beside the floor at this rate; the floor has (not measured) ms"
            );
            assert!(page.contains(&told), "{page}");
        }
    }

    #[test]
    fn every_name_in_a_bound_is_of_something_measured() {
        let known = [
            FLOOR,
            KAFKA,
            "floor/kafka",
            "alone",
            "beside",
            "as flushes",
            "flushes each",
            "each flush",
            "retries each",
        ];
        for (of, bound) in REACH.iter().flat_map(|row| row.bounds) {
            assert!(SUBJECTS.contains(of), "{bound}");
            filled(bound, |name| {
                assert!(known.contains(&name) || LIMITS.iter().any(|(limit, _)| *limit == name), "{name}");
                None
            });
        }
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
