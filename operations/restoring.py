"""Restoring: a store of an earlier time takes in what its own topic holds above its head, before it opens."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from operator import attrgetter
from typing import Any

import structlog
from caretrail_contracts.cloudevents import Record
from caretrail_contracts.envelope import PARTITIONS, Envelope, topic_of
from caretrail_contracts.system import StoreRestored

from chassis.command import Cause
from chassis.config import Settings, database_url
from chassis.database import Connection, Row, fetch, query
from chassis.ids import derive
from chassis.office import Ground
from chassis.positions import Place
from chassis.preparing import BEGIN_EFFECTS
from chassis.relay import Message, Relay, message_of, outgoing
from chassis.runtime import EPOCH
from chassis.service import Service
from operations import walking
from operations.away import KAFKA_AWAY
from operations.holding import holding, in_transactions, while_held
from operations.opening import opening, send
from operations.republishing import MOVE_BACK
from operations.succession import OVER
from operations.torn import torn
from operations.walking import STALLED_MAX_S, Tail, Walk

log = structlog.get_logger(__name__)

BOUNDED = "-c transaction_timeout=1h"
"""Of what is taken in under the log's lock: it may take minutes, but who is frozen meanwhile lets go."""

READS_MAX, TRIES_MAX = 10, 3
"""How often what came meanwhile is read before an epoch is opened; how often one may be overtaken."""

OVERTAKEN = "a later epoch than the store's was begun, on another database, in"

TORN_MAX = 50
"""Ids of commands in one line of the log, those first of which events are missing for sure."""


class Behind(Exception):
    """The store may be behind its own topic, and would give positions that the topic has to other events."""


class Overtaken(Behind):
    """Somebody else opened the same epoch, or a later one, in the same moment: readers take theirs."""


async def recover(service: Service, settings: Settings, url: str = "") -> None:
    """See that the store is not behind its topic, and take in what it lacks where it was restored.

    A store stands elsewhere once it was restored: on another server, as another database, on another
    timeline. One that stands where it stood and yet is behind is refused: its disk was set back, or somebody
    else wrote to the topic, and a person must tell which. ``url`` is that of a database which is to take
    the place of the service's. Raises Behind.
    """
    address = url or database_url(settings, service.name)
    for left in reversed(range(TRIES_MAX)):
        # Not under the lock: where Kafka hangs, processes that start would wait one after the other.
        tails = await _look(service, settings)
        name = f"{service.name}:restore"
        async with holding(
            address, "restore", name, waits=True, options=in_transactions(BOUNDED)
        ) as connection:
            recovery = _Recovery(service, settings, connection)
            try:
                return await while_held(connection, recovery.carry_out(tails, opens=not url))
            except Overtaken as error:
                log.warning("opening_overtaken", topic=recovery.topic, error=str(error))
                if not left:
                    raise


async def _look(service: Service, settings: Settings) -> dict[int, Tail] | None:
    """Where the topic ends; None where Kafka is away."""
    topic = topic_of(service.name, settings.topic_prefix)
    try:
        # A start is more patient than a look: what is not seen here is not looked for again.
        return await walking.tails(settings.kafka_bootstrap, topic, _source(service, settings), STALLED_MAX_S)
    except KAFKA_AWAY as error:
        log.warning("topic_not_seen", topic=topic, error=type(error).__name__)
        return None


def _source(service: Service, settings: Settings) -> str:
    return f"urn:caretrail:{service.name}:{settings.cell}"


