//! Times and durations as Kafka's tools read and write them: ISO-8601, and the patterns of Java's date formats.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::Failure;

const DAY: i64 = 86_400_000;

/// Days from 1970-01-01 to a date of the Gregorian calendar.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// Year, month and day of a count of days from 1970-01-01.
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, of_year - (153 * shifted + 2) / 5 + 1)
}

/// Parses `YYYY-MM-DDThh:mm[:ss[.SSS]]` with an offset (`Z`, `+01:00`), or in UTC without one; returns milliseconds
/// since 1970. Kafka: `Utils.getDateTime`.
pub fn parse_date_time(text: &str) -> Result<i64, Failure> {
    let refuse = || {
        Failure::message(format!(
            "Error parsing timestamp: {text} does not have the form YYYY-MM-DDThh:mm:ss.sss"
        ))
    };
    let (date, rest) = text.split_once('T').ok_or_else(|| {
        let why = "Error parsing timestamp. It does not contain a 'T' according to ISO8601 format";
        Failure::message(format!("java.text.ParseException: {why}"))
    })?;
    let mut fields = date.split('-').map(|part| part.parse::<i64>().ok());
    let mut field = || fields.next().flatten().ok_or_else(refuse);
    let days = days_from_civil(field()?, field()?, field()?);
    let zone_at = rest.find(['Z', '+', '-']).unwrap_or(rest.len());
    let (clock, zone) = rest.split_at(zone_at);
    let (clock, fraction) = clock.split_once('.').unwrap_or((clock, "0"));
    let parts: Vec<i64> =
        clock.split(':').map(|part| part.parse().map_err(|_| refuse())).collect::<Result<_, _>>()?;
    let [hours, minutes, seconds] = match parts[..] {
        [hours, minutes] => [hours, minutes, 0],
        [hours, minutes, seconds] => [hours, minutes, seconds],
        _ => return Err(refuse()),
    };
    let millis: i64 =
        format!("{fraction:0<3}").get(..3).and_then(|digits| digits.parse().ok()).ok_or_else(refuse)?;
    Ok(days * DAY + hours * 3_600_000 + minutes * 60_000 + seconds * 1000 + millis
        - parse_zone(zone).ok_or_else(refuse)?)
}

fn parse_zone(text: &str) -> Option<i64> {
    let sign = match text.chars().next() {
        None | Some('Z') => return Some(0),
        Some('+') => 1,
        Some('-') => -1,
        Some(_) => return None,
    };
    let digits: String = text[1..].chars().filter(char::is_ascii_digit).collect();
    let hours: i64 = digits.get(..2)?.parse().ok()?;
    let minutes: i64 = digits.get(2..4).unwrap_or("0").parse().ok()?;
    Some(sign * (hours * 3_600_000 + minutes * 60_000))
}

/// Parses `PnDTnHnMnS` into milliseconds. Java: `Duration.parse`.
pub fn parse_duration(text: &str) -> Result<i64, Failure> {
    let refuse = || Failure::message("Text cannot be parsed to a Duration");
    let upper = text.to_uppercase();
    let (sign, body) = match upper.strip_prefix('-') {
        Some(rest) => (-1.0, rest),
        None => (1.0, upper.as_str()),
    };
    let body = body.strip_prefix('P').ok_or_else(refuse)?;
    let (days, time) = body.split_once('T').unwrap_or((body, ""));
    let mut millis = 0.0;
    let mut rest = days;
    for (unit, factor) in [('D', 86_400_000.0), ('H', 3_600_000.0), ('M', 60_000.0), ('S', 1000.0)] {
        if unit == 'H' {
            if !rest.is_empty() {
                return Err(refuse());
            }
            rest = time;
        }
        if let Some((number, after)) = rest.split_once(unit) {
            millis += number.parse::<f64>().map_err(|_| refuse())? * factor;
            rest = after;
        }
    }
    if !rest.is_empty() || body.is_empty() { Err(refuse()) } else { Ok((sign * millis) as i64) }
}

/// Writes the time `millis` by a pattern of Java's `SimpleDateFormat`, in UTC: `yyyy-MM-dd HH:mm:ss:SSS`.
pub fn format_time(millis: i64, pattern: &str) -> String {
    let (year, month, day) = civil_from_days(millis.div_euclid(DAY));
    let of_day = millis.rem_euclid(DAY);
    let mut text = String::new();
    let mut chars = pattern.chars().peekable();
    while let Some(c) = chars.next() {
        let mut width = 1;
        while c.is_ascii_alphabetic() && chars.next_if_eq(&c).is_some() {
            width += 1;
        }
        let value = match c {
            'y' if width == 2 => year % 100,
            'y' => year,
            'M' => month,
            'd' => day,
            'H' => of_day / 3_600_000,
            'm' => of_day / 60_000 % 60,
            's' => of_day / 1000 % 60,
            'S' => of_day % 1000,
            _ => {
                text.extend(std::iter::repeat_n(c, width));
                continue;
            }
        };
        text.push_str(&format!("{value:0width$}"));
    }
    text
}

/// Milliseconds since 1970.
pub fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_millis() as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_with_and_without_an_offset() {
        for (text, millis) in [
            ("1970-01-01T00:00:00.000", 0),
            ("2020-02-29T12:30:15.250", 1_582_979_415_250),
            ("2020-02-29T12:30:15.250Z", 1_582_979_415_250),
            ("2020-02-29T12:30:15.250+01:00", 1_582_975_815_250),
        ] {
            assert_eq!(parse_date_time(text).ok(), Some(millis), "{text}");
        }
        assert!(parse_date_time("yesterday").is_err());
    }

    #[test]
    fn durations_are_javas() {
        for (text, millis) in [("PT1H", 3_600_000), ("P1DT1M", 86_460_000), ("PT1.5S", 1500)] {
            assert_eq!(parse_duration(text).ok(), Some(millis), "{text}");
        }
        assert!(parse_duration("1H").is_err() && parse_duration("P").is_err());
    }

    #[test]
    fn times_are_written_by_a_pattern() {
        assert_eq!(format_time(1_582_979_415_250, "yyyy-MM-dd HH:mm:ss:SSS"), "2020-02-29 12:30:15:250");
    }
}
