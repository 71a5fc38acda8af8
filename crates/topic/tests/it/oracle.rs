//! What the specification says, in the most literal code: sections 4.7 and 4.8.2, level lists and recursion.
//!
//! Nothing here is shared with the crate, so that the two cannot be wrong together.

/// Section 4.7.3 and 4.7.0: what may be a topic name, level limits aside.
pub(crate) fn is_name(text: &str) -> bool {
    is_string(text) && !text.contains('+') && !text.contains('#')
}

/// Section 4.7.1 and 4.8.2: what may be a topic filter, level limits aside.
pub(crate) fn is_filter(text: &str) -> bool {
    let levels: Vec<&str> = text.split('/').collect();
    if levels[0] == "$share" && levels.len() > 1 {
        let group = levels[1];
        let inner = levels[2..].join("/");
        let inner_is_shared = inner.starts_with("$share/");
        return !group.is_empty()
            && !group.contains(['+', '#', '\0'])
            && is_filter(&inner)
            && !inner_is_shared;
    }
    let last = levels.len() - 1;
    is_string(text)
        && levels.iter().all(|level| *level == "+" || !level.contains('+'))
        && levels[..last].iter().all(|level| !level.contains('#'))
        && (levels[last] == "#" || !levels[last].contains('#'))
}

fn is_string(text: &str) -> bool {
    !text.is_empty() && text.len() <= 65_535 && !text.contains('\0')
}

/// Section 4.7: whether a valid filter matches a valid name.
pub(crate) fn matches(filter: &str, name: &str) -> bool {
    split_matches(&split(filter), &split(name))
}

/// As [`matches`], of a filter and a name that were split before.
pub(crate) fn split_matches(filter: &[&str], name: &[&str]) -> bool {
    let begins_with_wildcard = filter[0] == "+" || filter[0] == "#";
    if name[0].starts_with('$') && begins_with_wildcard {
        return false;
    }
    levels_match(filter, name)
}

fn levels_match(filter: &[&str], name: &[&str]) -> bool {
    match (filter, name) {
        (["#"], _) | ([], []) => true,
        (["+", filter @ ..], [_, name @ ..]) => levels_match(filter, name),
        ([wanted, filter @ ..], [given, name @ ..]) => wanted == given && levels_match(filter, name),
        _ => false,
    }
}

/// The levels of a text; in the order of these lists a name stands before all below it.
pub(crate) fn split(text: &str) -> Vec<&str> {
    text.split('/').collect()
}
