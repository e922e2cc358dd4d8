//! Arguments as the rest of Kafka's tools take them: subcommands, long and short names, groups of which one is needed.
//!
//! Refusals are those of argparse4j, the parser of those tools: the usage, then the program's name and `error:`, on
//! standard error; exit code 1. Help goes to standard output; exit code 0.

use std::collections::BTreeMap;

use crate::Failure;

/// How often an argument's value stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arity {
    /// No value.
    Flag,
    /// One; the last counts.
    One,
    /// One each time it is given.
    Append,
    /// One or more at a time.
    Many,
}

/// One named argument.
#[derive(Clone, Copy, Debug)]
pub struct Arg {
    /// The long name with dashes.
    pub name: &'static str,
    /// The short name with its dash; empty for none.
    pub short: &'static str,
    /// How its values stand.
    pub arity: Arity,
    /// Whether it must be given.
    pub required: bool,
    /// The group of which only one may be given; 0 for none, negative if one must be given.
    pub group: i8,
    /// The number that its values must be.
    pub number: Option<Number>,
    /// What it is for.
    pub doc: &'static str,
}

/// Java's kinds of whole numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Number {
    /// 16 bits.
    Short,
    /// 32 bits.
    Integer,
    /// 64 bits.
    Long,
}

impl Number {
    fn refuses(self, text: &str) -> bool {
        match self {
            Self::Short => text.parse::<i16>().is_err(),
            Self::Integer => text.parse::<i32>().is_err(),
            Self::Long => text.parse::<i64>().is_err(),
        }
    }
}

/// An argument that can be left out.
pub const fn arg(name: &'static str, short: &'static str, arity: Arity, doc: &'static str) -> Arg {
    Arg { name, short, arity, required: false, group: 0, number: None, doc }
}

impl Arg {
    /// It must be given.
    pub const fn required(self) -> Self {
        Self { required: true, ..self }
    }

    /// Only one of the group may be given; one must be, if the number is negative.
    pub const fn group(self, group: i8) -> Self {
        Self { group, ..self }
    }

    /// Its values must be numbers of this kind.
    pub const fn number(self, number: Number) -> Self {
        Self { number: Some(number), ..self }
    }

    /// Refuses a value that is not the number it must be.
    fn refusal(&self, value: &str) -> Option<String> {
        let number = self.number.filter(|number| number.refuses(value))?;
        let name = self.both_names();
        Some(format!(
            "argument {name}: could not convert '{value}' to {number:?} (For input string: \"{value}\")"
        ))
    }

    fn metavar(&self) -> String {
        self.name.trim_start_matches('-').to_uppercase().replace(['-', '.'], "_")
    }

    fn shown(&self) -> String {
        match self.arity {
            Arity::Flag => self.name.to_owned(),
            Arity::Many => {
                format!("{} {0} [{0} ...]", self.metavar()).replacen(&self.metavar(), self.name, 1)
            }
            _ => format!("{} {}", self.name, self.metavar()),
        }
    }

    fn both_names(&self) -> String {
        if self.short.is_empty() { self.name.to_owned() } else { format!("{}/{}", self.name, self.short) }
    }
}

/// A program or one of its subcommands.
#[derive(Clone, Copy, Debug)]
pub struct Syntax {
    /// The name: `kafka-storage`, `kafka-storage format`.
    pub program: &'static str,
    /// What it is for.
    pub intro: &'static str,
    /// Its arguments.
    pub args: &'static [Arg],
    /// Its subcommands: name and syntax.
    pub commands: &'static [(&'static str, Syntax)],
}

/// A command line, parsed.
#[derive(Debug, Default)]
pub struct Arguments {
    /// The subcommand, if the syntax has any.
    pub command: Option<&'static str>,
    given: BTreeMap<&'static str, Vec<String>>,
}

impl Arguments {
    /// Whether the argument was given.
    pub fn has(&self, name: &str) -> bool {
        self.given.contains_key(name)
    }