class _Recovery:
    """The look at one store and its topic, and what follows, by the one process that holds the lock."""

    def __init__(self, service: Service, settings: Settings, connection: Connection) -> None:
        self._service, self._settings, self._connection = service, settings, connection
        self.topic, self._source = topic_of(service.name, settings.topic_prefix), _source(service, settings)
        self._epoch, self._opens, self._tails = 0, False, dict[int, Tail]()

    async def carry_out(self, tails: dict[int, Tail] | None, *, opens: bool) -> None:
        """Take in what the topic, which ends like this, holds and the store does not. Raises Behind.

        With ``opens`` an epoch that begins is opened in the topic at once.
        """
        self._opens, self._tails = opens and bool(tails), tails or {}
        [here] = await fetch(self._connection, HERE)
        known = await fetch(self._connection, "select server, database, timeline, seen from place")
        if known and known[0]["server"] == OVER:
            raise Behind(f"{OVERTAKEN} {self.topic}, as a process found that served from here")
        moved = bool(known) and any(known[0][name] != here[name] for name in here)
        if tails is None:
            if moved or not known:
                begins = "the store was restored" if moved else "it is the store's first start"
                raise Behind(f"{begins}: Kafka must be there to say what it lacks")
            return
        [row] = await fetch(self._connection, FORMER, self._source)
        self._epoch = row["epoch"]
        # After the topic: another process of the service may be at work, and what it sent is committed.
        heads = await self._heads()
        if moved:
            await self._take_in(here, heads, known[0]["seen"])
        elif _ahead(tails, heads):
            await self._settle(here, heads, new=not known)
        elif not known:
            await self._connection.execute(STAND, here)

    async def _settle(self, here: Row, heads: dict[int, Place], *, new: bool) -> None:
        """Something ends above the store: the records of its own, or what readers pass over as well."""
        found, now = await self._walk(heads, keep=False), await self._heads()
        above = [place for number, place in found.reached.items() if _above(place, now.get(number, NOWHERE))]
        late = [place for place in above if self._is_late(place, {})]
        if late == above:
            log.warning("topic_holds_what_nobody_sent", topic=self.topic, late=len(late))
        elif new:
            await self._take_in(here, heads, None)
        elif any(place.epoch > self._epoch for place in above):
            raise Behind(f"{OVERTAKEN} {self.topic}")
        else:
            raise Behind(
                f"the store is behind its topic {self.topic}, though nobody restored it as far as is seen"
            )

    async def _take_in(self, here: Row, heads: dict[int, Place], seen: dict[str, int] | None) -> None:
        """Take in the records above the heads; a new epoch begins unless all that was ever seen is there."""
        found = await self._walk(heads, keep=True)
        for _ in range(READS_MAX):  # a long topic takes a while, and its end goes on meanwhile
            ends = found.ends
            if (await self._walk({}, on=found)).ends == ends:
                break
        if found.gaps:
            raise Behind(f"the topic lacks records that the store needs: {'; '.join(found.gaps.values())}")
        lost = seen is None or any(
            position > found.reached.get(int(number), NOWHERE).position for number, position in seen.items()
        )
        async with self._connection.transaction():
            await self._connection.execute(TAKE_LOCK)
            # Where nothing was known of the store yet, another process wrote on meanwhile.
            heads = await self._heads()
            head = max((place.position for place in heads.values()), default=0)
            missing = self._missing(found.records, heads)
            # An effect that is not known here may have begun since: what is taken in is its work too.
            effects = [effect.name for effect in self._service.effects]
            await self._connection.execute(BEGIN_EFFECTS, (effects,))
            await self._write(missing)
            await self._connection.execute(EPOCH, (self._source,))
            [row] = await fetch(self._connection, BEGIN_EPOCH, int(lost), self._source)
            await self._connection.execute(STAND, here)
            if lost:
                missing += await self._open(row["epoch"], found, heads)
            self._tell_torn(missing, head)
            await self._connection.execute(REMEMBER, {"head": head})
            await self._connection.execute(DECISIONS, {"head": head, "effects": effects})
            await self._connection.execute(CUT_SNAPSHOTS)
            await self._connection.execute(RESTORED, (row["epoch"], head, len(missing)))
        log.warning("store_restored", head=head, imported=len(missing), epoch=row["epoch"])

    def _missing(self, records: Sequence[Record], heads: dict[int, Place]) -> list[Record]:
        """What readers take of the topic and the store lacks, but for what came late."""
        above, begun = list[Record](), dict[int, int]()
        for record in records:
            about = record.envelope
            if _above(about, heads.get(about.partition, NOWHERE)):
                above.append(record)
                begun[about.epoch] = min(about.position, begun.get(about.epoch, about.position))
        missing = [one for one in above if not self._is_late(one.envelope, begun)]
        if late := len(above) - len(missing):
            log.error("records_came_late", topic=self.topic, records=late)
        return missing

    def _tell_torn(self, taken_in: Sequence[Record], head: int) -> None:
        """Say of which commands some events are missing, or may be: they are known, and not repeated."""
        surely, maybe = torn([record.envelope for record in taken_in], head)
        if surely or maybe:
            ids = [str(id) for id in (*surely, *maybe)[:TORN_MAX]]
            log.error("commands_torn", topic=self.topic, surely=len(surely), perhaps=len(maybe), commands=ids)

    def _is_late(self, one: Place | Envelope, begun: Mapping[int, int]) -> bool:
        """Whether a record of a former epoch was sent when the next one had begun, and yet before its first
        one in the partition: the store never had it, and gave its position to another event, most likely.

        ``begun`` is the lowest position of epochs. Where an epoch was opened there is no such record.
        """
        after = (low <= one.position for epoch, low in begun.items() if epoch > one.epoch)
        return one.epoch < self._epoch or any(after)

    async def _open(self, epoch: int, found: Walk, heads: dict[int, Place]) -> list[Record]:
        """Open an epoch in the topic; gives what was sent before that since the look, and is taken in too.

        In the transaction: were it given up, the next start would find in the topic what there is now.
        """
        [row] = await fetch(self._connection, HEAD)
        opens = opening(self._service.name, self._settings, epoch, row["head"])
        after = _lacks_after(found.whole, await self._heads(), row["head"])
        await self._write(opens)
        if not self._opens:
            # The relay opens, once there is a topic: before that it sends all that this one lacks.
            await self._connection.execute(MOVE_BACK, (after if self._tails else 0, self.topic))
            return []
        known = len(found.records)
        await send(self._settings.kafka_bootstrap, self.topic, self._lacking(found.whole, after, epoch))
        new = (await self._walk({}, on=found)).records[known:]
        taken = sorted(
            (one for one in new if one.envelope.epoch >= epoch), key=lambda one: one.envelope.position
        )
        if taken != opens:
            raise Overtaken(f"readers of {self.topic} take another opening than that of epoch {epoch}")
        former = [one for one in new if one.envelope.epoch < epoch]
        whole = [one for one in former if one.envelope.id not in found.apart]
        if behind := len(former) - len(whole):
            log.error("records_behind_a_gap", topic=self.topic, records=behind)
        late = self._missing(whole, heads)
        await self._write(late)
        await self._connection.execute(MARK, (self.topic, opens[-1].envelope.position))
        return late

    async def _lacking(
        self, whole: dict[int, Place], after: int, epoch: int
    ) -> AsyncIterator[Sequence[Message]]:
        """What the store holds and a reader of the topic does not come to, who has got ``whole``, in order.

        The opening is its end. Behind it no reader would take what was committed and never sent.
        """
        while rows := await outgoing(self._connection, after, self.topic, epoch, Relay.batch_max):
            after = rows[-1][3]
            messages = [message_of(self._source, row) for row in rows if _is_above(row, whole)]
            yield messages

    async def _write(self, records: Sequence[Record]) -> None:
        async with self._connection.cursor() as cursor, cursor.copy(COPY) as copy:
            for record in records:
                await copy.write_row(_row(record))

    async def _walk(self, heads: dict[int, Place], *, keep: bool = True, on: Walk | None = None) -> Walk:
        where = self._settings.kafka_bootstrap, self.topic, self._source
        return await walking.walk(*where, heads, keep=keep, within_s=STALLED_MAX_S, on=on)

    async def _heads(self) -> dict[int, Place]:
        rows = await fetch(self._connection, HEADS)
        return {row["partition"]: Place(row["epoch"], row["position"], None) for row in rows}


