"""Builders for notifications' tests: persons, times, and a scenario with everything in it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Self
from uuid import UUID

from caretrail_contracts.clinical import RiskStatusChanged
from caretrail_contracts.codes import LevelOfCare, RiskLevel
from caretrail_contracts.envelope import Envelope
from caretrail_contracts.event import Event
from caretrail_contracts.intake import DischargeType, PatientAdmitted, PatientDischarged, PersonRegistered
from caretrail_contracts.scheduling import (
    PatientEnrolledInGroup,
    SessionMissed,
    SessionScheduled,
)
from caretrail_contracts.sealed import EmailAddress, PersonName, Sealed

from chassis.command import Command
from chassis.ids import derive
from chassis.policy import Cancel, Reaction, Timer
from services.notifications.commands import messages, notices, preferences, tasks
from services.notifications.commands.registry import handlers
from services.notifications.domain.posting import Caps
from services.notifications.domain.staffing import Person, Staffing
from services.notifications.policies import messages as message_policies
from services.notifications.policies import tasks as task_policies
from services.notifications.policies.registry import policies
from services.notifications.projections.messages import MessageLog
from services.notifications.projections.patients import Contacts, Episodes, RiskFlags
from services.notifications.projections.seats import Seats
from services.notifications.projections.tasks import TaskBoard
from tests.scenario import Outcome, Scenario

ANA = derive("patient", "ana")
BEN = derive("patient", "ben")
GROUP = derive("group", "evening")
EMAIL = Sealed[EmailAddress](kid=f"{ANA}.1", nonce="bm9uY2Vub25jZTEy", ct="c2VhbGVk")

STAFFING = Staffing(
    on_call=(Person("on-call-1", "one@example.org"), Person("on-call-2", "two@example.org")),
    billing_desk="billing@example.org",
    care_desk="care@example.org",
    clinical_desk="clinical@example.org",
)


@dataclass(frozen=True)
class Settings:
    """The settings that decisions read."""

    posting_every: timedelta = timedelta(seconds=5)
    caps: Caps = field(default_factory=Caps)
    staffing: Staffing = STAFFING


REGISTERING = (messages, notices, preferences, tasks, message_policies, task_policies)
PROJECTIONS = (MessageLog(), TaskBoard(), Contacts(), RiskFlags(), Episodes(), Seats())

MORNING = datetime(2026, 3, 2, 15, tzinfo=UTC)
"""Monday, 10 a.m. in New York."""


class Play:
    """A scenario in which notifications hears its own events too, and timers fire as time passes."""

    def __init__(self, now: datetime = MORNING, settings: Settings = Settings()) -> None:
        self.scenario = Scenario(handlers, policies, PROJECTIONS, settings, now, "notifications")
        self._heard = 0

    @property
    def now(self) -> datetime:
        """The play's time."""
        return self.scenario.now

    async def knows(self, *events: Event, patient: UUID = ANA) -> Self:
        """These came to notice a minute ago."""
        self.scenario.after(-timedelta(minutes=1))
        self.scenario.know(*events, patient=patient)
        self.scenario.after(timedelta(minutes=1))
        return self

    async def hears(self, *events: Event, patient: UUID = ANA, stream: str = "elsewhere-1") -> Self:
        """These happen now, in this order."""
        for event in events:
            await self.learns(event, self.scenario.about(event, patient, stream))
        return self

    async def learns(self, event: Event, about: Envelope) -> None:
        """This happens now, with this envelope."""
        await self.scenario.hears(event, about=about)
        await self._cascade()

    async def asks(self, command: Command) -> Outcome:
        """Somebody wants something done now."""
        outcome = await self.scenario.when(command)
        await self._cascade()
        return outcome

    async def until(self, at: datetime, reverse: bool = False) -> Self:
        """Time passes: timers fire in order of time, and at one instant by key or against it."""
        timers = self.scenario.timers
        while due := [timer for timer in timers.values() if timer.at <= at]:
            first = min(timer.at for timer in due)
            keys = sorted((timer.key for timer in due if timer.at == first), reverse=reverse)
            await self.scenario.fire(keys[0])
            await self._cascade()
        self.scenario.clock.move(at)
        return self

    async def after(self, span: timedelta, reverse: bool = False) -> Self:
        """Time passes."""
        return await self.until(self.now + span, reverse)

    async def _cascade(self) -> None:
        while records := await self.scenario.store.read(self._heard, 1000):
            for record in records:
                self._heard += 1
                for reaction in self.scenario.reactions(record.decode(), record.envelope):
                    await self._carry_out(reaction)

    async def _carry_out(self, reaction: Reaction) -> None:
        if isinstance(reaction, Timer):
            self.scenario.timers[reaction.key] = reaction
        elif isinstance(reaction, Cancel):
            self.scenario.timers.pop(reaction.key, None)
        else:
            await self.scenario.when(reaction)

    async def events(self, *kinds: type[Event], patient: UUID | None = None) -> list[Event]:
        """What was recorded of these kinds so far, of this patient where one is named."""
        records = await self.scenario.store.read(0, 10_000)
        return [
            event
            for record in records
            if isinstance(event := record.decode(), kinds or Event)
            and (patient is None or record.envelope.patient == patient)
        ]

    async def facts(self) -> set[tuple[str, int, str, datetime, str]]:
        """Everything that was recorded, as a set: place, type, time and content."""
        return {
            (e.stream, e.stream_version, e.type, e.occurred_at, record.body.decode())
            for record in await self.scenario.store.read(0, 10_000)
            if (e := record.envelope)
        }


