"""The office: what a service's doors and adapters work with, in somebody's name and for a purpose."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import UUID, uuid4

from caretrail_contracts.envelope import topic_of
from caretrail_contracts.event import Event
from caretrail_contracts.sealed import Document, Sealed
from caretrail_contracts.system import AccessRecorded, InputRefused, Place
from pydantic import BaseModel

from chassis.clock import Clock
from chassis.command import Answer, Cause, Command, Commit
from chassis.config import Settings
from chassis.database import Database
from chassis.executor import Executor
from chassis.group import PostgresStore
from chassis.ids import derive
from chassis.positions import OWN
from chassis.waking import Signal
from keystore.doors import UNREADABLE, Doors, Erased, Tampered

if TYPE_CHECKING:
    from chassis.service import Service

T = TypeVar("T", bound=BaseModel)

KEPT_BYTES_MAX = 32_768
"""Of a refused input this much is kept."""


@dataclass(frozen=True)
class Ground:
    """What everything in a process stands on."""

    service: Service
    settings: Settings
    database: Database
    store: PostgresStore
    executor: Executor
    doors: Doors
    clock: Clock
    member: UUID = field(default_factory=uuid4)
    """Of those who fold the service's read models, this process."""

    moved: Signal = field(default_factory=Signal)
    """Given when there may be progress to tell of."""

    @property
    def topic(self) -> str:
        """The topic of the service's own events."""
        return topic_of(self.service.name, self.settings.topic_prefix)

    async def has_applied(self, position: int) -> bool:
        """Whether the own read models are as far as a position of the store, but for what is parked."""
        row = await self.database.row("select max(position) as p from positions where topic = %s", OWN)
        return row is not None and (row["p"] or 0) >= position

    async def note(self, cause: Cause, kind: str, event: Event, patient: UUID | None = None) -> Answer:
        """Record a fact about the process itself on a stream of its own, once for each command id."""
        return await self.store.append(Commit.note(cause, self.clock.now(), kind, event, patient))

    async def open(
        self, cause: Cause, patient: UUID | None, sealed: list[Sealed[Any]], resource: str
    ) -> list[Any | Erased]:
        """Open values once the access is durably recorded."""
        kinds = tuple(sorted({value.content().__name__ for value in sealed}))
        access = AccessRecorded(resource=resource, action="open", kinds=kinds)
        await self.note(cause, "access", access, patient)
        return [await self.doors.open(value) for value in sealed]

    async def refuse_input(
        self, cause: Cause, door: str, rule: str, places: tuple[Place, ...], media_type: str, body: bytes
    ) -> None:
        """Record a refused input where an auditor looks for it, sealed under the service's key."""
        content = b64encode(body[:KEPT_BYTES_MAX]).decode()
        document = Document(media_type=media_type[:200], content=content)
        sealed = await self.doors.seal(f"service:{self.service.name}", document)
        event = InputRefused(door=door[:120], rule=rule, places=places, document=sealed)
        await self.note(cause, "refused", event)


class Office:
    """What every office offers: the time, the service's settings and tables, sealing."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self.options = ground.service.options
        self.issue_key = ground.doors.issue_key
        self.digest = ground.doors.digest
        self.rows = ground.database.rows
        self.row = ground.database.row
        self.has_applied = ground.has_applied

    @property
    def now(self) -> datetime:
        """The time."""
        return self._ground.clock.now()

    async def seal(self, owner: UUID | str, value: T) -> Sealed[T]:
        """Seal a value under its owner's key."""
        return await self._ground.doors.seal(owner, value)


class AdapterOffice(Office):
    """The office of an adapter: it acts in the service's own name.

    ``led`` are the correlation and the id of the event that it acts on, where it acts on one.
    """

    def __init__(self, ground: Ground, name: str, *led: UUID) -> None:
        super().__init__(ground)
        self._name, self._led = name, led

    async def open(
        self, patient: UUID | None, sealed: list[Sealed[Any]], *, resource: str, purpose: str
    ) -> list[Any | Erased]:
        """Open values; the access is recorded before they are returned.

        Raises Tampered where one does not open: it may once the right key is back, as what was erased never.
        """
        cause = self._cause(f"access|{resource}|{patient}|{self.now.isoformat()}")
        opened = await self._ground.open(cause._replace(purpose=purpose), patient, sealed, resource)
        if UNREADABLE in opened:
            raise Tampered(f"a value of {resource} does not open under its key")
        return opened

    async def execute(self, command: Command, key: str) -> Answer:
        """Carry out a command whose id derives from the adapter's name and the key. Raises Refused."""
        return await self._ground.executor.execute(command, self._cause(key))

    def command_id(self, key: str, name: str = "") -> UUID:
        """The id of the command with this key, of this adapter or another one of the service."""
        return derive(self._ground.service.name, "adapter", name or self._name, key)

    def _cause(self, key: str) -> Cause:
        id, role = self.command_id(key), f"adapter:{self._name}"
        return Cause.own(id, self._ground.service.name, role, *self._led)
