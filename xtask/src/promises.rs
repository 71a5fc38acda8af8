//! The tables of promises in `docs/testing.md`: every test that a row names exists.

use crate::conformance::exists;
use crate::tidy::Source;

/// The document, from the root.
pub(crate) const DOCUMENT: &str = "docs/testing.md";

/// Tables whose rows are a promise, what is done, and `crate::module::test` or `later: ...`.
const OF_MQTT: [&str; 2] = ["## The session's promises", "## The broker's promises"];

/// Tables of the log: what is in backquotes and has a path is a test of that crate, or of the examples.
const OF_THE_LOG: [&str; 3] =
    ["## The log's promises", "## What the log takes and refuses", "## The faults, and their tests"];

/// Compares the document with the sources.
pub(crate) fn check(document: &str, sources: &[Source], findings: &mut Vec<String>) {
    for heading in OF_MQTT {
        let rows = rows(document, heading);
        if rows.is_empty() {
            findings.push(format!("{DOCUMENT}: no table under {heading}"));
        }
        for row in rows {
            let cells: Vec<&str> = row.trim_matches('|').split(" | ").map(str::trim).collect();
            let [promise, _, answer] = cells[..] else {
                findings.push(format!("{DOCUMENT}: not three cells: {row}"));
                continue;
            };
            for name in answer.split("; ") {
                if name.strip_prefix("later: ").is_some_and(|why| !why.is_empty()) {
                    continue;
                }
                for name in name.split(", ") {
                    let test = name.strip_prefix('`').and_then(|name| name.strip_suffix('`'));
                    if !test.is_some_and(|test| exists(test, sources)) {
                        findings.push(format!("{DOCUMENT}: {promise}: there is no test {name}"));
                    }
                }
            }
        }
    }
    for row in OF_THE_LOG.iter().flat_map(|heading| rows(document, heading)) {
        // Every second piece is in backquotes.
        for name in row.split('`').skip(1).step_by(2).filter(|name| name.contains("::")) {
            let name = name.replace("::tests::", "::");
            if !["log", "examples"].iter().any(|krate| exists(&format!("{krate}::{name}"), sources)) {
                findings.push(format!("{DOCUMENT}: there is no test {name}"));
            }
        }
    }
}

/// The rows of the table under a heading, without its own.
fn rows<'a>(document: &'a str, heading: &str) -> Vec<&'a str> {
    let behind = document.lines().skip_while(|line| *line != heading).skip(1);
    let part = behind.take_while(|line| !line.starts_with("## "));
    part.filter(|line| line.starts_with("| ")).skip(1).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(session: &str, log: &str) -> Vec<String> {
        let source = |path: &str, text: &str| Source { path: path.to_owned(), text: text.to_owned() };
        let sources = [
            source("crates/session/tests/it/bad.rs", "#[test]\nfn refuses() {}\n"),
            source("crates/log/src/format/deep.rs", "    #[test]\n    fn holds() {}\n"),
        ];
        let table = |heading: &str, row: &str| {
            format!("{heading}\n\n| a | b | c |\n|---|---|---|\n| x | y | {row} |\n\n")
        };
        let document =
            table(OF_MQTT[0], session) + &table(OF_MQTT[1], "later: users") + &table(OF_THE_LOG[0], log);
        let mut findings = Vec::new();
        check(&document, &sources, &mut findings);
        findings
    }

    #[test]
    fn rows_whose_tests_exist_and_rows_that_come_later_pass() {
        assert_eq!(
            findings("`session::bad::refuses`", "`format::deep::tests::holds`, `cargo x kill`"),
            [""; 0]
        );
        assert_eq!(findings("`session::bad::refuses`; later: users", "`format::deep::holds`"), [""; 0]);
    }

    #[test]
    fn a_row_without_its_test_is_found() {
        for answer in
            ["`session::bad::refuse`", "session::bad::refuses", "", "later: ", "`codec::bad::refuses`"]
        {
            assert_eq!(findings(answer, "`format::deep::holds`").len(), 1, "{answer}");
        }
        assert_eq!(findings("later: users", "`format::deep::hold`").len(), 1);
    }
}
