//! From when on a client wants the messages of its subscription: the user property `headwater-from` of SUBSCRIBE.

use headwater::codec::{Properties, Property};
use headwater::store::Since;
use jiff::{Span, SpanRelativeTo, Timestamp};

/// The name of the property.
const NAME: &str = "headwater-from";

/// What the client asks for; `None` if it asks for nothing. `now_ms` is the time in milliseconds since 1970-01-01 UTC.
pub(super) fn since(properties: &Properties<'_>, now_ms: i64) -> Result<Option<Since>, String> {
    let mut values = properties.iter().filter_map(|property| match property {
        Property::UserProperty(NAME, value) => Some(value),
        _ => None,
    });
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => parse(value, now_ms).map(Some),
        (Some(_), Some(_)) => Err(format!("{NAME} stands twice; one holds for all filters of a SUBSCRIBE")),
    }
}

fn parse(text: &str, now_ms: i64) -> Result<Since, String> {
    if text == "earliest" {
        return Ok(Since::Earliest);
    }
    if let Ok(moment) = text.parse::<Timestamp>() {
        return Ok(Since::Moment { ms: moment.as_millisecond() });
    }
    let back = text.strip_prefix("-P").and_then(|_| text.parse::<Span>().ok());
    let back = back.and_then(|span| span.to_duration(SpanRelativeTo::days_are_24_hours()).ok());
    let ms = back.and_then(|back| i64::try_from(back.as_millis()).ok());
    let ms = ms.ok_or_else(|| {
        format!("{NAME} is '{text}'; write it like earliest, 2026-11-23T08:00:00Z or -PT1H, or -P7D for seven times 24 hours")
    })?;
    Ok(Since::Moment { ms: now_ms.saturating_add(ms) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_a_moment_or_a_duration_that_goes_back() {
        let now_ms = 1_000_000_000;
        assert_eq!(parse("earliest", now_ms), Ok(Since::Earliest));
        assert_eq!(parse("1970-01-01T00:00:01Z", now_ms), Ok(Since::Moment { ms: 1_000 }));
        assert_eq!(parse("1970-01-01T01:00:01.5+01:00", now_ms), Ok(Since::Moment { ms: 1_500 }));
        assert_eq!(parse("-PT1H", now_ms), Ok(Since::Moment { ms: now_ms - 3_600_000 }));
        assert_eq!(parse("-P1DT0.5S", now_ms), Ok(Since::Moment { ms: now_ms - 86_400_500 }));
        for wrong in ["", "latest", "PT1H", "-1h", "-P1M", "1795420800000", "-PT", "Earliest"] {
            assert!(parse(wrong, now_ms).unwrap_err().contains("-PT1H"), "{wrong}");
        }
    }

    #[test]
    fn it_stands_once() {
        let twice = [Property::UserProperty(NAME, "earliest"), Property::UserProperty(NAME, "earliest")];
        assert!(since(&Properties::new(&twice), 0).is_err());
        let other = [Property::UserProperty("from", "earliest")];
        assert_eq!(since(&Properties::new(&other), 0), Ok(None));
    }
}
