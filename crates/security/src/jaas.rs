//! The value of `sasl.jaas.config`: one login module with its options, in the syntax of Java's `StreamTokenizer`.
//!
//! `org.apache.kafka.common.security.plain.PlainLoginModule required username="a" password="b";`

use std::collections::BTreeMap;
use std::fmt;
use std::iter::Peekable;
use std::str::Chars;

use config::Password;

/// The login module of PLAIN.
pub const PLAIN_LOGIN_MODULE: &str = "org.apache.kafka.common.security.plain.PlainLoginModule";
/// Modules that load code from where an attacker says. Kafka: `JaasUtils.DISALLOWED_LOGIN_MODULES_DEFAULT`.
const DISALLOWED: [&str; 2] =
    ["com.sun.security.auth.module.JndiLoginModule", "com.sun.security.auth.module.LdapLoginModule"];

/// Returns the key under which a listener's JAAS entry for a mechanism stands.
pub fn server_key(listener: &str, mechanism: &str) -> String {
    let (listener, mechanism) = (listener.to_lowercase(), mechanism.to_lowercase());
    format!("listener.name.{listener}.{mechanism}.sasl.jaas.config")
}

/// What is wrong with a JAAS entry, in Kafka's words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct JaasError(String);

/// A login module with its options. `Debug` shows the options' names alone.
#[derive(Clone, PartialEq, Eq)]
pub struct JaasEntry {
    login_module: String,
    options: BTreeMap<String, Password>,
}

impl fmt::Debug for JaasEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.options.keys().collect();
        f.debug_struct("JaasEntry")
            .field("login_module", &self.login_module)
            .field("options", &names)
            .finish()
    }
}

impl JaasEntry {
    /// Parses the value. Fails with Kafka's texts if it is not exactly one well-formed entry, and for login modules
    /// that Kafka forbids. Kafka: `JaasContext.load`, `JaasConfig`.
    pub fn parse(text: &str) -> Result<Self, JaasError> {
        let mut tokens = Tokens(text.chars().peekable());
        let mut entries = Vec::new();
        while let Some(first) = tokens.next() {
            entries.push(parse_entry(first, &mut tokens)?);
        }
        let count = entries.len();
        let Some(entry) = entries.pop() else { return fail("Login module not specified in JAAS config") };
        if count != 1 {
            return fail(format!("JAAS config property contains {count} login modules, should be 1 module"));
        }
        if DISALLOWED.contains(&entry.login_module.trim()) {
            return fail(format!("{} is not allowed.", entry.login_module));
        }
        Ok(entry)
    }

    /// Returns the class name of the login module.
    pub fn login_module(&self) -> &str {
        &self.login_module
    }

    /// Returns an option's value.
    pub fn option(&self, name: &str) -> Option<&str> {
        self.options.get(name).map(|value| value.0.as_str())
    }

    /// Iterates over the options, by name.
    pub fn options(&self) -> impl Iterator<Item = (&str, &str)> {
        self.options.iter().map(|(name, value)| (name.as_str(), value.0.as_str()))
    }
}

fn fail<T>(text: impl Into<String>) -> Result<T, JaasError> {
    Err(JaasError(text.into()))
}

fn parse_entry(first: Token, tokens: &mut Tokens<'_>) -> Result<JaasEntry, JaasError> {
    match tokens.next() {
        None => return fail("Login module control flag not specified in JAAS config"),
        Some(Token::Text(flag)) => check_flag(&flag)?,
        Some(_) => return fail("Login module control flag is not available in the JAAS config"),
    }
    let mut options = BTreeMap::new();
    loop {
        let name = match tokens.next() {
            Some(Token::Char(';')) => break,
            None => return fail("JAAS config entry not terminated by semi-colon"),
            Some(Token::Text(name)) => name,
            Some(_) => "null".to_owned(),
        };
        let equals = tokens.next() == Some(Token::Char('='));
        let value = if equals { tokens.next() } else { None };
        let Some(Token::Text(value)) = value else {
            return fail(format!("Value not specified for key '{name}' in JAAS config"));
        };
        options.insert(name, Password(value));
    }
    match first {
        Token::Text(login_module) => Ok(JaasEntry { login_module, options }),
        _ => fail("Login module not specified in JAAS config"),
    }
}

fn check_flag(flag: &str) -> Result<(), JaasError> {
    match flag.to_uppercase().as_str() {
        "REQUIRED" | "REQUISITE" | "SUFFICIENT" | "OPTIONAL" => Ok(()),
        _ => fail(format!("Invalid login module control flag '{flag}' in JAAS config")),
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Token {
    /// A word or a quoted string.
    Text(String),
    /// A number, which Java's tokenizer gives no text for.
    Number,
    /// Any other character.
    Char(char),
}

struct Tokens<'a>(Peekable<Chars<'a>>);

impl Iterator for Tokens<'_> {
    type Item = Token;

    fn next(&mut self) -> Option<Token> {
        loop {
            let c = self.0.next()?;
            match c {
                '\0'..=' ' => {}
                '/' => self.skip_comment(),
                '"' | '\'' => return Some(Token::Text(self.quoted(c))),
                '0'..='9' | '.' | '-' => return Some(self.number(c)),
                _ if is_word_start(c) => return Some(Token::Text(self.word(c))),
                _ => return Some(Token::Char(c)),
            }
        }
    }
}

