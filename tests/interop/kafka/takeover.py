"""Check: a Kafka broker takes over what we wrote, goes on with it, and we go on with that.

    we write      three directories, each in another state
    the broker    starts on them: serves every record, appends, stops
    we            open them: every record, ours and its; append, close
    the broker    starts on them: serves every record

The states:

    left      as a kill leaves it: no note of a clean shutdown, zeros behind the last batch. Kafka recovers
    bare      closed, then stripped to `.log` and our `.durable` files, without note and recovery point. Kafka makes the indexes
    closed    closed: note, recovery point and indexes are ours. Kafka believes them and checks nothing
"""

import re

import dump
import records
from exhibit import partitions, topics
from parts import Part
from processes import Failed, at_once

STATES = ("left", "bare", "closed")
# In two of them each batch has a codec of its own, or none.
PACKED = ("bare", "closed")
RECOVERS = "Recovering unflushed segment"
# What one topic is sent by Kafka's producer: key, value, headers.
SENT = [("key", "by Kafka", [("h", "1"), ("h", None)]), (None, "no key", []), ("no value", None, []), ("", "", [("", "")])]


class Taken:
    """One of our directories, and what has to be in it."""

    def __init__(self, state, exhibit, scratch, seed):
        self.state = state
        self.exhibit = exhibit
        self.directory = scratch / f"written-{state}"
        how = [*(["packed"] if state in PACKED else []), *(["left"] if state == "left" else [])]
        self.expected = exhibit.write(self.directory, state, seed, *how)
        if state == "bare":
            self.strip()

    def strip(self):
        """Takes away what Kafka can make again; keeps our indexes of full segments in mind, for a comparison."""
        self.indexes = {}
        for partition in self.partitions():
            newest = max(partition.glob("*.log")).stem
            files = [file for suffix in ("*.index", "*.timeindex") for file in partition.glob(suffix)]
            self.indexes |= {f"{partition.name}/{file.name}": file.read_bytes() for file in files if file.stem != newest}
        for name in (".kafka_cleanshutdown", "recovery-point-offset-checkpoint"):
            (self.directory / name).unlink()
        for partition in self.partitions():
            for file in partition.iterdir():
                if file.suffix not in (".log", ".durable"):
                    file.unlink()

    def partitions(self):
        return [path for name in topics(self.state) for path in partitions(self.directory, name)]

    def content(self):
        """The bytes of the files of its segments, zeros at their ends left out: a broker gives the newest ones room."""
        suffixes = (".log", ".durable", ".index", ".timeindex") if self.state == "closed" else (".log", ".durable")
        files = [file for partition in self.partitions() for file in partition.iterdir() if file.suffix in suffixes]
        return {file: file.read_bytes().rstrip(b"\0") for file in files}

    def ranges(self):
        """The first offset of each partition, and the one behind its last."""
        ranges = {}
        for *place, offset in sorted(self.expected):
            start, _ = ranges.get(tuple(place), (offset, None))
            ranges[tuple(place)] = (start, offset + 1)
        return ranges


class Takeover(Part):
    """Three of our directories, taken over, gone on with by both, and taken over once more."""

    dirs = STATES

    def topics(self):
        for state in STATES:
            yield state, 2, {}
            yield f"{state}-stamped", 1, {"message.timestamp.type": "LogAppendTime"}

    def laid(self):
        seed = self.stage.seed
        self.taken = [Taken(state, self.exhibit, self.stage.scratch, seed + number) for number, state in enumerate(STATES)]
        for one in self.taken:
            one.directory = self.stage.lay(one.directory, one.partitions(), one.state)
        self.before = {one.state: one.content() for one in self.taken}

    def served(self):
        for one in self.taken:
            started = "and believes our indexes" if one.state == "closed" else "and recovers every segment"
            told = complaints(self.broker, one)
            self.judge.holds(f"{one.state}: the broker starts on it without a complaint {started}", told)
            found = served(self.broker, one)
            name = f"{one.state}: the console consumer returns all {len(one.expected)} records"
            self.judge.holds(name, records.differences(one.expected, found))
            told = changed(self.before[one.state], one.content())
            self.judge.holds(f"{one.state}: the broker has left our files as they were", told)
        a_lost_record(self.judge, one, found)
        at_once(self.broker.produce, [(topic, SENT) for one in self.taken for topic in topics(one.state)])

    def opened(self):
        for one in self.taken:
            goes_on(self.judge, self.broker, self.exhibit, one, self.stage.seed + 100)

    def again(self):
        for one in self.taken:
            name = f"{one.state}: the broker takes it over once more and returns all {len(one.expected)} records"
            told = complaints(self.broker, one, recovers=False) + records.differences(one.expected, served(self.broker, one))
            self.judge.holds(name, told)

    def last(self):
        zeros(self.judge, self.broker, self.taken[-1])


