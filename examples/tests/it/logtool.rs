//! Logtool as its users meet it.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use headwater::log::{Ack, Log, LogOptions, Record, TopicOptions};

use crate::program::{Broker, example, run};

/// A closed log of one topic, with some segments in its one partition.
fn written(records: u32) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let log = Log::open(folder.path(), LogOptions::default()).unwrap();
    let options = TopicOptions::default().segment_bytes(16 * 1024).index_interval_bytes(1024);
    let topic = log.create_topic("telemetry", options).unwrap();
    for number in 0..records {
        let value = format!("{{\"celsius\":{}.5,\"note\":\"{}\"}}", number % 40, "x".repeat(80));
        let record =
            Record::new(&value).key("factory/line-1").timestamp(1_795_420_800_000 + i64::from(number) * 1000);
        topic.append(&record, Ack::Appended).unwrap();
    }
    log.close().unwrap();
    folder
}

fn segments(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder.join("telemetry-0")).unwrap().map(|entry| entry.unwrap().path());
    let mut logs: Vec<_> = entries.filter(|path| path.extension().is_some_and(|end| end == "log")).collect();
    logs.sort();
    logs
}

fn damage(path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(path).unwrap();
    change(&mut bytes);
    fs::write(path, bytes).unwrap();
}

fn logtool(arguments: &[&str]) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } = run("logtool", arguments);
    (status.code(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

fn on(command: &str, folder: &Path, rest: &[&str]) -> (Option<i32>, String, String) {
    logtool(&[&[command, folder.to_str().unwrap()], rest].concat())
}

#[test]
fn describe_draws_every_segment_with_its_size_its_offsets_and_its_times() {
    let folder = written(500);
    let (code, said, errors) = on("describe", folder.path(), &[]);
    assert_eq!((code, errors.as_str()), (Some(0), ""));
    let count = segments(folder.path()).len();
    assert_eq!(said.lines().filter(|line| line.contains('#')).count(), count, "{said}");
    assert!(said.is_ascii(), "it is no terminal: {said}");
    assert!(said.contains("telemetry-0  offsets 0 to 500"), "{said}");
    assert!(said.contains("2026-11-23T08:00:00.000Z to "), "{said}");
    assert!(said.contains(&format!("1 topics, 1 partitions, {count} segments")), "{said}");
    let (code, _, errors) = on("describe", folder.path(), &["--topic", "nobody"]);
    assert!(code == Some(2) && errors.contains("telemetry"), "{errors}");
}

#[test]
fn dump_prints_records_batches_indexes_and_marks() {
    let folder = written(500);
    let dump = |rest: &[&str]| {
        let (code, said, errors) = on("dump", folder.path(), &[&["telemetry", "0", "--json"], rest].concat());
        assert_eq!((code, errors.as_str()), (Some(0), ""));
        said.lines().map(|line| serde_json::from_str(line).unwrap()).collect::<Vec<serde_json::Value>>()
    };
    let records = dump(&["--from", "490"]);
    assert_eq!(
        (records.len(), &records[0]["offset"], &records[0]["key"]),
        (10, &490.into(), &"factory/line-1".into())
    );
    let batches = dump(&["--batches", "--from", "100", "--max", "7"]);
    assert_eq!(
        (batches.len(), &batches[0]["base_offset"], &batches[6]["codec"]),
        (7, &100.into(), &"none".into())
    );
    assert!(batches.windows(2).all(|pair| pair[0]["segment"] != pair[1]["segment"]
        || pair[0]["position"].as_u64().unwrap() + pair[0]["bytes"].as_u64().unwrap()
            == pair[1]["position"].as_u64().unwrap()));
    assert!(dump(&["--index"]).iter().all(|entry| entry["position"].as_u64().unwrap() > 0));
    assert!(dump(&["--timeindex"]).iter().any(|entry| entry["timestamp"] == 1_795_420_800_000_i64 + 499_000));
    let marks = dump(&["--mark"]);
    assert_eq!(marks.len(), segments(folder.path()).len());
    assert!(marks.iter().all(|mark| mark["sealed"] == true && mark["position"] == mark["log_bytes"]));

    let (_, said, _) = on("dump", folder.path(), &["telemetry", "0", "--max", "1"]);
    assert!(
        said.starts_with("offset=0 timestamp=2026-11-23T08:00:00.000Z key=\"factory/line-1\" value="),
        "{said}"
    );
    let (code, _, errors) = on("dump", folder.path(), &["telemetry", "0", "--from", "501"]);
    assert!(code == Some(2) && errors.contains("to before 500"), "{errors}");
    let (code, _, errors) = on("dump", folder.path(), &["telemetry", "7"]);
    assert!(code == Some(2) && errors.contains("telemetry (1 partitions)"), "{errors}");
    let (code, ..) = on("dump", folder.path(), &["telemetry", "0", "--index", "--mark"]);
    assert_eq!(code, Some(2), "one at a time");
}

#[test]
fn a_whole_log_is_clean() {
    let folder = written(500);
    let (code, said, errors) = on("check", folder.path(), &[]);
    assert_eq!((code, errors.as_str()), (Some(0), ""), "{said}");
    assert!(said.contains("500 records") && said.ends_with("0 errors, 0 notes\n"), "{said}");
    let (code, said, _) = on("repair", folder.path(), &["--quarantine"]);
    assert_eq!((code, said.as_str()), (Some(0), "no segment is damaged; nothing to do\n"));
}

#[test]
fn a_damaged_segment_is_found_described_and_set_aside() {
    let folder = written(500);
    let segment = &segments(folder.path())[1];
    damage(segment, |bytes| bytes[5000] ^= 1);
    let before = fs::read(segment).unwrap();

    let (code, said, _) = on("check", folder.path(), &[]);
    assert_eq!(code, Some(1), "{said}");
    let findings: Vec<&str> = said.lines().filter(|line| line.starts_with("error: telemetry-0 ")).collect();
    let name = segment.file_stem().unwrap().to_str().unwrap();
    assert!(
        findings.len() == 1 && findings[0].contains(name) && findings[0].contains("quarantine"),
        "{said}"
    );
    assert!(said.ends_with("1 errors, 0 notes\n"), "{said}");

    // Without being told to, it only says what it would do.
    let (code, said, _) = on("repair", folder.path(), &[]);
    assert!(
        code == Some(1) && said.contains("would be set aside") && said.contains("nothing was changed"),
        "{said}"
    );
    assert_eq!(fs::read(segment).unwrap(), before);
    let (code, said, errors) = on("repair", folder.path(), &["--quarantine"]);
    assert!(code == Some(0) && said.contains("was set aside in "), "{said}{errors}");
    assert_eq!(fs::read(segment.with_extension("damaged")).unwrap(), before);
    let (code, said, _) = on("check", folder.path(), &[]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("499 records"), "{said}");
    let (_, said, _) = on("describe", folder.path(), &[]);
    assert!(said.contains("set aside"), "{said}");
}

/// As with `logtool check .. | head`: what was found is told by the exit status all the same.
#[test]
fn a_check_that_nobody_reads_has_its_exit_status() {
    let folder = written(500);
    damage(&segments(folder.path())[1], |bytes| bytes[100] ^= 1);
    let mut check = Command::new(example("logtool"));
    check.args(["check", folder.path().to_str().unwrap()]).stdout(Stdio::piped());
    let mut check = check.spawn().unwrap();
    drop(check.stdout.take());
    assert_eq!(check.wait().unwrap().code(), Some(1));
}

#[test]
fn a_cut_index_is_a_note_and_no_damage() {
    let folder = written(500);
    let index = segments(folder.path())[1].with_extension("index");
    damage(&index, |bytes| bytes.truncate(bytes.len() - 3));
    let (code, said, _) = on("check", folder.path(), &[]);
    assert!(code == Some(1) && said.contains("note: ") && said.contains("not whole entries"), "{said}");
    let (code, said, _) = on("repair", folder.path(), &[]);
    assert!(code == Some(0) && said.contains("no segment is damaged"), "{said}");
}

#[test]
fn what_is_no_log_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("holiday.jpg"), b"jpeg").unwrap();
    let gone = folder.path().join("gone");
    let file = folder.path().join("holiday.jpg");
    for path in [folder.path(), gone.as_path(), file.as_path()] {
        for command in ["describe", "check", "repair"] {
            let (code, said, errors) = on(command, path, &[]);
            assert!(
                code == Some(2) && errors.contains("is not a directory with a log"),
                "{command}: {said}{errors}"
            );
        }
        let (code, _, errors) = on("dump", path, &["telemetry", "0"]);
        assert!(code == Some(2) && errors.contains("is not a directory with a log"), "{errors}");
        assert!(!path.join(".lock").exists() && !gone.exists(), "nothing is made");
    }
}

