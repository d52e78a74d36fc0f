"""Readings: what people told a service's readers, durably: where to pause, from where to read on."""

from __future__ import annotations

from time import monotonic

from chassis.database import Database

LOOK_S = 0.5
"""How often is looked whether they told something else."""

Part = tuple[str, int]
"""Topic and partition; the own store is the partition 0 of ``store``."""


class Readings:
    """What was told the own store's reader, or those of topics; as the table had it half a second ago."""

    def __init__(self, database: Database, *, own: bool) -> None:
        self._database, self._own, self._next = database, own, 0.0
        self.paused = frozenset[Part]()
        self.starts: dict[Part, int] = {}
        """Offsets from which to read where nothing was applied since they were told."""

    async def changed(self) -> bool:
        """Look, if it is time to; whether something else was told."""
        if monotonic() < self._next:
            return False
        self._next, before = monotonic() + LOOK_S, (self.paused, self.starts)
        rows = await self._database.rows(TOLD, self._own)
        parts = {(row["topic"], row["partition"]): row for row in rows}
        self.paused = frozenset(part for part, row in parts.items() if row["paused_at"])
        self.starts = {p: row["read_from"] for p, row in parts.items() if row["read_from"] is not None}
        return before != (self.paused, self.starts)


TOLD = b"select topic, partition, paused_at, read_from from readings where (topic = 'store') = %s"
