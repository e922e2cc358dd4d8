//! Zig-zag varints as Kafka's `ByteUtils` reads them: at most 5 bytes for an int, 10 for a long, else an error.

use crate::RecordsError;

const CONTINUES: u8 = 0x80;

/// Reads an unsigned varint of at most `max_bytes` and moves `input` past it. Most are of one byte or two.
#[inline]
fn read_unsigned(input: &mut &[u8], max_bytes: usize) -> Result<u64, RecordsError> {
    match *input {
        [byte, rest @ ..] if *byte < CONTINUES => {
            *input = rest;
            Ok(u64::from(*byte))
        }
        [low, high, rest @ ..] if *high < CONTINUES => {
            *input = rest;
            Ok(u64::from(*low & !CONTINUES) | u64::from(*high) << 7)
        }
        _ => read_long(input, max_bytes),
    }
}

#[cold]
fn read_long(input: &mut &[u8], max_bytes: usize) -> Result<u64, RecordsError> {
    let bytes = *input;
    let mut value = 0u64;
    for (index, &byte) in bytes.iter().take(max_bytes).enumerate() {
        value |= u64::from(byte & !CONTINUES) << (7 * index);
        if byte & CONTINUES == 0 {
            *input = &bytes[index + 1..];
            return Ok(value);
        }
    }
    Err(RecordsError::RecordStructure)
}

/// Reads an int. Kafka: `ByteUtils.readVarint`.
#[inline]
pub(crate) fn read_varint(input: &mut &[u8]) -> Result<i32, RecordsError> {
    // Bits past the 32nd in a fifth byte are dropped, as Java's shift does.
    let raw = read_unsigned(input, 5)? as u32;
    Ok((raw >> 1) as i32 ^ -((raw & 1) as i32))
}

/// Reads a number of one byte or two at `at` of `bytes` and moves `at` past it; `None` if it is longer or cut.
#[inline(always)]
pub(crate) fn short_varint(bytes: &[u8], at: &mut usize) -> Option<i32> {
    let low = *bytes.get(*at)?;
    *at += 1;
    let mut raw = i32::from(low & !CONTINUES);
    if low >= CONTINUES {
        let high = *bytes.get(*at)?;
        *at += 1;
        if high >= CONTINUES {
            return None;
        }
        raw |= i32::from(high) << 7;
    }
    Some(raw >> 1 ^ -(raw & 1))
}

/// Reads a long. Kafka: `ByteUtils.readVarlong`.
#[inline]
pub(crate) fn read_varlong(input: &mut &[u8]) -> Result<i64, RecordsError> {
    let raw = read_unsigned(input, 10)?;
    Ok((raw >> 1) as i64 ^ -((raw & 1) as i64))
}

/// Appends an int.
#[inline]
pub(crate) fn write_varint(out: &mut Vec<u8>, value: i32) {
    write_varlong(out, i64::from(value));
}

/// Appends a long.
#[inline]
pub(crate) fn write_varlong(out: &mut Vec<u8>, value: i64) {
    let mut raw = zigzag(value);
    while raw >= u64::from(CONTINUES) {
        out.push(raw as u8 | CONTINUES);
        raw >>= 7;
    }
    out.push(raw as u8);
}

/// Returns how many bytes [`write_varlong`] takes, 1 to 10; for an int 1 to 5.
#[inline]
pub(crate) fn varint_len(value: i64) -> usize {
    let bits = 64 - (zigzag(value) | 1).leading_zeros() as usize;
    bits.div_ceil(7)
}

fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(value: i64) -> Vec<u8> {
        let mut out = Vec::new();
        write_varlong(&mut out, value);
        out
    }

    #[test]
    fn small_numbers_of_both_signs_take_one_byte() {
        assert_eq!(written(0), [0]);
        assert_eq!(written(-1), [1]);
        assert_eq!(written(63), [126]);
        assert_eq!(written(-64), [127]);
        assert_eq!(written(64), [0x80, 1]);
    }

    #[test]
    fn an_overlong_int_is_an_error() {
        assert_eq!(
            read_varint(&mut &[0x80, 0x80, 0x80, 0x80, 0x80, 0][..]),
            Err(RecordsError::RecordStructure)
        );
        assert_eq!(read_varlong(&mut &[0x80; 11][..]), Err(RecordsError::RecordStructure));
    }

    #[test]
    fn a_cut_number_is_an_error() {
        assert_eq!(read_varint(&mut &[0x80][..]), Err(RecordsError::RecordStructure));
        assert_eq!(read_varint(&mut &[][..]), Err(RecordsError::RecordStructure));
    }

    proptest! {
        #[test]
        fn a_number_reads_back(value: i64) {
            let bytes = written(value);
            prop_assert_eq!(bytes.len(), varint_len(value));
            prop_assert_eq!(read_varlong(&mut &bytes[..]), Ok(value));
        }

        #[test]
        fn an_int_reads_back(value: i32) {
            let bytes = written(i64::from(value));
            prop_assert!(bytes.len() <= 5);
            prop_assert_eq!(read_varint(&mut &bytes[..]), Ok(value));
        }

        #[test]
        fn a_short_number_is_read_alike_and_a_longer_or_cut_one_is_left(value in -9000..9000i32, missing in 0..2usize) {
            let bytes = written(i64::from(value));
            let bytes = &bytes[..bytes.len() - missing];
            let mut at = 0;
            let short = read_varint(&mut &bytes[..]).ok().filter(|_| bytes.len() <= 2);
            prop_assert_eq!(short_varint(bytes, &mut at), short);
            prop_assert!(short.is_none() || at == bytes.len());
        }
    }
}
