//! Java's `.properties` format: escapes, continuation lines, comments; and `key=value` from a command line.
//!
//! Java: `java.util.Properties.load`. Bytes that are not UTF-8 are read as Latin-1, as Java reads them all.

use std::collections::BTreeMap;
use std::iter::Peekable;
use std::str::Chars;

/// Keys and their texts, as a file or a request set them.
pub type ConfigMap = BTreeMap<String, String>;

/// The text is not in the format of properties.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PropertiesError {
    /// `\u` without four hexadecimal digits.
    #[error("Malformed \\uxxxx encoding.")]
    Unicode,
    /// An override without a key or an equals sign.
    #[error("Invalid override `{0}`: it must have the form key=value")]
    Override(String),
}

/// Reads a `.properties` file; of a key that stands twice the last value counts.
pub fn parse_properties(bytes: &[u8]) -> Result<ConfigMap, PropertiesError> {
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => bytes.iter().map(|&byte| char::from(byte)).collect(),
    };
    logical_lines(&text).iter().map(|line| parse_line(line)).collect()
}

/// Sets the `key=value` of a command line. Kafka: `--override`.
pub fn apply_override(map: &mut ConfigMap, text: &str) -> Result<(), PropertiesError> {
    let (key, value) = text.split_once('=').ok_or_else(|| PropertiesError::Override(text.to_owned()))?;
    if key.trim().is_empty() {
        return Err(PropertiesError::Override(text.to_owned()));
    }
    map.insert(key.trim().to_owned(), value.trim().to_owned());
    Ok(())
}

/// Joins continued lines and drops comments and blank lines.
fn logical_lines(text: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let mut open: Option<String> = None;
    for natural in text.split(['\n', '\r']) {
        let line = natural.trim_start_matches([' ', '\t', '\x0c']);
        let continued = line.bytes().rev().take_while(|&byte| byte == b'\\').count() % 2 == 1;
        if open.is_none() && (line.is_empty() || line.starts_with(['#', '!'])) {
            continue;
        }
        let part = if continued { &line[..line.len() - 1] } else { line };
        let whole = open.take().unwrap_or_default() + part;
        if continued {
            open = Some(whole);
        } else {
            lines.push(whole);
        }
    }
    lines.extend(open);
    lines
}

fn parse_line(line: &str) -> Result<(String, String), PropertiesError> {
    let is_space = |c: &char| matches!(c, ' ' | '\t' | '\x0c');
    let mut chars = line.chars().peekable();
    let key = unescape(&mut chars, |c| matches!(c, '=' | ':' | ' ' | '\t' | '\x0c'))?;
    while chars.next_if(is_space).is_some() {}
    if chars.next_if(|c| matches!(c, '=' | ':')).is_some() {
        while chars.next_if(is_space).is_some() {}
    }
    Ok((key, unescape(&mut chars, |_| false)?))
}

/// Takes characters up to the first unescaped one that `ends` accepts.
fn unescape(chars: &mut Peekable<Chars>, ends: impl Fn(char) -> bool) -> Result<String, PropertiesError> {
    let mut text = String::new();
    while let Some(c) = chars.next_if(|&c| !ends(c)) {
        if c != '\\' {
            text.push(c);
            continue;
        }
        match chars.next() {
            Some('u') => text.push(unescape_unicode(chars)?),
            Some('t') => text.push('\t'),
            Some('n') => text.push('\n'),
            Some('r') => text.push('\r'),
            Some('f') => text.push('\x0c'),
            Some(other) => text.push(other),
            None => {}
        }
    }
    Ok(text)
}

/// Reads the four digits after `\u`, and a second such escape where the first is half of a pair.
fn unescape_unicode(chars: &mut Peekable<Chars>) -> Result<char, PropertiesError> {
    let unit = |chars: &mut Peekable<Chars>| {
        let digits: String = chars.by_ref().take(4).collect();
        if digits.len() != 4 {
            return Err(PropertiesError::Unicode);
        }
        u16::from_str_radix(&digits, 16).map_err(|_| PropertiesError::Unicode)
    };
    let mut units = vec![unit(chars)?];
    if (0xd800..0xdc00).contains(&units[0]) && chars.clone().take(2).eq(['\\', 'u']) {
        chars.nth(1);
        units.push(unit(chars)?);
    }
    Ok(char::decode_utf16(units).next().and_then(Result::ok).unwrap_or(char::REPLACEMENT_CHARACTER))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Vec<(String, String)> {
        parse_properties(text.as_bytes()).expect("well-formed").into_iter().collect()
    }

    fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
        expected.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect()
    }

    #[test]
    fn separators_comments_and_blank_lines_are_javas() {
        let text = "# one\n! two\n\n a = 1\r\nb:2\nc 3\nd\n e\t=\t4 \nf==5\n";
        let expected = [("a", "1"), ("b", "2"), ("c", "3"), ("d", ""), ("e", "4 "), ("f", "=5")];
        assert_eq!(parse(text), pairs(&expected));
    }

    #[test]
    fn a_backslash_at_the_end_continues_the_line() {
        assert_eq!(
            parse("k=a,\\\n   b,\\\n\tc\n# x\\\nl=\\\\\nm=1"),
            pairs(&[("k", "a,b,c"), ("l", "\\"), ("m", "1")])
        );
    }

    #[test]
    fn escapes_are_resolved_in_keys_and_values() {
        assert_eq!(parse("a\\=b\\ c=\\u00e9\\t\\q\\uD83D\\uDE00"), pairs(&[("a=b c", "é\tq😀")]));
        assert_eq!(parse_properties(b"a=\\u12"), Err(PropertiesError::Unicode));
    }

    #[test]
    fn the_last_of_two_values_counts() {
        assert_eq!(parse("a=1\na=2"), pairs(&[("a", "2")]));
    }
}
