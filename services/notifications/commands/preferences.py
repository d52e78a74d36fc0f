"""What patients want: opting out of messages, and in again."""

from __future__ import annotations

from uuid import UUID

from caretrail_contracts.codes import Code
from caretrail_contracts.notifications import ContactOptedIn, ContactOptedOut

from chassis.command import Command, Work
from services.notifications.commands.registry import handlers
from services.notifications.domain.preferences import Preferences


class OptOut(Command):
    """A patient wants no messages."""

    patient: UUID
    channel: Code


@handlers.handles(OptOut)
async def opt_out(command: OptOut, work: Work) -> None:
    """From now on; what waits is suppressed."""
    known = await work.find(Preferences, command.patient)
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
    known = await work.find(Preferences, command.patient)
    if known:
        known.opt_in(command.channel, work.now)
    else:
        fact = ContactOptedIn(patient=command.patient, channel=command.channel)
        work.add(Preferences.first(fact, work.now))
