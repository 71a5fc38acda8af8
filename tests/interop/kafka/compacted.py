"""Check: of each key the last record stays, whoever of us and Kafka compacts, and whatever moment a kill leaves.

    compacted               we have compacted it twice and appended: the broker's cleaner goes on from our checkpoint
    native-compacted        the broker has written and compacted it
    swap-cleaned .. -named  moments of an exchange of segments of ours, laid before the broker

What has to be there is not taken from either: of what was appended, records whose key comes again before the end of what was
compacted are gone, and no others.
"""

import random
import re
import shutil
import time

import dump
import records
from exhibit import batches, partitions
from parts import NATIVE, Part
from processes import Failed
from takeover import sent_differences

STATE, THEIRS = "compacted", "native-compacted"
SWAP = "swap"
# A producer of its own.
FIRST = 801
MOMENTS = ("cleaned", "begun", "half", "named")
COMPACTS = {"cleanup.policy": "compact", "min.cleanable.dirty.ratio": "0.001"}
CHECKPOINT = "cleaner-offset-checkpoint"
EPOCHS = "leader-epoch-checkpoint"
CLEANS = re.compile(r"Building offset map for log (\S+) for \d+ segments in offset range \[(\d+), (\d+)\)")
CLEANED_SECS = 60
SUFFIXES = ("durable", "heads", "log", "index", "timeindex")


