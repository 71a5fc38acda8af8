"""Check: Kafka's own inspector has nothing to say of what we wrote, and says no to damage."""

import damage
import dump
from exhibit import partitions, topics

# A fault, the suffix of the file that gets it, and what DumpLogSegments says of it.
FAULTS = [
    ("a flipped byte in a batch", damage.flipped_byte, "log", "isvalid: false"),
    ("a base offset that is one more", damage.base_offset_shifted, "log", "is followed by"),
    ("an index entry whose offset is one more", damage.offset_shifted, "index", "Index offset"),
    ("an index entry that has the position of another", damage.position_of_another, "index", "Mismatches in"),
    ("time index entries out of order", damage.times_out_of_order, "timeindex", "out of order"),
    ("a time index entry that is a millisecond off", damage.time_shifted, "timeindex", "timestamp mismatch"),
    ("zeros behind a segment", damage.zeros_behind, "log", "Found record size 0"),
]


def check(judge, tools, directory, topic, scratch):
    """`directory` is a log of ours that was closed."""
    whole = [path for name in topics(topic) for path in partitions(directory, name)]
    judge.holds(f"DumpLogSegments on {len(whole)} partitions of a closed log", dump.findings(tools, whole))
    for number, (name, fault, suffix, because) in enumerate(FAULTS):
        copied = damage.copy(whole[0], scratch / f"fault-{number}", suffix, 1, fault)
        judge.says_no(name, dump.findings(tools, [copied], [dump.DEEP]), because)