fn is_word_start(c: char) -> bool {
    c.is_ascii_alphabetic() || matches!(c, '_' | '$') || c >= '\u{a0}'
}

fn is_number_part(c: char) -> bool {
    c.is_ascii_digit() || matches!(c, '.' | '-')
}

impl Tokens<'_> {
    /// A slash begins a comment even when it stands alone, as the tokenizer's defaults have it.
    fn skip_comment(&mut self) {
        if self.0.next_if_eq(&'*').is_none() {
            while self.0.next_if(|c| !matches!(c, '\n' | '\r')).is_some() {}
            return;
        }
        let mut last = ' ';
        for c in self.0.by_ref() {
            if last == '*' && c == '/' {
                return;
            }
            last = c;
        }
    }

    fn word(&mut self, first: char) -> String {
        let mut word = String::from(first);
        while let Some(c) = self.0.next_if(|c| is_word_start(*c) || is_number_part(*c)) {
            word.push(c);
        }
        word
    }

    fn number(&mut self, first: char) -> Token {
        let digits = self.0.peek().is_some_and(|c| c.is_ascii_digit() || *c == '.');
        if first == '-' && !digits {
            return Token::Char(first);
        }
        while self.0.next_if(|c| c.is_ascii_digit() || *c == '.').is_some() {}
        Token::Number
    }

    /// The string ends at its quote, or before the end of the line.
    fn quoted(&mut self, quote: char) -> String {
        let mut text = String::new();
        while let Some(c) = self.0.next_if(|c| !matches!(c, '\n' | '\r')) {
            match c {
                _ if c == quote => break,
                '\\' => text.extend(self.escape()),
                _ => text.push(c),
            }
        }
        text
    }

    fn escape(&mut self) -> Option<char> {
        let c = self.0.next()?;
        Some(match c {
            'a' => '\x07',
            'b' => '\x08',
            'f' => '\x0c',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'v' => '\x0b',
            '0'..='7' => self.octal(c),
            other => other,
        })
    }

    fn octal(&mut self, first: char) -> char {
        let most = if first <= '3' { 2 } else { 1 };
        let mut value = first.to_digit(8).unwrap_or(0);
        for _ in 0..most {
            let Some(digit) = self.0.next_if(|c| c.is_digit(8)) else { break };
            value = value * 8 + digit.to_digit(8).unwrap_or(0);
        }
        char::from_u32(value).unwrap_or(char::REPLACEMENT_CHARACTER)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn error(text: &str) -> String {
        JaasEntry::parse(text).expect_err("refused").to_string()
    }

    #[test]
    fn a_module_with_options_is_read() {
        let text = "a.b.Module-1 required // why\n username=\"al\\\"ice\" /* more\n */ password='p=;' word=a.b-9_$ ;";
        let entry = JaasEntry::parse(text).expect("well-formed");
        assert_eq!(entry.login_module(), "a.b.Module-1");
        let options: Vec<_> = entry.options().collect();
        assert_eq!(options, [("password", "p=;"), ("username", "al\"ice"), ("word", "a.b-9_$")]);
    }

    #[test]
    fn faults_are_worded_as_kafka_words_them() {
        assert_eq!(error(""), "Login module not specified in JAAS config");
        assert_eq!(error("a.B"), "Login module control flag not specified in JAAS config");
        assert_eq!(error("a.B maybe x=y;"), "Invalid login module control flag 'maybe' in JAAS config");
        assert_eq!(error("a.B required x;"), "Value not specified for key 'x' in JAAS config");
        assert_eq!(error("a.B required x=1;"), "Value not specified for key 'x' in JAAS config");
        assert_eq!(error("a.B required x=y"), "JAAS config entry not terminated by semi-colon");
        assert_eq!(
            error("a.B required; c.D required;"),
            "JAAS config property contains 2 login modules, should be 1 module"
        );
        assert!(error("com.sun.security.auth.module.JndiLoginModule required;").ends_with("is not allowed."));
    }

    #[test]
    fn escapes_are_javas() {
        let entry = JaasEntry::parse(r#"a required x="\101\tb\q";"#).expect("well-formed");
        assert_eq!(entry.option("x"), Some("A\tbq"));
    }

    #[test]
    fn the_key_is_in_lower_case() {
        assert_eq!(
            server_key("SASL_PLAIN", "SCRAM-SHA-256"),
            "listener.name.sasl_plain.scram-sha-256.sasl.jaas.config"
        );
    }

    #[test]
    fn debug_shows_no_value() {
        let entry = JaasEntry::parse("a required password=secret;").expect("well-formed");
        let shown = format!("{entry:?}");
        assert!(shown.contains("password") && !shown.contains("secret"));
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text: String) {
            let _ = JaasEntry::parse(&text);
        }
    }
}
