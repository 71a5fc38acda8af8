use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use super::offsets::INTERNAL_PREFIX;

/// The topics that a member of a group reads: by name, or those that a pattern matches, now and later.
///
/// A pattern does not match topics that the log and the store keep for themselves, whose names begin with `__headwater_`:
/// Kafka's `exclude.internal.topics`. By name they can be read.
///
/// # Examples
///
/// ```
/// use headwater_log::Subscription;
///
/// let one = Subscription::from(["telemetry"]);
/// let sites = Subscription::glob("site-?-*");
/// let short = Subscription::matching(|topic| topic.len() < 8);
/// # let _ = (one, sites, short);
/// ```
#[derive(Clone)]
pub struct Subscription {
    kind: Kind,
}

#[derive(Clone)]
enum Kind {
    Topics(BTreeSet<Arc<str>>),
    Glob(Arc<str>),
    Matching(Arc<dyn Fn(&str) -> bool + Send + Sync>),
}

impl Subscription {
    /// Topics by name.
    pub fn topics(names: impl IntoIterator<Item = impl Into<Arc<str>>>) -> Self {
        Self { kind: Kind::Topics(names.into_iter().map(Into::into).collect()) }
    }

    /// Topics whose whole name matches: `*` stands for any number of characters, `?` for one.
    pub fn glob(pattern: impl Into<Arc<str>>) -> Self {
        Self { kind: Kind::Glob(pattern.into()) }
    }

    /// Topics of whose name this says so. It is asked under a lock of the group, whenever topics have changed: it must be
    /// quick, and use no group.
    pub fn matching(says: impl Fn(&str) -> bool + Send + Sync + 'static) -> Self {
        Self { kind: Kind::Matching(Arc::new(says)) }
    }

    /// The names, when it is by name.
    pub(crate) fn names(&self) -> Option<&BTreeSet<Arc<str>>> {
        match &self.kind {
            Kind::Topics(names) => Some(names),
            Kind::Glob(_) | Kind::Matching(_) => None,
        }
    }

    pub(crate) fn takes(&self, topic: &str) -> bool {
        match &self.kind {
            Kind::Topics(names) => names.contains(topic),
            _ if topic.starts_with(INTERNAL_PREFIX) => false,
            Kind::Glob(pattern) => is_match(pattern.as_bytes(), topic.as_bytes()),
            Kind::Matching(says) => says(topic),
        }
    }
}

impl<T: Into<Arc<str>>, const N: usize> From<[T; N]> for Subscription {
    fn from(names: [T; N]) -> Self {
        Self::topics(names)
    }
}

impl<T: Into<Arc<str>>> From<Vec<T>> for Subscription {
    fn from(names: Vec<T>) -> Self {
        Self::topics(names)
    }
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            Kind::Topics(names) => f.debug_tuple("Topics").field(names).finish(),
            Kind::Glob(pattern) => f.debug_tuple("Glob").field(pattern).finish(),
            Kind::Matching(_) => f.debug_tuple("Matching").finish_non_exhaustive(),
        }
    }
}

/// Names of topics are ASCII. A star that was tried too short is tried one longer; those before it need not be.
fn is_match(pattern: &[u8], name: &[u8]) -> bool {
    let (mut at, mut here) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while here < name.len() {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at + 1, here));
                at += 1;
                continue;
            }
            Some(byte) if *byte == b'?' || Some(byte) == name.get(here) => {
                at += 1;
                here += 1;
                continue;
            }
            _ => {}
        }
        let Some((behind, from)) = star else { return false };
        star = Some((behind, from + 1));
        (at, here) = (behind, from + 1);
    }
    pattern.get(at..).is_some_and(|rest| rest.iter().all(|byte| *byte == b'*'))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The same by recursion.
    fn naive(pattern: &[u8], name: &[u8]) -> bool {
        match (pattern, name) {
            ([], []) => true,
            ([b'*', rest @ ..], _) => (0..=name.len()).any(|len| naive(rest, &name[len..])),
            ([byte, rest @ ..], [first, behind @ ..]) => {
                (*byte == b'?' || byte == first) && naive(rest, behind)
            }
            _ => false,
        }
    }

    fn texts(alphabet: &[u8], len_max: usize) -> Vec<Vec<u8>> {
        let mut texts = vec![Vec::new()];
        let mut from = 0;
        for _ in 0..len_max {
            let end = texts.len();
            for at in from..end {
                texts.extend(
                    alphabet.iter().map(|byte| [texts[at].as_slice(), &[*byte]].concat()).collect::<Vec<_>>(),
                );
            }
            from = end;
        }
        texts
    }

    #[test]
    fn every_short_pattern_matches_as_its_definition_says() {
        let (patterns, names) = (texts(b"ab*?", 5), texts(b"ab", 6));
        for pattern in &patterns {
            for name in &names {
                assert_eq!(is_match(pattern, name), naive(pattern, name), "{pattern:?} {name:?}");
            }
        }
    }

    #[test]
    fn patterns_do_not_take_internal_topics() {
        assert!(!Subscription::glob("*").takes("__headwater_offsets"));
        assert!(!Subscription::matching(|_| true).takes("__headwater_sessions"));
        assert!(Subscription::from(["__headwater_offsets"]).takes("__headwater_offsets"));
        assert!(Subscription::glob("*").takes("telemetry"));
    }
}
