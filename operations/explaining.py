"""Explaining: the first event after which a row and its shadow cannot agree."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import Any

from caretrail_contracts.cloudevents import Record
from psycopg.sql import SQL

from chassis.database import Connection, connect, fetch
from chassis.positions import OWN, Place
from chassis.projection import Change, Projection, Table
from chassis.tables import plain
from operations.folding import READING, ahead, named, parked
from operations.history import history
from operations.job import Job, Vector, told
from operations.shadows import differences, doubled, row_of

Values = dict[str, Any]


@dataclass(slots=True)
class Suspect:
    """A row that differs: what it holds on either side, and how the history made it, event by event.

    ``columns`` are those that differ in the end; a row that only one side has differs in being there.
    """

    table: Table
    live: Values | None
    shadow: Values | None
    times: int = 1
    """How often the row stands on the live side."""
    columns: list[str] = field(init=False)
    state: Values | None = None
    agreed: bool = True
    after_agreement: Record | None = None
    """The event that followed the last state in which both agreed."""
    last: Record | None = None
    """The event that gave the differing columns what they hold in the end."""

    beyond: Record | None = None
    """The first event beyond the position applied that touches the row; ``met``: it explains the row."""
    met: bool = False

    def __post_init__(self) -> None:
        live, shadow = self.live, self.shadow
        both = live is not None and shadow is not None
        names = self.table.columns if both else ()
        self.columns = [name for name in names if not same((live or {})[name], (shadow or {})[name])]
        self.agreed = self._agrees()

    def take(self, change: Change, record: Record) -> None:
        """One more change of the row."""
        before = self._seen()
        self.state = applied(self.table, self.state, change)
        if self._seen() != before:
            self.last = record
        if self._agrees():
            self.agreed, self.after_agreement = True, None
        elif self.agreed:
            self.agreed, self.after_agreement = False, record

    def take_beyond(self, change: Change, record: Record) -> None:
        """A change of the row that was not applied, as far as the positions say."""
        self.beyond = self.beyond or record
        self.state = applied(self.table, self.state, change)
        self.met = self.met or self._agrees()

    def explained(self) -> dict[str, Any]:
        """What differs, and the event that explains it; None where no event ever touched the row.

        ``beyond`` is the event beyond the position applied that explains it instead: the live row has it.
        """
        ever = self.after_agreement or self.last
        missing = "live" if self.live is None else "shadow" if self.shadow is None else None
        return {
            "table": self.table.name,
            "columns": self.columns,
            "missing": missing,
            "times": self.times,
            "event": named(ever) if ever else None,
            "beyond": named(self.beyond) if self.beyond and self.met else None,
        }

    def _seen(self) -> Any:
        state = self.state
        return state if state is None else [plain(state[name]) for name in self.columns]

    def _agrees(self) -> bool:
        if self.live is None or self.state is None:
            return self.live is None and self.state is None
        return all(same(self.state[name], self.live[name]) for name in self.columns)


def applied(table: Table, state: Values | None, change: Change) -> Values | None:
    """A row after a change, as the buffer and the database would have it."""
    if change.kind == "remove":
        return None
    row = dict(state) if state else dict.fromkeys(table.values) | dict.fromkeys(table.counters, 0)
    row |= dict(zip(table.key, change.key, strict=True))
    for name, value in change.values.items():
        row[name] = row[name] + value if change.kind == "add" else value
    return row


def same(one: Any, other: Any) -> bool:
    """Whether two values are stored alike."""
    return bool(plain(one) == plain(other))


async def explain(job: Job, projection: Projection) -> list[dict[str, Any]]:
    """The rows that differ between the job's two schemas, with the events that explain them, first first."""
    reader = await connect(job.database, options=READING)
    snapshot = await connect(job.database, options=READING)
    try:
        await snapshot.execute("begin isolation level repeatable read read only")
        await snapshot.execute(SQL("set transaction snapshot {}").format(job.snapshot))
        suspects = await _suspects(snapshot, job, projection)
        await _replay(reader, job, projection, suspects)
    finally:
        await reader.close()
        await snapshot.close()
    found = [suspect.explained() for each in suspects.values() for suspect in each.values()]
    return sorted(found, key=_order)


def _order(found: dict[str, Any]) -> tuple[bool, str, int]:
    event = found["event"]
    return (True, "", 0) if event is None else (False, event["recorded_at"], event["position"])


Suspects = dict[str, dict[tuple[Any, ...], Suspect]]


async def _suspects(snapshot: Connection, job: Job, projection: Projection) -> Suspects:
    found: Suspects = {}
    for table in projection.tables:
        found[table.name] = rows = {}
        for row in await differences(snapshot, table, job.against, job.target):
            key = tuple(row[name] for name in table.key)
            live = await row_of(snapshot, table, job.against, key)
            rows[key] = Suspect(table, live, await row_of(snapshot, table, job.target, key))
        for row in await doubled(snapshot, table, job.against):
            key = tuple(row[name] for name in table.key)
            live = await row_of(snapshot, table, job.against, key)
            shadow = await row_of(snapshot, table, job.target, key)
            rows[key] = Suspect(table, live, shadow, row["times"])
    return found


async def _replay(reader: Connection, job: Job, projection: Projection, suspects: Suspects) -> None:
    """Fold everything again, in memory and for these rows alone."""
    places: Vector = {}
    for spot in job.vector:
        numbers = job.partitions if spot[0] == OWN else (spot[1],)
        places |= {(spot[0], number, spot[2]): Place(0, 0, None) for number in numbers}
    await _taken(reader, job, projection, places, suspects, Suspect.take)
    # Live rows can hold more than the own position says, where a hand set that back.
    [head] = await fetch(reader, HEAD)
    own = next((at for spot, at in job.vector.items() if spot[0] == OWN), Place(0, 0, None))
    until = {(OWN, 0, job.source): Place(head["epoch"], head["position"], None)}
    places = {(OWN, number, job.source): own for number in job.partitions}
    more = replace(job, until=told(until))
    await _taken(reader, more, projection, places, suspects, Suspect.take_beyond)


async def _taken(
    reader: Connection,
    job: Job,
    projection: Projection,
    places: Vector,
    suspects: Suspects,
    take: Callable[[Suspect, Change, Record], None],
) -> None:
    """What the job's history beyond places does to the suspects."""
    kinds = {event.type(): event for event in projection.folds}
    waiting = await parked(reader, projection.name())
    async with aclosing(ahead(history(reader, job, list(kinds), places))) as chunks:
        async for chunk in chunks:
            for record in chunk.records:
                about = record.envelope
                kind = kinds.get(about.type)
                if kind is None or (about.id, about.position) in waiting:
                    continue
                for change in projection.fold(kind.from_bytes(record.body, about.version), about):
                    suspect = suspects[change.table.name].get(change.key)
                    if suspect:
                        take(suspect, change, record)


HEAD = b"""
select coalesce(max(position), 0) as position,
    coalesce((select epoch from public.events order by position desc limit 1), 0) as epoch
from public.events
"""