async def cared_for(*patients: UUID, now: datetime = MORNING, settings: Settings = Settings()) -> Play:
    """A play in which these patients (Ana, where nobody is named) are known and in care."""
    play = Play(now, settings)
    for patient in patients or (ANA,):
        await play.knows(registered(patient), admitted(patient), patient=patient)
    return play


def registered(
    patient: UUID = ANA, zone: str = "America/New_York", email: object = EMAIL
) -> PersonRegistered:
    """A person with an address."""
    name = Sealed[PersonName](kid=f"{patient}.1", nonce="bm9uY2Vub25jZTEy", ct="c2VhbGVk")
    return PersonRegistered(patient=patient, name=name, email=email, time_zone=zone)


def episode_of(patient: UUID) -> UUID:
    """A patient's episode."""
    return derive("episode", patient)


def admitted(patient: UUID = ANA) -> PatientAdmitted:
    """An admission."""
    return PatientAdmitted(
        episode=episode_of(patient),
        patient=patient,
        referral=derive("referral", patient),
        track="adult-evening",
        site="north",
        level_of_care=LevelOfCare.INTENSIVE_OUTPATIENT,
        payer="acme",
        admitted_on=date(2026, 3, 2),
    )


def discharged(patient: UUID = ANA, how: DischargeType = DischargeType.COMPLETED) -> PatientDischarged:
    """A discharge."""
    return PatientDischarged(episode=episode_of(patient), discharge_type=how, discharged_on=date(2026, 3, 3))


def risk(level: RiskLevel, previous: RiskLevel = RiskLevel.NONE, patient: UUID = ANA) -> RiskStatusChanged:
    """A patient's risk changed."""
    return RiskStatusChanged(patient=patient, previous=previous, level=level)


def enrolled(patient: UUID = ANA, group: UUID = GROUP) -> PatientEnrolledInGroup:
    """A seat."""
    return PatientEnrolledInGroup(
        enrollment=derive("enrollment", episode_of(patient), group),
        patient=patient,
        episode=episode_of(patient),
        group=group,
        seat=1,
    )


def session_at(starts_at: datetime, group: UUID = GROUP) -> SessionScheduled:
    """A session of three hours."""
    return SessionScheduled(
        session=derive("session", group, starts_at),
        group=group,
        site="main-street",
        starts_at=starts_at,
        ends_at=starts_at + timedelta(hours=3),
    )


def missed(
    starts_at: datetime, patient: UUID = ANA, excused: bool = False, group: UUID = GROUP
) -> SessionMissed:
    """A member was not there."""
    return SessionMissed(
        patient=patient,
        episode=episode_of(patient),
        session=derive("session", group, starts_at),
        group=group,
        starts_at=starts_at,
        excused=excused,
    )


def utc(day: date, hour: int, minute: int = 0) -> datetime:
    """A time in UTC."""
    return datetime.combine(day, time(hour, minute), UTC)


MONDAY = date(2026, 3, 2)
TUESDAY = MONDAY + timedelta(days=1)
SOON = timedelta(minutes=1)
TUESDAYS = session_at(utc(TUESDAY, 14))  # 9 a.m. in New York
