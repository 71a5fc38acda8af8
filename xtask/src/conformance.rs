//! `docs/conformance.md` against the specifications and the sources: every normative statement stands there once, and every test that a
//! row names exists.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use crate::tidy::Source;

/// The document, from the root.
pub(crate) const DOCUMENT: &str = "docs/conformance.md";

/// The statements of a section: its number, and the first and last number behind the dash.
type Section = (&'static str, RangeInclusive<u32>);

/// The normative statements of 3.1.1, appendix B: 141. It writes `MQTT-3.3.1.-1`, `MQTT-3.1.2.7` and, in its text, `MQTT-3-8.3-4` for
/// 3.3.1-1, 3.1.2-7 and 3.8.3-4.
const V3_1_1: &[Section] = &[
    ("1.5.3", 1..=3),
    ("2.2.2", 1..=2),
    ("2.3.1", 1..=7),
    ("3.1.0", 1..=2),
    ("3.1.2", 1..=24),
    ("3.1.3", 1..=11),
    ("3.1.4", 1..=5),
    ("3.2.0", 1..=1),
    ("3.2.2", 1..=6),
    ("3.3.1", 1..=12),
    ("3.3.2", 1..=3),
    ("3.3.4", 1..=1),
    ("3.3.5", 1..=2),
    ("3.6.1", 1..=1),
    ("3.8.1", 1..=1),
    ("3.8.3", 1..=4),
    ("3.8.4", 1..=6),
    ("3.9.3", 1..=2),
    ("3.10.1", 1..=1),
    ("3.10.3", 1..=2),
    ("3.10.4", 1..=6),
    ("3.12.4", 1..=1),
    ("3.14.1", 1..=1),
    ("3.14.4", 1..=3),
    ("4.1.0", 1..=2),
    ("4.3.1", 1..=1),
    ("4.3.2", 1..=2),
    ("4.3.3", 1..=2),
    ("4.4.0", 1..=1),
    ("4.5.0", 1..=2),
    ("4.6.0", 1..=6),
    ("4.7.1", 1..=3),
    ("4.7.2", 1..=1),
    ("4.7.3", 1..=4),
    ("4.8.0", 1..=2),
    ("6.0.0", 1..=4),
    ("7.0.0", 1..=2),
    ("7.1.1", 1..=1),
    ("7.1.2", 1..=1),
];

/// The normative statements of 5.0, appendix B: 251. There is no 2.2.1-1; the text writes `T-3.2.2-8` and `MQTT-4.2-1` for 3.2.2-8 and
/// 4.2.0-1.
const V5: &[Section] = &[
    ("1.5.4", 1..=3),
    ("1.5.5", 1..=1),
    ("1.5.7", 1..=1),
    ("2.1.3", 1..=1),
    ("2.2.1", 2..=6),
    ("2.2.2", 1..=1),
    ("3.1.0", 1..=2),
    ("3.1.2", 1..=30),
    ("3.1.3", 1..=12),
    ("3.1.4", 1..=6),
    ("3.2.0", 1..=2),
    ("3.2.2", 1..=22),
    ("3.3.1", 1..=13),
    ("3.3.2", 1..=20),
    ("3.3.4", 1..=10),
    ("3.4.2", 1..=3),
    ("3.5.2", 1..=3),
    ("3.6.1", 1..=1),
    ("3.6.2", 1..=3),
    ("3.7.2", 1..=3),
    ("3.8.1", 1..=1),
    ("3.8.3", 1..=5),
    ("3.8.4", 1..=8),
    ("3.9.2", 1..=2),
    ("3.9.3", 1..=2),
    ("3.10.1", 1..=1),
    ("3.10.3", 1..=2),
    ("3.10.4", 1..=6),
    ("3.11.2", 1..=2),
    ("3.11.3", 1..=2),
    ("3.12.4", 1..=1),
    ("3.14.0", 1..=1),
    ("3.14.1", 1..=1),
    ("3.14.2", 1..=4),
    ("3.14.4", 1..=3),
    ("3.15.1", 1..=1),
    ("3.15.2", 1..=3),
    ("4.1.0", 1..=2),
    ("4.2.0", 1..=1),
    ("4.3.1", 1..=1),
    ("4.3.2", 1..=5),
    ("4.3.3", 1..=13),
    ("4.4.0", 1..=2),
    ("4.5.0", 1..=2),
    ("4.6.0", 1..=6),
    ("4.7.0", 1..=1),
    ("4.7.1", 1..=2),
    ("4.7.2", 1..=1),
    ("4.7.3", 1..=4),
    ("4.8.2", 1..=6),
    ("4.9.0", 1..=3),
    ("4.12.0", 1..=7),
    ("4.12.1", 1..=2),
    ("4.13.1", 1..=1),
    ("4.13.2", 1..=1),
    ("6.0.0", 1..=4),
];

/// The two parts of the document, by heading.
const PARTS: [(&str, &[Section]); 2] = [("## MQTT 3.1.1", V3_1_1), ("## MQTT 5.0", V5)];

/// Who may answer for a statement.
const WHO: [&str; 4] = ["codec", "topic", "session", "broker"];

/// How many rows have each answer.
#[derive(Default)]
struct Counts {
    tested: usize,
    not_applicable: usize,
    not_yet: usize,
}

/// Compares the document with the lists above and with the sources.
pub(crate) fn check(document: &str, sources: &[Source], findings: &mut Vec<String>) {
    let mut counts = Vec::new();
    for (heading, sections) in PARTS {
        let part = part(document, heading);
        let mut missing: BTreeMap<String, bool> =
            identifiers(sections).map(|identifier| (identifier, false)).collect();
        let mut count = Counts::default();
        for row in part.iter().filter(|line| line.starts_with("| MQTT-")) {
            let cells: Vec<&str> = row.trim_matches('|').split(" | ").map(str::trim).collect();
            let [identifier, rule, who, answer] = cells[..] else {
                findings.push(format!("{DOCUMENT}: not four cells: {row}"));
                continue;
            };
            let place = format!("{DOCUMENT}: {heading}: {identifier}");
            match missing.get_mut(identifier) {
                None => findings.push(format!("{place}: there is no such statement")),
                Some(seen) if *seen => findings.push(format!("{place}: listed twice")),
                Some(seen) => *seen = true,
            }
            if rule.is_empty() || who.split(", ").any(|name| !WHO.contains(&name)) {
                findings.push(format!("{place}: says what the rule is and which of {WHO:?} answers for it"));
            }
            answered(&place, answer, sources, &mut count, findings);
        }
        for (identifier, _) in missing.iter().filter(|(_, seen)| !**seen) {
            findings.push(format!("{DOCUMENT}: {heading}: {identifier} is missing"));
        }
        counts.push(count);
    }
    for line in summary(&counts).lines().filter(|line| !document.lines().any(|have| have == *line)) {
        findings.push(format!("{DOCUMENT}: its count is wrong, it should say: {line}"));
    }
}

/// The lines under a heading, up to the next of its rank.
fn part<'a>(document: &'a str, heading: &str) -> Vec<&'a str> {
    let behind = document.lines().skip_while(|line| *line != heading).skip(1);
    behind.take_while(|line| !line.starts_with("## ")).collect()
}

