//! Lines of a stream of bytes, as Java reads them: up to `\n`, `\r` or `\r\n`, whatever bytes they are.

use std::io::{self, BufRead};

/// Reads line after line.
pub struct Lines<R> {
    input: R,
    /// The last line ended with `\r`, whose `\n` may still come.
    after_return: bool,
}

impl<R: BufRead> Lines<R> {
    /// Reads from `input`.
    pub fn new(input: R) -> Self {
        Self { input, after_return: false }
    }

    /// The next line without its end; none at the end of the stream.
    pub fn next_line(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut line = Vec::new();
        let mut has_any = false;
        loop {
            let mut available = match self.input.fill_buf() {
                Ok(bytes) => bytes,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            if available.is_empty() {
                return Ok((has_any).then_some(line));
            }
            let skipped = usize::from(std::mem::take(&mut self.after_return) && available[0] == b'\n');
            available = &available[skipped..];
            match available.iter().position(|byte| matches!(byte, b'\n' | b'\r')) {
                Some(end) => {
                    line.extend_from_slice(&available[..end]);
                    self.after_return = available[end] == b'\r';
                    self.input.consume(skipped + end + 1);
                    return Ok(Some(line));
                }
                None => {
                    has_any |= !available.is_empty();
                    line.extend_from_slice(available);
                    let taken = skipped + available.len();
                    self.input.consume(taken);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_end_as_in_java() {
        let mut lines = Lines::new(&b"a\r\nb\rc\n\n\xff"[..]);
        let mut read = Vec::new();
        while let Some(line) = lines.next_line().expect("bytes") {
            read.push(line);
        }
        assert_eq!(read, [b"a".to_vec(), b"b".to_vec(), b"c".to_vec(), b"".to_vec(), b"\xff".to_vec()]);
    }
}
