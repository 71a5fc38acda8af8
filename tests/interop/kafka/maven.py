"""Fetches Apache Kafka from Maven Central into a folder, once.

    pom.xml -> mvn dependency:copy-dependencies -> jars/*.jar -> complete

`complete` is written last: a folder without it is fetched again.
"""

import re
import shutil
from pathlib import Path

from processes import Failed

POM = """<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>headwater</groupId>
  <artifactId>kafka-as-the-judge</artifactId>
  <version>1</version>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>{version}</version></dependency>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka-tools</artifactId><version>{version}</version></dependency>
    <dependency><groupId>org.slf4j</groupId><artifactId>slf4j-simple</artifactId><version>1.7.36</version></dependency>
  </dependencies>
</project>
"""
FETCH_SECS = 300
# What the broker needs.
JAVA = 17


class NotThere(Exception):
    """Kafka cannot be had here: no Java or an old one, no Maven, or no answer from Maven Central."""


def fetch(folder: Path, version: str, processes) -> Path:
    """The folder with Kafka's jars."""
    if shutil.which("java") is None:
        raise NotThere(f"there is no java: Kafka 4 needs Java {JAVA} or later")
    said = processes.run(["java", "-version"])[1].decode(errors="replace")
    found = re.search(r'version "(\d+)', said)
    if not found or int(found[1]) < JAVA:
        raise NotThere(f"Kafka 4 needs Java {JAVA} or later, and java says: {said.splitlines()[0]}")
    jars = folder / version / "jars"
    complete = folder / version / "complete"
    if complete.exists():
        return jars
    if shutil.which("mvn") is None:
        raise NotThere("there is no mvn, which fetches Kafka")
    shutil.rmtree(jars, ignore_errors=True)
    jars.mkdir(parents=True)
    (folder / version / "pom.xml").write_text(POM.format(version=version))
    command = ["mvn", "-B", "-q", "-f", folder / version / "pom.xml"]
    command += ["dependency:copy-dependencies", f"-DoutputDirectory={jars}"]
    try:
        output, _ = processes.run(command, timeout=FETCH_SECS, status=None)
    except Failed as error:
        raise NotThere(f"Maven did not fetch Kafka {version}: {error}") from error
    lines = re.sub(r"\x1b\[[0-9;]*m", "", output.decode(errors="replace")).splitlines()
    wrong = [line for line in lines if line.startswith("[ERROR]")]
    if wrong or not (jars / f"kafka_2.13-{version}.jar").exists():
        raise NotThere(f"Maven did not fetch Kafka {version}: {wrong[0][:300] if wrong else 'it does not say why'}")
    complete.touch()
    return jars
