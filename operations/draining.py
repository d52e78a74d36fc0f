"""Draining: what a store holds and its topic does not yet is published, while the service is stopped."""

from __future__ import annotations

import asyncio

from aiokafka.errors import KafkaError
from caretrail_contracts.envelope import topic_of

from chassis.config import Settings, database_url
from chassis.database import LOST, connect, fetch
from chassis.relay import Relay, outgoing
from chassis.runtime import Role, Runtime
from chassis.service import Service
from operations.away import Silent
from operations.restoring import Behind, recover
from operations.topics import looking

DRAINED_MAX_S = 60.0
LOOK_S = 0.05


class NotDrained(Exception):
    """A store must not publish what it holds, or cannot: it is behind its topic, or damaged."""


class NotTaken(Exception):
    """The store is well, and Kafka does not take what it holds: it is away, or has no such topic."""


async def drain(service: Service, settings: Settings) -> None:
    """Publish what waits, by a relay of the service's own, while none of its processes runs.

    Raises NotDrained, NotTaken, psycopg.Error.
    """
    topic = topic_of(service.name, settings.topic_prefix)
    connection = await connect(database_url(settings, service.name))
    try:
        if await fetch(connection, WAITS, topic):
            await recover(service, settings)
            await _see_topic(settings, service.name, topic)
            async with asyncio.timeout(DRAINED_MAX_S), Runtime(service, settings, Role.RELAY):
                while await fetch(connection, WAITS, topic):  # noqa: ASYNC110 the relay tells nobody
                    await asyncio.sleep(LOOK_S)
    except (Behind, RuntimeError, *LOST) as error:
        raise NotDrained(str(error)) from error
    except (KafkaError, Silent) as error:
        raise NotTaken(f"Kafka does not answer: {type(error).__name__}") from error
    except TimeoutError as error:
        [row] = await fetch(connection, "select max(epoch) as epoch from origin")
        # Where it cannot be read, that is why.
        await outgoing(connection, None, topic, row["epoch"], Relay.batch_max)
        raise NotTaken(f"Kafka took not all of it within {DRAINED_MAX_S:.0f} s") from error
    finally:
        await connection.close()


async def _see_topic(settings: Settings, name: str, topic: str) -> None:
    """See that there is a topic to publish to: a relay would wait for it. Raises NotTaken, KafkaError."""
    async with looking(settings.kafka_bootstrap) as reader:
        if topic not in await reader.topics():
            raise NotTaken(f"there is no topic {topic}: `caretrail topics restore {name}` makes it")


WAITS = b"""
select from events
where position > coalesce((select position from relay_mark where topic = %s), 0) limit 1
"""
