"""Check: we open what Kafka wrote.

    native            two partitions, several segments, headers, null keys, values and header values
    native-stamped    log append time
    native-packed     between plain batches, a batch of each codec

A broker and its console producer write them, and its console consumer says what is in them. Two copies of the directory are
opened: one taken while the broker ran, as a kill would leave it (no note, indexes full of zeros), and one after its clean stop.
"""

import random

import dump
import records
from exhibit import batches, partitions
from parts import NATIVE as STATE
from parts import Part
from processes import at_once
from takeover import sent_differences

CODECS = {1: "gzip", 2: "snappy", 3: "lz4", 4: "zstd"}
COUNT = 3000
VALUE_BYTES = 2400
TOPICS = (STATE, f"{STATE}-stamped", f"{STATE}-packed")


def text(maker, longest):
    """Null, empty, or text of any letters."""
    kind = maker.randrange(10)
    if kind < 2:
        return None if kind else ""
    return "".join(maker.choices("abc xyz 123 \u2603\u00e9", k=maker.randint(1, longest)))


def made_up(maker, count):
    names = ("trace", "content-type", "\u2603", "")
    for _ in range(count):
        headers = [(maker.choice(names), text(maker, 20)) for _ in range(maker.randrange(4))]
        yield text(maker, 30), text(maker, VALUE_BYTES), headers


class Native(Part):
    """What a broker and its producer write."""

    def topics(self):
        yield TOPICS[0], 2, {}
        yield TOPICS[1], 1, {"message.timestamp.type": "LogAppendTime"}
        yield TOPICS[2], 1, {}

    def theirs(self):
        """Sends to the topics, and asks the broker what is in them."""
        maker = random.Random(self.stage.seed)
        sent = {topic: list(made_up(maker, count)) for topic, count in zip(TOPICS, (COUNT, COUNT // 2, 50))}
        at_once(self.broker.produce, sent.items())
        # Enough of the same letters that the producer finds it worth while.
        packed = {name: [(f"{name} {number}", "a" * 200, []) for number in range(20)] for name in CODECS.values()}
        at_once(self.broker.produce, [(TOPICS[2], made, name) for name, made in packed.items()])
        more = list(made_up(maker, 30))
        self.broker.produce(TOPICS[2], more)
        sent[TOPICS[2]] += [record for made in packed.values() for record in made] + more
        self.said = {}
        for part in at_once(self.broker.consume, [(*place, end) for place, end in self.broker.ends(TOPICS).items()]):
            self.said |= part
        for topic in TOPICS:
            came = [record for record in self.said.values() if record["topic"] == topic]
            self.judge.holds(f"{topic}: Kafka returns what was sent, {len(came)} records", sent_differences(sent[topic], came))

    def laid(self):
        for directory in (self.stage.killed, self.stage.stopped):
            self.open(directory)

    def open(self, directory):
        """We open it, read all, append, and Kafka's inspector looks at the result."""
        name = directory.name
        segments = {file: file.read_bytes() for topic in TOPICS for path in partitions(directory, topic) for file in path.glob("*.log")}
        found = self.exhibit.list(directory, *TOPICS)
        told = [] if len(segments) > 6 else [f"only {len(segments)} segments"]
        codecs = {batch[22] & 7 for content in segments.values() for batch in batches(content)}
        told += [] if codecs >= set(CODECS) else [f"only the codecs {sorted(codecs)}"]
        name_of_check = f"{name}: every record is right, those of compressed batches too: {len(self.said)}, in {len(segments)} segments"
        self.judge.holds(name_of_check, told + records.differences(self.said, found))
        told = [f"{file} was changed" for file, content in segments.items() if file.read_bytes() != content]
        self.judge.holds(f"{name}: opening changed no segment", told)
        more = self.exhibit.append(directory, STATE, self.stage.seed)
        again = self.exhibit.list(directory, *TOPICS)
        self.judge.holds(f"{name}: we append, and find all", records.differences(found | more, again))
        paths = [path for topic in TOPICS for path in partitions(directory, topic)]
        self.judge.holds(f"{name}: DumpLogSegments, after that", dump.findings(self.stage.tools, paths))
