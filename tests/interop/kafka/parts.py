"""The acts in which a broker and we work on the same files, and what takes part in them.

    theirs    the broker runs on directories of its own: producers send, topics are compacted
    laid      it is stopped. We open copies of what it left; what we wrote is laid where it looks
    served    it runs on what we wrote
    opened    it is stopped. We open what it has added to, and go on
    again     it runs on that once more
    last      it is stopped for good

A broker's start is what costs, so there are three for all parts.
"""

import shutil

from broker import Broker
from processes import Failed

ACTS = ("theirs", "laid", "served", "opened", "again", "last")
RUNS = ("theirs", "served", "again")
NATIVE = "native"
ROOT_FILES = (
    ".kafka_cleanshutdown",
    "recovery-point-offset-checkpoint",
    "log-start-offset-checkpoint",
    "replication-offset-checkpoint",
    "cleaner-offset-checkpoint",
)


class Stage:
    """What the parts share."""

    def __init__(self, judge, tools, exhibit, clients, scratch, seed, dirs):
        self.judge, self.tools, self.exhibit, self.clients = judge, tools, exhibit, clients
        self.scratch, self.seed = scratch, seed
        self.broker = Broker(tools, scratch / "broker", (NATIVE, *dirs))
        # Copies of what the broker wrote: one from while it ran, as a kill leaves it, and one from after its stop.
        self.killed, self.stopped = scratch / "native-killed", scratch / "native-stopped"

    def lay(self, directory, partitions, name):
        """Puts a log of ours where the broker looks, under the identities that the cluster gave its topics."""
        data = self.broker.dirs[name]
        for partition in partitions:
            for theirs in [path for path in (one / partition.name for one in self.broker.dirs.values()) if path.exists()]:
                (partition / "partition.metadata").write_bytes((theirs / "partition.metadata").read_bytes())
                shutil.rmtree(theirs)
        for root_file in ROOT_FILES:
            (data / root_file).unlink(missing_ok=True)
        for path in directory.iterdir():
            if path.name != ".lock":
                path.rename(data / path.name)
        return data


class Part:
    """One thing that is checked; what it does in each act, which is nothing unless it says so."""

    # The data directories that it wants.
    dirs = ()

    def __init__(self, stage):
        self.stage = stage
        self.broker, self.exhibit, self.judge = stage.broker, stage.exhibit, stage.judge

    def topics(self):
        """Their names, numbers of partitions and configurations."""
        return ()

    def theirs(self):
        pass

    def laid(self):
        pass

    def served(self):
        pass

    def opened(self):
        pass

    def again(self):
        pass

    def last(self):
        pass


def play(stage, parts):
    """All acts. A part that cannot go on is one more that failed, takes no part any more, and the others go on."""
    broker = stage.broker
    for act in ACTS:
        if act == ACTS[0]:
            # One directory for all topics: each of several would get some of the partitions.
            broker.start(NATIVE)
            broker.create_topics([topic for part in parts for topic in part.topics()])
        elif act in RUNS:
            broker.start()
        for part in list(parts):
            try:
                getattr(part, act)()
            except (Failed, OSError, ValueError, KeyError, IndexError) as failed:
                stage.judge.holds(f"{type(part).__name__}, {act}: everything was checked", [f"{type(failed).__name__}: {failed}"])
                parts.remove(part)
        if act == ACTS[0]:
            shutil.copytree(broker.dirs[NATIVE], stage.killed)
        if act in RUNS:
            broker.stop()
        if act == ACTS[0]:
            shutil.copytree(broker.dirs[NATIVE], stage.stopped)
