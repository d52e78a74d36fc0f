"""Audit's commands."""

from __future__ import annotations

from uuid import UUID

from chassis.command import Command, Handlers, Work
from services.audit.domain.integrity_check import IntegrityCheck

handlers = Handlers()


class ConcludeCheck(Command):
    """Record what a comparison of stores and ledger found."""

    check: UUID
    events: int
    streams: int
    differences: tuple[str, ...]


@handlers.handles(ConcludeCheck)
async def conclude_check(command: ConcludeCheck, work: Work) -> None:
    """A check is concluded once."""
    if await work.find(IntegrityCheck, command.check) is None:
        work.add(
            IntegrityCheck.conclude(
                command.check, command.events, command.streams, command.differences, work.now
            )
        )
