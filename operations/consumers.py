"""Consumers: how far a service's readers are, who owns them, and what people told them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import uuid4

from aiokafka import TopicPartition
from caretrail_contracts.envelope import PARTITIONS, topic_of
from caretrail_contracts.event import Event
from caretrail_contracts.sealed import FreeText, Sealed
from caretrail_contracts.system import ReadingPaused, ReadingReset, ReadingResumed
from psycopg.types.json import Jsonb

from chassis.command import Cause, Commit
from chassis.database import Connection, query
from chassis.ids import derive
from chassis.office import Ground
from chassis.ownership import lock_number
from chassis.positions import OWN, Place, Positions
from operations import topics
from operations.parked import Person, still
from operations.topics import Ends


class UnknownTopic(LookupError):
    """The service does not read this topic."""


class UnknownPartition(LookupError):
    """The topic has no such partition."""


class NotPaused(Exception):
    """A reader is told from where to read only while it is paused."""


class OwnStore(Exception):
    """The own store has positions and no offsets: there is nothing to reset."""


class OutOfReach(Exception):
    """A partition holds no such offset."""

    def __init__(self, ends: Ends) -> None:
        super().__init__(f"{ends.begin} to {ends.end}")
        self.ends = ends


class WouldSkip(Exception):
    """Reading from there would pass over records that were never applied; says how many."""


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

    Raises KafkaError.
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
    return {**place, "lag": head - at, "lag_s": round(max(waits, 0.0), 1)}


async def _others(
    ground: Ground, positions: Positions, every: list[TopicPartition], told: dict[tuple[str, int], Any]
) -> list[dict[str, Any]]:
    async with topics.looking(ground.settings.kafka_bootstrap) as reader:
        ends = await topics.ends(reader, every)
        next = {each: _next(positions, each, ends[each], told.get(tuple(each))) for each in every}
        behind = {each: at for each, at in next.items() if at < ends[each].end}
        sent = await topics.sent_at(reader, behind) if behind else {}
    # The relay sends each record with the time of its recording: the service's clock on both sides.
    now, found = ground.clock.now().timestamp(), []
    rows = await ground.database.rows(MARKS)
    marks = {(row["topic"], row["partition"]): row["position"] for row in rows}
    for each in every:
        waits = now - sent[each] if each in sent else None if each in behind else 0.0
        found.append(
            {
                **each._asdict(),
                "position": marks.get((each.topic, each.partition), 0),
                "head": ends[each].end,
                "lag": ends[each].end - next[each],
                "lag_s": None if waits is None else round(max(waits, 0.0), 1),
            }
        )
    return found


def _next(positions: Positions, part: TopicPartition, ends: Ends, told: dict[str, Any] | None) -> int:
    """The offset that is read next: behind the record applied last, else as told, else the first."""
    if last := positions.last(*part):
        return min((last[1].offset or 0) + 1, ends.end)
    start = told["read_from"] if told else None
    return ends.begin if start is None else min(max(start, ends.begin), ends.end)


async def pause(ground: Ground, part: list[tuple[str, int]], reason: str, person: Person) -> None:
    """Let partitions be read no more, in whichever process, until they are resumed."""
    sealed = await _sealed(ground, reason)
    numbers = tuple(number for _, number in part)
    event = ReadingPaused(topic=part[0][0], partitions=numbers, reason=sealed)
    async with ground.database.transaction() as connection:
        values = (person.actor.id, person.actor.role, Jsonb(sealed.model_dump(mode="json")))
        await connection.execute(PAUSE, (part[0][0], *values, list(numbers)))
        await _noted(ground, connection, "paused", event, person)


async def resume(ground: Ground, part: list[tuple[str, int]], person: Person) -> None:
    """Let them be read again."""
    event = ReadingResumed(topic=part[0][0], partitions=tuple(number for _, number in part))
    async with ground.database.transaction() as connection:
        await connection.execute(RESUME, (event.topic, list(event.partitions)))
        await _noted(ground, connection, "resumed", event, person)


async def reset(
    ground: Ground, part: tuple[str, int], to: int | datetime | None, reason: str, person: Person
) -> int:
    """Read a paused partition from an offset, a time or (None) the beginning on; gives the offset.

    What was applied stays marked and is passed over: the marks are the service's, not the offset. Raises
    OwnStore, NotPaused, OutOfReach, WouldSkip, TooFar, KafkaError.
    """
    if part[0] == OWN:
        raise OwnStore
    if not await ground.database.rows(PAUSED, *part):
        raise NotPaused
    positions = Positions()
    await positions.load(ground.database.rows)
    offset = await _target(ground, positions, TopicPartition(*part), to)
    sealed = await _sealed(ground, reason)
    event = ReadingReset(topic=part[0], partition=part[1], offset=offset, reason=sealed)
    async with still(ground) as connection:
        await connection.execute(FORGET, part)
        await connection.execute(READ_FROM, (offset, *part))
        await _noted(ground, connection, "reset", event, person)
    return offset


async def _target(
    ground: Ground, positions: Positions, part: TopicPartition, to: int | datetime | None
) -> int:
    async with topics.looking(ground.settings.kafka_bootstrap) as reader:
        ends = (await topics.ends(reader, [part]))[part]
        offset = to if isinstance(to, int) else ends.begin
        if isinstance(to, datetime):
            found = await topics.offset_of(reader, part, to)
            offset = ends.end if found is None else found
        if not ends.begin <= offset <= ends.end:
            raise OutOfReach(ends)
        begin = _next(positions, part, ends, None)
        done = await _done(ground, part)
        if offset > begin and (
            lost := await topics.lost_between(reader, part, begin, offset, ends.end, done)
        ):
            raise WouldSkip(f"{lost}")
    return offset


async def _done(ground: Ground, part: TopicPartition) -> dict[str, Place]:
    """How far each source of a partition was applied."""
    rows = await ground.database.rows(DONE, *part)
    return {row["source"]: Place(row["epoch"], row["position"], row["kafka_offset"]) for row in rows}


async def _sealed(ground: Ground, reason: str) -> Sealed[FreeText]:
    return await ground.doors.seal(f"service:{ground.service.name}", FreeText(reason))


async def _noted(ground: Ground, connection: Connection, kind: str, event: Event, person: Person) -> None:
    """What was decided, with who decided it, in the transaction that carries it out."""
    id = derive(ground.service.name, kind, uuid4())
    cause = Cause(command_id=id, actor=person.actor, purpose=person.purpose, correlation_id=id)
    commit = Commit.note(cause, ground.clock.now(), kind, event)
    (written,) = await ground.store.appender.append(connection, [ground.store.appender.pack(commit)])
    if isinstance(written, Exception):
        raise written
    ground.store.appended.give()


OWNERS = query("owners", "operations")
MARKS = b"select topic, partition, max(position) as position from positions group by 1, 2"
READINGS = b"select * from readings"
DONE = b"select * from positions where topic = %s and partition = %s"
PAUSED = b"select 1 from readings where topic = %s and partition = %s and paused_at is not null"
PAUSE = b"""
insert into readings as r (topic, partition, paused_at, actor_id, actor_role, reason)
select %s, number, clock_timestamp(), %s, %s, %s from unnest(%s::smallint[]) as number
on conflict (topic, partition) do update set paused_at = excluded.paused_at, actor_id = excluded.actor_id,
    actor_role = excluded.actor_role, reason = excluded.reason
"""
RESUME = b"""
update readings set paused_at = null, actor_id = null, actor_role = null, reason = null
where topic = %s and partition = any(%s::smallint[])
"""
FORGET = b"update positions set kafka_offset = null where topic = %s and partition = %s"
READ_FROM = b"update readings set read_from = %s where topic = %s and partition = %s"
