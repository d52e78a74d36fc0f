"""A day's signed notes, as clinical has them."""

from __future__ import annotations

from caretrail_contracts.billing import NoteCounted

from chassis.command import Work
from services.billing.domain.charge_day import ChargeDay


async def count_notes(day: ChargeDay, work: Work) -> None:
    """Bring a day's notes up to what clinical said so far."""
    for session in sorted(day.attendances, key=str):
        note = await work.row("notes", session=session, patient=day.patient)
        if note is not None:
            counted = NoteCounted(
                session=session,
                signed=note["signed"],
                clinician=note["clinician"],
                source_event=note["source_event"],
            )
            day.count_note(counted, work.now)
