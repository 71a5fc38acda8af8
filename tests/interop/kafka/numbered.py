"""Check: a producer's batches are there once, whoever of us and Kafka goes on, by the `.snapshot` of the other.

    numbered              we have written it and closed: our `.snapshot` is all that the broker learns of the producers
    numbered-forgotten    the same without the `.snapshot`: the broker must know nothing of them, or it was not ours that it read
    numbered-spoilt       the same with a flipped bit in it: the broker must say so
    native-numbered       the broker has written it

To each, batches are sent that are numbered by hand: one that was sent before, one that leaves a gap, one of an epoch that is
past, and the next one. Kafka's producers cannot be made to do that, so the broker gets them in requests of our own.
"""

import shutil
import time

import damage
import dump
import records
import snapshots
import wire
from exhibit import partitions
from parts import Part

STATE = "numbered"
OURS = (STATE, f"{STATE}-forgotten", f"{STATE}-spoilt")
THEIRS = "native-numbered"
# A producer for each question, so that none answers for another. Of each: two batches, of 3 and of 4 records.
AGAIN, GAP, PAST, NEXT = 701, 702, 703, 704
EPOCH = 2
SENT = [(producer, EPOCH, sequence, count) for producer in (AGAIN, GAP, PAST, NEXT) for sequence, count in ((0, 3), (3, 4))]
LAST, BEHIND = 3, 7
QUESTIONS = [(AGAIN, EPOCH, LAST, 4), (GAP, EPOCH, BEHIND + 1, 2), (PAST, EPOCH - 1, BEHIND, 2), (NEXT, EPOCH, BEHIND, 2)]
# The batch of `AGAIN` that is sent again.
BEFORE = SENT.index((AGAIN, EPOCH, LAST, 4))


