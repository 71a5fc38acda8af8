"""Check: kafka-python and aiokafka read our segments, and we take their batches. No broker is needed."""

from pathlib import Path

import damage
import records
from exhibit import batches as exhibit_batches
from exhibit import partitions, topics
from processes import Failed

HERE = Path(__file__).resolve().parent
# A name, the library, and what it is told by its environment.
READERS = [
    ("kafka-python", "kafka-python", {}),
    ("aiokafka in C", "aiokafka", {}),
    ("aiokafka in Python", "aiokafka", {"AIOKAFKA_NO_EXTENSIONS": "1"}),
]
CODECS = ("none", "gzip", "snappy", "lz4", "zstd")
BATCH_RECORDS = 25
# The parser in Python computes checksums in Python too, a few MB a second: so many records each encodes.
ENCODED = 500


class Clients:
    """The Python that has them."""

    def __init__(self, python: Path, processes):
        self.python = python
        self.processes = processes

    def run(self, environment, *arguments, stdin=b""):
        command = ["env", *(f"{name}={value}" for name, value in environment.items()), self.python]
        return self.processes.run([*command, *arguments], stdin=stdin)[0]

    def read(self, library, environment, paths):
        return records.parse(self.run(environment, HERE / "python_clients.py", "read", library, *paths))

    def encode(self, library, environment, batches):
        """Batches of a codec's number, producer numbers and records."""
        made = [{"codec": codec, "producer": producer, "records": some} for codec, producer, some in batches]
        output = self.run(environment, HERE / "python_clients.py", "encode", library, stdin=records.dump(made))
        return [bytes.fromhex(line) for line in output.decode().split()]


def check(judge, clients, exhibit, directory, topic, expected, scratch):
    """`directory` is a log of ours that was closed, and holds what is expected."""
    paths = [path for name in topics(topic) for path in partitions(directory, name)]
    starts = {}
    for name, number, offset in sorted(expected, reverse=True):
        starts[name, number] = offset
    damaged = damage.copy(paths[0], scratch / "clients-fault", "log", 1, damage.flipped_byte)
    for name, library, environment in READERS:
        # Deleted records that share a segment with others are still in the file.
        found = clients.read(library, environment, paths)
        found = {place: record for place, record in found.items() if place[2] >= starts[place[:2]]}
        judge.holds(f"{name} reads all {len(expected)} records of our files", records.differences(expected, found))
        judge.says_no(f"a flipped byte, by {name}", refused(clients, library, environment, damaged), "CRC")
    dense(judge, clients, paths, damaged)
    some = list(expected.values())[:ENCODED]
    for number, client in enumerate(READERS):
        taken(judge, clients, exhibit, scratch / f"batches-{number}", client, some)


def refused(clients, library, environment, path):
    try:
        clients.read(library, environment, [path])
    except Failed as failed:
        return [str(failed)]
    return []


def dense(judge, clients, paths, damaged):
    """`read_segments.py`: kafka-python, offsets that are dense over segments, headers that agree with records, no zeros."""
    script = HERE.parent / "read_segments.py"
    told = []
    try:
        clients.run({}, script, "--closed", *paths)
    except Failed as failed:
        told = [str(failed)]
    judge.holds("read_segments.py finds offsets dense over all segments, and nothing behind the last batch of any", told)
    try:
        clients.run({}, script, "--closed", damaged)
        told = []
    except Failed as failed:
        told = [str(failed)]
    judge.says_no("a flipped byte, by read_segments.py", told, "CRC does not hold")


def taken(judge, clients, exhibit, directory, client, some):
    """It encodes records with each codec; we append its batches as they are, find the records, and have kept the bytes."""
    name, library, environment = client
    made = [batch for codec in range(len(CODECS)) for batch in numbered(codec, some)]
    encoded = clients.encode(library, environment, made)
    for codec, codec_name in enumerate(CODECS):
        topic = f"theirs-{codec_name}"
        each = len(encoded) // len(CODECS)
        batches = encoded[codec * each : (codec + 1) * each]
        told = [] if {batch[22] & 7 for batch in batches} == {codec} else ["they are not of that codec"]
        told += [f"refused: {answer}" for answer in exhibit.append_batches(directory, topic, batches) if "error" in answer]
        expected = {(topic, 0, offset): {**record, "topic": topic, "partition": 0, "offset": offset} for offset, record in enumerate(some)}
        told += records.differences(expected, exhibit.list(directory, topic))
        files = sorted((directory / f"{topic}-0").glob("*.log"))
        kept = [batch for file in files for batch in exhibit_batches(file.read_bytes())]
        # Base offset and leader epoch are ours to set; the rest has to be theirs to the byte.
        told += [] if [batch[16:] for batch in kept] == [batch[16:] for batch in batches] else ["bytes differ"]
        judge.holds(f"we take {len(batches)} batches of {name}, {codec_name}: {len(some)} records, and every byte", told)


def numbered(codec, some):
    """Batches of the records; every other one as an idempotent producer numbers them."""
    sequence = 0
    for number, start in enumerate(range(0, len(some), BATCH_RECORDS)):
        chosen = some[start : start + BATCH_RECORDS]
        yield codec, (4242, 3, sequence) if number % 2 else (-1, -1, -1), chosen
        sequence += len(chosen) if number % 2 else 0
