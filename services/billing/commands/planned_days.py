"""The days on which a patient's groups will still meet: what burns an authorization."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta
from uuid import UUID

from caretrail_contracts.scheduling import Weekday

from chassis.command import Work
from services.billing.domain.authorization_runway import scheduled_days

_NUMBER = {day.value: number for number, day in enumerate(Weekday)}


async def planned_days(episode: UUID, after: date, until: date, work: Work) -> Iterable[date]:
    """Days after one day, by the weekly patterns of the groups in which the episode has a seat."""
    weekdays: set[int] = set()
    for seat in await work.rows("seats", episode=episode):
        group = await work.row("groups", group_id=seat["group_id"])
        if group and not seat["ended"]:
            weekdays |= {_NUMBER[day] for day in group["weekdays"]}
    return scheduled_days(after + timedelta(days=1), weekdays, until)