class Compacted(Part):
    """Compacted topics."""

    dirs = (STATE, SWAP)

    def topics(self):
        yield STATE, 1, COMPACTS
        yield THEIRS, 1, COMPACTS
        for moment in MOMENTS:
            yield f"{SWAP}-{moment}", 1, {}

    def theirs(self):
        maker = random.Random(self.stage.seed)
        rounds = [[(f"key {maker.randrange(24) * maker.randrange(24)}", value(maker), []) for _ in range(900)] for _ in range(2)]
        # The last batch of a producer that is remembered: its records go, and it stays, empty. Its time is the latest.
        first = [("key 0", "first", []), ("key 1", "first", [])]
        self.send_first(first)
        for sent, codec in zip(rounds, ("none", "lz4")):
            self.broker.produce(THEIRS, sent, codec)
        end = self.wait(NATIVE, THEIRS)
        (theirs,) = self.broker.ends([THEIRS]).values()
        sent = dict(enumerate(first + rounds[0] + rounds[1]))
        expected = left(sent, end)
        self.said = self.broker.consume(THEIRS, 0, len(expected))
        told = [] if theirs == len(sent) else [f"{theirs} offsets for {len(sent)} records"]
        told += [] if {place[2] for place in self.said} == set(expected) else ["other offsets"]
        self.judge.holds(f"native-compacted: Kafka leaves {len(expected)} of {len(sent)} records", told + sent_differences(expected.values(), self.said.values()))

        oldest = min((self.broker.dirs[NATIVE] / f"{THEIRS}-0").glob("*.log"))
        empty = [batch for batch in batches(oldest.read_bytes()) if batch[57:61] == bytes(4)]
        self.judge.holds("native-compacted: a batch that Kafka has emptied is there", [] if len(empty) == 1 else [f"{len(empty)} are"])

    def send_first(self, sent):
        """Sends a batch as a producer of its own."""
        later_ms = int(time.time() * 1000) + 60_000
        made = [{"timestamp": later_ms, "key": key.encode().hex(), "value": text.encode().hex(), "headers": []} for key, text, _ in sent]
        ((error, _),) = self.broker.send(THEIRS, self.stage.clients.encode("kafka-python", {}, [(0, (FIRST, 0, 0), made)]))
        if error:
            raise Failed(f"the broker refused a batch: {error}")

    def laid(self):
        partition = self.stage.stopped / f"{THEIRS}-0"
        self.judge.holds("native-compacted: DumpLogSegments before we open it", dump.findings(self.stage.tools, [partition], gaps=True))
        for directory in (self.stage.killed, self.stage.stopped):
            self.of_kafka(directory)
        directory = self.stage.scratch / "written-compacted"
        seed = self.stage.seed
        self.appended = {}
        for number in range(3):
            self.appended |= self.exhibit.write_keyed(directory, STATE, seed + number)
            before = shutil.copytree(directory, directory.with_name(f"written-before-{number}"))
            if number < 2:
                cleaned = self.exhibit.compact(directory, STATE)
        (partition,) = partitions(directory, STATE)
        self.expected = left_of(self.appended, cleaned["to"])
        found = self.exhibit.list(directory, STATE)
        name = f"compacted: we leave {len(self.expected)} of {len(self.appended)} records"
        self.judge.holds(name, records.differences(self.expected, found))
        self.judge.holds("compacted: DumpLogSegments has nothing to say but that offsets are missing", dump.findings(self.stage.tools, [partition], gaps=True))
        self.cleaned = cleaned["to"]
        self.lay_moments(directory.with_name("written-before-1"), directory)
        self.before = shutil.copytree(directory, directory.with_name("written-compacted-before"))
        self.directory = self.stage.lay(directory, [partition], STATE)

    def of_kafka(self, directory):
        """We open what Kafka has compacted, and compact it further."""
        directory = shutil.copytree(directory, directory.with_name(f"{directory.name}-compacted"))
        found = self.exhibit.list(directory, THEIRS)
        self.judge.holds(f"{directory.name}: every record is right, {len(found)}", records.differences(self.said, found))
        (partition,) = partitions(directory, THEIRS)
        appended = found | self.exhibit.write_keyed(directory, THEIRS, self.stage.seed)
        cleaned = self.exhibit.compact(directory, THEIRS)
        told = records.differences(left_of(appended, cleaned["to"]), self.exhibit.list(directory, THEIRS))
        told += [] if cleaned["from"] == checkpoint(self.stage.stopped, THEIRS) else [f"we began at {cleaned}"]
        self.judge.holds(f"{directory.name}: we go on where Kafka's cleaner has ended", told)
        self.judge.holds(f"{directory.name}: DumpLogSegments, after that", dump.findings(self.stage.tools, [partition], gaps=True))

    def served(self):
        self.judge.holds("compacted: the broker starts on it without a complaint", self.complaints(f"{STATE}-0"))
        self.goes_on(self.appended, self.cleaned, "goes on from our checkpoint")
        self.moments()

    def goes_on(self, appended, begin, how):
        """The broker's cleaner compacts what is there, and the console consumer returns what is left."""
        end = self.wait(STATE, STATE)
        expected = left_of(appended, end)
        ranges = [(int(found[2]), int(found[3])) for found in CLEANS.finditer(self.broker.said().decode(errors="replace")) if found[1] == f"{STATE}-0"]
        told = [] if ranges and ranges[0][0] == begin and ranges[-1][1] == end else [f"it compacted {ranges}, expected from {begin} to {end}"]
        found = self.broker.consume(STATE, 0, len(expected))
        told += records.differences(expected, found)
        self.judge.holds(f"compacted: the broker's cleaner {how}, and leaves {len(expected)} of {len(appended)} records", told)
        self.expected = expected
        if "checkpoint" in how:
            told = records.differences(left_of(appended, begin), found)
            self.judge.says_no("a log that nobody has compacted further", told, "is missing")

    def opened(self):
        found = self.exhibit.list(self.directory, STATE)
        self.judge.holds(f"compacted: we find the {len(found)} records that the broker's cleaner has left", records.differences(self.expected, found))
        self.unfinished(self.before, self.directory)
        self.appended = found | self.exhibit.write_keyed(self.directory, STATE, self.stage.seed + 10)
        self.cleaned = self.exhibit.compact(self.directory, STATE)["to"]
        expected = left_of(self.appended, self.cleaned)
        self.judge.holds("compacted: we go on where the broker's cleaner has ended", records.differences(expected, self.exhibit.list(self.directory, STATE)))
        self.appended = expected | self.exhibit.write_keyed(self.directory, STATE, self.stage.seed + 11)
        told = dump.findings(self.stage.tools, partitions(self.directory, STATE), gaps=True)
        self.judge.holds("compacted: DumpLogSegments, after both have compacted", told)

    def again(self):
        self.judge.holds("compacted: the broker starts on it once more without a complaint", self.complaints(f"{STATE}-0"))
        self.goes_on(self.appended, self.cleaned, "goes on once more")

    def lay_moments(self, before, after):
        """The moments of our second compaction, as a kill leaves each: one exchange of segments that is under way."""
        self.swap = Exchange(before, after, STATE)
        directory = self.stage.scratch / "written-swap"
        directory.mkdir()
        for moment in MOMENTS:
            self.swap.lay(directory / f"{SWAP}-{moment}-0", moment, SUFFIXES)
        self.swapped = {moment: self.swap.expected(self.exhibit, f"{SWAP}-{moment}", moment) for moment in MOMENTS}
        copies = shutil.copytree(directory, directory.with_name("read-swap"))
        for moment in MOMENTS:
            topic = f"{SWAP}-{moment}"
            told = records.differences(self.swapped[moment], self.exhibit.list(copies, topic))
            self.judge.holds(f"{topic}: we finish our own exchange of segments", told)
        self.stage.lay(directory, [directory / f"{SWAP}-{moment}-0" for moment in MOMENTS], SWAP)

    def moments(self):
        told = records.differences(*(with_topic(self.swapped[moment], "any") for moment in ("cleaned", "begun")))
        self.judge.says_no("an exchange of segments that was taken for none", told, "is missing")
        for moment, expected in self.swapped.items():
            topic = f"{SWAP}-{moment}"
            told = self.complaints(f"{topic}-0")
            told += records.differences(expected, self.broker.consume(topic, 0, len(expected)))
            left = [path.name for path in (self.broker.dirs[SWAP] / f"{topic}-0").iterdir() if path.suffix in (".swap", ".cleaned", ".deleted")]
            self.judge.holds(f"{topic}: the broker finishes our exchange of segments, {len(expected)} records", told + [f"{name} is left" for name in left])

    def unfinished(self, before, after):
        """Moments of an exchange that the broker makes, on what we wrote, laid before us."""
        exchange = Exchange(before, after, STATE)
        for moment in ("cleaned", "begun", "deleted"):
            directory = self.stage.scratch / f"broker-{moment}"
            exchange.lay(directory / f"{STATE}-0", moment, ("log", "index", "timeindex"))
            # Who leads the partition has noted that before its cleaner begins.
            shutil.copy(after / f"{STATE}-0" / EPOCHS, directory / f"{STATE}-0")
            told = records.differences(exchange.expected(self.exhibit, STATE, moment), self.exhibit.list(directory, STATE))
            left = [path.name for path in (directory / f"{STATE}-0").iterdir() if path.suffix in (".swap", ".cleaned", ".deleted")]
            self.judge.holds(f"{moment}: we finish the broker's exchange of segments", told + [f"{name} is left" for name in left])

    def complaints(self, partition):
        return [line for line in self.broker.complaints() if partition in line]

    def wait(self, name, topic):
        """Until all is compacted but the newest segment; the offset at which that begins."""
        directory = self.broker.dirs[name]
        deadline = time.monotonic() + CLEANED_SECS
        while True:
            end = max(int(path.stem) for path in (directory / f"{topic}-0").glob("*.log"))
            if end and checkpoint(directory, topic) == end:
                return end
            if time.monotonic() > deadline:
                raise Failed(f"{topic} was compacted up to {checkpoint(directory, topic)} of {end} in {CLEANED_SECS} s")
            time.sleep(0.1)


