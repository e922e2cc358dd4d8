//! How a line becomes a record: headers, key and value between separators. Kafka: `LineMessageReader`.

use bytes::Bytes;
use client::ConfigMap;

use crate::Failure;

/// A record's headers.
pub(super) type Headers = Vec<(String, Option<Bytes>)>;

pub(super) struct LineReader {
    parse_key: bool,
    parse_headers: bool,
    ignore_error: bool,
    key_separator: Vec<u8>,
    headers_delimiter: Vec<u8>,
    headers_separator: Vec<u8>,
    headers_key_separator: Vec<u8>,
    null_marker: Option<Vec<u8>>,
    line: u64,
}

impl LineReader {
    pub(super) fn new(props: &ConfigMap) -> Result<Self, Failure> {
        let is = |key: &str| props.get(key).is_some_and(|text| text.trim().eq_ignore_ascii_case("true"));
        let text =
            |key: &str, default: &str| props.get(key).map_or(default, String::as_str).as_bytes().to_vec();
        let reader = Self {
            parse_key: is("parse.key"),
            parse_headers: is("parse.headers"),
            ignore_error: is("ignore.error"),
            key_separator: text("key.separator", "\t"),
            headers_delimiter: text("headers.delimiter", "\t"),
            headers_separator: text("headers.separator", ","),
            headers_key_separator: text("headers.key.separator", ":"),
            null_marker: props.get("null.marker").map(|text| text.as_bytes().to_vec()),
            line: 0,
        };
        reader.check()?;
        Ok(reader)
    }

    fn check(&self) -> Result<(), Failure> {
        let marker = self.null_marker.as_deref();
        let same = [
            (self.headers_delimiter == self.headers_separator, "headers.delimiter and headers.separator"),
            (
                self.headers_delimiter == self.headers_key_separator,
                "headers.delimiter and headers.key.separator",
            ),
            (
                self.headers_separator == self.headers_key_separator,
                "headers.separator and headers.key.separator",
            ),
            (marker == Some(&self.key_separator), "null.marker and key.separator"),
            (marker == Some(&self.headers_separator), "null.marker and headers.separator"),
            (marker == Some(&self.headers_delimiter), "null.marker and headers.delimiter"),
            (marker == Some(&self.headers_key_separator), "null.marker and headers.key.separator"),
        ];
        match same.iter().find(|(is_same, _)| *is_same) {
            Some((_, names)) => Err(Failure::message(format!("{names} may not be equal"))),
            None => Ok(()),
        }
    }

    /// Splits a line into key, value and headers.
    pub(super) fn read(&mut self, line: Vec<u8>) -> Result<(Option<Bytes>, Option<Bytes>, Headers), Failure> {
        self.line += 1;
        let line = Bytes::from(line);
        let mut at = 0;
        let headers =
            match self.cut(self.parse_headers, &line, at, &self.headers_delimiter, "headers delimiter")? {
                None => Vec::new(),
                Some(end) => {
                    let text = line.slice(at..end);
                    at = end + self.headers_delimiter.len();
                    if self.is_null(&text) { Vec::new() } else { self.split_headers(&text)? }
                }
            };
        let key = match self.cut(self.parse_key, &line, at, &self.key_separator, "key separator")? {
            None => None,
            Some(end) => {
                let key = line.slice(at..end);
                at = end + self.key_separator.len();
                self.unless_null(key)
            }
        };
        Ok((key, self.unless_null(line.slice(at..)), headers))
    }

    fn is_null(&self, bytes: &[u8]) -> bool {
        self.null_marker.as_deref() == Some(bytes)
    }

    fn unless_null(&self, bytes: Bytes) -> Option<Bytes> {
        (!self.is_null(&bytes)).then_some(bytes)
    }

    /// Where the part ends that `separator` closes.
    fn cut(
        &self,
        wanted: bool,
        line: &[u8],
        from: usize,
        separator: &[u8],
        name: &str,
    ) -> Result<Option<usize>, Failure> {
        if !wanted {
            return Ok(None);
        }
        match find(&line[from..], separator) {
            Some(at) => Ok(Some(from + at)),
            None if self.ignore_error => Ok(None),
            None => Err(Failure::message(format!(
                "No {name} found on line number {}: '{}'",
                self.line,
                String::from_utf8_lossy(line)
            ))),
        }
    }

    fn split_headers(&self, text: &Bytes) -> Result<Headers, Failure> {
        let mut headers = Vec::new();
        let mut at = 0;
        while at <= text.len() {
            let end = find(&text[at..], &self.headers_separator).map_or(text.len(), |found| at + found);
            headers.push(self.split_header(&text.slice(at..end))?);
            at = end + self.headers_separator.len();
        }
        Ok(headers)
    }

    fn split_header(&self, pair: &Bytes) -> Result<(String, Option<Bytes>), Failure> {
        let name = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let Some(at) = find(pair, &self.headers_key_separator) else {
            if self.ignore_error {
                return Ok((name(pair), None));
            }
            let text = format!(
                "No header key separator found in pair '{}' on line number {}",
                name(pair),
                self.line
            );
            return Err(Failure::message(text));
        };
        if self.is_null(&pair[..at]) {
            return Err(Failure::message(format!(
                "Header keys should not be equal to the null marker '{}' as they can't be null",
                name(&pair[..at])
            )));
        }
        Ok((name(&pair[..at]), self.unless_null(pair.slice(at + self.headers_key_separator.len()..))))
    }
}

fn find(bytes: &[u8], needle: &[u8]) -> Option<usize> {
    if needle.is_empty() {
        return Some(0);
    }
    bytes.windows(needle.len()).position(|window| window == needle)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reader(props: &[(&str, &str)]) -> LineReader {
        let props = props.iter().map(|(key, text)| (key.to_string(), text.to_string())).collect();
        LineReader::new(&props).expect("valid")
    }

    #[test]
    fn a_line_is_a_value_unless_keys_and_headers_are_asked_for() {
        let mut plain = reader(&[]);
        let (key, value, headers) = plain.read(b"a\tb".to_vec()).expect("read");
        assert_eq!((key, value.as_deref(), headers.len()), (None, Some(&b"a\tb"[..]), 0));
        let mut both = reader(&[("parse.key", "true"), ("parse.headers", "true"), ("null.marker", "NULL")]);
        let (key, value, headers) = both.read(b"h1:v1,h2:NULL\tk\tNULL".to_vec()).expect("read");
        assert_eq!((key.as_deref(), value), (Some(&b"k"[..]), None));
        assert_eq!(headers, [("h1".to_owned(), Some(Bytes::from("v1"))), ("h2".to_owned(), None)]);
    }

    #[test]
    fn a_missing_separator_is_told_with_its_line() {
        let mut reader = reader(&[("parse.key", "true"), ("key.separator", ":")]);
        let Err(Failure::Message(text, 1)) = reader.read(b"abc".to_vec()) else { panic!("not refused") };
        assert_eq!(text, "No key separator found on line number 1: 'abc'");
    }
}
