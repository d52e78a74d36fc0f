"""Builders for billing's tests: one payer, one patient, and a scenario in which own events are heard too."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Self, TypeVar
from uuid import UUID

from caretrail_contracts.billing import ContractAgreed
from caretrail_contracts.clinical import DiagnosisRecorded, NoteSigned
from caretrail_contracts.codes import LevelOfCare
from caretrail_contracts.event import Event
from caretrail_contracts.intake import PatientAdmitted, PersonRegistered
from caretrail_contracts.scheduling import (
    GroupSeriesScheduled,
    PatientEnrolledInGroup,
    SessionAttended,
    SessionScheduled,
    Weekday,
)
from caretrail_contracts.sealed import BirthDate, FreeText, MemberId, PersonName, PostalAddress, Sealed

from chassis.command import Command
from chassis.ids import derive
from services.billing.app import PROJECTIONS
from services.billing.commands.answers import RecordAuthorizationAnswer
from services.billing.commands.contracts import AgreeContract
from services.billing.commands.registry import handlers
from services.billing.domain.authorization import Action, authorization_id
from services.billing.policies.registry import policies
from tests.scenario import Outcome, Scenario

ANA = derive("patient", "ana")
EPISODE = derive("episode", "ana")
GROUP = derive("group", "evening")
PAYER = "acme-health"
CLINICIAN = "1234567893"
ADMITTED = date(2026, 3, 2)
ZONE = "America/New_York"


def sealed(kind: Any, owner: object = ANA) -> Any:
    """A sealed value that opens to nothing."""
    return Sealed[kind](kid=f"{owner}.1", nonce="AAAAAAAAAAAAAAAA", ct="AAAA")


def terms(**changes: Any) -> ContractAgreed:
    """Terms of a payer that pays H0015 by the day."""
    facts: dict[str, Any] = {
        "payer": PAYER,
        "contract": "acme-health.2026",
        "payer_name": "ACME HEALTH",
        "payer_id": "ACME1",
        "filing_indicator": "CI",
        "effective_on": date(2026, 1, 1),
        "code": "H0015",
        "amount": Decimal("400.00"),
        "min_minutes": 180,
        "discrete_code": None,
        "discrete_amount": None,
        "group_size_max": 12,
        "place_of_service": "57",
        "requires_auth": True,
        "auth_units": 12,
        "auth_days": 90,
        "low_units": 3,
        "review_lead_days": 3,
        "timely_filing_days": 90,
        "appeal_regime": "provider_dispute",
        "dispute_days": 60,
        "appeal_levels": 2,
    }
    return ContractAgreed.model_validate(facts | changes)


def session_of(day: date) -> UUID:
    """The id of the evening group's session of a day."""
    return derive("session", GROUP, day)


def starts(day: date) -> datetime:
    """18:00 in New York in March 2026, from the 8th on; an hour later by UTC before."""
    return datetime.combine(day, time(22 if day >= date(2026, 3, 8) else 23), UTC)


def attended(day: date, minutes: int = 180) -> SessionAttended:
    """Ana was there."""
    return SessionAttended(
        patient=ANA,
        episode=EPISODE,
        session=session_of(day),
        group=GROUP,
        started_at=starts(day),
        ended_at=starts(day) + timedelta(minutes=minutes),
        minutes=minutes,
    )


def signed(day: date) -> NoteSigned:
    """Ana's note of a day."""
    return NoteSigned(
        note=derive("note", session_of(day), ANA),
        patient=ANA,
        episode=EPISODE,
        session=session_of(day),
        clinician=CLINICIAN,
        text=sealed(FreeText),
    )


def scheduled(day: date) -> SessionScheduled:
    """A session of the evening group."""
    return SessionScheduled(
        session=session_of(day),
        group=GROUP,
        site="main-street",
        starts_at=starts(day),
        ends_at=starts(day) + timedelta(hours=3),
    )


def diagnosis(icd10: str = "F33.1", rank: int = 1) -> DiagnosisRecorded:
    """Ana's diagnosis."""
    return DiagnosisRecorded(patient=ANA, episode=EPISODE, icd10=icd10, rank=rank)


