//! The judge: a linear matcher that is as simple as the rules.

use super::texts::Texts;

/// True if a valid filter matches a valid name by section 4.7.
pub fn matches(filter: &str, name: &str) -> bool {
    if name.starts_with('$') && filter.starts_with(['+', '#']) {
        return false;
    }
    let mut given = name.split('/');
    for wanted in filter.split('/') {
        if wanted == "#" {
            return true;
        }
        match given.next() {
            Some(level) if wanted == "+" || wanted == level => {}
            _ => return false,
        }
    }
    given.next().is_none()
}

/// The numbers of all filters that match, in order.
pub fn all_matching(filters: &Texts, name: &str) -> Vec<u32> {
    (0..).zip(filters.iter()).filter(|(_, filter)| matches(filter, name)).map(|(id, _)| id).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn follows_the_examples_of_the_standard() {
        for (filter, name, expected) in [
            ("sport/tennis/player1/#", "sport/tennis/player1", true),
            ("sport/tennis/player1/#", "sport/tennis/player1/score/wimbledon", true),
            ("sport/#", "sport", true),
            ("#", "sport/tennis", true),
            ("sport/tennis/+", "sport/tennis/player1", true),
            ("sport/tennis/+", "sport/tennis/player1/ranking", false),
            ("sport/+", "sport", false),
            ("sport/+", "sport/", true),
            ("+/+", "/finance", true),
            ("/+", "/finance", true),
            ("+", "/finance", false),
            ("+/tennis/#", "sport/tennis", true),
            ("#", "$SYS/monitor/Clients", false),
            ("+/monitor/Clients", "$SYS/monitor/Clients", false),
            ("$SYS/#", "$SYS/monitor", true),
            ("$SYS/monitor/+", "$SYS/monitor/Clients", true),
            ("a/b", "a/b/c", false),
            ("a/b/c", "a/b", false),
            ("a", "A", false),
        ] {
            assert_eq!(matches(filter, name), expected, "{filter} against {name}");
        }
    }

    #[test]
    fn a_filter_that_stands_twice_matches_twice() {
        let filters: Texts = ["a/+", "b", "a/+", "#"].into_iter().collect();
        assert_eq!(all_matching(&filters, "a/x"), [0, 2, 3]);
    }
}
