"""A client publishes QoS 1 messages while the broker is killed with -9 and started again.

After the last start `replay` must show every acknowledged message, in order per topic, and a subscriber with a persistent session must
have received each. Run as: kill_client.py [MESSAGES [KILLS]]; needs $BROKER and $REPLAY, see broker.py.
"""

import collections
import sys
import threading
import time

import paho.mqtt.client as mqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from broker import WAIT_SECS, Broker

MESSAGES = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
KILLS = int(sys.argv[2]) if len(sys.argv) > 2 else 3
TOPICS = 10


def client(name, version):
    inner = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id=name, protocol=version, **({} if version == mqtt.MQTTv5 else {"clean_session": False}))
    inner.reconnect_delay_set(1, 1)
    inner.max_inflight_messages_set(100)
    inner.max_queued_messages_set(0)
    return inner


def connect(inner, broker, version):
    extra = {}
    if version == mqtt.MQTTv5:
        extra["properties"] = Properties(PacketTypes.CONNECT)
        extra["properties"].SessionExpiryInterval = 3600
        extra["clean_start"] = False
    inner.connect("127.0.0.1", broker.port, keepalive=30, **extra)
    inner.loop_start()


def main():
    broker = Broker()
    received = collections.Counter()
    subscribed = threading.Event()
    subscriber = client("kill-subscriber", mqtt.MQTTv5)
    subscriber.on_connect = lambda c, *_: c.subscribe("kill/#", 1)
    subscriber.on_subscribe = lambda *_: subscribed.set()
    subscriber.on_message = lambda _c, _d, message: received.update([int(message.payload)])
    connect(subscriber, broker, mqtt.MQTTv5)
    assert subscribed.wait(WAIT_SECS)

    numbers, acknowledged, acks = {}, set(), collections.deque()
    publisher = client("kill-publisher", mqtt.MQTTv311)
    # Nothing but the note: paho calls it while it holds locks that publish() takes.
    publisher.on_publish = lambda _client, _data, mid, *_: acks.append(mid)
    connect(publisher, broker, mqtt.MQTTv311)

    def take_acks():
        while acks:
            acknowledged.add(numbers.pop(acks.popleft()))

    # The next threshold is crossed while messages are under way, so each kill hits a working broker.
    kill_at = [MESSAGES * (kill + 1) // (KILLS + 1) for kill in range(KILLS)]
    killed = []
    begin = time.monotonic()
    for number in range(MESSAGES):
        take_acks()
        while len(numbers) >= 1_000:
            time.sleep(0.001)
            take_acks()
        if kill_at and len(acknowledged) >= kill_at[0]:
            kill_at.pop(0)
            broker.kill()
            killed.append(len(acknowledged))
            broker.start()
        # paho's identifiers wrap at 65,535; the window is far smaller.
        numbers[publisher.publish(f"kill/{number % TOPICS}", str(number), 1).mid] = number
    deadline = time.monotonic() + WAIT_SECS
    while len(acknowledged) < MESSAGES and time.monotonic() < deadline:
        time.sleep(0.05)
        take_acks()
    seconds = time.monotonic() - begin
    print(f"{len(acknowledged)} of {MESSAGES} acknowledged in {seconds:.1f} s, killed with -9 after {killed}", flush=True)
    assert len(killed) == KILLS and len(acknowledged) == MESSAGES

    deadline = time.monotonic() + WAIT_SECS
    while any(number not in received for number in acknowledged) and time.monotonic() < deadline:
        time.sleep(0.05)
    missing = sorted(number for number in acknowledged if number not in received)
    assert not missing, f"the subscriber misses {len(missing)}: {missing[:10]}"
    twice = sum(count - 1 for count in received.values())
    print(f"the subscriber has each of them, {twice} came twice", flush=True)
    for inner in (publisher, subscriber):
        inner.disconnect()
        inner.loop_stop()

    def in_log(moment):
        records = broker.replay("--filter", "kill/#")
        first = collections.defaultdict(list)
        seen = set()
        for record in records:
            number = int(record["value"])
            if number not in seen:
                seen.add(number)
                first[record["key"]].append(number)
        missing = acknowledged - seen
        assert not missing, f"{moment}: replay misses {len(missing)}: {sorted(missing)[:10]}"
        for topic, order in first.items():
            assert order == sorted(order), f"{moment}: {topic} is out of order"
        assert len(first) == TOPICS
        print(f"replay {moment} shows each, in order per topic: {len(records)} records, {len(records) - len(seen)} sent twice", flush=True)

    in_log("beside the running broker")
    broker.stop()
    in_log("after a clean stop")
    print("kill -9: all checks passed")


main()
