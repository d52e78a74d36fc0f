"""Republishing: a topic that was lost, or lost its end, is sent again from the store by the relay."""

from __future__ import annotations

from typing import Any

from caretrail_contracts.envelope import PARTITIONS
from caretrail_contracts.system import TopicRepublished

from chassis.database import Row, query
from chassis.office import Ground
from chassis.positions import Place
from operations import walking
from operations.walking import Tail
from web.http import Caller


class StoreBehind(Exception):
    """A topic holds more than the store: the store is the one that lacks something."""


async def compared(ground: Ground) -> dict[str, Any]:
    """A service's topic beside its store, by partition; ``state`` is whole, lacks, exceeds or missing.

    Told from offsets and the source's last records alone: what is missing in the midst shows by the count,
    unless records that were repeated, or are other cells', make up for it. Raises KafkaError.
    """
    before, source = await _stored(ground), ground.store.appender.origin.source
    found = await walking.tails(ground.settings.kafka_bootstrap, ground.topic, source)
    after = await _stored(ground)
    rows = [
        _compared(number, found[number], before.get(number, NOTHING), after.get(number, NOTHING))
        for number in sorted(found)
    ]
    states = {row["state"] for row in rows} if rows else {"missing"}
    return {
        "topic": ground.topic,
        "service": ground.service.name,
        "state": next((state for state in ("exceeds", "lacks", "missing") if state in states), "whole"),
        "partitions": len(rows),
        "records": sum(row["records"] for row in rows),
        "events": sum(row["events"] for row in after.values()),
        "by_partition": rows,
    }


async def _stored(ground: Ground) -> dict[int, Row]:
    rows = await ground.database.rows(PUBLISHED, ground.topic)
    return {row["partition"]: row for row in rows}


def _compared(number: int, tail: Tail, before: Row, after: Row) -> dict[str, Any]:
    last, records = tail.last.envelope.position if tail.last else 0, tail.ends - tail.begins
    lacks = last < before["published_to"] or records < before["published"]
    state = "exceeds" if last > after["head"] else "lacks" if lacks else "whole"
    return {
        "partition": number,
        "records": records,
        "last": last,
        "events": after["events"],
        "head": after["head"],
        "state": state,
    }


async def republish(ground: Ground, caller: Caller) -> dict[str, Any]:
    """Move the relay's mark back to where readers of the topic come, if it lacks anything; it is on record.

    Gives the position after which is sent again, and how many events that is. Raises StoreBehind, KafkaError.
    """
    source = ground.store.appender.origin.source
    found = await walking.walk(ground.settings.kafka_bootstrap, ground.topic, source, {})
    stored = await _stored(ground)
    for number, place in found.reached.items():
        if place.position > stored.get(number, NOTHING)["head"]:
            raise StoreBehind(f"{ground.topic}[{number}] ends at {place.position}")
    reached = [found.reached.get(number, NOWHERE).position for number in range(PARTITIONS)]
    row = await ground.database.row(LACKING, ground.topic, list(range(PARTITIONS)), reached)
    if row:
        event = TopicRepublished(topic=ground.topic, after=row["after"], events=row["events"])
        await ground.note(caller.cause(), "republished", event)
        await ground.database.rows(MOVE_BACK, row["after"], ground.topic)
    return {"topic": ground.topic, **(row or {"after": None, "events": 0})}


NOWHERE = Place(0, 0, None)
NOTHING: Row = {"events": 0, "head": 0, "published": 0, "published_to": 0}
PUBLISHED, LACKING = query("published", "operations"), query("lacking", "operations")
MOVE_BACK = b"update relay_mark set position = least(position, %s) where topic = %s returning position"
