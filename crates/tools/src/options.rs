//! Options as most of Kafka's tools take them: `--name`, `--name value`, `--name=value`, `-name value`.
//!
//! Refusals and their texts are those of joptsimple, the parser of those tools, with abbreviations switched off, as
//! Kafka has it. An option that wants a value takes the next word, whatever that looks like.

use std::collections::BTreeMap;

use crate::Failure;

/// What follows an option's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takes {
    /// Nothing.
    Nothing,
    /// A value; what it is.
    Value(&'static str),
    /// A value, or none; what it is.
    Maybe(&'static str),
}

/// One option of a tool.
#[derive(Clone, Copy, Debug)]
pub struct Opt {
    /// The name without dashes.
    pub name: &'static str,
    /// What follows it.
    pub takes: Takes,
    /// What it is for.
    pub doc: &'static str,
}

/// An option without a value.
pub const fn flag(name: &'static str, doc: &'static str) -> Opt {
    Opt { name, takes: Takes::Nothing, doc }
}

/// An option with a value.
pub const fn value(name: &'static str, what: &'static str, doc: &'static str) -> Opt {
    Opt { name, takes: Takes::Value(what), doc }
}

/// An option that may have a value.
pub const fn maybe(name: &'static str, what: &'static str, doc: &'static str) -> Opt {
    Opt { name, takes: Takes::Maybe(what), doc }
}

/// The options that every tool has.
const COMMON: &[Opt] = &[
    flag("help", "Print this text."),
    flag("version", "Print the version of Kafka that this tool follows."),
];

/// A command line, parsed.
#[derive(Debug)]
pub struct Options {
    known: Vec<Opt>,
    intro: &'static str,
    given: BTreeMap<&'static str, Vec<Option<String>>>,
    rest: Vec<String>,
}

impl Options {
    /// Parses `args`. Answers `--version` and `--help` itself, as failures that say what was asked; `intro` is what the
    /// tool is for.
    pub fn parse(intro: &'static str, options: &[Opt], args: &[String]) -> Result<Self, Failure> {
        let parsed = Self::try_parse(intro, options, args).map_err(Failure::message)?;
        parsed.answer_common()?;
        Ok(parsed)
    }

    /// Like [`Options::parse`]; refusals show the table of options too, as some of the tools do.
    pub fn parse_or_usage(intro: &'static str, options: &[Opt], args: &[String]) -> Result<Self, Failure> {
        let empty = Self::new(intro, options);
        let parsed = Self::try_parse(intro, options, args).map_err(|message| empty.usage(message))?;
        parsed.answer_common()?;
        Ok(parsed)
    }

    fn new(intro: &'static str, options: &[Opt]) -> Self {
        let mut known = options.to_vec();
        known.extend(COMMON);
        known.sort_by_key(|opt| opt.name);
        Self { known, intro, given: BTreeMap::new(), rest: Vec::new() }
    }

    fn try_parse(intro: &'static str, options: &[Opt], args: &[String]) -> Result<Self, String> {
        let mut parsed = Self::new(intro, options);
        let mut words = args.iter().peekable();
        while let Some(word) = words.next() {
            let Some(name) = word.strip_prefix("--").or_else(|| word.strip_prefix('-')) else {
                parsed.rest.push(word.clone());
                continue;
            };
            if name.is_empty() {
                parsed.rest.push(word.clone());
                continue;
            }
            let (name, inline) = match name.split_once('=') {
                Some((name, value)) => (name, Some(value.to_owned())),
                None => (name, None),
            };
            let opt = parsed.find(name, word)?;
            let value = match opt.takes {
                Takes::Nothing if inline.is_some() => {
                    return Err(format!("Option {name} does not allow an argument"));
                }
                Takes::Nothing => None,
                Takes::Value(_) => match inline.or_else(|| words.next().cloned()) {
                    Some(value) => Some(value),
                    None => return Err(format!("Option {name} requires an argument")),
                },
                Takes::Maybe(what) => {
                    inline.or_else(|| words.next_if(|word| may_be_value(word, what)).cloned())
                }
            };
            parsed.given.entry(opt.name).or_default().push(value);
        }
        Ok(parsed)
    }

    fn find(&self, name: &str, word: &str) -> Result<Opt, String> {
        let shown = if word.starts_with("--") { name } else { name.get(..1).unwrap_or(name) };
        let found = self.known.iter().find(|opt| opt.name == name).copied();
        found.ok_or_else(|| format!("{shown} is not a recognized option"))
    }

    fn answer_common(&self) -> Result<(), Failure> {
        if self.has("help") {
            return Err(self.usage(self.intro));
        }
        if self.has("version") {
            say!("{}", crate::KAFKA_VERSION);
            return Err(Failure::Code(0));
        }
        Ok(())
    }

    /// Tells of options that were given by their old names, each with its new one, in a line that begins with `word`;
    /// refuses those that were given by both.
    pub fn old_names(&self, word: &str, names: &[(&str, &str)]) -> Result<(), Failure> {
        for (old, new) in names.iter().filter(|(old, _)| self.has(old)) {
            if self.has(new) {
                // Kafka's consumers name the old one first, its producer the new one.
                let (first, second) = if word == "Option" { (old, new) } else { (new, old) };
                return Err(
                    self.usage(format!("Options --{first} and --{second} cannot be specified together."))
                );
            }
            say!(
                "{word} --{old} is deprecated and will be removed in a future version. Use --{new} instead."
            );
        }
        Ok(())
    }

    /// Whether nothing was given.
    pub fn is_empty(&self) -> bool {
        self.given.is_empty() && self.rest.is_empty()
    }

    /// Whether the option was given.
    pub fn has(&self, name: &str) -> bool {
        debug_assert!(self.known.iter().any(|opt| opt.name == name), "no option {name}");
        self.given.contains_key(name)
    }

    /// The values of an option that may be repeated.
    pub fn values(&self, name: &str) -> Vec<&str> {
        self.given.get(name).into_iter().flatten().flatten().map(String::as_str).collect()
    }

    /// The value of an option that stands once.
    pub fn value(&self, name: &str) -> Result<Option<&str>, Failure> {
        match self.values(name)[..] {
            [] => Ok(None),
            [value] => Ok(Some(value)),
            _ => Err(Failure::message(format!(
                "Found multiple arguments for option {name}, but you asked for only one"
            ))),
        }
    }

    /// The value of an option, or `default`.
    pub fn value_or<'a>(&'a self, name: &str, default: &'a str) -> Result<&'a str, Failure> {
        Ok(self.value(name)?.unwrap_or(default))
    }

    /// The value of an option as a number.
    pub fn number<T: std::str::FromStr>(&self, name: &str) -> Result<Option<T>, Failure> {
        let parse = |text: &str| {
            text.parse()
                .map_err(|_| Failure::message(format!("Cannot parse argument '{text}' of option {name}")))
        };
        self.value(name)?.map(parse).transpose()
    }

    /// Reads the values of options whose values are `key=value`; of a key that is given repeatedly the last counts.
    ///
    /// # Errors
    /// A value without `=`.
    pub fn pairs(&self, names: &[&str]) -> Result<BTreeMap<String, String>, Failure> {
        let mut map = BTreeMap::new();
        for pair in names.iter().flat_map(|name| self.values(name)) {
            let Some((key, value)) = pair.split_once('=') else {
                return Err(self.usage(format!("Invalid command line properties: {pair}")));
            };
            map.insert(key.to_owned(), value.to_owned());
        }
        Ok(map)
    }

    /// Refuses the command line: `message`, then the table of options.
    pub fn usage(&self, message: impl Into<String>) -> Failure {
        Failure::Usage { message: message.into(), options: self.table() }
    }

    /// Asks that each of `names` was given. Kafka: `CommandLineUtils.checkRequiredArgs`.
    pub fn require(&self, names: &[&str]) -> Result<(), Failure> {
        match names.iter().find(|name| !self.has(name)) {
            None => Ok(()),
            Some(name) => Err(self.usage(format!("Missing required argument \"[{name}]\""))),
        }
    }

    /// Asks that one of `names` was given, and only one. Kafka: `CommandLineUtils.checkOneOfArgs`.
    pub fn require_one_of(&self, names: &[&str]) -> Result<(), Failure> {
        if names.iter().filter(|name| self.has(name)).count() == 1 {
            return Ok(());
        }
        let names: Vec<_> = names.iter().map(|name| format!("[{name}]")).collect();
        let names = names.join(", ");
        Err(self.usage(format!("Exactly one of the following arguments is required: {names}")))
    }

    /// Refuses `option` together with any of `others`. Kafka: `CommandLineUtils.checkInvalidArgs`.
    pub fn exclude(&self, option: &str, others: &[&str]) -> Result<(), Failure> {
        match others.iter().find(|other| self.has(option) && self.has(other)) {
            None => Ok(()),
            Some(other) => {
                Err(self.usage(format!("Option \"[{option}]\" can't be used with option \"[{other}]\"")))
            }
        }
    }

    /// Writes the options as a table of two columns.
    pub fn table(&self) -> String {
        let left = |opt: &Opt| match opt.takes {
            Takes::Nothing => format!("--{}", opt.name),
            Takes::Value(what) => format!("--{} <{what}>", opt.name),
            Takes::Maybe(what) => format!("--{} [{what}]", opt.name),
        };
        let width = self.known.iter().map(|opt| left(opt).len()).max().unwrap_or(0).clamp(12, 38);
        let mut table = format!("{:width$}  Description\n{:width$}  -----------\n", "Option", "------");
        for opt in &self.known {
            let (left, right) = (wrap(&left(opt), width), wrap(opt.doc, 78 - width));
            for line in 0..left.len().max(right.len()) {
                let cell = |column: &Vec<String>| column.get(line).cloned().unwrap_or_default();
                let row = format!("{:width$}  {}", cell(&left), cell(&right));
                table.push_str(row.trim_end());
                table.push('\n');
            }
        }
        table
    }
}

/// Whether a word is the value of an option that may do without: no option itself, or a number where one is wanted.
fn may_be_value(word: &str, what: &str) -> bool {
    !word.starts_with('-') || (what.starts_with("Long") && word.parse::<i64>().is_ok())
}

/// Breaks text into lines of at most `width`; lines after the first are indented.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if line.len() + 1 + word.len() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            Some(_) => lines.push(format!("  {word}")),
            None => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPTIONS: &[Opt] = &[
        flag("list", "List."),
        value("topic", "String: topic", "The topic."),
        maybe("state", "String", "The state."),
    ];

    fn parse(line: &str) -> Result<Options, String> {
        let args: Vec<_> = line.split_whitespace().map(str::to_owned).collect();
        Options::parse("A tool.", OPTIONS, &args).map_err(|failure| match failure {
            Failure::Message(text, 1) => text,
            other => format!("{other:?}"),
        })
    }

    #[test]
    fn values_stand_behind_a_space_or_an_equals_sign_and_one_dash_is_enough() {
        for line in ["--topic a", "--topic=a", "-topic a"] {
            assert_eq!(parse(line).expect("valid").values("topic"), ["a"]);
        }
        assert_eq!(parse("--topic --list").expect("valid").values("topic"), ["--list"]);
    }

    #[test]
    fn an_optional_value_may_be_missing() {
        assert!(parse("--state --list").expect("valid").has("list"));
        assert_eq!(parse("--state a").expect("valid").values("state"), ["a"]);
    }

    #[test]
    fn refusals_are_in_joptsimples_words() {
        for (line, text) in [
            ("--zz", "zz is not a recognized option"),
            ("-zz", "z is not a recognized option"),
            ("--top a", "top is not a recognized option"),
            ("--topic", "Option topic requires an argument"),
        ] {
            assert_eq!(parse(line).expect_err("refused"), text);
        }
        let twice = parse("--topic a --topic b").expect("valid");
        let Err(Failure::Message(text, 1)) = twice.value("topic") else { panic!("not refused") };
        assert_eq!(text, "Found multiple arguments for option topic, but you asked for only one");
    }
}
