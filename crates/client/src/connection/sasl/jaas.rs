//! The value of `sasl.jaas.config`: `LoginModule required name="value" …;`. Kafka: `JaasConfig`.

use std::collections::BTreeMap;

use crate::error::{Error, Result};

/// The options of the one login module.
pub(super) fn options(text: &str) -> Result<BTreeMap<String, String>> {
    let wrong = |why: &str| Error::Config(format!("Login module not specified in JAAS config: {why}"));
    let mut tokens = tokens(text).into_iter();
    let (_module, _flag) = tokens.next().zip(tokens.next()).ok_or_else(|| wrong("it is empty"))?;
    let mut options = BTreeMap::new();
    while let Some(name) = tokens.next() {
        if name == ";" {
            return Ok(options);
        }
        if tokens.next().as_deref() != Some("=") {
            return Err(wrong("an option lacks its '='"));
        }
        let value = tokens.next().ok_or_else(|| wrong("an option lacks its value"))?;
        options.insert(name, value);
    }
    Err(wrong("the entry is not terminated by ';'"))
}

fn tokens(text: &str) -> Vec<String> {
    let mut tokens = Vec::new();
    let mut chars = text.chars().peekable();
    while let Some(first) = chars.next() {
        match first {
            c if c.is_whitespace() => {}
            ';' | '=' => tokens.push(first.to_string()),
            '"' | '\'' => {
                let mut value = String::new();
                while let Some(c) = chars.next() {
                    match c {
                        '\\' => value.extend(chars.next()),
                        c if c == first => break,
                        c => value.push(c),
                    }
                }
                tokens.push(value);
            }
            c => {
                let mut word = c.to_string();
                while let Some(c) = chars.next_if(|c| !c.is_whitespace() && !matches!(c, ';' | '=' | '"')) {
                    word.push(c);
                }
                tokens.push(word);
            }
        }
    }
    tokens
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_read_with_their_quotes() {
        let text = r#"org.apache.kafka.common.security.plain.PlainLoginModule required
            username="a b" password="x\"y;=";"#;
        let options = options(text).expect("a whole entry");
        assert_eq!(options["username"], "a b");
        assert_eq!(options["password"], "x\"y;=");
    }

    #[test]
    fn an_entry_without_its_semicolon_is_refused() {
        assert!(options("Module required username=\"a\"").is_err());
        assert!(options("").is_err());
    }
}
