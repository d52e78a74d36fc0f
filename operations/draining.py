"""Draining: what a store holds and its topic does not yet is published, while the service is stopped."""

from __future__ import annotations

import asyncio

from aiokafka.errors import KafkaError
from caretrail_contracts.envelope import topic_of

from chassis.config import Settings, database_url
from chassis.database import LOST, connect, fetch
from chassis.runtime import Role, Runtime
from chassis.service import Service
from operations.restoring import Behind, recover

DRAINED_MAX_S = 60.0
LOOK_S = 0.05


class NotDrained(Exception):
    """A store must not publish what it holds, or cannot: it is behind its topic or damaged, or Kafka away."""


async def drain(service: Service, settings: Settings) -> None:
    """Publish what waits, by a relay of the service's own, while none of its processes runs.

    Raises NotDrained, psycopg.Error.
    """
    topic = topic_of(service.name, settings.topic_prefix)
    connection = await connect(database_url(settings, service.name))
    try:
        if await fetch(connection, WAITS, topic):
            await recover(service, settings)
            async with asyncio.timeout(DRAINED_MAX_S), Runtime(service, settings, Role.RELAY):
                while await fetch(connection, WAITS, topic):  # noqa: ASYNC110 the relay tells nobody
                    await asyncio.sleep(LOOK_S)
    except (Behind, KafkaError, RuntimeError, *LOST) as error:
        raise NotDrained(str(error)) from error
    except TimeoutError as error:
        raise NotDrained(f"Kafka took not all of it within {DRAINED_MAX_S:.0f} s") from error
    finally:
        await connection.close()


WAITS = b"""
select from events
where position > coalesce((select position from relay_mark where topic = %s), 0) limit 1
"""
