"""Records as JSON lines, the one form in which all sides are compared.

    {"topic":"t","partition":0,"offset":7,"timestamp":5,"key":null,"value":"6869","headers":[["6b",null]]}

Contents are in hex. `exhibit` prints such lines, and so does `python_clients.py`; what Kafka's console consumer prints becomes
such lines here.
"""

import json
import secrets

from processes import Failed

SHOWN = 5


def parse(lines: bytes):
    """The records of JSON lines, by (topic, partition, offset)."""
    records = {}
    for line in lines.splitlines():
        record = json.loads(line)
        place = (record["topic"], record["partition"], record["offset"])
        if place in records:
            raise ValueError(f"{place} comes twice")
        records[place] = record
    return records


def dump(records) -> bytes:
    return b"".join(json.dumps(record, separators=(",", ":")).encode() + b"\n" for record in records)


def differences(expected, found):
    """What is missing, what is too much, and what is another record; the first few, as text."""
    told = []
    for place in sorted(expected.keys() | found.keys()):
        here, there = expected.get(place), found.get(place)
        if here != there:
            name = "{}-{} offset {}".format(*place)
            if there is None:
                told.append(f"{name} is missing")
            elif here is None:
                told.append(f"{name} should not be there")
            else:
                fields = [field for field in here.keys() | there.keys() if here.get(field) != there.get(field)]
                wrong = (f"{field} {brief(there.get(field))}, expected {brief(here.get(field))}" for field in sorted(fields))
                told.append(f"{name}: " + ", ".join(wrong))
    return told[:SHOWN] + ([f"and {len(told) - SHOWN} more"] if len(told) > SHOWN else [])


def brief(value):
    text = json.dumps(value)
    return text if len(text) <= 60 else text[:57] + "..."


class Console:
    """How Kafka's console consumer is told to print, and how that is read: by separators that no record has."""

    def __init__(self):
        self.field, self.line, self.header, self.null = (secrets.token_hex(12) for _ in range(4))

    def properties(self):
        """What it is told."""
        printed = ("timestamp", "partition", "offset", "headers", "key", "value")
        return {
            **{f"print.{name}": "true" for name in printed},
            "key.separator": self.field,
            "line.separator": self.line,
            "headers.separator": self.header,
            "null.literal": self.null,
        }

    def records(self, topic, output: bytes):
        """What it printed, as `parse` would give it. Topics called `..-stamped` have log append time, and no others."""
        records = {}
        kind = b"LogAppendTime" if topic.endswith("-stamped") else b"CreateTime"
        for line in output.split(self.line.encode())[:-1]:
            time, partition, offset, headers, key, value = line.split(self.field.encode())
            if not time.startswith(kind + b":"):
                raise Failed(f"{topic}: not a time of the right type: {time}")
            record = {
                "topic": topic,
                "partition": int(partition.removeprefix(b"Partition:")),
                "offset": int(offset.removeprefix(b"Offset:")),
                "timestamp": int(time.split(b":")[1]),
                "key": self.content(key),
                "value": self.content(value),
                "headers": self.headers(headers),
            }
            records[topic, record["partition"], record["offset"]] = record
        return records

    def headers(self, text):
        if text == b"NO_HEADERS":
            return []
        pairs = (one.split(b":", 1) for one in text.split(self.header.encode()))
        return [[name.hex(), self.content(value)] for name, value in pairs]

    def content(self, text):
        return None if text == self.null.encode() else text.hex()
