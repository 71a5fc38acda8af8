//! Consumer groups as users of the examples meet them.

use std::path::Path;

use headwater::log::{Ack, Log, LogOptions, Record, TopicOptions};

use crate::program::run;

fn logtool(arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = run("logtool", arguments);
    (
        output.status.code(),
        String::from_utf8(output.stdout).unwrap(),
        String::from_utf8(output.stderr).unwrap(),
    )
}

/// A closed log of one topic with two partitions of ten records each.
fn written() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let log = Log::open(folder.path(), LogOptions::default()).unwrap();
    let topic = log.create_topic("jobs", TopicOptions::default().partitions(2)).unwrap();
    for job in 0..20 {
        topic.append(&Record::new(&format!("job {job}")), Ack::Appended).unwrap();
    }
    log.close().unwrap();
    folder
}

fn consume(folder: &Path, rest: &[&str]) -> Vec<String> {
    let folder = folder.to_str().unwrap();
    let (code, said, errors) = logtool(&[&["consume", folder, "jobs", "--group", "billing"], rest].concat());
    assert_eq!((code, errors.as_str()), (Some(0), ""));
    said.lines().map(str::to_owned).collect()
}

#[test]
fn consume_goes_on_where_it_was_and_groups_draws_what_is_left() {
    let folder = written();
    let (_, said, _) = logtool(&["groups", folder.path().to_str().unwrap()]);
    assert_eq!(said, "0 groups, 0 offsets behind\n");
    let first = consume(folder.path(), &["--max", "13"]);
    assert_eq!(first.len(), 13);
    let (code, said, errors) = logtool(&["groups", folder.path().to_str().unwrap(), "--group", "billing"]);
    assert_eq!((code, errors.as_str()), (Some(0), ""));
    assert!(said.starts_with("billing  7 behind\n") && said.is_ascii(), "{said}");
    assert!(said.contains("10 of 10, 0 behind") && said.contains("3 of 10, 7 behind"), "{said}");
    assert!(said.contains("############............................"), "{said}");
    let rest = consume(folder.path(), &["--json"]);
    assert_eq!(rest.len(), 7);
    let record: serde_json::Value = serde_json::from_str(&rest[0]).unwrap();
    assert_eq!((&record["partition"], &record["offset"]), (&1.into(), &3.into()));
    assert!(consume(folder.path(), &[]).is_empty());
    assert_eq!(consume(folder.path(), &["--from", "8"]).len(), 4);
    assert_eq!(consume(folder.path(), &["--from", "earliest"]).len(), 20);
    assert!(consume(folder.path(), &["--from", "latest"]).is_empty());
}

#[test]
fn what_is_no_group_no_topic_or_no_beginning_is_refused() {
    let folder = written();
    let folder = folder.path().to_str().unwrap();
    let (code, _, errors) = logtool(&["groups", folder, "--group", "nobody"]);
    assert!(code == Some(2) && errors.contains("no group `nobody`"), "{errors}");
    let (code, _, errors) = logtool(&["consume", folder, "nothing", "--group", "g"]);
    assert!(code == Some(2) && errors.contains("there is no topic nothing"), "{errors}");
    let (code, _, errors) = logtool(&["consume", folder, "jobs", "--group", "g", "--from", "soon"]);
    assert!(code == Some(2) && errors.contains("earliest, latest, or an offset"), "{errors}");
    let _writer = Log::open(folder, LogOptions::default()).unwrap();
    let (code, _, errors) = logtool(&["consume", folder, "jobs", "--group", "g"]);
    assert!(code == Some(2) && errors.contains("in use by another writer"), "{errors}");
}

#[test]
fn a_pool_of_workers_loses_no_job() {
    let output = run("worker_pool", &[]);
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("6000 of 6000 jobs were done") && said.contains("0 behind"), "{said}");
    assert!(said.contains("is fenced") && said.contains("is killed") && said.contains("has lost"), "{said}");
}
