"""Servers that the settings name instead of the home's own: what is on them, and what may be removed.

A demonstration begins on empty databases and topics. It removes those that it made itself, which its mark
in the home tells; what somebody else put there it leaves alone.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

import psycopg
from caretrail_contracts.envelope import topic_of
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from chassis.config import Settings
from deploy.local.programs import SERVICES
from deploy.topics import ANSWER_MAX_S, CRITICAL

DATABASES = {**dict.fromkeys(SERVICES, "events"), "keystore": "keys"}
"""Each database, and the table that is empty until somebody used it."""


class InUse(Exception):
    """Databases or topics on a named server hold what no demonstration of this home put there."""


@dataclass(frozen=True)
class Place:
    """A server and the beginning of all names there; the password is no part of it."""

    server: str
    prefix: str


def places(settings: Settings) -> dict[str, Place]:
    """Where ``postgres`` and ``kafka`` are, as far as the settings name them."""
    found = {}
    if settings.postgres_url:
        parts = conninfo_to_dict(settings.postgres_url.get_secret_value())
        server = f"{parts.get('host', '')}:{parts.get('port', '')}"
        found["postgres"] = Place(server, settings.database_prefix)
    if settings.kafka_bootstrap:
        found["kafka"] = Place(settings.kafka_bootstrap, settings.topic_prefix)
    return found


def make_empty(settings: Settings, own: dict[str, Place]) -> None:
    """Remove what stands at places of an ``own`` earlier demonstration; see that all others are empty.

    Raises InUse before anything is removed, psycopg.Error, KafkaException.
    """
    wanted = places(settings)
    if "postgres" in wanted and wanted["postgres"] != own.get("postgres"):
        _refuse("databases", sorted(_used_databases(settings)))
    if "kafka" in wanted and wanted["kafka"] != own.get("kafka"):
        _refuse("topics", sorted(_used_topics(settings)))
    if "postgres" in wanted and wanted["postgres"] == own.get("postgres"):
        _drop_databases(settings)
    if "kafka" in wanted and wanted["kafka"] == own.get("kafka"):
        _delete_topics(settings)


def _refuse(what: str, names: list[str]) -> None:
    if names:
        raise InUse(f"the {what} {', '.join(names)} are in use")


def _admin(settings: Settings) -> str:
    assert settings.postgres_url
    return settings.postgres_url.get_secret_value()


def _there(connection: psycopg.Connection, query: str, name: str) -> bool:
    return connection.execute(query.encode(), (name,)).fetchone() is not None


def _used_databases(settings: Settings) -> Iterator[str]:
    """Databases of this prefix that hold events or keys; those that were only migrated are empty."""
    with psycopg.connect(_admin(settings), connect_timeout=5) as connection:
        there = [
            name
            for name in DATABASES
            if _there(connection, DATABASE_THERE, f"{settings.database_prefix}_{name}")
        ]
    for name in there:
        database, table = f"{settings.database_prefix}_{name}", DATABASES[name]
        with psycopg.connect(make_conninfo(_admin(settings), dbname=database)) as connection:
            if not _there(connection, TABLE_THERE, table):
                continue
            first = sql.SQL("select from {} limit 1").format(sql.Identifier(table))
            if connection.execute(first).fetchone() is not None:
                yield database


DATABASE_THERE = "select from pg_database where datname = %s"
TABLE_THERE = "select from pg_tables where schemaname = 'public' and tablename = %s"


def _drop_databases(settings: Settings) -> None:
    with psycopg.connect(_admin(settings), autocommit=True, connect_timeout=5) as connection:
        for name in DATABASES:
            database = sql.Identifier(f"{settings.database_prefix}_{name}")
            connection.execute(sql.SQL("drop database if exists {} with (force)").format(database))
            connection.execute(sql.SQL("drop role if exists {}").format(database))


def _topics(settings: Settings) -> tuple[AdminClient, dict[str, int]]:
    """A client, and the topics of this prefix that are there, each with its number of partitions."""
    admin = AdminClient({"bootstrap.servers": settings.kafka_bootstrap, "log_level": CRITICAL})
    there = admin.list_topics(timeout=ANSWER_MAX_S).topics
    names = [topic_of(service, settings.topic_prefix) for service in SERVICES]
    return admin, {name: len(there[name].partitions) for name in names if name in there}


def _used_topics(settings: Settings) -> set[str]:
    admin, topics = _topics(settings)
    latest = {
        TopicPartition(name, number): OffsetSpec.latest()  # type: ignore[no-untyped-call]
        for name, count in topics.items()
        for number in range(count)
    }
    if not latest:
        return set()
    asked = admin.list_offsets(latest, request_timeout=ANSWER_MAX_S)
    return {partition.topic for partition, found in asked.items() if found.result().offset > 0}


def _delete_topics(settings: Settings) -> None:
    admin, topics = _topics(settings)
    if not topics:
        return
    for deleted in admin.delete_topics(list(topics), request_timeout=ANSWER_MAX_S).values():
        deleted.result()
    until = time.monotonic() + ANSWER_MAX_S
    while left := sorted(_topics(settings)[1]):
        if time.monotonic() > until:
            raise InUse(f"the topics {', '.join(left)} were deleted and are there still")
        time.sleep(0.1)
