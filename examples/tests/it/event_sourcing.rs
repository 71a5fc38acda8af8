//! The accounts as their users meet them.

use std::collections::BTreeMap;
use std::io::Write;
use std::process::{Command, Output, Stdio};

use headwater::log::{Ack, Log, LogOptions, Record};

use crate::program::{example, run};

fn accounts(folder: &tempfile::TempDir, arguments: &[&str]) -> (bool, String, String) {
    said(run("event_sourcing", &[&["--data", folder.path().to_str().unwrap()], arguments].concat()))
}

fn said(output: Output) -> (bool, String, String) {
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.success(), text(output.stdout), text(output.stderr))
}

/// Follows while these lines are typed.
fn typed(folder: &tempfile::TempDir, lines: &str) -> (bool, String, String) {
    let mut process = Command::new(example("event_sourcing"))
        .arg("--data")
        .arg(folder.path())
        .args(["balances", "--follow"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    process.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
    said(process.wait_with_output().unwrap())
}

#[test]
fn balances_are_rebuilt_from_the_bookings() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(accounts(&folder, &["balances"]), (true, "0 bookings\n".to_owned(), String::new()));
    let (is_right, out, _) = accounts(&folder, &["sample", "500"]);
    assert!(is_right && out == "500 bookings, all of them durable\n", "{out}");
    let (is_right, out, said) = accounts(&folder, &["balances"]);
    assert!(is_right && said.is_empty(), "{said}");

    let log = Log::open(folder.path(), LogOptions::default()).unwrap();
    let partition = log.topic("accounts").unwrap().partition(0).unwrap();
    let mut expected = BTreeMap::<String, i64>::new();
    let mut next = 0;
    while next < partition.durable_end() {
        let fetched = partition.read(next, 1 << 20).unwrap();
        for record in fetched.records().map(Result::unwrap) {
            let text = |bytes: Option<bytes::Bytes>| String::from_utf8(bytes.unwrap().to_vec()).unwrap();
            let value = text(record.value);
            let (kind, amount) = value.split_once(' ').unwrap();
            let sign = if kind == "deposit" { 1 } else { -1 };
            *expected.entry(text(record.key)).or_default() += sign * amount.parse::<i64>().unwrap();
        }
        next = fetched.next_offset();
    }
    assert_eq!(expected.values().sum::<i64>(), 400 * 2 - 100);
    let lines = expected.iter().map(|(account, balance)| format!("{account} {balance}\n"));
    assert_eq!(out, lines.collect::<String>() + "500 bookings\n");
}

#[test]
fn what_is_typed_is_booked_and_followed_and_what_is_wrong_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let lines = "ann deposit 10\nann withdraw 3\nann withdraw 8\nann steal 1\nnonsense\nbob deposit 5\n";
    let (is_right, out, said) = typed(&folder, lines);
    assert!(is_right, "{said}");
    assert!(out.starts_with("0 bookings\n") && out.contains("ann 7\n") && out.contains("bob 5\n"), "{out}");
    let refused: Vec<&str> = said.lines().collect();
    assert_eq!(
        refused,
        [
            "'withdraw 8' is refused: ann has 7",
            "'steal 1' is not a booking; write it like 'deposit 10' or 'withdraw 3', after an account",
            "'nonsense' is not a booking; write it like 'deposit 10' or 'withdraw 3', after an account",
        ]
    );
    let (_, out, _) = typed(&folder, "ann withdraw 7\n");
    assert_eq!(out, "ann 7\nbob 5\n3 bookings\nann 0\n");
    assert_eq!(accounts(&folder, &["balances"]).1, "ann 0\nbob 5\n4 bookings\n");
}

#[test]
fn a_record_that_is_no_booking_and_a_log_that_is_in_use_are_told_with_their_place() {
    let folder = tempfile::tempdir().unwrap();
    accounts(&folder, &["sample", "3"]);
    let log = Log::open(folder.path(), LogOptions::default()).unwrap();
    let (is_right, _, said) = accounts(&folder, &["balances"]);
    assert!(!is_right && said.contains("is in use by another writer"), "{said}");
    let topic = log.topic("accounts").unwrap();
    topic.append(&Record::new("a lot").key("ann"), Ack::Durable).unwrap();
    log.close().unwrap();
    let (is_right, out, said) = accounts(&folder, &["balances"]);
    assert!(!is_right && out.is_empty());
    assert_eq!(
        said,
        "event_sourcing: accounts-0: the record at offset 3 was refused: 'a lot' is not a booking; write it like 'deposit 10' \
         or 'withdraw 3'\n"
    );
    assert!(accounts(&folder, &["sample", "many"]).2.contains("invalid value 'many'"));
}