def _lacks_after(whole: dict[int, Place], reached: dict[int, Place], head: int) -> int:
    """The position behind which a reader who has got ``whole`` lacks events of the store, else the head."""
    lacks = [number for number, place in reached.items() if _above(place, whole.get(number, NOWHERE))]
    return min([head, *(whole.get(number, NOWHERE).position for number in lacks)])


def _ahead(tails: dict[int, Tail], heads: dict[int, Place]) -> bool:
    """Whether a partition ends above what the store has of it."""
    return any(
        _above(tail.last.envelope, heads.get(number, NOWHERE)) for number, tail in tails.items() if tail.last
    )


def _above(one: Place | Envelope, other: Place) -> bool:
    return (one.epoch, one.position) > (other.epoch, other.position)


def _is_above(row: Any, places: dict[int, Place]) -> bool:
    """Whether a row of ``outgoing`` is above the place of its partition."""
    _, _, _, position, partition, _, _, _, epoch, *_ = row
    return _above(Place(epoch, position, None), places.get(partition, NOWHERE))


def _row(record: Record) -> tuple[Any, ...]:
    about = record.envelope
    return (*columns(about)[:-1], about.sensitivity.value, about.actor.id, about.actor.role, record.body)


async def tell(ground: Ground) -> None:
    """Put restores on record, each once."""
    name = ground.service.name
    for row in await ground.database.rows("select * from restores where not told"):
        event = StoreRestored(head=row["head"], imported=row["imported"], epoch=row["epoch"])
        id = derive(name, "restored", row["restored_at"].isoformat())
        await ground.note(Cause.own(id, name, "restore"), "restored", event)
        await ground.database.rows(TOLD, row["head"], row["restored_at"])