def goes_on(judge, broker, exhibit, one, seed):
    """What the broker has appended is there as well; we append, and Kafka's inspector looks at what both have written."""
    if one.state == "bare":
        # Before we open it: where an index is not what we would make of the batches, we make it anew.
        told = [f"{name} is not the same" for name, content in one.indexes.items() if (one.directory / name).read_bytes() != content]
        judge.holds(f"bare: the {len(one.indexes)} indexes that Kafka made are ours, byte for byte", told)
    found = exhibit.list(one.directory, *topics(one.state))
    ranges = one.ranges()
    new = {place: record for place, record in found.items() if place[2] >= ranges[place[:2]][1]}
    told = records.differences(one.expected, {place: record for place, record in found.items() if place not in new})
    for topic in topics(one.state):
        told += sent_differences(SENT, [record for record in new.values() if record["topic"] == topic])
    judge.holds(f"{one.state}: we find all {len(found)} records, those that the broker has appended too", told)
    one.expected = found | exhibit.append(one.directory, one.state, seed)
    judge.holds(f"{one.state}: DumpLogSegments, after both have appended", dump.findings(broker.tools, one.partitions()))


def complaints(broker, one, recovers=None):
    """Warnings and errors about it that are not expected; and whether it was recovered when it should be, and only then."""
    recovers = one.state != "closed" if recovers is None else recovers
    told = [line for line in broker.complaints() if is_about(line, broker, one) and not is_expected(line, one, recovers)]
    lines = broker.said().decode(errors="replace").splitlines()
    for partition in one.partitions():
        recovered = sum(RECOVERS in line and f"partition={partition.name}," in line for line in lines)
        segments = len(list(partition.glob("*.log"))) if recovers else 0
        if recovered != segments:
            told.append(f"{partition.name}: {recovered} segments were recovered, expected {segments}")
    return told


def is_about(line, broker, one):
    """Names its directory or one of its topics, or names none at all and is of what handles logs."""
    others = [name for name in broker.dirs if name != one.state and (str(broker.dirs[name]) in line or f"{name}-" in line)]
    return not others and (one.state in line or ".log." in line or "Corrupt" in line)


def is_expected(line, one, recovers):
    """Recovery cuts the zeros that a kill leaves, exactly at our end; a log that starts inside of a batch surprises it."""
    watermark = re.search(r"partition=(\S+)-(\d+), .*Non-monotonic update of high watermark from \(offset=(\d+),", line)
    if watermark:
        return int(watermark[3]) == one.ranges()[watermark[1], int(watermark[2])][0] > 0
    if one.state != "left" or not recovers:
        return False
    cut = re.search(r"partition=(.*)-(\d+), .*Corruption found in segment \d+, truncating to offset (\d+)", line)
    if cut:
        return int(cut[3]) == one.ranges()[cut[1], int(cut[2])][1]
    return "Found invalid messages in log segment" in line or "Found record size 0 smaller than minimum" in line


def served(broker, one):
    """What the console consumer returns; it is asked for as many records as there have to be."""
    ranges = one.ranges()
    ends = broker.ends({topic for topic, _ in ranges})
    # Offsets are dense here; each that the broker has more is asked for too.
    wanted = [(*place, max(end, ends.get(place, 0)) - start) for place, (start, end) in ranges.items()]
    found = {}
    for part in at_once(broker.consume, wanted):
        found |= part
    return found


def changed(before, after):
    return [f"{file} was changed" for file in before if after.get(file) != before[file]]


def sent_differences(sent, came):
    """Whether the records that came are those that were sent, wherever they are and whatever time they got."""
    text = lambda content: None if content is None else content.encode().hex()
    expected = [[text(key), text(value), [[text(name), text(content)] for name, content in headers]] for key, value, headers in sent]
    found = [[record["key"], record["value"], record["headers"]] for record in came]
    told = [f"sent, and did not come: {one}" for one in expected if one not in found]
    told += [f"came, and was not sent: {one}" for one in found if one not in expected]
    return told + ([f"{len(sent)} were sent, {len(came)} came"] if len(sent) != len(came) else [])


def a_lost_record(judge, one, found):
    """The comparison itself: one record less, and one other value, have to be told."""
    places = sorted(found)
    lost = {place: record for place, record in found.items() if place != places[7]}
    judge.says_no("a record that did not come", records.differences(one.expected, lost), "is missing")
    other = found | {places[7]: found[places[7]] | {"value": "00"}}
    judge.says_no("a value that is another one", records.differences(one.expected, other), "value ")


def zeros(judge, broker, one):
    """Zeros behind the last batch of a log that says it was closed: Kafka must refuse it, or its silence tells nothing."""
    newest = max(one.partitions()[0].glob("*.log"))
    with open(newest, "ab") as file:
        file.write(bytes(4096))
    try:
        broker.start()
        told = complaints(broker, one)
        broker.stop()
    except Failed as failed:
        told = [str(failed)]
    judge.says_no("zeros behind the last batch under the note of a clean shutdown", told, "CorruptRecordException")
