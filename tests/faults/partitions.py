"""How the partitions of a stack stand, as an administrator sees them."""

from __future__ import annotations

from collections.abc import Callable

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient, PartitionMetadata

UNKNOWN = -1
"""Nobody answers."""


def not_led(bootstrap: str) -> int:
    """How many partitions have no leader."""
    return _count(bootstrap, lambda part: part.leader < 0)


def not_in_sync(bootstrap: str) -> int:
    """How many partitions lack a replica that is in sync."""
    return _count(bootstrap, lambda part: len(part.isrs) < len(part.replicas))


def _count(bootstrap: str, lacks: Callable[[PartitionMetadata], bool]) -> int:
    try:
        topics = AdminClient({"bootstrap.servers": bootstrap, "log_level": 2}).list_topics(timeout=5).topics
    except KafkaException:
        return UNKNOWN
    return sum(lacks(part) for topic in topics.values() for part in topic.partitions.values())
