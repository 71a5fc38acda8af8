"""Check: kafka-python and aiokafka read our segments, and we take their batches. No broker is needed."""

from pathlib import Path

import damage
import records
from exhibit import partitions, topics
from processes import Failed

HERE = Path(__file__).resolve().parent
# A name, the library, and what it is told by its environment.
READERS = [
    ("kafka-python", "kafka-python", {}),
    ("aiokafka in C", "aiokafka", {}),
    ("aiokafka in Python", "aiokafka", {"AIOKAFKA_NO_EXTENSIONS": "1"}),
]
GZIP = 1
# The parser in Python computes checksums in Python too, a few MB a second: so many records each encodes.
ENCODED = 1000


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

    def encode(self, library, environment, codec, some):
        return self.run(environment, HERE / "python_clients.py", "encode", library, str(codec), stdin=records.dump(some))


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
    for number, (name, library, environment) in enumerate(READERS):
        taken(judge, clients, exhibit, scratch / f"batches-{number}", (name, library, environment), some)


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
    """It encodes records; we append its batches as they are, and find the records."""
    name, library, environment = client
    topic = "theirs"
    expected = {(topic, 0, offset): {**record, "topic": topic, "partition": 0, "offset": offset} for offset, record in enumerate(some)}
    exhibit.append_batches(directory, topic, clients.encode(library, environment, 0, some))
    judge.holds(f"we take the batches of {name}, {len(some)} records", records.differences(expected, exhibit.list(directory, topic)))
    batches = clients.encode(library, environment, GZIP, some).split()
    exhibit.append_batches(directory, f"{topic}-gzip", b"\n".join(batches))
    expected = {(f"{topic}-gzip", 0, place[2]): {**record, "topic": f"{topic}-gzip"} for place, record in expected.items()}
    judge.holds(f"we read the compressed batches of {name}", records.differences(expected, exhibit.list(directory, f"{topic}-gzip")))
    kept = exhibit.packed(directory, f"{topic}-gzip").values()
    told = [] if [record["codec"] for record in kept] == [GZIP] * len(batches) else ["they are not all told to be gzip"]
    # Base offset and leader epoch are ours to set; the rest has to be theirs to the byte.
    same = [record["batch"][32:] for record in kept] == [batch.decode()[32:] for batch in batches]
    judge.holds(f"we keep the {len(batches)} compressed batches of {name} as they are", told + ([] if same else ["bytes differ"]))
