"""Builders for scheduling's tests: persons, a track with a group, and a scenario with everything in it."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Self
from uuid import UUID

from caretrail_contracts.codes import LevelOfCare
from caretrail_contracts.event import Event
from caretrail_contracts.intake import DischargeType, PatientAdmitted, PatientDischarged
from caretrail_contracts.scheduling import GroupSeriesScheduled, TrackOpened

from chassis.command import Command
from chassis.ids import derive
from chassis.policy import Cancel, Timer
from services.scheduling.app import service
from services.scheduling.commands.sessions import MemberFacts
from services.scheduling.commands.tracks import OpenTrack, ScheduleGroup
from services.scheduling.domain.group import group_id
from services.scheduling.domain.presence import Missed, There
from services.scheduling.domain.session import session_id
from tests.scenario import Outcome, Scenario

ANA, BEN, CARA = (derive("patient", name) for name in ("ana", "ben", "cara"))
TRACK, NAME, SITE = "adult-evening", "Relapse prevention A", "main"
SUNDAY = datetime(2026, 3, 1, 17, tzinfo=UTC)
"""Noon in New York, on the day before the first session."""

FIRST_ON, LAST_ON = date(2026, 3, 2), date(2026, 3, 31)
GROUP = group_id(TRACK, NAME, FIRST_ON)
MONDAY = datetime(2026, 3, 2, 23, tzinfo=UTC)
"""The first session begins: 6 p.m. in New York."""

STARTS = (MONDAY, MONDAY + timedelta(days=2), MONDAY + timedelta(days=4))
SESSION = session_id(GROUP, MONDAY)
LENGTH = timedelta(minutes=180)


def episode_of(patient: UUID) -> UUID:
    """A patient's episode."""
    return derive("episode", patient)


def admitted(patient: UUID, track: str = TRACK, on: date = FIRST_ON) -> PatientAdmitted:
    """A patient was admitted."""
    return PatientAdmitted(
        episode=episode_of(patient),
        patient=patient,
        referral=derive("referral", patient),
        track=track,
        site=SITE,
        level_of_care=LevelOfCare.INTENSIVE_OUTPATIENT,
        payer="payer-1",
        admitted_on=on,
    )


def discharged(patient: UUID, on: date = FIRST_ON) -> PatientDischarged:
    """A patient was discharged."""
    return PatientDischarged(
        episode=episode_of(patient), discharge_type=DischargeType.COMPLETED, discharged_on=on
    )


def track() -> OpenTrack:
    """A track."""
    return OpenTrack(track=TrackOpened(track=TRACK, site=SITE, name="Adults", weekly_minutes=540))


def group(**changes: Any) -> ScheduleGroup:
    """A group of it, Mondays, Wednesdays and Fridays from 6 to 9 p.m."""
    pattern = {
        "track": TRACK,
        "name": NAME,
        "weekdays": ("MO", "WE", "FR"),
        "starts": time(18),
        "minutes": 180,
        "time_zone": "America/New_York",
        "capacity": 12,
        "facilitator": "1234567893",
        "first_on": FIRST_ON,
        "last_on": LAST_ON,
    }
    return ScheduleGroup.model_validate({**pattern, **changes})


def series(**changes: Any) -> GroupSeriesScheduled:
    """The event of such a group."""
    found = GroupSeriesScheduled.model_validate({**dict(group()), "group": GROUP, "site": SITE})
    return found.model_copy(update=changes)


def there(starts_at: datetime = MONDAY, late: int = 0, early: int = 0) -> There:
    """There from so many minutes after the start to so many before the end."""
    started_at = starts_at + timedelta(minutes=late)
    return There(started_at=started_at, ended_at=starts_at + LENGTH - timedelta(minutes=early))


def member(patient: UUID, said: There | Missed) -> MemberFacts:
    """What a member did."""
    return MemberFacts(patient=patient, episode=episode_of(patient), said=said)


class Play:
    """A scenario in which scheduling hears its own events too, and timers fire as time passes."""

    def __init__(self, now: datetime = SUNDAY) -> None:
        self.scenario = Scenario(
            service.handlers, service.policies, service.projections, None, now, service.name
        )
        self._heard = 0

    async def begin(self, capacity: int = 12, *patients: UUID) -> Self:
        """A track with one group, and patients who were admitted to it one after the other."""
        await self.asks(track())
        await self.asks(group(capacity=capacity))
        for patient in patients:
            await self.hears(admitted(patient))
            await self.until(self.scenario.now + timedelta(seconds=2))
        return self

    async def hears(self, *events: Event, patient: UUID | None = None) -> Self:
        """These happen now, in this order."""
        for event in events:
            await self.scenario.hears(event, patient=patient)
            await self._cascade()
        return self

    async def asks(self, command: Command) -> Outcome:
        """Somebody wants something done now."""
        outcome = await self.scenario.when(command)
        await self._cascade()
        return outcome

    async def until(self, at: datetime) -> Self:
        """Time passes: timers fire in order of time, and at one instant by key."""
        timers = self.scenario.timers
        while due := [timer for timer in timers.values() if timer.at <= at]:
            await self.scenario.fire(min(due, key=lambda timer: (timer.at, timer.key)).key)
            await self._cascade()
        self.scenario.clock.move(at)
        return self

    async def told(self, *types: type[Event]) -> list[Event]:
        """Every event so far, of these types."""
        records = await self.scenario.store.read(0, 10_000)
        return [event for event in (record.decode() for record in records) if isinstance(event, types)]

    async def _cascade(self) -> None:
        while records := await self.scenario.store.read(self._heard, 1000):
            for record in records:
                self._heard = record.envelope.position
                for reaction in self.scenario.reactions(record.decode(), record.envelope):
                    assert not isinstance(reaction, Timer | Cancel)
                    await self.scenario.when(reaction)
