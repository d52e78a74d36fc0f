"""Draining: what a store holds and its topic does not yet is published, while the service is stopped."""

from __future__ import annotations

import asyncio

from caretrail_contracts.envelope import topic_of

from chassis.config import Settings, database_url
from chassis.database import connect, fetch
from chassis.runtime import Role, Runtime
from chassis.service import Service
from operations.restoring import recover

DRAINED_MAX_S = 60.0
LOOK_S = 0.05


async def drain(service: Service, settings: Settings) -> None:
    """Publish what waits, by the service's own relay; none of its processes runs.

    Raises Behind where the store must not publish, TimeoutError where Kafka takes nothing.
    """
    topic = topic_of(service.name, settings.topic_prefix)
    connection = await connect(database_url(settings, service.name))
    try:
        if await fetch(connection, WAITS, topic):
            await recover(service, settings)
            async with asyncio.timeout(DRAINED_MAX_S), Runtime(service, settings, Role.RELAY):
                while await fetch(connection, WAITS, topic):  # noqa: ASYNC110 a relay that tells nobody
                    await asyncio.sleep(LOOK_S)
    finally:
        await connection.close()


WAITS = b"""
select from events
where position > coalesce((select position from relay_mark where topic = %s), 0) limit 1
"""
