"""What patients want: opting out of messages, and in again."""

from __future__ import annotations

from uuid import UUID

from caretrail_contracts.codes import Code
from caretrail_contracts.notifications import ContactOptedIn, ContactOptedOut

from chassis.command import Command, Work
from chassis.refusal import NotFound
from services.notifications.commands.registry import handlers
from services.notifications.domain.preferences import Preferences


class OptOut(Command):
    """A patient wants no messages."""

    patient: UUID
    channel: Code


@handlers.handles(OptOut)
async def opt_out(command: OptOut, work: Work) -> None:
    """From now on; what waits is suppressed."""
    known = await _preferences(command.patient, work)
    if known:
        known.opt_out(command.channel, work.now)
    else:
        fact = ContactOptedOut(patient=command.patient, channel=command.channel)
        work.add(Preferences.first(fact, work.now))


class OptIn(Command):
    """A patient wants messages again."""

    patient: UUID
    channel: Code


@handlers.handles(OptIn)
async def opt_in(command: OptIn, work: Work) -> None:
    """From now on; what was suppressed stays so."""
    known = await _preferences(command.patient, work)
    if known:
        known.opt_in(command.channel, work.now)
    else:
        fact = ContactOptedIn(patient=command.patient, channel=command.channel)
        work.add(Preferences.first(fact, work.now))


async def _preferences(patient: UUID, work: Work) -> Preferences | None:
    """The patient's word so far. Raises NotFound for an id that nobody registered: it is mistyped."""
    known = await work.find(Preferences, patient)
    if known is None and not await work.rows("contacts", patient=patient):
        raise NotFound(kind="patient", id=patient)
    return known
