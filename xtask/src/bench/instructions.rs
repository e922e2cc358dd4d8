//! `cargo xtask bench --instructions`: what each hot path takes in instructions, beside what it took when that was kept.
//!
//! `bench/src/bin/hot_paths.rs` takes the paths under callgrind. The counts do not depend on the machine's speed, on what
//! else it does, nor, but for a few per cent, on its model; another compiler makes others.

use crate::root;
use anyhow::{Context, Result, bail};
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where the counts are kept.
const KEPT: &str = "bench/instructions.txt";
/// How often each path is taken.
const TIMES: u64 = 200;
/// The share by which a path may be slower than what was kept: hash maps' seeds alone make up to 3 % of difference.
const TOLERATED: f64 = 0.05;
/// How many functions of a path that slowed are named.
const NAMED: usize = 12;

/// A path, and the instructions that it takes.
#[derive(Debug, PartialEq)]
struct Count {
    path: String,
    instructions: u64,
}

/// Counts, prints and compares; with `keep`, writes the counts down instead.
pub fn run(keep: bool) -> Result<()> {
    let folder = root().join("target/bench/instructions");
    let counts = count(&folder)?;
    if keep {
        return Ok(fs::write(root().join(KEPT), page(&counts))?);
    }
    let kept =
        fs::read_to_string(root().join(KEPT)).with_context(|| format!("{KEPT}: write it with --keep"))?;
    let (table, slowed) = compare(&counts, &parse(&kept));
    print!("{table}");
    for place in &slowed {
        println!("\nWhere `{}` spends its instructions:", counts[*place].path);
        print!("{}", dearest(&tally(&folder, place + 1)));
    }
    if slowed.is_empty() {
        return Ok(());
    }
    bail!(
        "{} of {} paths slowed by more than {:.0} %; if that is meant, `cargo xtask bench --instructions --keep` keeps it",
        slowed.len(),
        counts.len(),
        TOLERATED * 100.0
    )
}

fn count(folder: &Path) -> Result<Vec<Count>> {
    crate::build("bench")?;
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    fs::create_dir_all(folder)?;
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--toggle-collect=hot_paths::take", "--dump-after=hot_paths::end_of_path"])
        .arg(format!("--callgrind-out-file={}", folder.join("tally").display()))
        .arg(root().join("target/release/hot_paths"))
        .arg(folder.join("data"))
        .arg(TIMES.to_string())
        .output()
        .context("valgrind does not run: is it installed?")?;
    if !output.status.success() {
        bail!("the paths could not be taken: {}", String::from_utf8_lossy(&output.stderr));
    }
    let paths = String::from_utf8(output.stdout)?;
    let total = |place: usize| -> Result<u64> {
        let text = fs::read_to_string(tally(folder, place))?;
        let total =
            text.lines().find_map(|line| line.strip_prefix("totals: ")).context("a tally has no total")?;
        Ok(total.trim().parse()?)
    };
    let counted = paths
        .lines()
        .enumerate()
        .map(|(place, path)| Ok(Count { path: path.to_owned(), instructions: total(place + 1)? / TIMES }));
    counted.collect()
}

/// The file that callgrind wrote at the end of a path; the first is 1.
fn tally(folder: &Path, place: usize) -> PathBuf {
    folder.join(format!("tally.{place}"))
}

/// The functions within which most was taken, as callgrind's own tool tells them; nothing where that tool does not run.
fn dearest(tally: &Path) -> String {
    let output =
        Command::new("callgrind_annotate").args(["--inclusive=yes", "--auto=no"]).arg(tally).output();
    let text =
        output.map_or_else(|_| String::new(), |output| String::from_utf8_lossy(&output.stdout).into_owned());
    let table = text.lines().skip_while(|line| !line.contains("file:function")).skip(2);
    // Those that hold the whole path say nothing of it.
    let telling = table.filter(|line| !line.contains("(100.0%)")).take(NAMED);
    telling.fold(String::new(), |told, line| told + line + "\n")
}

fn page(counts: &[Count]) -> String {
    let compiler = Command::new("rustc").arg("--version").output();
    let compiler = compiler.map_or_else(|_| Vec::new(), |output| output.stdout);
    let mut page = String::from(
        "# Instructions a request: `cargo xtask bench --instructions` compares, with --keep writes.\n",
    );
    page += &format!("# {}\n", String::from_utf8_lossy(&compiler).trim());
    for Count { path, instructions } in counts {
        page += &format!("{instructions:>9}  {path}\n");
    }
    page
}

fn parse(page: &str) -> Vec<Count> {
    let counts = page.lines().filter_map(|line| {
        let (instructions, path) = line.trim().split_once("  ")?;
        Some(Count { path: path.to_owned(), instructions: instructions.parse().ok()? })
    });
    counts.collect()
}

/// The table, and which of `now` slowed.
fn compare(now: &[Count], kept: &[Count]) -> (String, Vec<usize>) {
    let mut table = format!("{:40} {:>9} {:>9}\n", "instructions a request", "kept", "now");
    let mut slowed = Vec::new();
    for (place, Count { path, instructions }) in now.iter().enumerate() {
        let told = match kept.iter().find(|kept| kept.path == *path) {
            None => format!("{:>9} {instructions:>9}  new", ""),
            Some(before) => {
                let change = *instructions as f64 / before.instructions.max(1) as f64 - 1.0;
                let verdict = if change > TOLERATED {
                    slowed.push(place);
                    "  SLOWER"
                } else if change < -TOLERATED {
                    "  faster: keep it"
                } else {
                    ""
                };
                format!("{:>9} {instructions:>9} {:>+6.1} %{verdict}", before.instructions, change * 100.0)
            }
        };
        // Writing to a string cannot fail.
        _ = writeln!(table, "{path:40} {told}");
    }
    (table, slowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(of: &[(&str, u64)]) -> Vec<Count> {
        of.iter()
            .map(|(path, instructions)| Count { path: (*path).into(), instructions: *instructions })
            .collect()
    }

    #[test]
    fn what_was_kept_reads_back() {
        let counts = counts(&[("produce one record of 100 B", 12_345), ("fetch a batch", 9)]);
        assert_eq!(parse(&page(&counts)), counts);
    }

    #[test]
    fn a_path_that_takes_a_few_per_cent_more_has_slowed() {
        let kept = counts(&[("a", 1000), ("b", 1000), ("c", 1000)]);
        let (table, slowed) = compare(&counts(&[("a", 1049), ("b", 1051), ("c", 900), ("d", 1)]), &kept);
        assert_eq!(slowed, [1], "{table}");
        assert!(table.contains("faster") && table.contains("new"), "{table}");
    }
}
