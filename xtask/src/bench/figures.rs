//! What was measured, and the page that tells it: medians, spreads and ratios.

use anyhow::Result;
use std::collections::HashMap;
use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::process::Command;

/// What the page begins with.
pub const HEADING: &str = "# Side by side";

/// Values by what was measured and of whom, in the order of the first measuring.
#[derive(Default)]
pub struct Figures {
    order: Vec<String>,
    values: HashMap<(String, String), Vec<f64>>,
}

impl Figures {
    /// One more value.
    pub fn note(&mut self, what: &str, subject: &str, value: f64) {
        if !self.order.iter().any(|known| known == what) {
            self.order.push(what.to_owned());
        }
        self.values.entry((what.to_owned(), subject.to_owned())).or_default().push(value);
    }

    /// The page: a table with the first subject as the base of the ratios.
    pub fn page(&self, subjects: &[&str], command: &str, runs: usize) -> Result<String> {
        let mut page = format!("{HEADING}\n\n");
        writeln!(
            page,
            "Medians of {runs} runs, the subjects in turn (least–most in brackets), and ratios to the first column."
        )?;
        writeln!(
            page,
            "`kafka` is Apache Kafka 4.3.1 with its start script's JVM settings. It acknowledges acks=all before it syncs, as does"
        )?;
        writeln!(
            page,
            "`monedula-replicated`; `monedula` is the default, which answers acks=all only after the disk has the records. So the"
        )?;
        writeln!(
            page,
            "un-synced Kafka is compared with both, and a synced figure is bounded by the disk.\n"
        )?;
        writeln!(page, "Machine: {}. The broker is held to the first core, the generator to", machine())?;
        writeln!(page, "the second.\n\n```\n{command}\n```\n")?;
        writeln!(page, "| | {} |\n|---|{}", subjects.join(" | "), "---|".repeat(subjects.len()))?;
        for what in &self.order {
            write!(page, "| {what} |")?;
            let base = subjects.first().and_then(|name| self.median(what, name));
            for (column, subject) in subjects.iter().enumerate() {
                match self.median(what, subject) {
                    Some(median) => {
                        write!(page, " {}{}", self.cell(what, subject), ratio(median, base, column))?;
                    }
                    None => page.push(' '),
                }
                write!(page, " |")?;
            }
            page.push('\n');
        }
        self.raw(subjects, &mut page)?;
        Ok(page)
    }

    /// Every value, in the order of the runs.
    fn raw(&self, subjects: &[&str], page: &mut String) -> Result<()> {
        writeln!(page, "\n## Every run\n\n```")?;
        for what in &self.order {
            for subject in subjects {
                let values = self.values.get(&(what.clone(), (*subject).to_owned()));
                let values: Vec<_> = values.into_iter().flatten().copied().map(number).collect();
                writeln!(page, "{what:46} {subject:20} {}", values.join(" "))?;
            }
        }
        writeln!(page, "```")?;
        Ok(())
    }

    fn median(&self, what: &str, subject: &str) -> Option<f64> {
        let mut values = self.values.get(&(what.to_owned(), subject.to_owned()))?.clone();
        values.sort_by(f64::total_cmp);
        let half = values.len() / 2;
        Some(if values.len() % 2 == 1 { values[half] } else { (values[half - 1] + values[half]) / 2.0 })
    }

    fn cell(&self, what: &str, subject: &str) -> String {
        let values = &self.values[&(what.to_owned(), subject.to_owned())];
        let least = values.iter().copied().fold(f64::INFINITY, f64::min);
        let most = values.iter().copied().fold(0.0, f64::max);
        let median = self.median(what, subject).expect("a value was noted");
        if values.len() == 1 {
            number(median)
        } else {
            format!("{} ({}–{})", number(median), number(least), number(most))
        }
    }
}

fn ratio(value: f64, base: Option<f64>, column: usize) -> String {
    match base {
        Some(base) if column > 0 && base > 0.0 => format!(" ×{:.2}", value / base),
        _ => String::new(),
    }
}

/// Three digits that matter.
pub fn number(value: f64) -> String {
    match value.abs() {
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

/// Puts `page` in the place of the page of `path` that has the same heading, or in front of them all.
pub fn replace(path: &Path, heading: &str, page: &str) -> Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let old = fs::read_to_string(path).unwrap_or_default();
    Ok(fs::write(path, replaced(&old, heading, page))?)
}

fn replaced(old: &str, heading: &str, page: &str) -> String {
    let begins = |from: usize, mark: &str| {
        let found = old[from..].match_indices(mark).map(|(at, _)| from + at);
        found.into_iter().find(|at| *at == 0 || old[..*at].ends_with('\n'))
    };
    let start = begins(0, heading).unwrap_or(0);
    let end = begins(0, heading).map_or(0, |at| begins(at + heading.len(), "# ").unwrap_or(old.len()));
    let rest = &old[end..];
    let between = if rest.is_empty() || page.ends_with("\n\n") { "" } else { "\n" };
    format!("{}{page}{between}{rest}", &old[..start])
}

/// The machine, in a few words.
pub fn machine() -> String {
    let cpus = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let models = || cpus.lines().filter_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let model = models().next().map_or("unknown CPU", |(_, name)| name);
    let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let kib: f64 = memory.split_whitespace().nth(1).and_then(|word| word.parse().ok()).unwrap_or_default();
    let kernel =
        Command::new("uname").arg("-sr").output().map_or_else(|_| Vec::new(), |output| output.stdout);
    let kernel = String::from_utf8_lossy(&kernel).trim().to_owned();
    format!("{} cores of {model}, {:.0} GiB, {kernel}", models().count(), kib / 1024.0 / 1024.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_takes_the_place_of_the_one_with_its_heading() {
        let old = "# A\n\nold\n## A part\n\n# B\n\nkept\n";
        assert_eq!(replaced(old, "# A", "# A\n\nnew\n"), "# A\n\nnew\n\n# B\n\nkept\n");
        assert_eq!(replaced(old, "# B", "# B\n"), "# A\n\nold\n## A part\n\n# B\n");
        assert_eq!(replaced("# B\n", "# A", "# A\n"), "# A\n\n# B\n");
    }

    #[test]
    fn the_table_has_medians_spreads_and_ratios_to_the_first_subject() {
        let mut figures = Figures::default();
        for (subject, values) in [("a", [10.0, 30.0, 20.0]), ("b", [5.0, 5.0, 6.0])] {
            for value in values {
                figures.note("time, ms", subject, value);
            }
        }
        let page = figures.page(&["a", "b"], "bench", 3).expect("a page is only text");
        assert!(page.contains("| time, ms | 20.0 (10.0–30.0) | 5.00 (5.00–6.00) ×0.25 |"), "{page}");
    }
}
