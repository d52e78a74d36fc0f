"""The office: what a service's doors and adapters work with, in somebody's name and for a purpose."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from caretrail_contracts.envelope import Actor
from caretrail_contracts.event import Event
from caretrail_contracts.sealed import Sealed
from caretrail_contracts.system import AccessRecorded
from pydantic import BaseModel

from chassis.clock import Clock
from chassis.command import Answer, Cause, Command, Commit, Fact
from chassis.database import Database
from chassis.doors import Doors, Erased
from chassis.executor import Executor
from chassis.group import PostgresStore
from chassis.ids import derive
from chassis.service import Service

T = TypeVar("T", bound=BaseModel)


@dataclass(frozen=True)
class Ground:
    """What every office of a process stands on."""

    service: Service
    database: Database
    store: PostgresStore
    executor: Executor
    doors: Doors
    clock: Clock

    async def note(self, cause: Cause, kind: str, event: Event, patient: UUID | None = None) -> Answer:
        """Record a fact about the process itself on a stream of its own, once for each command id."""
        stream = f"{kind}-{cause.command_id}"
        now = self.clock.now()
        fact = Fact(stream, 1, event, now, patient, None)
        return await self.store.append(Commit(cause, now, (fact,), {stream: 0}))

    async def open(
        self, cause: Cause, patient: UUID | None, sealed: list[Sealed[Any]], resource: str
    ) -> list[Any | Erased]:
        """Open values once the access is durably recorded."""
        kinds = tuple(sorted({value.content().__name__ for value in sealed}))
        access = AccessRecorded(resource=resource, action="open", kinds=kinds)
        await self.note(cause, "access", access, patient)
        return [await self.doors.open(value) for value in sealed]


class AdapterOffice:
    """The office of an adapter: it acts in the service's own name."""

    def __init__(self, ground: Ground, name: str, correlation: UUID | None = None) -> None:
        self._ground, self._name, self._correlation = ground, name, correlation
        self.issue_key = ground.doors.issue_key
        self.digest = ground.doors.digest
        self.rows = ground.database.rows
        self.row = ground.database.row

    @property
    def now(self) -> datetime:
        """The time."""
        return self._ground.clock.now()

    @property
    def options(self) -> Any:
        """The service's own settings."""
        return self._ground.service.options

    async def seal(self, owner: UUID | str, value: T) -> Sealed[T]:
        """Seal a value under its owner's key."""
        return await self._ground.doors.seal(owner, value)

    async def open(
        self, patient: UUID | None, sealed: list[Sealed[Any]], *, resource: str, purpose: str
    ) -> list[Any | Erased]:
        """Open values; the access is recorded before they are returned."""
        cause = self._cause(f"access|{resource}|{patient}|{self.now.isoformat()}", purpose)
        return await self._ground.open(cause, patient, sealed, resource)

    async def execute(self, command: Command, key: str) -> Answer:
        """Carry out a command whose id derives from the adapter's name and the key. Raises Refused."""
        return await self._ground.executor.execute(command, self._cause(key, "HOPERAT"))

    def command_id(self, key: str) -> UUID:
        """The id of the command with this key."""
        return derive(self._ground.service.name, "adapter", self._name, key)

    def _cause(self, key: str, purpose: str) -> Cause:
        id = self.command_id(key)
        actor = Actor(f"service:{self._ground.service.name}", f"adapter:{self._name}")
        return Cause(command_id=id, actor=actor, purpose=purpose, correlation_id=self._correlation or id)