fn identifiers(sections: &[Section]) -> impl Iterator<Item = String> {
    sections
        .iter()
        .flat_map(|(section, numbers)| numbers.clone().map(move |number| format!("MQTT-{section}-{number}")))
}

/// The table of counts that the document has to have.
fn summary(counts: &[Counts]) -> String {
    let row = |name: &str, of: fn(&Counts) -> usize| {
        let cells: String = counts.iter().map(|count| format!(" {} |", of(count))).collect();
        format!("| {name} |{cells}\n")
    };
    [
        row("a test", |count| count.tested),
        row("not applicable", |count| count.not_applicable),
        row("not yet", |count| count.not_yet),
        row("all", |count| count.tested + count.not_applicable + count.not_yet),
    ]
    .concat()
}

/// The last cell of a row: names of tests, or why there is none.
fn answered(place: &str, answer: &str, sources: &[Source], count: &mut Counts, findings: &mut Vec<String>) {
    if answer.strip_prefix("n/a because ").is_some_and(|why| !why.is_empty()) {
        count.not_applicable += 1;
        return;
    }
    if answer.strip_prefix("not yet: ").is_some_and(|why| !why.is_empty()) {
        count.not_yet += 1;
        return;
    }
    count.tested += 1;
    for name in answer.split(", ") {
        match name.strip_prefix('`').and_then(|name| name.strip_suffix('`')) {
            None => findings.push(format!(
                "{place}: `{name}` is neither the name of a test in backquotes, nor `n/a because ...`, nor `not yet: ...`"
            )),
            Some(name) if !exists(name, sources) => findings.push(format!("{place}: there is no test {name}")),
            Some(_) => {}
        }
    }
}