GROUP_SCHEDULED = GroupSeriesScheduled(
    group=GROUP,
    track="adult-evening",
    site="main-street",
    name="Evening group",
    weekdays=(Weekday.MO, Weekday.WE, Weekday.FR),
    starts=time(18),
    minutes=180,
    time_zone=ZONE,
    capacity=12,
    facilitator=CLINICIAN,
    first_on=ADMITTED,
    last_on=date(2026, 5, 29),
)
REGISTERED = PersonRegistered(
    patient=ANA,
    name=sealed(PersonName),
    birth_date=sealed(BirthDate),
    address=sealed(PostalAddress),
)
ADMISSION = PatientAdmitted(
    episode=EPISODE,
    patient=ANA,
    referral=derive("referral", "ana"),
    track="adult-evening",
    site="main-street",
    level_of_care=LevelOfCare.INTENSIVE_OUTPATIENT,
    payer=PAYER,
    member_id=sealed(MemberId),
    admitted_on=ADMITTED,
)
ENROLLED = PatientEnrolledInGroup(
    enrollment=derive("enrollment", EPISODE, GROUP), patient=ANA, episode=EPISODE, group=GROUP, seat=1
)


E = TypeVar("E", bound=Event)


def only(kind: type[E], outcome: Outcome) -> E:
    """The one event of a type among what was recorded."""
    (found,) = (event for event in outcome.events if isinstance(event, kind))
    return found


class Billing(Scenario):
    """A scenario in which billing hears its own events, as it does from its own store."""

    def __init__(self, now: datetime = datetime(2026, 3, 2, 14, tzinfo=UTC)) -> None:
        super().__init__(handlers, policies, PROJECTIONS, now=now, service="billing")
        self._heard = 0

    async def learn(self, *events: Event, patient: UUID | None = None) -> Outcome:
        """Other services' events arrive; what they led to, own reactions included."""
        start = await self.store.head()
        for event in events:
            await self.hears(event, patient)
            await self._hear_own()
        return await self._since(start)

    async def do(self, command: Command) -> Outcome:
        """A command, and what its events led to."""
        start = await self.store.head()
        outcome = await self.when(command)
        await self._hear_own()
        return outcome if outcome.refused else await self._since(start)

    async def until(self, at: datetime) -> Outcome:
        """Time passes; every timer that is due fires, in the order of time and key."""
        start = await self.store.head()
        while due := sorted((timer.at, key) for key, timer in self.timers.items() if timer.at <= at):
            await self.fire(due[0][1])
            await self._hear_own()
        self.clock.move(at)
        return await self._since(start)

    async def _hear_own(self) -> None:
        while records := await self.store.read(self._heard, 1_000):
            for record in records:
                self._heard = record.envelope.position
                for reaction in self.reactions(record.decode(), record.envelope):
                    await self._react(reaction)

    async def _since(self, start: int) -> Outcome:
        return Outcome([record.decode() for record in await self.store.read(start, 10_000)])

    def rows(self, table: str, **key: Any) -> list[dict[str, Any]]:
        """Rows of a projection."""
        return self.store.tables.select(table, key)

    async def contracted(self, **changes: Any) -> Self:
        """A payer's terms, a group, and Ana admitted, with a diagnosis."""
        await self.do(AgreeContract(terms=terms(**changes)))
        await self.learn(GROUP_SCHEDULED, REGISTERED, ADMISSION, ENROLLED, diagnosis())
        return self

    async def authorized(self, units: int = 12, **changes: Any) -> Self:
        """Likewise, and the payer certified units."""
        await self.contracted(**changes)
        await self.do(answer(units=units))
        return self

    async def day(self, day: date, minutes: int = 180, *, note: bool = True) -> Outcome:
        """A day of service from its session to its close."""
        await self.until(max(self.now, starts(day)))
        await self.learn(scheduled(day), attended(day, minutes))
        if note:
            await self.learn(signed(day))
        return await self.until(datetime.combine(day + timedelta(days=1), time(6), UTC))


def answer(action: Action = Action.CERTIFIED, units: int = 12) -> RecordAuthorizationAnswer:
    """The payer's answer to Ana's first request."""
    return RecordAuthorizationAnswer(
        authorization=authorization_id(EPISODE, "initial", ADMITTED),
        action=action,
        number="A2026030517",
        units=units,
        starts_on=ADMITTED,
        ends_on=date(2026, 5, 30),
        reason="level_of_care_not_met",
    )
