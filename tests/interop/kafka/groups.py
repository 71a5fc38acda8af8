"""Check: the offsets that our consumer groups have committed are Kafka's.

    DumpLogSegments --offsets-decoder    tells each record of `__headwater_offsets`, key and value
    a group coordinator                  finds them, when our partition is laid where its own `__consumer_offsets-0` is
"""

import json
import re
import shutil

import dump
from exhibit import partitions
from parts import Part
from processes import Failed

STATE, OURS, THEIRS = "groups", "__headwater_offsets", "__consumer_offsets"
DECODE = "--offsets-decoder"
RECORD = re.compile(r"\| offset: \d+ .* key: (\{.*\}) payload: (\{.*\}|.*)")
KEY_VERSION, VALUE_VERSION = "1", "3"


class Groups(Part):
    """Committed offsets."""

    dirs = (STATE,)

    def topics(self):
        yield STATE, 2, {}
        yield f"{STATE}-stamped", 1, {"message.timestamp.type": "LogAppendTime"}

    def theirs(self):
        # Who asks for a coordinator makes the broker create its topic.
        self.broker.committed("nobody")

    def laid(self):
        directory = self.stage.scratch / "written-groups"
        self.exhibit.write(directory, STATE, self.stage.seed)
        self.committed = self.exhibit.commit(directory, STATE)
        (offsets,) = partitions(directory, OURS)
        self.judge.holds("groups: DumpLogSegments on the committed offsets", dump.findings(self.stage.tools, [offsets]))
        log = min(offsets.glob("*.log"))
        told = differences(self.committed, decoded(dump.run(self.stage.tools, [log], DECODE)))
        self.judge.holds(f"groups: the {len(self.committed)} committed offsets, as DumpLogSegments decodes them", told)
        damaged = shutil.copy(log, self.stage.scratch / log.name)
        content = bytearray(log.read_bytes())
        # The last letter of a group's name.
        content[content.index(b"partly") + 5] ^= 1
        damaged.write_bytes(content)
        told = differences(self.committed, decoded(dump.run(self.stage.tools, [damaged], DECODE)))
        self.judge.says_no("another name of a group in a committed offset", told, "partly")
        offsets.rename(directory / f"{THEIRS}-0")
        self.stage.lay(directory, [path for path in directory.iterdir() if path.is_dir()], STATE)

    def served(self):
        complaints = [line for line in self.broker.complaints() if f"{THEIRS}-0" in line]
        self.judge.holds("groups: the broker starts on our offsets without a complaint", complaints)
        found = {}
        for group in {group for group, _, _ in self.committed} | {"gone"}:
            found |= {(group, *place): offset for place, offset in self.broker.committed(group).items()}
        self.judge.holds("groups: a group coordinator finds what our groups have committed", differences(self.committed, found))


def decoded(output):
    """What counts in the end, by group, topic and partition."""
    found = {}
    for line in output.decode(errors="replace").splitlines():
        if parts := RECORD.fullmatch(line):
            key, value = json.loads(parts[1]), json.loads(parts[2]) if parts[2].startswith("{") else None
            place = key["data"]["group"], key["data"]["topic"], key["data"]["partition"]
            if key["type"] != KEY_VERSION or value and value["version"] != VALUE_VERSION:
                raise Failed(f"another version: {line}")
            found.pop(place, None)
            if value:
                found[place] = value["data"]["offset"]
    return found


def differences(expected, found):
    places = sorted(expected.keys() | found.keys())
    return [f"{place}: {found.get(place)}, expected {expected.get(place)}" for place in places if found.get(place) != expected.get(place)]
