"""Topics, made by an administrator beside the databases: they keep everything, and never come by accident."""

from __future__ import annotations

import time
from collections.abc import Iterable

from caretrail_contracts.envelope import PARTITIONS, topic_of
from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, NewTopic
from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from chassis.kafka import RECORD_BYTES_MAX

KEEPING = {"retention.ms": "-1", "max.message.bytes": str(RECORD_BYTES_MAX)}
"""A topic's settings, however many replicas it has."""

ANSWER_MAX_S = 30.0
"""How long the broker may take to answer, and new topics to have leaders."""

SEEN_MAX_S = 10.0
"""How long a broker that somebody named may take to be seen."""

CRITICAL = 2
"""Below this the client is silent: what fails is raised, and its end may come after the broker's."""


class Replication(BaseSettings):
    """``CARETRAIL_TOPIC_REPLICAS``: brokers that keep a copy of each topic; 0 leaves it to their default.

    In production 3, so that one broker and its disk may be lost: the relay's acks=all then means that most
    of the replicas have a record (``min.insync.replicas``), and writes go on with those that are left.
    """

    model_config = SettingsConfigDict(
        env_prefix="CARETRAIL_", env_file=".env", extra="ignore", frozen=True, env_ignore_empty=True
    )

    topic_replicas: int = Field(0, ge=0, le=9)


class NotLed(Exception):
    """A new topic has no leader in time: a broker is missing."""


def make_topics(bootstrap: str, services: Iterable[str], prefix: str) -> list[str]:
    """The topic of each service, made where it is missing; those that are there stay as they are.

    As many replicas as the environment's ``Replication`` says. Raises KafkaException, NotLed.
    """
    names = [topic_of(service, prefix) for service in services]
    admin = _admin(bootstrap)
    wanted = [_wanted(name, Replication().topic_replicas) for name in names]
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


def _wanted(name: str, replicas: int) -> NewTopic:
    if not replicas:
        return NewTopic(name, PARTITIONS, config=KEEPING)
    most = {"min.insync.replicas": str(replicas // 2 + 1)}
    return NewTopic(name, PARTITIONS, replication_factor=replicas, config=KEEPING | most)


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
