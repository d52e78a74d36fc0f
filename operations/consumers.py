"""Consumers: how far a service's readers are, who owns them, and what people told them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import uuid4

from aiokafka import AIOKafkaConsumer, TopicPartition
from caretrail_contracts.envelope import PARTITIONS, topic_of
from caretrail_contracts.event import Event
from caretrail_contracts.system import ReadingPaused, ReadingReset, ReadingResumed
from psycopg.types.json import Jsonb

from chassis.database import Connection, fetch, query
from chassis.ids import derive
from chassis.office import Ground
from chassis.ownership import lock_number
from chassis.positions import OWN, Place, Positions
from operations import topics
from operations.noting import noted, sealed
from operations.parked import Person, still
from operations.topics import Ends


class UnknownTopic(LookupError):
    """The service does not read this topic."""


class UnknownPartition(LookupError):
    """The topic has no such partition."""


class NotPaused(Exception):
    """A reader is told from where to read only while it is paused; says which partitions are not."""


class OwnStore(Exception):
    """The own store has positions and no offsets: there is nothing to reset."""


class OutOfReach(Exception):
    """A partition holds no such offset."""

    def __init__(self, partition: int, ends: Ends) -> None:
        super().__init__(f"Partition {partition}: it holds the offsets {ends.begin} to {ends.end}.")


class WouldSkip(Exception):
    """Reading from there would pass over records that were never applied; says how many."""

    def __init__(self, partition: int, lost: int) -> None:
        super().__init__(
            f"Partition {partition}: {lost} records in between were never applied and do not come again: "
            "nothing is skipped."
        )


def parts(ground: Ground, topic: str, numbers: Sequence[int] | None) -> list[tuple[str, int]]:
    """The partitions of a topic, by its name or its service's, or of the ``store``.

    Raises UnknownTopic, UnknownPartition.
    """
    read = {topic_of(name, ground.settings.topic_prefix): name for name in ground.service.sources()}
    named = next((each for each, name in read.items() if topic in (each, name)), None)
    if topic != OWN and named is None:
        raise UnknownTopic(f"The service reads {', '.join(['store', *read.values()])}.")
    there = [0] if named is None else list(range(PARTITIONS))
    if not set(numbers or ()) <= set(there):
        has = f"The topic {named} has the partitions 0 to {there[-1]}." if named else "The store has 0 alone."
        raise UnknownPartition(has)
    return [(named or OWN, number) for number in sorted(set(numbers or there))]


async def states(ground: Ground) -> list[dict[str, Any]]:
    """Each partition that the service reads: how far, how far behind, by which process, what was told.

    Of a topic that is missing neither end nor lag is known. Raises KafkaError.
    """
    positions = Positions()
    await positions.load(ground.database.rows)
    told = {(row["topic"], row["partition"]): row for row in await ground.database.rows(READINGS)}
    every = [part for name in ground.service.sources() for part in parts(ground, name, None)]
    owners = await _owners(ground, [(OWN, 0), *every])
    found = [await _own(ground, positions)]
    if every:
        found += await _others(ground, positions, [TopicPartition(*part) for part in every], told)
    for each in found:
        part = (each["topic"], each["partition"])
        each |= {"service": ground.service.name, "owner": owners.get(part), **_told(told.get(part))}
    return found


def _told(row: dict[str, Any] | None) -> dict[str, Any]:
    if row is None:
        return {"paused": None, "reads_from": None}
    paused = {
        "since": row["paused_at"],
        "by": row["actor_id"],
        "role": row["actor_role"],
        "reason": row["reason"],
    }
    return {"paused": paused if row["paused_at"] else None, "reads_from": row["read_from"]}


async def _owners(ground: Ground, every: Sequence[tuple[str, int]]) -> dict[tuple[str, int], str]:
    """The process that holds each partition; those that nobody holds are left out."""
    locks = {lock_number(OWN if topic == OWN else f"{topic}[{part}]"): (topic, part) for topic, part in every}
    rows = await ground.database.rows(OWNERS, list(locks))
    return {locks[row["number"]]: row["process"] for row in rows}


async def _own(ground: Ground, positions: Positions) -> dict[str, Any]:
    at, head = positions.own(), await ground.store.head()
    behind = await ground.store.read(at, 1)
    waits = (ground.clock.now() - behind[0].envelope.recorded_at).total_seconds() if behind else 0.0
    place = {"topic": OWN, "partition": 0, "position": at, "head": head}
    # They follow the own topic beside this reader, and go on while it is paused.
    effects = [effect.name for effect in ground.service.effects]
    return {**place, "lag": head - at, "lag_s": round(max(waits, 0.0), 1), "effects": effects}


async def _others(
    ground: Ground, positions: Positions, every: list[TopicPartition], told: dict[tuple[str, int], Any]
) -> list[dict[str, Any]]:
    async with topics.looking(ground.settings.kafka_bootstrap) as reader:
        known = await reader.topics()
        there = [each for each in every if each.topic in known]
        ends = await topics.ends(reader, there) if there else {}
        within = {each: _within(positions, each, ends[each], told.get(tuple(each))) for each in there}
        open = {each: at for each, at in within.items() if at.begin < at.end}
        first = await topics.unapplied(reader, open, positions) if open else {}
    # The relay sends each record with the time of its recording: the service's clock on both sides.
    now, found = ground.clock.now().timestamp(), []
    rows = await ground.database.rows(MARKS)
    marks = {(row["topic"], row["partition"]): row["position"] for row in rows}
    for each in every:
        about = {**each._asdict(), "position": marks.get((each.topic, each.partition), 0)}
        if each not in ends:
            found.append({**about, "head": None, "lag": None, "lag_s": None})
            continue
        end = ends[each].end
        place, sent = first.get(each, (end, None))
        waits = 0.0 if place == end else None if sent is None else now - sent
        lag_s = None if waits is None else round(max(waits, 0.0), 1)
        found.append({**about, "head": end, "lag": end - place, "lag_s": lag_s})
    return found


def _within(positions: Positions, part: TopicPartition, ends: Ends, told: dict[str, Any] | None) -> Ends:
    """Where to look for what is not applied: nowhere behind the record applied last, if it is the newest."""
    if last := positions.last(*part):
        return ends if last[1].offset != ends.end - 1 else Ends(ends.end, ends.end)
    start = told["read_from"] if told else None
    return ends if start is None else Ends(min(max(start, ends.begin), ends.end), ends.end)


async def pause(ground: Ground, part: list[tuple[str, int]], reason: str, person: Person) -> list[int]:
    """Let partitions be read no more, in whichever process, until they are resumed; gives those that were.

    Of one that is paused already it stays on record since when, by whom and why.
    """
    why = await sealed(ground, reason)
    topic, numbers = part[0][0], [number for _, number in part]
    async with ground.database.transaction() as connection:
        values = (person.actor.id, person.actor.role, Jsonb(why.model_dump(mode="json")))
        rows = await fetch(connection, PAUSE, topic, *values, numbers)
        if paused := sorted(row["partition"] for row in rows):
            event = ReadingPaused(topic=topic, partitions=tuple(paused), reason=why)
            await _noted(ground, connection, "paused", event, person)
    return paused


async def resume(ground: Ground, part: list[tuple[str, int]], person: Person) -> list[int]:
    """Let them be read again; gives those that were paused. Where none was, nothing is recorded."""
    topic, numbers = part[0][0], [number for _, number in part]
    async with ground.database.transaction() as connection:
        rows = await fetch(connection, RESUME, topic, numbers)
        if resumed := sorted(row["partition"] for row in rows):
            event = ReadingResumed(topic=topic, partitions=tuple(resumed))
            await _noted(ground, connection, "resumed", event, person)
    return resumed


async def reset(
    ground: Ground, part: list[tuple[str, int]], to: int | datetime | None, reason: str, person: Person
) -> dict[int, int]:
    """Read paused partitions from an offset, a time or (None) the beginning on; gives the offset of each.

    All or none. What was applied stays marked and is passed over: the marks are the service's, not the
    offset. Raises OwnStore, NotPaused, OutOfReach, WouldSkip, TooFar, KafkaError.
    """
    topic, numbers = part[0][0], [number for _, number in part]
    if topic == OWN:
        raise OwnStore
    paused = {row["partition"] for row in await ground.database.rows(PAUSED, topic, numbers)}
    if missing := set(numbers) - paused:
        raise NotPaused(", ".join(map(str, sorted(missing))))
    positions = Positions()
    await positions.load(ground.database.rows)
    async with topics.looking(ground.settings.kafka_bootstrap) as reader:
        offsets = {
            each[1]: await _target(ground, reader, positions, TopicPartition(*each), to) for each in part
        }
    why = await sealed(ground, reason)
    async with still(ground) as connection:
        await connection.execute(FORGET, (topic, numbers))
        for number, offset in offsets.items():
            await connection.execute(READ_FROM, (offset, topic, number))
            event = ReadingReset(topic=topic, partition=number, offset=offset, reason=why)
            await _noted(ground, connection, "reset", event, person)
    return offsets


async def _target(
    ground: Ground,
    reader: AIOKafkaConsumer,
    positions: Positions,
    part: TopicPartition,
    to: int | datetime | None,
) -> int:
    """The offset to read a partition from. Raises OutOfReach, WouldSkip, TooFar."""
    ends = (await topics.ends(reader, [part]))[part]
    offset = to if isinstance(to, int) else ends.begin
    if isinstance(to, datetime):
        found = await topics.offset_of(reader, part, to)
        offset = ends.end if found is None else found
    if not ends.begin <= offset <= ends.end:
        raise OutOfReach(part.partition, ends)
    last, done = positions.last(*part), await _done(ground, part)
    begin = min((last[1].offset or 0) + 1, ends.end) if last else ends.begin
    if offset > begin and (lost := await topics.lost_between(reader, part, begin, offset, ends.end, done)):
        raise WouldSkip(part.partition, lost)
    return offset


async def _done(ground: Ground, part: TopicPartition) -> dict[str, Place]:
    """How far each source of a partition was applied."""
    rows = await ground.database.rows(DONE, *part)
    return {row["source"]: Place(row["epoch"], row["position"], row["kafka_offset"]) for row in rows}


async def _noted(ground: Ground, connection: Connection, kind: str, event: Event, person: Person) -> None:
    await noted(ground, connection, kind, derive(ground.service.name, kind, uuid4()), event, person)


OWNERS = query("owners", "operations")
MARKS = b"select topic, partition, max(position) as position from positions group by 1, 2"
READINGS = b"select * from readings"
DONE = b"select * from positions where topic = %s and partition = %s"
PAUSED = b"select partition from readings where topic = %s and partition = any(%s) and paused_at is not null"
PAUSE = b"""
insert into readings as r (topic, partition, paused_at, actor_id, actor_role, reason)
select %s, number, clock_timestamp(), %s, %s, %s from unnest(%s::smallint[]) as number
on conflict (topic, partition) do update set paused_at = excluded.paused_at, actor_id = excluded.actor_id,
    actor_role = excluded.actor_role, reason = excluded.reason
where r.paused_at is null
returning partition
"""
RESUME = b"""
update readings set paused_at = null, actor_id = null, actor_role = null, reason = null
where topic = %s and partition = any(%s::smallint[]) and paused_at is not null
returning partition
"""
FORGET = b"update positions set kafka_offset = null where topic = %s and partition = any(%s)"
READ_FROM = b"update readings set read_from = %s where topic = %s and partition = %s"