#[test]
fn beside_a_running_broker_describe_and_dump_work_and_the_others_refuse() {
    let folder = tempfile::tempdir().unwrap();
    let broker = Broker::start(folder.path(), &["--partitions", "1"]);
    for command in ["check", "repair"] {
        let (code, _, errors) = on(command, folder.path(), &[]);
        assert!(code == Some(2) && errors.contains("is in use by another writer"), "{command}: {errors}");
    }
    let (code, said, _) = on("describe", folder.path(), &[]);
    assert!(code == Some(0) && said.contains("mqtt-0"), "{said}");
    assert_eq!(on("dump", folder.path(), &["mqtt", "0"]).0, Some(0));
    assert!(broker.stop().0.success());
    assert_eq!(on("check", folder.path(), &[]).0, Some(0));
}

/// As a broker of Kafka leaves one: no marks, no lock, files that we do not know.
#[test]
fn a_directory_of_kafkas_is_described_checked_and_left_as_it_is() {
    let folder = written(500);
    let dir = folder.path().join("telemetry-0");
    for segment in segments(folder.path()) {
        fs::remove_file(segment.with_extension("durable")).unwrap();
        fs::write(segment.with_extension("snapshot"), b"of producers").unwrap();
    }
    fs::remove_file(folder.path().join(".lock")).unwrap();
    fs::write(folder.path().join("meta.properties"), "version=1\n").unwrap();
    fs::create_dir(folder.path().join("__cluster_metadata-0")).unwrap();
    let (code, said, errors) = on("check", folder.path(), &[]);
    assert_eq!(code, Some(0), "{said}{errors}");
    assert!(said.contains("500 records"), "{said}");
    let (code, said, _) = on("describe", folder.path(), &[]);
    assert!(code == Some(0) && said.contains("no mark"), "{said}");
    assert!(!folder.path().join(".lock").exists() && !dir.join("00000000000000000000.durable").exists());
}

