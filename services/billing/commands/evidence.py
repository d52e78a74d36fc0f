"""What counts toward a day of service: attendances and signed notes, whichever comes first."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import NamedTuple
from uuid import UUID

from caretrail_contracts.billing import AttendanceCounted, ChargeDayOpened

from chassis.command import Command, Row, Work
from services.billing.commands.charges import decide_charge
from services.billing.commands.notes import count_notes
from services.billing.commands.registry import handlers
from services.billing.domain.charge_day import ChargeDay, charge_id
from services.billing.domain.instants import day_close, local_date


class Seen(NamedTuple):
    """An attendance's row, when its session began, and the date of service where it was held."""

    attendance: Row
    starts_at: datetime
    service_date: date

    def counted(self) -> AttendanceCounted:
        """The attendance as it counts."""
        attendance = self.attendance
        return AttendanceCounted(
            session=attendance["session"],
            started_at=(attendance["started_at"] or self.starts_at).astimezone(UTC).isoformat(),
            ended_at=(attendance["ended_at"] or self.starts_at).astimezone(UTC).isoformat(),
            minutes=attendance["minutes"],
            source_event=attendance["source_event"],
        )


class CountSession(Command):
    """Take in what is known of a member's session: safe to repeat, in any order of its facts."""

    session: UUID
    patient: UUID


class CountWaiting(Command):
    """A session or a group became known: take in what waited for it."""

    session: UUID | None = None
    group: UUID | None = None


@handlers.handles(CountSession)
async def count_session(command: CountSession, work: Work) -> None:
    """Count attendance and note; once the day is over, decide at once."""
    await _count(command.session, command.patient, work)


@handlers.handles(CountWaiting)
async def count_waiting(command: CountWaiting, work: Work) -> None:
    """Count every member's attendance of the sessions."""
    sessions = [command.session] if command.session else []
    if command.group:
        sessions += [row["session"] for row in await work.rows("sessions", group_id=command.group)]
    for session in sessions:
        for row in await work.rows("attendances", session=session):
            await _count(session, row["patient"], work)


async def _count(session: UUID, patient: UUID, work: Work) -> None:
    seen = await _seen(session, patient, work)
    day = await _day(seen, work) if seen else None
    if seen is None or day is None:
        return
    # The rows led to the day; what changed before it was loaded is in them now, and what changes
    # later is not in the version that the commit expects.
    seen = await _seen(session, patient, work) or seen
    day.count_attendance(seen.counted(), work.now)
    await count_notes(day, work)
    ended_at = seen.attendance["ended_at"] or seen.starts_at
    if day.closed or work.now >= day_close(ended_at):
        await decide_charge(day, work)


async def _seen(session: UUID, patient: UUID, work: Work) -> Seen | None:
    """What is known of a patient's attendance; None while the session or its group is unknown."""
    attendance = await work.row("attendances", session=session, patient=patient)
    known = await work.row("sessions", session=session)
    if attendance is None or known is None or known["starts_at"] is None:
        return None
    group = await work.row("groups", group_id=known["group_id"])
    if group is None:
        return None
    return Seen(attendance, known["starts_at"], local_date(known["starts_at"], group["time_zone"]))


async def _day(seen: Seen, work: Work) -> ChargeDay | None:
    """The day of service, opened where somebody was there; None where nobody ever was."""
    attendance = seen.attendance
    id = charge_id(attendance["episode"], seen.service_date)
    day = await work.find(ChargeDay, id)
    if day is None and attendance["minutes"]:
        opened = ChargeDayOpened(
            charge=id,
            patient=attendance["patient"],
            episode=attendance["episode"],
            service_date=seen.service_date,
        )
        day = work.add(ChargeDay.open(opened, work.now))
    return day
