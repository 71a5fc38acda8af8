//! Text with places for parts of a topic.

use std::borrow::Cow;

/// A text, parsed once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Template {
    parts: Box<[Part]>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(Box<str>),
    Topic,
    /// Counted from 0.
    Level(usize),
    ClientId,
}

/// A template of a routing rule cannot be read. Positions are bytes, counted from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TemplateError {
    /// A brace is not closed.
    #[error("the brace at byte {at} is not closed; {{{{ stands for a brace")]
    Unclosed {
        /// Where it is.
        at: usize,
    },
    /// A brace closes nothing.
    #[error("the brace at byte {at} closes nothing; }}}} stands for a brace")]
    Unopened {
        /// Where it is.
        at: usize,
    },
    /// What stands in braces is not known.
    #[error("the braces at byte {at} hold none of topic, client-id, and the number of a level from 1 on")]
    Unknown {
        /// Where they begin.
        at: usize,
    },
    /// The filter of the rule matches no topic with such a level.
    #[error("there is no level {level}: all topics that the filter matches have {levels}")]
    Level {
        /// The level.
        level: usize,
        /// How many there are.
        levels: usize,
    },
}

impl Template {
    /// The MQTT topic.
    pub(super) fn topic() -> Self {
        Self { parts: Box::new([Part::Topic]) }
    }

    pub(super) fn is_topic(&self) -> bool {
        *self.parts == [Part::Topic]
    }

    pub(super) fn parse(template: &str) -> Result<Self, TemplateError> {
        let (mut parts, mut text) = (Vec::new(), String::new());
        let mut rest = template;
        while let Some(brace) = rest.find(['{', '}']) {
            let (before, after) = rest.split_at_checked(brace).unwrap_or((rest, ""));
            let at = template.len() - after.len();
            text.push_str(before);
            if let Some(doubled) = after.strip_prefix("{{").or_else(|| after.strip_prefix("}}")) {
                text.push(if after.starts_with('{') { '{' } else { '}' });
                rest = doubled;
                continue;
            }
            let Some(inside) = after.strip_prefix('{') else { return Err(TemplateError::Unopened { at }) };
            let (name, behind) = inside.split_once('}').ok_or(TemplateError::Unclosed { at })?;
            if !text.is_empty() {
                parts.push(Part::Text(std::mem::take(&mut text).into()));
            }
            parts.push(Part::named(name).ok_or(TemplateError::Unknown { at })?);
            rest = behind;
        }
        text.push_str(rest);
        if !text.is_empty() {
            parts.push(Part::Text(text.into()));
        }
        Ok(Self { parts: parts.into() })
    }

    /// Whether every level may be there in a topic that has so many.
    pub(super) fn check_levels(&self, levels: usize) -> Result<(), TemplateError> {
        let above = |part: &Part| match part {
            Part::Level(index) if *index >= levels => Some(index + 1),
            _ => None,
        };
        let missing = self.parts.iter().find_map(above);
        missing.map_or(Ok(()), |level| Err(TemplateError::Level { level, levels }))
    }

    /// The text for one message. One pass: what is put in is not read again.
    pub(super) fn render<'a>(&'a self, topic: &'a str, client_id: &'a str) -> Cow<'a, str> {
        match &*self.parts {
            [] => Cow::Borrowed(""),
            [only] => Cow::Borrowed(only.text(topic, client_id)),
            parts => Cow::Owned(parts.iter().map(|part| part.text(topic, client_id)).collect()),
        }
    }

    pub(super) fn bytes_max(&self, topic: u64, client_id: u64) -> u64 {
        let bytes = |part: &Part| match part {
            Part::Text(text) => u64::try_from(text.len()).unwrap_or(u64::MAX),
            Part::Topic | Part::Level(_) => topic,
            Part::ClientId => client_id,
        };
        self.parts.iter().map(bytes).fold(0, u64::saturating_add)
    }
}

impl Part {
    fn named(name: &str) -> Option<Self> {
        match name {
            "topic" => Some(Self::Topic),
            "client-id" => Some(Self::ClientId),
            // "+1" and "01" parse as numbers, but nobody means them.
            _ if name.starts_with(['+', '0']) => None,
            _ => Some(Self::Level(name.parse::<usize>().ok()?.checked_sub(1)?)),
        }
    }

    fn text<'a>(&'a self, topic: &'a str, client_id: &'a str) -> &'a str {
        match self {
            Self::Text(text) => text,
            Self::Topic => topic,
            Self::Level(index) => topic.split('/').nth(*index).unwrap_or_default(),
            Self::ClientId => client_id,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered(template: &str) -> String {
        Template::parse(template).unwrap().render("factory/line-1//t", "c{1}").into_owned()
    }

    #[test]
    fn places_are_filled_and_what_is_filled_in_is_text() {
        for (template, text) in [
            ("", ""),
            ("constant", "constant"),
            ("{topic}", "factory/line-1//t"),
            ("{2}", "line-1"),
            ("{3}", ""),
            ("{5}", ""),
            ("{1}/{4}", "factory/t"),
            ("{client-id}", "c{1}"),
            ("{client-id}-{2}+#", "c{1}-line-1+#"),
            ("{{1}}", "{1}"),
            ("}}{{{1}}}", "}{factory}"),
            ("{{{{", "{{"),
        ] {
            assert_eq!(rendered(template), text, "{template}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_refused_with_its_place() {
        use TemplateError::{Level, Unclosed, Unknown, Unopened};
        for (template, error) in [
            ("ab{1", Unclosed { at: 2 }),
            ("{", Unclosed { at: 0 }),
            ("{{{", Unclosed { at: 2 }),
            ("ab}", Unopened { at: 2 }),
            ("{1}}", Unopened { at: 3 }),
            ("é{0}", Unknown { at: 2 }),
            ("{}", Unknown { at: 0 }),
            ("{+1}", Unknown { at: 0 }),
            ("{01}", Unknown { at: 0 }),
            ("{-1}", Unknown { at: 0 }),
            ("{1}{clientid}", Unknown { at: 3 }),
            ("{ 1}", Unknown { at: 0 }),
            ("{99999999999999999999}", Unknown { at: 0 }),
            ("{1{2}", Unknown { at: 0 }),
        ] {
            assert_eq!(Template::parse(template), Err(error), "{template}");
        }
        let template = Template::parse("{topic}{3}").unwrap();
        assert_eq!(template.check_levels(2), Err(Level { level: 3, levels: 2 }));
        assert_eq!(template.check_levels(3), Ok(()));
    }

    #[test]
    fn a_message_says_how_to_mend_it() {
        let message = Template::parse("{").unwrap_err().to_string();
        assert_eq!(message, "the brace at byte 0 is not closed; {{ stands for a brace");
    }
}