    /// The argument's value; the last, if it was given more than once.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.given.get(name)?.last().map(String::as_str)
    }

    /// The argument's value as a number, which [`Arg::number`] has made sure that it is.
    pub fn number<T: std::str::FromStr>(&self, name: &str) -> Option<T> {
        self.value(name).and_then(|text| text.parse().ok())
    }

    /// All the argument's values.
    pub fn values(&self, name: &str) -> Vec<&str> {
        self.given.get(name).into_iter().flatten().map(String::as_str).collect()
    }

    /// Parses `args` by `syntax`.
    pub fn parse(syntax: &Syntax, args: &[String]) -> Result<Self, Failure> {
        let mut parsed = Self::default();
        parsed.parse_level(syntax, syntax.program, args)?;
        Ok(parsed)
    }

    /// Like [`Arguments::parse`], but help counts as a failure. Kafka: the tools on `ArgumentParser.parseArgsOrFail`.
    pub fn parse_or_fail(syntax: &Syntax, args: &[String]) -> Result<Self, Failure> {
        Self::parse(syntax, args).map_err(|failure| match failure {
            Failure::Code(0) => Failure::Code(1),
            other => other,
        })
    }

    /// Like [`Arguments::parse_or_fail`]; no words at all ask for help, which is then no failure.
    pub fn parse_or_help(syntax: &Syntax, args: &[String]) -> Result<Self, Failure> {
        if args.is_empty() {
            Self::parse(syntax, &["--help".to_owned()])
        } else {
            Self::parse_or_fail(syntax, args)
        }
    }

    fn parse_level(&mut self, syntax: &Syntax, program: &str, args: &[String]) -> Result<(), Failure> {
        let mut words = args.iter().enumerate().peekable();
        while let Some((index, word)) = words.next() {
            if word == "-h" || word == "--help" {
                say!("{}", syntax.help().trim_end_matches('\n'));
                return Err(Failure::Code(0));
            }
            if !word.starts_with('-') || word.len() == 1 {
                return self.parse_command(syntax, program, word, &args[index + 1..]);
            }
            let (name, inline) = match word.split_once('=') {
                Some((name, value)) if name.starts_with("--") => (name, Some(value.to_owned())),
                _ => (word.as_str(), None),
            };
            let arg =
                syntax.args.iter().find(|arg| arg.name == name || (arg.short == name && !name.is_empty()));
            let Some(arg) = arg else {
                return Err(syntax.error(program, &format!("unrecognized arguments: '{word}'")));
            };
            let values = self.given.entry(arg.name).or_default();
            match (arg.arity, inline) {
                (Arity::Flag, _) => {}
                (_, Some(value)) => values.push(value),
                (Arity::Many, None) => {
                    while let Some((_, value)) = words.next_if(|(_, word)| !word.starts_with('-')) {
                        values.push(value.clone());
                    }
                }
                (_, None) => {
                    match words.next_if(|(_, word)| !word.starts_with('-') || word.parse::<f64>().is_ok()) {
                        Some((_, value)) => values.push(value.clone()),
                        None => {
                            let text = format!("argument {}: expected one argument", arg.both_names());
                            return Err(syntax.error(program, &text));
                        }
                    }
                }
            }
            if let Some(text) = values.last().and_then(|value| arg.refusal(value)) {
                return Err(syntax.error(program, &text));
            }
        }
        self.check(syntax, program)?;
        if syntax.commands.is_empty() { Ok(()) } else { Err(syntax.error(program, "too few arguments")) }
    }

    fn parse_command(
        &mut self,
        syntax: &Syntax,
        program: &str,
        word: &str,
        rest: &[String],
    ) -> Result<(), Failure> {
        if syntax.commands.is_empty() {
            return Err(syntax.error(program, &format!("unrecognized arguments: '{word}'")));
        }
        let Some((name, command)) = syntax.commands.iter().find(|(name, _)| *name == word) else {
            let names: Vec<_> = syntax.commands.iter().map(|(name, _)| format!("'{name}'")).collect();
            let text = format!("invalid choice: '{word}' (choose from {})", names.join(", "));
            return Err(syntax.error(program, &text));
        };
        self.command = Some(name);
        self.parse_level(command, program, rest)?;
        self.check(syntax, program)
    }

    fn check(&self, syntax: &Syntax, program: &str) -> Result<(), Failure> {
        for arg in syntax.args {
            if arg.required && !self.has(arg.name) {
                return Err(syntax.error(program, &format!("argument {} is required", arg.both_names())));
            }
            let members = || syntax.args.iter().filter(|other| arg.group != 0 && other.group == arg.group);
            let given: Vec<_> = members().filter(|other| self.has(other.name)).collect();
            if let [first, second, ..] = given[..] {
                let text = format!(
                    "argument {}: not allowed with argument {}",
                    second.both_names(),
                    first.both_names()
                );
                return Err(syntax.error(program, &text));
            }
            if arg.group < 0 && given.is_empty() {
                let names: Vec<_> = members().map(Arg::both_names).collect();
                return Err(
                    syntax.error(program, &format!("one of the arguments {} is required", names.join(" ")))
                );
            }
        }
        Ok(())
    }
}

