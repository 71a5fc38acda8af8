"""Kafka's DumpLogSegments over segments, indexes and time indexes.

Its exit status is 0 whatever it finds, so what it prints is read: a line of a form that is not known to be harmless is a
finding. And it has to have seen everything: batches and index entries are counted against the files.
"""

import re
from collections import Counter
from pathlib import Path

from exhibit import batches
from processes import Failed

# Up to 4.2, and the class that took over.
MAIN = ["kafka.tools.DumpLogSegments", "org.apache.kafka.tools.DumpLogSegments"]
ABSENT = "ClassNotFoundException"

HARMLESS = {
    "file": re.compile(r"Dumping (.*)"),
    "start": re.compile(r"Log starting offset: \d+"),
    "batch": re.compile(r"baseOffset: .* isvalid: true"),
    "record": re.compile(r"\| offset: .*"),
    "entry": re.compile(r"offset: \d+ position: \d+"),
    "time entry": re.compile(r"timestamp: \d+ offset: \d+"),
    "sane": re.compile(r".* passed sanity check\."),
    "empty": re.compile(r".*index is empty\."),
    "nothing": re.compile(r"\s*"),
}
GAP = re.compile(r"Non-consecutive offsets in (.*)")
MISMATCH = re.compile(r"Found timestamp mismatch in :.*")
NO_RECORD = re.compile(r"  Index timestamp: (\d+), log timestamp: -1")
FOLLOWED = re.compile(r"(-?\d+) is followed by (\d+)")
SUFFIXES = ("log", "index", "timeindex")
ENTRY_BYTES = {"index": 8, "timeindex": 12}
HEADER_BYTES = 61


DEEP, SANITY = "--deep-iteration", "--index-sanity-check"


def findings(tools, directories, flags=(DEEP, SANITY), gaps=False):
    """What DumpLogSegments finds in the segments of partition directories; nothing when all is well. In what was compacted
    there are gaps between offsets, which it tells."""
    files = [file for directory in directories for suffix in SUFFIXES for file in sorted(Path(directory).glob(f"*.{suffix}"))]
    told = []
    for flag in flags:
        # A sanity check of the segments themselves there is not.
        chosen = [file for file in files if flag == DEEP or file.suffix != ".log"]
        told += read(run(tools, chosen, flag), chosen, flag, gaps)
    return told


def run(tools, files, flag):
    """All that it prints: both outputs, errors last."""
    for main in MAIN:
        output, errors = tools.run(main, "--files", ",".join(str(file) for file in files), flag, status=None, timeout=300)
        if ABSENT.encode() not in errors:
            return output + errors
    raise Failed(f"none of {MAIN} is in {tools.jars}")


def read(output, files, flag, gaps=False):
    told, seen, file, gap = [], Counter(), None, None
    emptied = {timestamp for path in files if gaps and path.suffix == ".log" for timestamp in times_of_emptied(path)}
    for line in output.decode(errors="replace").splitlines():
        # 4.3 takes the offset before the first record of a segment to be -1: told for every segment that does not begin at 0.
        if heading := GAP.fullmatch(line):
            gap = Path(heading[1])
            continue
        if gap and line.strip() == f"-1 is followed by {int(gap.stem)}":
            continue
        followed = FOLLOWED.fullmatch(line.strip())
        if gaps and gap and followed and int(followed[1]) < int(followed[2]):
            continue
        if gaps and MISMATCH.fullmatch(line):
            continue
        # It takes the latest time of a batch from its records, of which compaction may have left none.
        if (index := NO_RECORD.fullmatch(line)) and int(index[1]) in emptied:
            continue
        kind = next((kind for kind, form in HARMLESS.items() if form.fullmatch(line)), None)
        if kind is None:
            told.append(f"DumpLogSegments {flag}: {line}" + (f" in {gap}" if "is followed by" in line else ""))
        elif kind == "file":
            file = Path(line.removeprefix("Dumping ")).resolve()
        elif kind in ("sane", "empty"):
            # These lines name their file.
            seen[Path(re.split(r" passed| is empty", line)[0]).resolve(), kind] += 1
        elif kind != "nothing":
            seen[file, kind] += 1
    for path in files:
        for kind, expected in should_see(path, flag).items():
            if seen[path.resolve(), kind] != expected:
                told.append(f"DumpLogSegments {flag}: {path}: {seen[path.resolve(), kind]} of {expected} {kind} lines")
    return told


def times_of_emptied(path):
    """The latest times in the headers of batches without records."""
    return [int.from_bytes(batch[35:43], "big") for batch in batches(path.read_bytes()) if batch[57:61] == bytes(4)]


def should_see(path, flag):
    """How many lines of which kind a file gives."""
    suffix = path.suffix[1:]
    if flag == SANITY:
        return {"sane": 1} if path.stat().st_size else {"empty": 1}
    if suffix in ENTRY_BYTES:
        entries = path.stat().st_size // ENTRY_BYTES[suffix]
        return {"entry" if suffix == "index" else "time entry": entries} if entries else {"empty": 1}
    found = [batch for batch in batches(path.read_bytes()) if len(batch) >= HEADER_BYTES]
    return {"batch": len(found), "record": sum(int.from_bytes(batch[57:HEADER_BYTES], "big") for batch in found)}


PRODUCER = re.compile(r"producerId: (\d+) producerEpoch: (\d+) .*lastSequence: (\d+) lastOffset: \d+ offsetDelta: (\d+)")


def said_of(tools, file):
    """All that it prints of one file."""
    return run(tools, [file], DEEP).decode(errors="replace")


def producers(tools, file):
    """What a `.snapshot` says: the epoch, the last sequence number and the offset delta, by producer. The last entry counts."""
    return {int(id): tuple(map(int, rest)) for id, *rest in PRODUCER.findall(said_of(tools, file))}
