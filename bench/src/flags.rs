//! The command line: a command, then `--name value` pairs and bare `--name`s.

use std::collections::HashMap;

use anyhow::{Context, Result};

/// What the command line says.
pub struct Flags {
    command: String,
    values: HashMap<String, String>,
}

impl Flags {
    /// Reads the command line.
    pub fn parse(words: impl Iterator<Item = String>) -> Result<Self> {
        let mut words = words.peekable();
        let command = words.next().unwrap_or_default();
        let mut values = HashMap::new();
        while let Some(word) = words.next() {
            let name = word.strip_prefix("--").with_context(|| format!("{word} is no option"))?;
            let value = words.next_if(|next| !next.starts_with("--")).unwrap_or_default();
            values.insert(name.to_owned(), value);
        }
        Ok(Self { command, values })
    }

    /// The command.
    pub fn command(&self) -> &str {
        &self.command
    }

    /// Whether an option is there.
    pub fn has(&self, name: &str) -> bool {
        self.values.contains_key(name)
    }

    /// An option's text.
    pub fn text<'a>(&'a self, name: &str, default: &'a str) -> &'a str {
        self.values.get(name).map_or(default, String::as_str)
    }

    /// An option's number; `K`, `M` and `G` stand for powers of 1,024.
    pub fn number(&self, name: &str, default: i64) -> Result<i64> {
        let Some(text) = self.values.get(name) else { return Ok(default) };
        let (digits, unit) = match text.strip_suffix(['K', 'M', 'G']) {
            Some(digits) => (digits, 1024_i64.pow(1 + "KMG".find(&text[digits.len()..]).unwrap_or(0) as u32)),
            None => (text.as_str(), 1),
        };
        let number: i64 = digits.parse().with_context(|| format!("--{name} {text} is no number"))?;
        Ok(number * unit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_units_and_bare_options_no_value() {
        let words = ["produce", "--bytes", "3M", "--spin", "--acks", "-1"].map(str::to_owned);
        let flags = Flags::parse(words.into_iter()).expect("the words are options");
        assert_eq!(flags.command(), "produce");
        assert_eq!((flags.number("bytes", 0).ok(), flags.number("acks", 0).ok()), (Some(3 << 20), Some(-1)));
        assert!(flags.has("spin") && flags.number("window", 5).is_ok_and(|five| five == 5));
    }
}
