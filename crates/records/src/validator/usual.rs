//! A plain batch of records as most are, summed up in one pass that refuses nothing.
//!
//! What it does not take, every error among it, is read again with care; so it can hold little and ask little of each record.

use super::rules::AppendRules;
use super::{BatchHeader, Summary};
use crate::TimestampType;
use crate::scan::UsualRecord;

/// Sums up `body`, the plain records after `header`; `None` if any of them is not as most are, or breaks a rule.
pub(super) fn summarize(header: &BatchHeader, body: &[u8], rules: &AppendRules<'_>) -> Option<Summary> {
    let walk = Walk::over(body, header.record_count)?;
    if walk.keyless && rules.compacted || header.timestamp_type() == TimestampType::LogAppendTime {
        return None;
    }
    let timestamp = |delta: i32| header.base_timestamp.0.checked_add(i64::from(delta));
    let (first, last) = (timestamp(walk.least_delta)?, timestamp(walk.greatest_delta)?);
    // Before 1970, a time may mean that there is none.
    if first < 0 {
        return None;
    }
    if rules.timestamp_type == TimestampType::CreateTime && !rules.allows_all(first..=last) {
        return None;
    }
    Some(Summary {
        max_timestamp: model::Timestamp(last),
        in_sequence: true,
        uncompressed_size: crate::BATCH_HEADER_LEN + body.len(),
    })
}

/// What the rules need of records that are in sequence and fill the batch.
struct Walk {
    least_delta: i32,
    greatest_delta: i32,
    keyless: bool,
}

impl Walk {
    fn over(body: &[u8], count: i32) -> Option<Walk> {
        let mut walk = Walk { least_delta: i32::MAX, greatest_delta: i32::MIN, keyless: false };
        let mut at = 0;
        for index in 0..count {
            let record = UsualRecord::take(body, &mut at)?;
            if record.offset_delta != index {
                return None;
            }
            walk.least_delta = walk.least_delta.min(record.timestamp_delta);
            walk.greatest_delta = walk.greatest_delta.max(record.timestamp_delta);
            walk.keyless |= record.key_size < 0;
        }
        (count > 0 && at == body.len()).then_some(walk)
    }
}
