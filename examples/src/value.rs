//! Values of options: sizes, durations, moments. Each refusal says the right form.

use std::time::Duration;

/// A number of bytes: `1GiB`, `512MiB`, `65536`.
///
/// # Errors
///
/// What is wrong, with the right form.
pub fn bytes(text: &str) -> Result<u64, String> {
    let size: bytesize::ByteSize =
        text.parse().map_err(|_| format!("'{text}' is not a size; write it like 512MiB, 1GiB or 65536"))?;
    if size.as_u64() == 0 {
        Err("a size of 0 holds nothing; write it like 512MiB or 1GiB".to_owned())
    } else {
        Ok(size.as_u64())
    }
}

/// A duration: `7days`, `12h`, `30s`.
///
/// # Errors
///
/// What is wrong, with the right form.
pub fn duration(text: &str) -> Result<Duration, String> {
    let duration = humantime::parse_duration(text)
        .map_err(|_| format!("'{text}' is not a duration; write it like 7days, 12h or '1h 30m'"))?;
    if duration.is_zero() {
        Err("a duration of 0 keeps nothing; write it like 7days or 12h".to_owned())
    } else {
        Ok(duration)
    }
}

/// A moment: RFC 3339, or a duration that it lies in the past. Milliseconds since 1970-01-01 UTC.
///
/// # Errors
///
/// What is wrong, with the right form.
pub fn moment(text: &str, now_ms: i64) -> Result<i64, String> {
    if let Ok(timestamp) = text.parse::<jiff::Timestamp>() {
        return Ok(timestamp.as_millisecond());
    }
    if let Ok(ago) = humantime::parse_duration(text.trim_start_matches('-')) {
        return Ok(now_ms.saturating_sub(i64::try_from(ago.as_millis()).unwrap_or(i64::MAX)));
    }
    Err(format!(
        "'{text}' is not a moment; write it like 2026-11-23T08:00:00Z, 2026-11-23T09:00:00+01:00 or 90min for that long ago"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_durations_are_read_with_their_units() {
        assert_eq!(bytes("1GiB"), Ok(1 << 30));
        assert_eq!(bytes("65536"), Ok(65_536));
        assert_eq!(duration("7days"), Ok(Duration::from_secs(7 * 24 * 3_600)));
    }

    #[test]
    fn moments_are_read_in_any_zone_or_as_a_distance() {
        assert_eq!(moment("1970-01-01T00:00:01Z", 0), Ok(1_000));
        assert_eq!(moment("1970-01-01T01:00:01.5+01:00", 0), Ok(1_500));
        assert_eq!(moment("2s", 10_000), Ok(8_000));
        assert_eq!(moment("-2s", 10_000), Ok(8_000));
    }

    #[test]
    fn a_refusal_says_the_right_form() {
        for refused in [bytes("many").unwrap_err(), bytes("0").unwrap_err(), bytes("-1").unwrap_err()] {
            assert!(refused.contains("512MiB"), "{refused}");
        }
        for refused in [duration("soon").unwrap_err(), duration("0s").unwrap_err()] {
            assert!(refused.contains("7days"), "{refused}");
        }
        assert!(moment("yesterday", 0).unwrap_err().contains("2026-11-23T08:00:00Z"));
    }
}
