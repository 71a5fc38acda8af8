"""Check: we open what Kafka wrote.

    native            two partitions, several segments, headers, null keys, values and header values
    native-stamped    log append time
    native-packed     between plain batches, a batch of each codec, which we keep, and read

A broker and its console producer write them, and its console consumer says what is in them. Two copies of the directory are
opened: one taken while the broker ran, as a kill would leave it (no note, indexes full of zeros), and one after its clean stop.
"""

import random
import shutil

import dump
import records
from exhibit import partitions
from processes import at_once
from takeover import sent_differences

STATE = "native"
CODECS = {1: "gzip", 2: "snappy", 3: "lz4", 4: "zstd"}
COUNT = 3000
VALUE_BYTES = 2400
TOPICS = (STATE, f"{STATE}-stamped", f"{STATE}-packed")


def new_topics():
    """Their names, partitions and types of timestamps."""
    yield TOPICS[0], 2, "CreateTime"
    yield TOPICS[1], 1, "LogAppendTime"
    yield TOPICS[2], 1, "CreateTime"


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


def write(broker, seed):
    """Sends to the topics; what was sent to each, by topic and codec."""
    maker = random.Random(seed)
    sent = {
        (TOPICS[0], 0): list(made_up(maker, COUNT)),
        (TOPICS[1], 0): list(made_up(maker, COUNT // 2)),
        (TOPICS[2], 0): list(made_up(maker, 50)),
    }
    at_once(broker.produce, [(topic, made) for (topic, _), made in sent.items()])
    for codec, name in CODECS.items():
        # Enough of the same letters that the producer finds it worth while.
        sent[TOPICS[2], codec] = [(f"{name} {number}", "a" * 200, []) for number in range(20)]
    at_once(broker.produce, [(TOPICS[2], sent[TOPICS[2], codec], name) for codec, name in CODECS.items()])
    more = list(made_up(maker, 30))
    broker.produce(TOPICS[2], more)
    sent[TOPICS[2], 0] += more
    return sent


def check(judge, broker, exhibit, scratch, seed):
    """`broker` runs, has the topics, and is stopped in between."""
    sent = write(broker, seed)
    said = {}
    for part in at_once(broker.consume, [(*place, end) for place, end in broker.ends(TOPICS).items()]):
        said |= part
    for topic in TOPICS:
        everything = [record for (name, _), made in sent.items() if name == topic for record in made]
        came = [record for record in said.values() if record["topic"] == topic]
        judge.holds(f"{topic}: Kafka returns what was sent, {len(came)} records", sent_differences(everything, came))
    live, stopped = scratch / "native-killed", scratch / "native-stopped"
    shutil.copytree(broker.dirs[STATE], live)
    broker.stop()
    shutil.copytree(broker.dirs[STATE], stopped)
    for directory in (live, stopped):
        opened(judge, broker, exhibit, directory, said, seed)


def opened(judge, broker, exhibit, directory, said, seed):
    """We open it, read all, append, and Kafka's inspector looks at the result."""
    name = directory.name
    segments = {file: file.read_bytes() for topic in TOPICS for path in partitions(directory, topic) for file in path.glob("*.log")}
    batches = packed(segments)
    found = exhibit.list(directory, *TOPICS)
    kept = {place[2]: (record["codec"], record["batch"]) for place, record in exhibit.packed(directory, *TOPICS).items()}
    told = [] if len(segments) > 6 else [f"only {len(segments)} segments"]
    judge.holds(f"{name}: every record is right, {len(said)}, in {len(segments)} segments", told + records.differences(said, found))
    wanted = {offset: (codec, batch.hex()) for offset, (codec, batch) in batches.items()}
    told = [] if {codec for codec, _ in wanted.values()} == set(CODECS) else ["not a batch of each codec"]
    told += [] if kept == wanted else [f"batches at {sorted(wanted)} are compressed, we named those at {sorted(kept)}, or other bytes"]
    judge.holds(f"{name}: {len(wanted)} compressed batches are kept", told)
    told = [f"{file} was changed" for file, content in segments.items() if file.read_bytes() != content]
    judge.holds(f"{name}: opening changed no segment", told)
    more = exhibit.append(directory, STATE, seed)
    again = exhibit.list(directory, *TOPICS)
    judge.holds(f"{name}: we append, and find all", records.differences(found | more, again))
    paths = [path for topic in TOPICS for path in partitions(directory, topic)]
    judge.holds(f"{name}: DumpLogSegments, after that", dump.findings(broker.tools, paths))


def packed(segments):
    """The compressed batches of the one topic that has some, by base offset: codec and bytes."""
    found = {}
    for file, content in segments.items():
        position = 0
        while position < len(content):
            length = 12 + int.from_bytes(content[position + 8 : position + 12], "big")
            batch = content[position : position + length]
            if codec := batch[22] & 7:
                assert file.parent.name == f"{TOPICS[2]}-0", file
                found[int.from_bytes(batch[:8], "big")] = (codec, batch)
            position += length
    return found
