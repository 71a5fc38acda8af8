"""aiomqtt, the asyncio face of paho-mqtt, against a broker on 127.0.0.1:$MQTT_PORT."""

import asyncio
import contextlib
import os
import socket

import aiomqtt
from aiomqtt import ProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

from checks import by_topic, check, summary

PORT = int(os.environ["MQTT_PORT"])
RUN = f"aiomqtt-{os.getpid()}"
WAIT_SECS = 10
# Long enough for what must not come to come.
SILENT_SECS = 0.3


def client(version, name, lasting=False, **options):
    """Not yet connected: that is what `async with` does."""
    if version == ProtocolVersion.V5:
        options["properties"] = Properties(PacketTypes.CONNECT)
        options["properties"].SessionExpiryInterval = 3600 if lasting else 0
        options["clean_start"] = not lasting
    else:
        options["clean_session"] = not lasting
    return aiomqtt.Client("127.0.0.1", PORT, identifier=f"{RUN}-{name}", protocol=version, timeout=WAIT_SECS, **options)


async def take(of, count):
    return [await asyncio.wait_for(anext(of.messages), WAIT_SECS) for _ in range(count)]


async def silent(of):
    await asyncio.sleep(SILENT_SECS)
    return len(of.messages) == 0


def granted(reasons):
    return [getattr(reason, "value", reason) for reason in reasons]


async def every_qos(version, listener, talker):
    for qos in (0, 1, 2):
        name, prefix = f"{version.name} QoS {qos}", f"{RUN}/{version.name}/{qos}"
        asked = SubscribeOptions(qos=qos) if version == ProtocolVersion.V5 else qos
        reasons = await listener.subscribe([(f"{prefix}/+/x/#", asked), (f"{prefix}/exact", asked)])
        check(f"{name}: granted", granted(reasons), [qos, qos])
        sent = [(f"{prefix}/{number % 3}/x/y", str(number).encode(), qos, False) for number in range(20)]
        for topic, payload, _, _ in sent:
            await talker.publish(topic, payload, qos)
        await talker.publish(f"{prefix}/0/y", "not asked for", qos)
        got = [(str(message.topic), message.payload, message.qos, message.retain) for message in await take(listener, 20)]
        check(f"{name}: live, wildcards, in order of each topic", by_topic(got), by_topic(sent))
        await talker.publish(f"{prefix}/kept", "old", qos, retain=True)
        await talker.publish(f"{prefix}/kept", "new", qos, retain=True)
        # QoS 0 is not acknowledged; what is, behind it on the same connection, tells that it was taken.
        await talker.publish("flush", "", 1)
        await listener.subscribe(f"{prefix}/kept", qos)
        [message] = await take(listener, 1)
        check(f"{name}: retained", (message.payload, message.qos, message.retain), (b"new", qos, True))
        await listener.unsubscribe(f"{prefix}/kept")
        await talker.publish(f"{prefix}/kept", "", qos, retain=True)
        await talker.publish("flush", "", 1)
        check(f"{name}: unsubscribed, and nothing else", await silent(listener), True)


async def wills(version, listener):
    topic = f"{RUN}/{version.name}/will"
    await listener.subscribe(topic, 1)
    async with client(version, "polite", will=aiomqtt.Will(topic, "must not come", 1)):
        pass
    with contextlib.suppress(aiomqtt.MqttError):
        async with client(version, "doomed", will=aiomqtt.Will(topic, "died", 1)) as doomed:
            # The network goes away without a word: aiomqtt sees it, and has no goodbye left to say.
            doomed._client.socket().shutdown(socket.SHUT_RDWR)
            await anext(doomed.messages)
    [message] = await take(listener, 1)
    check(f"{version.name}: will of the one that died", message.payload, b"died")
    check(f"{version.name}: and only that", await silent(listener), True)


async def sessions(version, talker):
    filter = f"{RUN}/{version.name}/away/#"
    async with client(version, f"away-{version.name}", lasting=True) as away:
        await away.subscribe(filter, 2)
    for number in range(50):
        # A topic has one QoS: paho hands QoS 2 over when it is released, and QoS 1 overtakes it.
        await talker.publish(filter.replace("#", str(number % 4)), str(number), 1 + number % 2)
    async with client(version, f"away-{version.name}", lasting=True) as away:
        numbers = [int(message.payload) for message in await take(away, 50)]
        check(f"{version.name}: what came while away, each once", sorted(numbers), list(range(50)))
        for topic in range(4):
            of_topic = [number for number in numbers if number % 4 == topic]
            check(f"{version.name}: in order of topic {topic}", of_topic, sorted(of_topic))
        check(f"{version.name}: nothing twice", await silent(away), True)
    async with client(version, f"away-{version.name}") as away:
        await talker.publish(filter.replace("#", "0"), "too late", 1)
        check(f"{version.name}: a clean start forgets the subscription", await silent(away), True)