/// Whether there is a test `crate::module::name`: in `tests/it` of the crate a `module.rs` or `module/mod.rs`, or one anywhere
/// below its `src`. The examples count as a crate, and so does `trial` among them.
pub(crate) fn exists(name: &str, sources: &[Source]) -> bool {
    let Some((krate, rest)) = name.split_once("::") else { return false };
    let Some((module, test)) = rest.rsplit_once("::") else { return false };
    let folder = match krate {
        "examples" => krate.to_owned(),
        "trial" => "examples/trial".to_owned(),
        _ => format!("crates/{krate}"),
    };
    let module = module.replace("::", "/");
    let in_module = |path: &str| {
        let Some(file) = path.strip_prefix(&folder) else { return false };
        file == format!("/tests/it/{module}.rs")
            || file == format!("/tests/it/{module}/mod.rs")
            || file.starts_with("/src/")
                && (file.ends_with(&format!("/{module}.rs")) || file.ends_with(&format!("/{module}/mod.rs")))
    };
    sources.iter().any(|source| in_module(&source.path) && has_test(&source.text, test))
}

/// Whether a text has a function of this name with `#[test]` above it.
fn has_test(text: &str, name: &str) -> bool {
    let head = format!("fn {name}(");
    let mut is_test = false;
    for line in text.lines().map(str::trim_start) {
        if line.starts_with("#[") || line.starts_with("//") {
            is_test |= line.starts_with("#[test]");
        } else if line.starts_with(&head) && is_test {
            return true;
        } else {
            is_test = false;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sources() -> Vec<Source> {
        let source = |path: &str, text: &str| Source { path: path.to_owned(), text: text.to_owned() };
        vec![
            source("crates/codec/tests/it/bad.rs", "#[test]\nfn rejects_x() {}\n\nfn helper() {}\n"),
            source(
                "crates/codec/src/a/deep.rs",
                "    // Why.\n    #[test]\n    // What.\n    fn holds() {}\n",
            ),
            source("crates/codec/src/state/mod.rs", "#[test]\nfn moves(number in 0..3) {}\n"),
            source("examples/tests/it/broker.rs", "#[test]\nfn runs() {}\n"),
            source("examples/tests/it/killed/mod.rs", "#[test]\nfn lives() {}\n"),
            source("examples/trial/tests/it/time.rs", "#[test]\nfn waits() {}\n"),
        ]
    }

    /// A document with every statement, each with the same answer.
    fn document(answer: &str, counts: [&str; 4]) -> String {
        let mut text = format!("# Conformance\n\n{}\n", counts.join("\n"));
        for (heading, sections) in PARTS {
            text += &format!("\n{heading}\n\n");
            for identifier in identifiers(sections) {
                text += &format!("| {identifier} | a rule | codec, session | {answer} |\n");
            }
        }
        text
    }

    const NOT_YET: [&str; 4] = [
        "| a test | 0 | 0 |",
        "| not applicable | 0 | 0 |",
        "| not yet | 141 | 251 |",
        "| all | 141 | 251 |",
    ];

    fn whole() -> String {
        document("not yet: nobody wrote it", NOT_YET)
    }

    fn findings(document: &str) -> Vec<String> {
        let mut findings = Vec::new();
        check(document, &sources(), &mut findings);
        findings
    }

    #[track_caller]
    fn complains(document: &str, about: &[&str]) {
        let found = findings(document);
        for part in about {
            assert!(found.iter().any(|finding| finding.contains(part)), "nothing of {part}: {found:?}");
        }
    }

    #[test]
    fn a_whole_document_passes_with_each_answer() {
        assert_eq!(findings(&whole()), Vec::<String>::new());
        let counts = [
            "| a test | 0 | 0 |",
            "| not applicable | 141 | 251 |",
            "| not yet | 0 | 0 |",
            "| all | 141 | 251 |",
        ];
        assert_eq!(findings(&document("n/a because it is about people", counts)), Vec::<String>::new());
        let counts = [
            "| a test | 141 | 251 |",
            "| not applicable | 0 | 0 |",
            "| not yet | 0 | 0 |",
            "| all | 141 | 251 |",
        ];
        let named = "`codec::bad::rejects_x`, `codec::deep::holds`, `codec::a::deep::holds`, `codec::state::moves`, \
                     `examples::broker::runs`, `examples::killed::lives`, \
                     `trial::time::waits`";
        assert_eq!(findings(&document(named, counts)), Vec::<String>::new());
    }

    #[test]
    fn finds_a_statement_that_is_missing() {
        let row = "| MQTT-3.1.2-7 | a rule | codec, session | not yet: nobody wrote it |\n";
        let text = whole().replacen(row, "", 1);
        complains(&text, &["3.1.1: MQTT-3.1.2-7 is missing", "| not yet | 140 | 251 |"]);
        complains(&whole().replace("## MQTT 5.0", "## MQTT 5"), &["5.0: MQTT-4.2.0-1 is missing"]);
    }

    #[test]
    fn finds_a_statement_that_is_listed_twice_or_unknown() {
        let row = "| MQTT-1.5.3-1 | a rule | codec, session | not yet: nobody wrote it |\n";
        complains(&whole().replace(row, &row.repeat(2)), &["MQTT-1.5.3-1: listed twice"]);
        complains(
            &whole().replace("-1.5.3-1 ", "-1.5.3-4 "),
            &["MQTT-1.5.3-4: there is no such", "-1 is missing"],
        );
        // One of 5.0 among those of 3.1.1.
        complains(&whole().replace("-1.5.3-1 ", "-1.5.4-1 "), &["MQTT-1.5.4-1: there is no such"]);
    }

    #[test]
    fn finds_a_test_that_is_not_there() {
        for name in [
            "codec::bad::rejects_y",
            "codec::bad::rejects",
            "codec::bad::helper",
            "codec::other::rejects_x",
            "topic::bad::rejects_x",
            "codec::eep::holds",
            "rejects_x",
        ] {
            let text = whole().replacen("not yet: nobody wrote it", &format!("`{name}`"), 1);
            complains(&text, &[&format!("MQTT-1.5.3-1: there is no test {name}")]);
        }
    }

    #[test]
    fn finds_a_row_without_an_answer_a_rule_or_somebody_who_answers() {
        for answer in ["", "codec::bad::rejects_x", "n/a because ", "not yet: ", "later"] {
            complains(&whole().replacen("not yet: nobody wrote it", answer, 1), &["MQTT-1.5.3-1: `"]);
        }
        complains(&whole().replacen("codec, session", "nobody", 1), &["MQTT-1.5.3-1: says"]);
        complains(&whole().replacen("a rule", "", 1), &["MQTT-1.5.3-1: says"]);
        complains(&whole().replacen("a rule | ", "", 1), &["not four cells"]);
    }

    #[test]
    fn finds_a_wrong_count() {
        let text = whole().replace("| a test | 0 | 0 |", "| a test | 1 | 0 |");
        complains(&text, &["it should say: | a test | 0 | 0 |"]);
    }
}
