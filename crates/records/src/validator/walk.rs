//! Records summed up in one pass that refuses nothing.
//!
//! Of a batch that breaks a rule it only finds out that it does; which records, and why, is read again with care. So it can hold
//! little and ask little of each record.

use super::rules::AppendRules;
use super::{BatchHeader, Summary};
use crate::scan::{RecordScan, Scanned, UsualRecord};
use crate::{RecordsError, TimestampType};

/// Sums up `body`, the plain records after `header`; `None` if any of them is not as most are, or breaks a rule.
pub(super) fn plain(header: &BatchHeader, body: &[u8], rules: &AppendRules<'_>) -> Option<Summary> {
    let mut walk = Walk::new(header);
    let mut at = 0;
    for _ in 0..header.record_count {
        walk.pass_usual(UsualRecord::take(body, &mut at)?);
    }
    if at != body.len() {
        return None;
    }
    walk.end(header, body.len(), rules)
}

/// Sums up compressed records; `None` if any of them breaks a rule. Fails as reading them with care does.
pub(super) fn compressed(
    header: &BatchHeader,
    mut records: RecordScan<'_>,
    rules: &AppendRules<'_>,
) -> Result<Option<Summary>, RecordsError> {
    let mut walk = Walk::new(header);
    loop {
        while let Some(record) = records.next_usual() {
            walk.pass_usual(record);
        }
        match records.next() {
            Some(record) => walk.pass(&record?),
            None => return Ok(walk.end(header, records.decompressed(), rules)),
        }
    }
}

/// What the rules need of the records passed so far.
struct Walk {
    base_offset: i64,
    base_timestamp: i64,
    count: i32,
    in_sequence: bool,
    keyless: bool,
    first: i64,
    last: i64,
}

impl Walk {
    fn new(header: &BatchHeader) -> Self {
        Self {
            base_offset: header.base_offset.0,
            base_timestamp: header.base_timestamp.0,
            count: 0,
            in_sequence: true,
            keyless: false,
            first: i64::MAX,
            last: i64::MIN,
        }
    }

    #[inline(always)]
    fn pass_usual(&mut self, record: UsualRecord) {
        let timestamp = self.base_timestamp.wrapping_add(i64::from(record.timestamp_delta));
        self.note(record.offset_delta == self.count, timestamp, record.key_size < 0);
    }

    fn pass(&mut self, record: &Scanned) {
        let expected = self.base_offset.wrapping_add(i64::from(self.count));
        self.note(record.offset.0 == expected, record.timestamp.0, record.key_size < 0);
    }

    #[inline(always)]
    fn note(&mut self, in_sequence: bool, timestamp: i64, keyless: bool) {
        self.count += 1;
        self.in_sequence &= in_sequence;
        self.keyless |= keyless;
        self.first = self.first.min(timestamp);
        self.last = self.last.max(timestamp);
    }

    /// Returns what the records come to, unless one of them may break a rule.
    fn end(&self, header: &BatchHeader, body_size: usize, rules: &AppendRules<'_>) -> Option<Summary> {
        // Before 1970, a time may mean that there is none.
        if self.count == 0 || self.first < 0 {
            return None;
        }
        if self.keyless && rules.compacted || header.timestamp_type() == TimestampType::LogAppendTime {
            return None;
        }
        if rules.timestamp_type == TimestampType::CreateTime && !rules.allows_all(self.first..=self.last) {
            return None;
        }
        Some(Summary {
            max_timestamp: model::Timestamp(self.last),
            in_sequence: self.in_sequence,
            uncompressed_size: crate::BATCH_HEADER_LEN + body_size,
        })
    }
}