/// `logtool produce` with these lines.
fn produce(folder: &Path, rest: &[&str], lines: &[u8]) -> (Option<i32>, String, String) {
    let mut program = Command::new(example("logtool"));
    program.args([&["produce", folder.to_str().unwrap(), "telemetry"], rest].concat());
    let mut child =
        program.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // It may end before it has read all.
    let _ = child.stdin.take().unwrap().write_all(lines);
    let Output { status, stdout, stderr } = child.wait_with_output().unwrap();
    (status.code(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

fn values(folder: &Path, partition: u32) -> Vec<(Option<String>, String)> {
    let (code, said, errors) = on("dump", folder, &["telemetry", &partition.to_string(), "--json"]);
    assert_eq!((code, errors.as_str()), (Some(0), ""));
    let record = |line: &str| {
        let record: serde_json::Value = serde_json::from_str(line).unwrap();
        (record["key"].as_str().map(str::to_owned), record["value"].as_str().unwrap().to_owned())
    };
    said.lines().map(record).collect()
}

#[test]
fn produce_appends_lines() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let (code, said, errors) = produce(folder, &["--create", "2"], b"a\n\nb\r\nc");
    assert_eq!((code, errors.as_str()), (Some(0), ""));
    assert_eq!(said, "4 records appended to telemetry: partition 0 offsets 0 to 3\n");
    let plain = |value: &str| (None, value.to_owned());
    assert_eq!(values(folder, 0), ["a", "", "b", "c"].map(plain));

    let (code, said, _) = produce(folder, &["--partition", "1", "--acks", "appended"], b"d\n");
    assert_eq!(said, "1 records appended to telemetry: partition 1 offsets 0 to 0\n");
    assert_eq!((code, values(folder, 1)), (Some(0), vec![plain("d")]));

    let rest = ["--key-separator", "=>", "--partition", "1"];
    let (code, said, errors) = produce(folder, &rest, b"k=>v=>w\n=>\nnone\nk=>x\n");
    // What came before the line at fault is there.
    assert_eq!(said, "2 records appended to telemetry: partition 1 offsets 1 to 2\n");
    assert_eq!((code, errors.as_str()), (Some(2), "logtool: line 3 has no `=>` between key and value\n"));
    let keyed = |key: &str, value: &str| (Some(key.to_owned()), value.to_owned());
    assert_eq!(values(folder, 1), [plain("d"), keyed("k", "v=>w"), keyed("", "")]);

    let (code, said, _) =
        produce(folder, &["--compression", "lz4", "--partition", "0"], &b"x\n".repeat(1000));
    assert_eq!(said, "1000 records appended to telemetry: partition 0 offsets 4 to 1003\n");
    let (_, batches, _) = on("dump", folder, &["telemetry", "0", "--batches", "--from", "4"]);
    assert!(
        code == Some(0) && batches.contains("codec=\"lz4\"") && batches.contains("producer_id="),
        "{batches}"
    );
}

#[test]
fn produce_says_what_it_does_not_take() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let refused = |rest: &[&str], lines: &[u8]| {
        let (code, _, errors) = produce(folder, rest, lines);
        assert_eq!(code, Some(2), "{errors}");
        errors
    };
    let missing = folder.join("missing");
    let (code, _, errors) = produce(&missing, &[], b"a\n");
    assert!(
        code == Some(2) && errors.contains("is not a directory with a log; --create makes one"),
        "{errors}"
    );
    assert!(!missing.exists());
    assert!(refused(&["--create", "0"], b"").contains("option partitions is 0"));
    assert!(refused(&[], b"").contains("there is no topic `telemetry`"));
    produce(folder, &["--create", "2"], b"");
    assert!(
        refused(&["--partition", "2"], b"a\n").contains("topic telemetry has no partition 2, but 2, from 0")
    );
    assert!(refused(&["--compression", "rar"], b"").contains("it is none of none, lz4, snappy, gzip, zstd"));
    assert!(refused(&["--acks", "1"], b"").contains("it is neither durable nor appended"));
    let long = [b"a\n".as_slice(), &vec![b'b'; 2 << 20]].concat();
    let errors = refused(&[], &long);
    assert!(errors.starts_with("logtool: line 2: the record is a batch of 1048"), "{errors}");
    assert_eq!(values(folder, 0).len(), 1);
    let _log = Log::open(folder, LogOptions::default()).unwrap();
    assert!(refused(&[], b"a\n").contains("in use by another writer"));
}
