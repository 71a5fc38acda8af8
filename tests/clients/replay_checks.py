"""What replay prints, of a broker that has stopped and beside one that runs."""

import json
import os
import subprocess
import threading
import time
from datetime import datetime, timezone

import paho.mqtt.publish as publish

from broker import Broker

checks = 0


def check(what, got, expected):
    global checks
    assert got == expected, f"{what}: expected {expected!r}, got {got!r}"
    checks += 1
    print(f"ok: {what}", flush=True)


def send(broker, prefix, count=6, payload=None):
    messages = [(f"replay/{number % 3}", payload or f"{prefix}{number}", 1, False) for number in range(count)]
    publish.multiple(messages, hostname="127.0.0.1", port=broker.port)


def values(records):
    return [record["value"] for record in records]


broker = Broker("--partitions", "4")
send(broker, "a")
time.sleep(0.05)
middle = time.time()
time.sleep(0.05)
send(broker, "b")
broker.stop()
a, b = [f"a{number}" for number in range(6)], [f"b{number}" for number in range(6)]

everything = broker.replay()
check("everything", sorted(values(everything)), a + b)
check("in order of time", [r["timestamp"] for r in everything], sorted(r["timestamp"] for r in everything))
for n in range(3):
    # Messages of different topics may come in the same millisecond; those of one topic have an order all the same.
    check(f"in order of topic {n}", values(r for r in everything if r["key"] == f"replay/{n}"), [f"a{n}", f"a{n + 3}", f"b{n}", f"b{n + 3}"])
check("of each topic, one partition", {record["key"]: record["partition"] for record in everything}.keys(), {f"replay/{n}" for n in range(3)})
moment = datetime.fromtimestamp(middle, timezone.utc).isoformat(timespec="milliseconds")
check(f"--from {moment}", sorted(values(broker.replay("--from", moment))), b)
check("--from 1 skips the first of each partition", all(record["offset"] >= 1 for record in broker.replay("--from", "1")), True)
check("--from latest", broker.replay("--from", "latest"), [])
check("--filter", values(broker.replay("--filter", "replay/1")), ["a1", "a4", "b1", "b4"])
twice = broker.replay("--filter", "replay/1", "--filter", "+/2", "--from", moment)
check("--filter twice", sorted(values(twice)), ["b1", "b2", "b4", "b5"])
headers = {header["key"]: header["value"] for header in everything[0]["headers"]}
check("headers", headers["mqtt.qos"], "1")

broker.start()
send(broker, "", count=1, payload=b"\xff\x00")
last = broker.replay()[-1]
check("bytes that are no text", (last.get("value"), last["value_base64"]), (None, "/wA="))

follower = subprocess.Popen(
    [os.environ["REPLAY"], "--data", broker.data, "--follow", "--from", "latest", "--json"], stdout=subprocess.PIPE, text=True
)
lines = []
seen = threading.Event()


def read():
    for line in follower.stdout:
        lines.append(json.loads(line))
        if len(lines) == 12:
            seen.set()


threading.Thread(target=read, daemon=True).start()
# Until it has opened the log, what comes is not its latest: repeat a marker until it shows.
while not lines:
    send(broker, "", count=1, payload="marker")
    time.sleep(0.2)
time.sleep(0.5)
lines.clear()
begin = time.monotonic()
send(broker, "c")
send(broker, "d")
check("--follow prints what comes", seen.wait(10), True)
print(f"    within {time.monotonic() - begin:.3f} s")
check("--follow, in order of each topic", [[r["value"] for r in lines if r["key"] == f"replay/{n}"] for n in range(3)], [[f"c{n}", f"c{n+3}", f"d{n}", f"d{n+3}"] for n in range(3)])
broker.kill()
broker.start()
lines.clear()
seen.clear()
send(broker, "e")
send(broker, "f")
check("--follow goes on when the broker was killed and started again", seen.wait(10), True)
follower.kill()

readable = subprocess.run([os.environ["REPLAY"], "--data", broker.data], check=True, capture_output=True, text=True).stdout.splitlines()
check("a line a record", len(readable), len(broker.replay()))
check("readable", any(" replay/0 a0 {mqtt.qos=1, mqtt.client-id=" in line for line in readable), True)
command = f"'{os.environ['REPLAY']}' --data '{broker.data}' --json | jq -r .topic | sort -u"
check("jq", subprocess.run(command, shell=True, check=True, capture_output=True, text=True).stdout, "mqtt\n")
pipe = f"set -o pipefail; '{os.environ['REPLAY']}' --data '{broker.data}' | head -1 >/dev/null"
check("a reader that has seen enough", subprocess.run(["bash", "-c", pipe]).returncode, 0)
for wrong, right in [(["--from", "yesterday"], "2026-11-23T08:00:00Z"), (["--filter", "a/#/b"], "factory/#"), (["--data", "/nowhere"], "/nowhere")]:
    refused = subprocess.run([os.environ["REPLAY"], *wrong], capture_output=True, text=True)
    check(f"{wrong} is refused with the right form", (refused.returncode != 0, right in refused.stderr), (True, True))
broker.stop()
print(f"replay: {checks} checks passed")