class Exchange:
    """One segment in the place of several: files from before a compaction, and from after it."""

    def __init__(self, before, after, topic):
        (self.before,), (self.after,) = partitions(before, topic), partitions(after, topic)
        self.topic = topic
        old = sorted(int(path.stem) for path in self.before.glob("*.log"))
        new = sorted(int(path.stem) for path in self.after.glob("*.log"))
        # The first new segment that takes the place of more than one.
        for begin, end in zip(new, [*new[1:], None]):
            self.replaced = [base for base in old if begin <= base and (end is None or base < end)]
            if len(self.replaced) > 1:
                self.begin, self.end = begin, end
                return
        raise Failed(f"no segment of {new} takes the place of several of {old}")

    def lay(self, to, moment, suffixes):
        """The directory of a partition at that moment."""
        shutil.copytree(self.before, to)
        name = lambda base, suffix: f"{base:020}.{suffix}"
        there = [suffix for suffix in suffixes if (self.after / name(self.begin, suffix)).exists()]
        ending = ".cleaned" if moment == "cleaned" else ".swap"
        for suffix in there:
            shutil.copy(self.after / name(self.begin, suffix), to / (name(self.begin, suffix) + ending))
        others = [base for base in self.replaced if base != self.begin]
        if moment == "half":
            # One of the others is gone.
            remove(to, others[-1])
        elif moment == "named":
            for base in others:
                remove(to, base)
            for suffix in there[: there.index("log") + 1]:
                (to / (name(self.begin, suffix) + ".swap")).rename(to / name(self.begin, suffix))
        elif moment == "deleted":
            # Kafka renames what it replaces, and removes it a minute later.
            for base in others:
                for suffix in ("log", "index", "timeindex"):
                    (to / name(base, suffix)).rename(to / (name(base, suffix) + ".deleted"))

    def expected(self, exhibit, topic, moment):
        """The records at that moment: those from before it, or in its range those from after it."""
        copies = [shutil.copytree(path.parent, path.parent.with_name(f"{path.parent.name}-as-{topic}-{moment}")) for path in (self.before, self.after)]
        before, after = (exhibit.list(copy, self.topic) for copy in copies)
        inside = lambda place: self.begin <= place[2] and (self.end is None or place[2] < self.end)
        chosen = before
        if moment != "cleaned":
            chosen = {place: record for place, record in before.items() if not inside(place)}
            chosen |= {place: record for place, record in after.items() if inside(place)}
        return with_topic(chosen, topic)


def with_topic(some, topic):
    return {(topic, *place[1:]): record | {"topic": topic} for place, record in some.items()}


def remove(partition, base):
    for path in partition.glob(f"{base:020}.*"):
        path.unlink()


def value(maker):
    """Text, or null for a tombstone: so much that segments of 1 MiB become full."""
    return None if maker.randrange(10) == 0 else "".join(maker.choices("abcdef ", k=maker.randrange(4000)))


def checkpoint(directory, topic):
    """Up to where a topic was compacted; 0 when nothing is said."""
    path = directory / CHECKPOINT
    lines = path.read_text().splitlines()[2:] if path.exists() else []
    return next((int(offset) for name, _, offset in map(str.split, lines) if name == topic), 0)


def left(sent, end):
    """What is left of (key, value, headers) by offset, when all before the end was compacted."""
    last = {key: offset for offset, (key, _, _) in sorted(sent.items()) if offset < end}
    return {offset: record for offset, record in sent.items() if offset >= end or last[record[0]] == offset}


def left_of(appended, end):
    """What is left of records by their places."""
    last = {record["key"]: place for place, record in sorted(appended.items()) if place[2] < end}
    return {place: record for place, record in appended.items() if place[2] >= end or last[record["key"]] == place}
