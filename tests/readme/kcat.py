"""What kcat prints for the README's line, by a plain client: kcat itself need not be installed."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from confluent_kafka import Consumer, Message, TopicPartition

WAIT_S = 30.0


def as_kcat(line: str) -> str:
    """The messages of a topic as ``kcat -b BROKER -C -e -t TOPIC -f FORMAT`` prints them."""
    program, *words = shlex.split(line)
    assert program == "kcat"
    words.remove("-C")  # consume
    words.remove("-e")  # end with the last message
    given = dict(zip(words[::2], words[1::2], strict=True))
    assert given.keys() == {"-b", "-t", "-f"}
    shown = given["-f"].replace("\\n", "\n")
    return "".join(
        shown.replace("%h", _headers(message)).replace("%s", (message.value() or b"").decode())
        for message in _messages(given["-b"], given["-t"])
    )


def _headers(message: Message) -> str:
    found = message.headers() or []
    pairs = found.items() if isinstance(found, dict) else found
    texts = {name: value.decode() if isinstance(value, bytes) else value for name, value in pairs}
    return ",".join(f"{name}={text}" for name, text in texts.items())


def _messages(bootstrap: str, topic: str) -> Iterator[Message]:
    """Every message of a topic, partition by partition."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "readme", "enable.auto.commit": False})
    for number in consumer.list_topics(topic, timeout=WAIT_S).topics[topic].partitions:
        first, end = consumer.get_watermark_offsets(TopicPartition(topic, number), timeout=WAIT_S)
        consumer.assign([TopicPartition(topic, number, first)])
        for _ in range(first, end):
            message = consumer.poll(WAIT_S)
            assert message is not None
            yield message
    consumer.close()
