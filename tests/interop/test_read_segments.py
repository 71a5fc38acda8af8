"""Tests of read_segments.py, on segments that kafka-python's own builder wrote. Run: python -m unittest"""

import base64
import json
import os
import subprocess
import sys
import tempfile
import unittest

from kafka.record.memory_records import MemoryRecordsBuilder
from kafka.record.util import calc_crc32c

SCRIPT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "read_segments.py")
sys.path.insert(0, os.path.dirname(SCRIPT))
import read_segments

NOW = 1_700_000_000_000
LEADER_EPOCH = range(12, 16)  # in each batch; outside the CRC, and a rise is legal
PUBLISHED = [
    {"topic": "a/b", "payload": "21.5", "qos": 0, "client_id": "c1"},
    {"topic": "a/ü", "payload_base64": "/wA=", "qos": 1, "retain": True, "client_id": "c2", "correlation_data_base64": "AP8="},
    {
        "topic": "a/b", "payload": "", "qos": 2, "client_id": "c1", "payload_format_indicator": 0, "message_expiry_interval": 60,
        "content_type": "text/plain", "response_topic": "r", "correlation_data": "id",
        "user_properties": [["n", "1"], ["n", "2"], ["mqtt.qos", "x"]], "not_before": NOW, "not_after": NOW + 2,
    },
]  # fmt: skip
HEADERS = [
    [("mqtt.qos", b"0"), ("mqtt.client-id", b"c1")],
    [("mqtt.qos", b"1"), ("mqtt.retain", b"true"), ("mqtt.client-id", b"c2"), ("mqtt.correlation-data", b"\x00\xff")],
    [
        ("mqtt.qos", b"2"), ("mqtt.client-id", b"c1"), ("mqtt.payload-format-indicator", b"0"), ("mqtt.message-expiry-interval", b"60"),
        ("mqtt.content-type", b"text/plain"), ("mqtt.response-topic", b"r"), ("mqtt.correlation-data", b"id"),
        ("n", b"1"), ("n", b"2"), ("mqtt.user-property.mqtt.qos", b"x"),
    ],
]  # fmt: skip
RECORDS = [(NOW, b"a/b", b"21.5", HEADERS[0]), (NOW - 1, "a/ü".encode(), b"\xff\x00", HEADERS[1]), (NOW + 2, b"a/b", b"", HEADERS[2])]


def batch(base, records, epoch=0):
    builder = MemoryRecordsBuilder(magic=2, compression_type=0, batch_size=1 << 20)
    for record in records:
        builder.append(*record)
    builder.close()
    data = bytearray(builder.buffer())
    data[0:8] = base.to_bytes(8, "big")
    data[12:16] = epoch.to_bytes(4, "big")
    return bytes(data)


def resealed(data, field, value):
    """The batch with other bytes at field and a CRC that holds for them: what a writer with a fault would leave."""
    data = bytearray(data)
    data[field : field + len(value)] = value
    data[17:21] = calc_crc32c(bytes(data[21:])).to_bytes(4, "big")
    return bytes(data)


