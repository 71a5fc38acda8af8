"""Check: we read every batch in `vectors/`, each as its maker says, and so does DumpLogSegments. They come from kafka-clients 4.3.0,
kafka-python 3.0.12, and from requests of kcat 1.7.1 (librdkafka 2.0.2)."""

import json
from pathlib import Path

import dump
import records

FOLDER = Path(__file__).resolve().parent / "vectors"


def lay(directory):
    """Each as the only batch of a partition; what is in them."""
    expected = {}
    for path in sorted(FOLDER.glob("*.json")):
        vector = json.loads(path.read_text())
        batch = bytes.fromhex(vector["hex"])
        partition = directory / f"{path.stem}-0"
        partition.mkdir(parents=True)
        base_offset = int.from_bytes(batch[:8], "big")
        (partition / f"{base_offset:020}.log").write_bytes(batch)
        # What marks the end of a transaction is for brokers.
        for record in [] if vector["fields"]["is_control"] else vector["records"]:
            headers = [[name.encode().hex(), content] for name, content in record["headers"]]
            expected[path.stem, 0, record["offset"]] = record | {"headers": headers, "topic": path.stem, "partition": 0}
    return expected


def check(judge, exhibit, scratch):
    directory = scratch / "vectors"
    expected = lay(directory)
    topics = [path.name.removesuffix("-0") for path in directory.iterdir()]
    found = exhibit.list(directory, *topics)
    judge.holds(f"we read the {len(expected)} records of {len(topics)} batches that others made", records.differences(expected, found))
    first = min(place for place in expected)
    told = records.differences(expected | {first: expected[first] | {"timestamp": 1}}, found)
    judge.says_no("a record of others with another time", told, "timestamp")


def dumped(judge, tools, scratch):
    told = dump.findings(tools, sorted((scratch / "vectors").glob("*-0")), [dump.DEEP], gaps=True)
    judge.holds("DumpLogSegments on those batches, after we have opened them", told)
