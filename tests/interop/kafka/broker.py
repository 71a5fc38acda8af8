"""One node of Apache Kafka on the loopback, and the tools that come with it.

    folder/server.properties
    folder/metadata            what the cluster knows of its topics
    folder/data-<name>         a data directory for each name: Kafka takes several
    folder/broker.log          what it said, all its starts one after another
"""

import re
import time
from pathlib import Path

from processes import Failed, Processes, free_ports
from records import Console
from wire import NONE, Wire

START_SECS = 90
STARTED = b"Kafka Server started"
# A JVM that lives for seconds: no time for the second compiler, and little memory.
JVM = ["java", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xms64m", "-Xmx512m", "-Dfile.encoding=UTF-8", "-Dsun.stdout.encoding=UTF-8"]
LOGGER = "-Dorg.slf4j.simpleLogger."

PROPERTIES = """
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{broker},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{broker}
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
metadata.log.dir={metadata}
log.dirs={dirs}
log.retention.ms=-1
auto.create.topics.enable=false
offsets.topic.num.partitions=1
offsets.topic.replication.factor=1
group.initial.rebalance.delay.ms=0
log.cleaner.backoff.ms=200
log.cleaner.dedupe.buffer.size=16777216
"""


class Tools:
    """Kafka's programs, each a main class in its jars."""

    def __init__(self, jars: Path, version: str, processes: Processes):
        self.jars = jars
        self.processes = processes
        # From 4.2 on the options have other names, and the old ones print a warning among the records (KIP-1147).
        new = tuple(int(part) for part in version.split(".")[:2]) >= (4, 2)
        self.formatter, self.reader, self.client = (
            ("--formatter-property", "--reader-property", "--command-property")
            if new
            else ("--property", "--property", "--producer-property")
        )

    def command(self, main, *arguments, level="error"):
        return [*JVM, f"{LOGGER}defaultLogLevel={level}", "-cp", f"{self.jars}/*", main, *arguments]

    def run(self, main, *arguments, **options):
        return self.processes.run(self.command(main, *arguments), **options)


class Broker:
    """A node that is formatted once and may be started and stopped many times."""

    def __init__(self, tools: Tools, folder: Path, names):
        self.tools = tools
        self.folder = folder
        self.process = None
        self.log = folder / "broker.log"
        self.dirs = {name: folder / f"data-{name}" for name in names}
        self.seen = 0
        folder.mkdir(parents=True)
        self.properties = folder / "server.properties"
        self._configure()
        cluster = "AAAAAAAAAAAAAAAAAAAAKg"
        tools.run("kafka.tools.StorageTool", "format", "-t", cluster, "-c", self.properties)

    def _configure(self, only=()):
        # New ports for every start: the old ones may be somebody else's by now.
        self.port, controller = free_ports(2)
        values = {"broker": self.port, "controller": controller, "metadata": self.folder / "metadata"}
        text = PROPERTIES.format(**values, dirs=",".join(str(path) for name, path in self.dirs.items() if name in only or not only))
        self.properties.write_text(text)

    def start(self, *only):
        """Returns when it serves, with all its directories or only some; `Failed` with what it complained of when it does not."""
        self._configure(only)
        self.seen = self.log.stat().st_size if self.log.exists() else 0
        self.process = self.tools.processes.start(self.tools.command("kafka.Kafka", self.properties, level="info"), self.log)
        deadline = time.monotonic() + START_SECS
        while STARTED not in self.said():
            status = self.process.poll()
            if status is not None:
                self.process = None
                raise Failed(f"the broker ended with {status} instead of starting: {self.complaints()}")
            if time.monotonic() > deadline:
                raise Failed(f"the broker did not start in {START_SECS} s: {self.complaints()}")
            time.sleep(0.05)

    def stop(self):
        """A clean stop."""
        process, self.process = self.process, None
        status = self.tools.processes.stop(process)
        if status not in (0, 143):
            raise Failed(f"the broker ended with {status}")

    def said(self) -> bytes:
        """What it said since its last start."""
        with open(self.log, "rb") as file:
            file.seek(self.seen)
            return file.read()

    def complaints(self):
        """The warnings and errors since its last start."""
        lines = self.said().decode(errors="replace").splitlines()
        return [line for line in lines if re.search(r"\b(WARN|ERROR|FATAL)\b|Exception", line)]

    @property
    def server(self):
        return f"127.0.0.1:{self.port}"

    def create_topics(self, topics):
        """Makes topics of a name, a number of partitions, and what they want besides what all have."""
        # Retention would delete what it takes for old; segments have to be of 1 MiB at least.
        common = {"retention.ms": -1, "segment.bytes": 1 << 20}
        with Wire(self.port) as wire:
            wire.create_topics([(name, partitions, common | config) for name, partitions, config in topics])

    def send(self, topic, batches):
        """Sends batches as they are to partition 0; the error and the base offset that each is answered with."""
        with Wire(self.port) as wire:
            return [wire.produce(topic, batch) for batch in batches]

    def committed(self, group):
        """What a group has committed, by topic and partition; the coordinator may have to be made, and to load, first."""
        deadline = time.monotonic() + START_SECS
        while True:
            with Wire(self.port) as wire:
                error = wire.find_coordinator(group)
                found, error = wire.committed(group) if error == NONE else ({}, error)
            if error == NONE:
                return found
            if time.monotonic() > deadline:
                raise Failed(f"no coordinator tells of the group {group}: error {error}")
            time.sleep(0.2)

    def ends(self, topics):
        """The end offset of each partition, by (topic, partition)."""
        command = ["--bootstrap-server", self.server, "--topic-partitions", ",".join(topics), "--time", "latest"]
        output, _ = self.tools.run("org.apache.kafka.tools.GetOffsetShell", *command)
        lines = (line.rsplit(":", 2) for line in output.decode().split())
        return {(topic, int(partition)): int(offset) for topic, partition, offset in lines}

    def consume(self, topic, partition, count):
        """The first records of a partition, as the console consumer gives them; ends early when no more come."""
        console = Console()
        command = ["--bootstrap-server", self.server, "--topic", topic, "--partition", str(partition)]
        command += ["--offset", "earliest", "--max-messages", str(count), "--timeout-ms", "20000"]
        main = "org.apache.kafka.tools.consumer.ConsoleConsumer"
        command += options(self.tools.formatter, console.properties())
        output, _ = self.tools.run(main, *command, status=None)
        return console.records(topic, output)

    def produce(self, topic, records, codec="none"):
        """Sends (key, value, headers) of text, None for null, by the console producer, in batches of up to 16 KiB."""
        header, field, pair, null = "\x01", "\x02", "\x03", "\x04"
        properties = {
            "parse.key": "true",
            "parse.headers": "true",
            "key.separator": field,
            "headers.delimiter": field,
            "headers.separator": header,
            "headers.key.separator": pair,
            "null.marker": null,
        }
        lines = []
        for key, value, headers in records:
            text = header.join(name + pair + (null if content is None else content) for name, content in headers)
            parts = [text or null, null if key is None else key, null if value is None else value]
            lines.append(field.join(parts))
        command = ["--bootstrap-server", self.server, "--topic", topic, "--compression-codec", codec, "--batch-size", "16384"]
        command += options(self.tools.client, {"linger.ms": "5"})
        command += options(self.tools.reader, properties)
        stdin = "".join(line + "\n" for line in lines).encode()
        self.tools.run("org.apache.kafka.tools.ConsoleProducer", *command, stdin=stdin)


def options(flag, values):
    """The flag with each of the values, as `name=value`."""
    return [part for name, value in values.items() for part in (flag, f"{name}={value}")]