class ReadSegments(unittest.TestCase):
    def setUp(self):
        self.root = tempfile.TemporaryDirectory()
        self.addCleanup(self.root.cleanup)
        self.directory = os.path.join(self.root.name, "mqtt-0")
        os.mkdir(self.directory)

    def segment(self, base, data):
        with open(os.path.join(self.directory, f"{base:020}.log"), "wb") as file:
            file.write(data)

    def offsets(self):
        return [record.offset for record in read_segments.Partition(self.directory).read()]

    def damage(self):
        with self.assertRaises(read_segments.Damage) as caught:
            self.offsets()
        return str(caught.exception)

    def run_script(self, *arguments):
        run = subprocess.run([sys.executable, SCRIPT, self.directory, *arguments], capture_output=True, text=True, encoding="utf-8")
        return run.returncode, run.stdout, run.stderr

    def expect(self, published):
        path = os.path.join(self.root.name, "sent.jsonl")
        with open(path, "w", encoding="utf-8") as file:
            file.writelines(json.dumps(message) + "\n" for message in published)
        return self.run_script("--expect", path)

    def test_prints_what_replay_prints(self):
        self.segment(7, batch(7, RECORDS[:2]))
        status, out, _ = self.run_script()
        lines = [json.loads(line) for line in out.splitlines()]
        self.assertEqual(status, 0)
        self.assertEqual(
            lines[1],
            {
                "topic": "mqtt", "partition": 0, "offset": 8, "timestamp": NOW - 1, "key": "a/ü", "value_base64": "/wA=",
                "headers": [{"key": "mqtt.qos", "value": "1"}, {"key": "mqtt.retain", "value": "true"},
                            {"key": "mqtt.client-id", "value": "c2"}, {"key": "mqtt.correlation-data", "value_base64": "AP8="}],
            },
        )  # fmt: skip

    def test_follows_offsets_over_segments(self):
        self.segment(0, batch(0, RECORDS) + batch(3, RECORDS[:1]))
        self.segment(4, batch(4, RECORDS[:2], epoch=1))
        self.segment(6, b"")
        self.assertEqual(self.offsets(), [0, 1, 2, 3, 4, 5])

    def test_every_flipped_byte_is_told_with_its_batch(self):
        first, second = batch(0, RECORDS), batch(3, RECORDS)
        whole = first + second
        for position in range(len(whole)):
            start = 0 if position < len(first) else len(first)
            if position - start in LEADER_EPOCH:
                continue
            for bit in (0x01, 0x80):
                data = bytearray(whole)
                data[position] ^= bit
                self.segment(0, data)
                self.assertIn(f"00000.log: position {start}: ", self.damage(), f"byte {position} bit {bit:#x}")

    def test_every_cut_inside_the_last_batch_is_a_torn_tail(self):
        first, second = batch(0, RECORDS), batch(3, RECORDS)
        for kept in range(1, len(second)):
            self.segment(0, first + second[:kept])
            if any(second[:kept]):
                self.assertRegex(self.damage(), f"position {len(first)}: torn tail: ")
            else:  # the high bytes of a base offset cannot be told from allocated space
                self.assertEqual(self.offsets(), [0, 1, 2])
                self.assertLess(kept, 8)

    def test_a_torn_segment_with_others_behind_it_is_told_as_such(self):
        self.segment(0, batch(0, RECORDS)[:-1])
        self.segment(3, batch(3, RECORDS))
        self.assertIn("position 0: torn tail of a segment that is not the last: ", self.damage())

    def test_a_header_that_does_not_fit_its_records_is_damage(self):
        for last_delta in (1, 3):
            self.segment(0, resealed(batch(0, RECORDS), 23, last_delta.to_bytes(4, "big")))
            self.assertIn("offsets are not", self.damage())
        self.segment(0, resealed(batch(0, RECORDS), 35, (NOW + 3).to_bytes(8, "big")))
        self.assertIn("maximum timestamp", self.damage())
        self.segment(0, resealed(batch(0, RECORDS), 57, (2).to_bytes(4, "big")))
        self.assertIn("unconsumed", self.damage())

    def test_a_falling_leader_epoch_is_damage(self):
        self.segment(0, batch(0, RECORDS, epoch=2) + batch(3, RECORDS, epoch=1))
        self.assertIn("leader epoch 1 after 2", self.damage())

    def test_a_torn_batch_before_allocated_zeros_is_told_as_the_last(self):
        first, second = batch(0, RECORDS), batch(3, RECORDS)
        self.segment(0, first + second[:-9] + bytes(5000))
        self.assertRegex(self.damage(), f"position {len(first)}: CRC does not hold .* the batch is the last")

    def test_stops_at_zeros_of_any_length(self):
        first = batch(0, RECORDS)
        for zeros in (1, 8, 12, 60, 61, 4096, (1 << 20) + 100):
            self.segment(0, first + bytes(zeros))
            self.assertEqual(self.offsets(), [0, 1, 2])
            status, _, err = self.run_script()
            self.assertEqual(status, 0)
            self.assertIn(f"position {len(first)}: {zeros} zero bytes, the end", err)
            self.assertEqual(self.run_script("--closed")[0], 1)

    def test_something_behind_the_zeros_is_damage(self):
        first = batch(0, RECORDS)
        self.segment(0, first + bytes((1 << 20) + 7) + b"x")
        self.assertIn(f"zeros up to position {len(first) + (1 << 20) + 7}", self.damage())

    def test_a_missing_segment_a_gap_and_a_second_use_of_an_offset_are_damage(self):
        self.segment(0, batch(0, RECORDS))
        self.segment(4, batch(4, RECORDS))
        self.assertIn("the one before it ends at offset 3", self.damage())
        os.remove(os.path.join(self.directory, f"{4:020}.log"))
        for base in (2, 4):
            self.segment(0, batch(0, RECORDS) + batch(base, RECORDS))
            self.assertIn(f"base offset {base}, expected 3", self.damage())

    def test_no_segment_at_all_is_damage_not_an_empty_log(self):
        self.assertIn("no segment", self.damage())

    def test_expectation_holds(self):
        self.segment(0, batch(0, RECORDS))
        status, out, err = self.expect(PUBLISHED)
        self.assertEqual((status, out), (0, ""), err)

    def test_order_of_different_topics_is_free_and_of_one_topic_is_not(self):
        self.segment(0, batch(0, RECORDS))
        self.assertEqual(self.expect([PUBLISHED[1], PUBLISHED[0], PUBLISHED[2]])[0], 0)
        self.assertEqual(self.expect([PUBLISHED[2], PUBLISHED[1], PUBLISHED[0]])[0], 1)

    def test_every_published_field_is_compared(self):
        self.segment(0, batch(0, RECORDS))
        for index, message in enumerate(PUBLISHED):
            for field, value in message.items():
                other = {
                    str: lambda v: base64.b64encode(b"other").decode() if field.endswith("base64") else v + "x",
                    bool: lambda v: not v,
                    int: lambda v: v + 1,
                    list: lambda v: v[::-1],
                }[type(value)](value)
                if field == "not_after":
                    other = NOW + 1
                elif field == "not_before":
                    other = NOW + 3
                changed = [dict(m) for m in PUBLISHED]
                changed[index][field] = other
                self.assertEqual(self.expect(changed)[0], 1, f"{field} of message {index}")

    def test_missing_and_surplus_records_are_differences(self):
        self.segment(0, batch(0, RECORDS))
        self.assertEqual(self.expect(PUBLISHED[:2])[0], 1)
        self.assertEqual(self.expect(PUBLISHED + PUBLISHED[:1])[0], 1)

    def test_a_key_in_the_wrong_partition_is_a_difference(self):
        self.segment(0, batch(0, RECORDS))
        homes = {(read_segments.murmur2(key) & 0x7FFFFFFF) % 5 for _, key, _, _ in RECORDS}
        self.assertNotEqual(homes, {0})
        for number in range(1, 5):
            os.mkdir(os.path.join(self.root.name, f"mqtt-{number}"))
        status, _, err = self.expect(PUBLISHED)
        self.assertEqual(status, 1)
        self.assertIn("of 5", err)

    def test_wrong_usage_is_told(self):
        self.segment(0, batch(0, RECORDS))
        self.assertEqual(self.expect([{"topic": "a/b", "payload": "x", "qos": 0}])[0], 2)
        self.assertEqual(self.expect([dict(PUBLISHED[0], retian=True)])[0], 2)
        self.assertEqual(self.run_script("--expect", os.path.join(self.root.name, "absent"))[0], 2)
        self.directory = self.root.name
        self.assertEqual(self.run_script()[0], 2)


if __name__ == "__main__":
    unittest.main()
