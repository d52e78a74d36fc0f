"""Republishing: a topic that was lost, or lost its end, is sent again from the store by the relay."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from caretrail_contracts.envelope import PARTITIONS, Envelope
from caretrail_contracts.system import TopicRepublished

from chassis.database import Row, arrays, query
from chassis.office import Ground
from chassis.positions import Place
from operations import walking
from operations.walking import Tail
from web.http import Caller


class StoreBehind(Exception):
    """A topic holds more than the store: the store is the one that lacks something."""


async def compared(ground: Ground) -> dict[str, Any]:
    """A service's topic beside its store, by partition; ``state`` is whole, late, lacks, exceeds or
    missing.

    Told from offsets and the source's last records alone: what is missing in the midst shows by the count,
    unless records that were repeated, or are other cells', make up for it. So it is where
    a record of a former epoch ends a partition: a relay of that epoch may repeat it. Raises KafkaError.
    """
    before, source = await _stored(ground), ground.store.appender.origin.source
    found = await walking.tails(ground.settings.kafka_bootstrap, ground.topic, source)
    after = await _stored(ground)
    lasts = {number: tail.last.envelope for number, tail in found.items() if tail.last}
    late = await _late(ground, lasts)
    former = {number for number, last in lasts.items() if last.epoch < ground.store.appender.epoch}
    rows = []
    for number in sorted(found):
        stored = before.get(number, NOTHING), after.get(number, NOTHING)
        rows.append(_compared(number, found[number], *stored, number in late, number in former))
    states = {row["state"] for row in rows} if rows else {"missing"}
    return {
        "topic": ground.topic,
        "service": ground.service.name,
        "state": next(
            (state for state in ("exceeds", "lacks", "missing", "late") if state in states), "whole"
        ),
        "partitions": len(rows),
        "records": sum(row["records"] for row in rows),
        "events": sum(row["events"] for row in after.values()),
        "by_partition": rows,
    }


async def _stored(ground: Ground) -> dict[int, Row]:
    rows = await ground.database.rows(PUBLISHED, ground.topic)
    return {row["partition"]: row for row in rows}


async def _late(ground: Ground, lasts: Mapping[int, Place | Envelope]) -> dict[int, int]:
    """Of the last records of partitions those that a process of a former epoch sent late, and the store never
    had: for each partition the position up to which the store has that epoch there."""
    spots = [(number, last.epoch, last.position) for number, last in lasts.items()]
    if not spots:
        return {}
    rows = await ground.database.rows(FORMER, ground.store.appender.epoch, *arrays(spots))
    return {row["partition"]: row["head"] for row in rows}


def _compared(number: int, tail: Tail, before: Row, after: Row, late: bool, former: bool) -> dict[str, Any]:
    last, records = tail.last.envelope.position if tail.last else 0, tail.ends - tail.begins
    lacks = (last < before["published_to"] and not former) or records < before["published"]
    state = "late" if late else "exceeds" if last > after["head"] else "lacks" if lacks else "whole"
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
    late = await _late(ground, found.reached)
    for number, place in found.reached.items():
        if number not in late and place.position > stored.get(number, NOTHING)["head"]:
            raise StoreBehind(f"{ground.topic}[{number}] ends at {place.position}")
    reached = [late.get(number, found.reached.get(number, NOWHERE).position) for number in range(PARTITIONS)]
    row = await ground.database.row(LACKING, ground.topic, list(range(PARTITIONS)), reached)
    if row:
        event = TopicRepublished(topic=ground.topic, after=row["after"], events=row["events"])
        await ground.note(caller.cause(), "republished", event)
        await ground.database.rows(MOVE_BACK, row["after"], ground.topic)
    return {"topic": ground.topic, **(row or {"after": None, "events": 0})}


NOWHERE = Place(0, 0, None)
NOTHING: Row = {"events": 0, "head": 0, "published": 0, "published_to": 0}
PUBLISHED, LACKING = query("published", "operations"), query("lacking", "operations")
FORMER = b"""
select n.partition, coalesce(max(e.position), 0) as head
from (select %s::integer as epoch) now
cross join unnest(%s::smallint[], %s::integer[], %s::bigint[]) as n (partition, epoch, position)
left join events e on e.partition = n.partition and e.epoch <= n.epoch
where n.epoch < now.epoch
    and not exists (select from events k where (k.position, k.epoch) = (n.position, n.epoch))
group by n.partition
"""
MOVE_BACK = b"update relay_mark set position = least(position, %s) where topic = %s returning position"