NOWHERE = Place(0, 0, None)
TAKE_LOCK = b"select pg_advisory_xact_lock(7161130662566718567)"
"""The lock of the log, as the function ``append_commits`` takes it."""

APART = ("source", "actor", "sensitivity")
NAMES = [*(name for name in Envelope._fields if name not in APART), "sensitivity"]
columns = attrgetter(*NAMES)
COPY = f"copy events ({', '.join([*NAMES, 'actor_id', 'actor_role', 'body'])}) from stdin"
HEADS = f"""
select number as partition, last.epoch, last.position from generate_series(0, {PARTITIONS - 1}) as number
cross join lateral (
    select e.epoch, e.position from events e where e.partition = number order by e.position desc limit 1
) as last
"""
"""The last event of each partition that has one: looked up, since a log of millions takes seconds to sort."""

HERE, HEAD = b"select * from here", b"select coalesce(max(position), 0) as head from events"
MARK = b"""
insert into relay_mark (topic, position) values (%s, %s)
on conflict (topic) do update set position = excluded.position
"""
REMEMBER, DECISIONS, BEGIN_EPOCH = (
    query(name, "operations") for name in ("remember_commands", "remember_decisions", "begin_epoch")
)
STAND = b"""
insert into place (server, database, timeline) values (%(server)s, %(database)s, %(timeline)s)
on conflict (single) do update
set server = excluded.server, database = excluded.database, timeline = excluded.timeline, seen = null
"""
FORMER = b"select coalesce(max(epoch), 0) as epoch from origin where source = %s"
CUT_SNAPSHOTS = b"""
delete from snapshots s
where s.stream_version > coalesce((select max(e.stream_version) from events e where e.stream = s.stream), 0)
"""
"""Those of events that the store lacks: a process may have taken them as the store was replaced."""

RESTORED = b"insert into restores (epoch, head, imported) values (%s, %s, %s)"
TOLD = b"update restores set told = true where head = %s and restored_at = %s returning head"