impl Syntax {
    fn error(&self, program: &str, text: &str) -> Failure {
        Failure::message(format!("{}{program}: error: {text}", self.usage()))
    }

    /// The usage line, wrapped.
    pub fn usage(&self) -> String {
        let mut parts = vec!["[-h]".to_owned()];
        let mut group = 0;
        for arg in self.args {
            let shown = arg.shown();
            if arg.group != 0 && arg.group == group {
                let last = parts.last_mut().expect("the group has begun");
                let end = last.pop().expect("the group has its bracket");
                last.push_str(&format!(" | {shown}{end}"));
            } else {
                parts.push(match (arg.group, arg.required) {
                    (group, _) if group < 0 => format!("({shown})"),
                    (0, true) => shown,
                    _ => format!("[{shown}]"),
                });
            }
            group = arg.group;
        }
        if !self.commands.is_empty() {
            let names: Vec<_> = self.commands.iter().map(|(name, _)| *name).collect();
            parts.push(format!("{{{}}} ...", names.join(",")));
        }
        let begin = format!("usage: {}", self.program);
        let indent = " ".repeat(begin.len() + 1);
        let mut lines = vec![begin.clone()];
        for part in parts {
            let line = lines.last_mut().expect("there is a first line");
            if line.len() + 1 + part.len() <= 98 || *line == begin || line.trim().is_empty() {
                if line.len() < indent.len() || !line.ends_with(' ') {
                    line.push(' ');
                }
                line.push_str(&part);
            } else {
                lines.push(format!("{indent}{part}"));
            }
        }
        lines.join("\n") + "\n"
    }

    fn help(&self) -> String {
        let mut help = self.usage() + "\n";
        if !self.intro.is_empty() {
            help.push_str(&format!("{}\n\n", self.intro));
        }
        if !self.commands.is_empty() {
            help.push_str("positional arguments:\n");
            for (name, command) in self.commands {
                help.push_str(&format!("  {name:<22} {}\n", command.intro));
            }
            help.push('\n');
        }
        help.push_str("optional arguments:\n  -h, --help             show this text and exit\n");
        for arg in self.args {
            let names = match arg.short {
                "" => arg.shown(),
                short => format!("{}, {short}", arg.shown()),
            };
            help.push_str(&format!("  {names}\n                         {}\n", arg.doc));
        }
        help
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SYNTAX: Syntax = Syntax {
        program: "kafka-x",
        intro: "A tool.",
        args: &[],
        commands: &[(
            "go",
            Syntax {
                program: "kafka-x go",
                intro: "Goes.",
                args: &[
                    arg("--config", "-c", Arity::One, "The file.").required(),
                    arg("--left", "-l", Arity::Flag, "Left.").group(1),
                    arg("--right", "-r", Arity::Flag, "Right.").group(1),
                    arg("--many", "", Arity::Many, "Many."),
                ],
                commands: &[],
            },
        )],
    };

    fn parse(line: &str) -> Result<Arguments, String> {
        let args: Vec<_> = line.split_whitespace().map(str::to_owned).collect();
        Arguments::parse(&SYNTAX, &args).map_err(|failure| match failure {
            Failure::Message(text, 1) => text,
            other => format!("{other:?}"),
        })
    }

    #[test]
    fn subcommands_and_short_names_are_understood() {
        let parsed = parse("go -c f --many a b --left").expect("valid");
        assert_eq!(parsed.command, Some("go"));
        assert_eq!(parsed.value("--config"), Some("f"));
        assert_eq!(parsed.values("--many"), ["a", "b"]);
        assert!(parsed.has("--left") && !parsed.has("--right"));
    }

    #[test]
    fn refusals_show_the_usage_and_the_reason() {
        let usage = "usage: kafka-x go [-h] --config CONFIG [--left | --right] [--many MANY [MANY ...]]\n";
        for (line, text) in [
            ("", "usage: kafka-x [-h] {go} ...\nkafka-x: error: too few arguments".to_owned()),
            (
                "no",
                "usage: kafka-x [-h] {go} ...\nkafka-x: error: invalid choice: 'no' (choose from 'go')"
                    .to_owned(),
            ),
            ("go", format!("{usage}kafka-x: error: argument --config/-c is required")),
            ("go -c f -x", format!("{usage}kafka-x: error: unrecognized arguments: '-x'")),
            (
                "go -c f -l -r",
                format!("{usage}kafka-x: error: argument --right/-r: not allowed with argument --left/-l"),
            ),
        ] {
            assert_eq!(parse(line).expect_err("refused"), text);
        }
    }
}
