"""kafka-python reads the segment files of topic `mqtt` from disk: keys, values, headers and timestamps are what was published."""

import base64
import glob
import json
import os
import subprocess
import sys
import threading
import time

import paho.mqtt.client as mqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from broker import Broker

MESSAGES = 2_000


def publish(client, sent, client_id, number, v5):
    qos = number % 3
    # A topic has one QoS: the client holds QoS 1 and 2 back when its window is full, and lets QoS 0 overtake them.
    message = {"topic": f"interop/{client_id}/{qos}/{number % 17}", "qos": qos, "client_id": client_id}
    payload = bytes([number % 256]) * (number % 5) + b"\xff" if number % 4 == 0 else f"number {number} \N{SNOWMAN}".encode()
    if number % 50 == 0:
        payload = b""
    try:
        message["payload"] = payload.decode()
    except UnicodeDecodeError:
        message["payload_base64"] = base64.b64encode(payload).decode()
    if number % 11 == 0:
        message["retain"] = True
    properties = Properties(PacketTypes.PUBLISH)
    if v5 and number % 2:
        message["payload_format_indicator"] = properties.PayloadFormatIndicator = number % 4 // 2
        message["message_expiry_interval"] = properties.MessageExpiryInterval = number * 1_000
        message["content_type"] = properties.ContentType = "text/plain; charset=utf-8"
    if v5 and number % 3:
        message["response_topic"] = properties.ResponseTopic = "answers/\N{SNOWMAN}"
        properties.CorrelationData = b"\x00\xff" + bytes([number % 256])
        message["correlation_data_base64"] = base64.b64encode(properties.CorrelationData).decode()
        user = [("trace", str(number)), ("mqtt.qos", "9"), ("trace", "again"), ("", "")]
        properties.UserProperty = user
        message["user_properties"] = [list(pair) for pair in user]
    message["not_before"] = int(time.time() * 1_000)
    info = client.publish(message["topic"], payload, qos, message.get("retain", False), properties if v5 else None)
    sent.append(message)
    return info


def session(broker, sent, client_id, version):
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id=client_id, protocol=version)
    client.max_queued_messages_set(0)
    connected = threading.Event()
    client.on_connect = lambda *_: connected.set()
    client.connect("127.0.0.1", broker.port)
    client.loop_start()
    assert connected.wait(10)
    infos = [publish(client, sent, client_id, number, version == mqtt.MQTTv5) for number in range(MESSAGES)]
    for info in infos:
        info.wait_for_publish(30)
    # QoS 0 is not acknowledged; what is, behind it, tells that it was taken.
    publish(client, sent, client_id, 1, version == mqtt.MQTTv5).wait_for_publish(30)
    client.disconnect()
    client.loop_stop()
    latest = int(time.time() * 1_000) + 1
    for message in sent:
        message.setdefault("not_after", latest)


def read(broker, sent, *options):
    expected = os.path.join(broker.data, "..", "sent.jsonl")
    with open(expected, "w") as file:
        file.writelines(json.dumps(message) + "\n" for message in sent)
    folders = sorted(glob.glob(os.path.join(broker.data, "mqtt-*")))
    assert len(folders) == 4, folders
    command = [sys.executable, os.environ["READ_SEGMENTS"], *folders, "--expect", expected, *options]
    subprocess.run(command, check=True)


sent = []
broker = Broker("--segment-bytes", "1MiB")
session(broker, sent, "interop-5", mqtt.MQTTv5)
broker.kill()
print("after kill -9, files as they were left:", flush=True)
read(broker, sent)
broker.start()
session(broker, sent, "interop-311", mqtt.MQTTv311)
broker.stop()
print("after a clean stop, as a Kafka broker would take them over:", flush=True)
read(broker, sent, "--closed")
print("kafka-python: all checks passed")