async def properties(listener, talker):
    subscribing = Properties(PacketTypes.SUBSCRIBE)
    subscribing.SubscriptionIdentifier = 77
    await listener.subscribe(f"{RUN}/properties", 1, properties=subscribing)
    sending = Properties(PacketTypes.PUBLISH)
    sending.PayloadFormatIndicator = 1
    sending.MessageExpiryInterval = 60
    sending.ContentType = "text/plain"
    sending.ResponseTopic = "answers/here"
    sending.CorrelationData = b"\x00\xff"
    sending.UserProperty = [("a", "1"), ("a", "2")]
    await talker.publish(f"{RUN}/properties", "text", 1, properties=sending)
    [message] = await take(listener, 1)
    got = message.properties
    check("V5: payload format", got.PayloadFormatIndicator, 1)
    check("V5: expiry goes down", 0 < got.MessageExpiryInterval <= 60, True)
    check("V5: content type", got.ContentType, "text/plain")
    check("V5: response topic", got.ResponseTopic, "answers/here")
    check("V5: correlation data", got.CorrelationData, b"\x00\xff")
    check("V5: user properties", got.UserProperty, [("a", "1"), ("a", "2")])
    check("V5: subscription identifier", got.SubscriptionIdentifier, [77])


async def expiry(talker):
    filter = f"{RUN}/expiry"
    async with client(ProtocolVersion.V5, "sleeper", lasting=True) as sleeper:
        await sleeper.subscribe(filter, 1)
    short, long = Properties(PacketTypes.PUBLISH), Properties(PacketTypes.PUBLISH)
    short.MessageExpiryInterval, long.MessageExpiryInterval = 1, 600
    await talker.publish(filter, "short", 1, properties=short)
    await talker.publish(filter, "long", 1, properties=long)
    # The clock of the message: whole seconds.
    await asyncio.sleep(2.1)
    async with client(ProtocolVersion.V5, "sleeper", lasting=True) as sleeper:
        [message] = await take(sleeper, 1)
        check("V5: what has expired does not come", message.payload, b"long")
        check("V5: the time it waited is taken off", message.properties.MessageExpiryInterval <= 598, True)
        check("V5: and nothing else", await silent(sleeper), True)


async def aliases(listener, talker):
    await listener.subscribe(f"{RUN}/alias", 1)
    sending = Properties(PacketTypes.PUBLISH)
    sending.TopicAlias = 3
    await talker.publish(f"{RUN}/alias", "named", 1, properties=sending)
    await talker.publish("", "by alias", 1, properties=sending)
    got = [(str(message.topic), message.payload) for message in await take(listener, 2)]
    check("V5: a topic alias is taken", got, [(f"{RUN}/alias", b"named"), (f"{RUN}/alias", b"by alias")])
    # Which ends the connection; aiomqtt tells who waits for messages, and why.
    unknown = Properties(PacketTypes.PUBLISH)
    unknown.TopicAlias = 60_000
    try:
        async with client(ProtocolVersion.V5, "alias-fool") as fool:
            await fool.publish(f"{RUN}/alias", "beyond the maximum", properties=unknown)
            await asyncio.wait_for(anext(fool.messages), WAIT_SECS)
    except aiomqtt.MqttError as error:
        check("V5: an alias beyond the maximum is refused", "Topic alias invalid" in f"{error} {error.__cause__}", True)
    else:
        raise AssertionError("an alias beyond the maximum is taken")
    check("V5: and nothing of it comes", await silent(listener), True)


async def options(listener, talker):
    topic = f"{RUN}/options"
    await talker.publish(topic, "kept", 1, retain=True)
    await listener.subscribe(topic, options=SubscribeOptions(qos=1, noLocal=True, retainAsPublished=True, retainHandling=2))
    await listener.publish(topic, "own", 1)
    await talker.publish(topic, "kept again", 1, retain=True)
    [message] = await take(listener, 1)
    check("V5: no local, retain as published, retain handling 2", (message.payload, message.retain), (b"kept again", True))
    check("V5: and nothing else", await silent(listener), True)
    await talker.publish(topic, "", 1, retain=True)


async def shared(talker):
    async with client(ProtocolVersion.V5, "shares-1") as first, client(ProtocolVersion.V311, "shares-2") as second:
        for member in (first, second):
            await member.subscribe(f"$share/group/{RUN}/shared/#", 1)
        for number in range(100):
            await talker.publish(f"{RUN}/shared/{number % 5}", str(number), 1)
        for _ in range(WAIT_SECS * 10):
            if len(first.messages) + len(second.messages) >= 100:
                break
            await asyncio.sleep(0.1)
        await asyncio.sleep(SILENT_SECS)
        shares = [[int(message.payload) for message in await take(member, len(member.messages))] for member in (first, second)]
        check("shared: each to one of both", sorted(shares[0] + shares[1]), list(range(100)))
        check("shared: both have work", all(shares), True)


async def main():
    for version in (ProtocolVersion.V31, ProtocolVersion.V311, ProtocolVersion.V5):
        async with client(version, "listener") as listener, client(version, "talker") as talker:
            await every_qos(version, listener, talker)
            await wills(version, listener)
            await sessions(version, talker)
            if version == ProtocolVersion.V5:
                await properties(listener, talker)
                await aliases(listener, talker)
                await options(listener, talker)
                await expiry(talker)
                await shared(talker)
    summary("aiomqtt")


asyncio.run(main())
