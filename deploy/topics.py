"""Topics, made by an administrator beside the databases: they keep everything, and never come by accident."""

from __future__ import annotations

import time
from collections.abc import Iterable

from caretrail_contracts.envelope import PARTITIONS, topic_of
from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, NewTopic

from chassis.kafka import RECORD_BYTES_MAX

KEEPING = {"retention.ms": "-1", "max.message.bytes": str(RECORD_BYTES_MAX)}
"""A topic's settings; how many replicas it has is the broker's default."""

ANSWER_MAX_S = 30.0
"""How long the broker may take to answer, and new topics to have leaders."""

SEEN_MAX_S = 10.0
"""How long a broker that somebody named may take to be seen."""

CRITICAL = 2
"""Below this the client is silent: what fails is raised, and its end may come after the broker's."""


class NotLed(Exception):
    """A new topic has no leader in time: a broker is missing."""


def make_topics(bootstrap: str, services: Iterable[str], prefix: str) -> list[str]:
    """The topic of each service, made where it is missing; those that are there stay as they are.

    Raises KafkaException, NotLed.
    """
    names = [topic_of(service, prefix) for service in services]
    admin = _admin(bootstrap)
    wanted = [NewTopic(name, PARTITIONS, config=KEEPING) for name in names]
    for made in admin.create_topics(wanted, request_timeout=ANSWER_MAX_S).values():
        try:
            made.result()
        except KafkaException as error:
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise
    _until_led(admin, set(names))
    return names


def see(bootstrap: str) -> None:
    """See that a broker answers. Raises KafkaException."""
    _admin(bootstrap).list_topics(timeout=SEEN_MAX_S)


def _admin(bootstrap: str) -> AdminClient:
    return AdminClient({"bootstrap.servers": bootstrap, "log_level": CRITICAL})


def _until_led(admin: AdminClient, names: set[str]) -> None:
    """Before partitions have leaders, clients back off and log errors."""
    until = time.monotonic() + ANSWER_MAX_S
    while waiting := names - _led(admin):
        if time.monotonic() > until:
            raise NotLed(", ".join(sorted(waiting)))
        time.sleep(0.02)


def _led(admin: AdminClient) -> set[str]:
    topics = admin.list_topics(timeout=ANSWER_MAX_S).topics
    return {
        name
        for name, topic in topics.items()
        if len(topic.partitions) == PARTITIONS and all(p.leader >= 0 for p in topic.partitions.values())
    }