class Numbered(Part):
    """Idempotent producers."""

    dirs = (STATE,)

    def topics(self):
        for topic in (*OURS, THEIRS):
            yield topic, 1, {}

    def batches(self, questions):
        """Them as record batches, encoded by kafka-python with the time of now."""
        return self.stage.clients.encode("kafka-python", {}, [(0, numbers[:3], sample(*numbers)) for numbers in questions])

    def theirs(self):
        answers = self.broker.send(THEIRS, self.batches(SENT))
        told = [f"{batch} was answered {answer}" for batch, answer in zip(SENT, answers) if answer[0] != wire.NONE]
        self.judge.holds("native-numbered: the broker takes numbered batches", told)
        self.offsets = [offset for _, offset in answers]

    def laid(self):
        for directory in (self.stage.killed, self.stage.stopped):
            self.of_kafka(directory)
        directory = self.stage.scratch / "written-numbered"
        for topic in OURS:
            answers = self.exhibit.append_numbered(directory, topic, SENT)
        self.own_offsets = [answer["offset"] for answer in answers]
        paths = {topic: partitions(directory, topic)[0] for topic in OURS}
        self.expected = self.exhibit.list(directory, *OURS)
        self.as_dumped("our .snapshot, as DumpLogSegments reads it", paths[STATE])
        for path in paths[OURS[1]].glob("*.snapshot"):
            path.unlink()
        spoil(paths[OURS[2]], self.judge, self.stage.tools)
        self.directory = self.stage.lay(directory, paths.values(), STATE)

    def of_kafka(self, directory):
        """We know the producers of a log that Kafka wrote; and that from its `.snapshot`, where there is one."""
        name = f"{directory.name}: we know Kafka's producers"
        whole = shutil.copytree(directory, directory.with_name(f"{directory.name}-numbered"))
        self.judge.holds(name, differences(ours_known(self.offsets), self.ask_us(whole, THEIRS)))
        if directory == self.stage.killed:
            return
        self.as_dumped("Kafka's .snapshot, as DumpLogSegments reads it", directory / f"{THEIRS}-0")
        # A last number that is one more, with a right checksum: then the gap is none, and the next one is before.
        forged = shutil.copytree(directory, directory.with_name("native-forged"))
        snapshot = snapshots.newest(forged / f"{THEIRS}-0")
        entries = snapshots.read(snapshot)
        for entry in entries:
            entry[snapshots.LAST_SEQUENCE] += 1
        snapshots.write(snapshot, entries)
        told = differences(ours_known(self.offsets), self.ask_us(forged, THEIRS))
        self.judge.says_no("Kafka's .snapshot with another sequence number, which we believe", told, str(QUESTIONS[1]))
        flipped = damage.copy(directory / f"{THEIRS}-0", directory.with_name("native-flipped"), "snapshot", -1, damage.flipped_byte)
        _, said = self.exhibit.listed(flipped.parent, THEIRS)
        self.judge.says_no("Kafka's .snapshot with a flipped bit, which we pass over", [said], "1 snapshots ignored")
        told = differences(ours_known(self.offsets), self.ask_us(flipped.parent, THEIRS))
        self.judge.holds("without Kafka's .snapshot we learn the same from the batches", told)

    def as_dumped(self, name, partition):
        """DumpLogSegments says of the newest one what is to be known: the last batch of each producer."""
        found = dump.producers(self.stage.tools, snapshots.newest(partition))
        expected = {id: (EPOCH, BEHIND - 1, 3) for id in (AGAIN, GAP, PAST, NEXT)}
        self.judge.holds(name, [] if found == expected else [f"{found}, expected {expected}"])

    def ask_us(self, directory, topic):
        return self.exhibit.append_numbered(directory, topic, QUESTIONS)

    def served(self):
        complaints = [line for line in self.broker.complaints() if str(self.broker.dirs[STATE]) in line or f"{STATE}-" in line]
        spoilt = [line for line in complaints if OURS[2] in line]
        self.judge.says_no("our .snapshot with a flipped bit, by the broker", spoilt, "snapshot")
        told = [line for line in complaints if line not in spoilt]
        self.judge.holds("numbered: the broker starts on it without a complaint", told)
        batches = self.batches(QUESTIONS)
        end = len(self.expected) // len(OURS)
        answers = self.broker.send(STATE, batches)
        self.judge.holds("numbered: the broker knows our producers", differences(kafka_knows(self.own_offsets, end), answers))
        answers = self.broker.send(OURS[1], batches)
        told = differences(kafka_knows(self.own_offsets, end), answers)
        self.judge.says_no("without our .snapshot the broker appends what was there", told, str(QUESTIONS[0]))
        self.end = end

    def opened(self):
        """The broker's `NEXT` is the last one now; what it has refused is not there."""
        found = self.exhibit.list(self.directory, STATE)
        told = records.differences({place: record for place, record in self.expected.items() if place[0] == STATE}, {place: record for place, record in found.items() if place[2] < self.end})
        values = [bytes.fromhex(found[place]["value"]).decode() for place in sorted(found) if place[2] >= self.end]
        told += [] if values == [f"{NEXT} {EPOCH} {BEHIND + number}" for number in range(2)] else [f"appended: {values}"]
        self.judge.holds("numbered: the broker has appended what was the next, and nothing else", told)
        questions = [(NEXT, EPOCH, BEHIND, 2), (NEXT, EPOCH, BEHIND + 3, 1), (NEXT, EPOCH - 1, 0, 1), (NEXT, EPOCH, BEHIND + 2, 5)]
        expected = [duplicate(self.end), {"error": "OutOfOrderSequence"}, {"error": "InvalidProducerEpoch"}, appended(self.end + 2)]
        answers = self.exhibit.append_numbered(self.directory, STATE, questions)
        self.judge.holds("numbered: we know where the broker has left its producers", differences(expected, answers, questions))

    def again(self):
        questions = [(NEXT, EPOCH, BEHIND + 2, 5), (NEXT, EPOCH, BEHIND + 8, 1), (NEXT, EPOCH + 1, 0, 1)]
        expected = [(wire.NONE, self.end + 2), (wire.OUT_OF_ORDER_SEQUENCE_NUMBER, -1), (wire.NONE, self.end + 7)]
        answers = self.broker.send(STATE, self.batches(questions))
        self.judge.holds("numbered: the broker goes on where we have left them", differences(expected, answers, questions))


def sample(id, epoch, sequence, count):
    """What `exhibit append-numbered` appends too, but for the time."""
    now_ms = int(time.time() * 1000)
    value = lambda number: f"{id} {epoch} {sequence + number}".encode().hex()
    return [{"timestamp": now_ms, "key": None, "value": value(number), "headers": []} for number in range(count)]


def spoil(partition, judge, tools):
    path = snapshots.newest(partition)
    content = bytearray(path.read_bytes())
    damage.flipped_byte(content)
    path.write_bytes(content)
    judge.says_no("our .snapshot with a flipped bit, by DumpLogSegments", [dump.said_of(tools, path)], "corrupt")


def duplicate(offset):
    return {"offset": offset, "duplicate": True}


def appended(offset):
    return {"offset": offset, "duplicate": False}


def ours_known(offsets):
    """What we answer to the questions, knowing the producers."""
    return [duplicate(offsets[BEFORE]), {"error": "OutOfOrderSequence"}, {"error": "InvalidProducerEpoch"}, appended(offsets[-1] + 4)]


def kafka_knows(offsets, end):
    """What a broker answers to them: the error and the base offset."""
    refused = [(wire.OUT_OF_ORDER_SEQUENCE_NUMBER, -1), (wire.INVALID_PRODUCER_EPOCH, -1)]
    return [(wire.NONE, offsets[BEFORE]), *refused, (wire.NONE, end)]


def differences(expected, answers, questions=QUESTIONS):
    told = [f"{question} was answered {found}, expected {wanted}" for question, found, wanted in zip(questions, answers, expected) if found != wanted]
    return told + ([] if len(answers) == len(expected) else [f"{len(answers)} answers"])
