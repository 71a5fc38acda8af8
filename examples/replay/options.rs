//! What replay may be told.

use std::path::PathBuf;

use clap::Parser;
use headwater::topic::{TopicFilter, TopicFilterBuf};
use headwater_examples::show::now_ms;
use headwater_examples::value;

/// Prints the messages in a log, one a line, also beside a running broker.
#[derive(Debug, Clone, Parser)]
#[command(name = "replay", version)]
pub(crate) struct Options {
    /// Folder of the log
    #[arg(long, default_value = "./data")]
    pub(crate) data: PathBuf,
    /// Only messages whose MQTT topic matches, like 'factory/#'; may be given again for more
    #[arg(long, value_parser = filter)]
    pub(crate) filter: Vec<TopicFilterBuf>,
    /// Where to begin: earliest, latest, an offset like 1000, or a moment like 2026-11-23T08:00:00Z, ms:1795420800000 or 90min (ago)
    #[arg(long, default_value = "earliest", allow_hyphen_values = true, value_parser = from)]
    pub(crate) from: From,
    /// Go on with what comes, until stopped
    #[arg(long)]
    pub(crate) follow: bool,
    /// Print JSON objects
    #[arg(long)]
    pub(crate) json: bool,
    /// The log topic
    #[arg(long, default_value = "mqtt")]
    pub(crate) topic: String,
}

/// Where to begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum From {
    /// With the first record that is there.
    Earliest,
    /// Behind the last one.
    Latest,
    /// With this offset, in each partition.
    Offset(u64),
    /// With the first record that came then or later; milliseconds since 1970-01-01 UTC.
    Moment(i64),
}

fn filter(text: &str) -> Result<TopicFilterBuf, String> {
    let filter = TopicFilter::parse(text)
        .map_err(|error| format!("{error}; write it like 'factory/#' or '+/line-1/temperature'"))?;
    if let Some(shared) = filter.shared() {
        // Nobody shares a replay, and no topic begins so: it would match nothing.
        return Err(format!("it is that of a shared subscription; write '{}'", shared.filter()));
    }
    Ok(TopicFilterBuf::from(filter))
}

fn from(text: &str) -> Result<From, String> {
    match text {
        "earliest" => return Ok(From::Earliest),
        "latest" => return Ok(From::Latest),
        _ => {}
    }
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.parse().map(From::Offset).map_err(|_| format!("offset {text} is beyond {}", u64::MAX));
    }
    if let Some(ms) = text.strip_prefix("ms:") {
        let form =
            || format!("'{text}' is not a moment in milliseconds since 1970; write it like ms:1795420800000");
        return ms.parse().map(From::Moment).map_err(|_| form());
    }
    let moment = value::moment(text, now_ms());
    moment.map(From::Moment).map_err(|error| format!("{error}; or earliest, latest, or an offset like 1000"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_beginning_is_a_word_an_offset_or_a_moment() {
        assert_eq!(from("earliest"), Ok(From::Earliest));
        assert_eq!(from("latest"), Ok(From::Latest));
        assert_eq!(from("0"), Ok(From::Offset(0)));
        assert_eq!(from("1970-01-01T00:00:01Z"), Ok(From::Moment(1_000)));
        assert_eq!(from("ms:1000"), Ok(From::Moment(1_000)));
        assert!(from("ms:soon").unwrap_err().contains("ms:1795420800000"));
        assert!(matches!(from("90min"), Ok(From::Moment(_))));
        for wrong in ["", "yesterday", "-1", "99999999999999999999"] {
            let refusal = from(wrong).unwrap_err();
            assert!(refusal.contains("latest") || refusal.contains("beyond"), "{refusal}");
        }
    }

    #[test]
    fn a_wrong_filter_is_answered_by_the_right_form() {
        assert!(filter("a/#/b").unwrap_err().contains("'factory/#'"));
    }
}
