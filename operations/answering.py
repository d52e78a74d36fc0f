"""Answering: a look at Kafka for who asks over HTTP; where Kafka does not answer, that is the answer."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from operations.away import KAFKA_AWAY
from web.problems import Problem


@contextmanager
def answering() -> Iterator[None]:
    """What Kafka does not answer, as a problem."""
    try:
        yield
    except KAFKA_AWAY:
        raise Problem(503, "KafkaAway", "Kafka does not answer: ask again.") from None
