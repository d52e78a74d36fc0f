"""Two small services over intake's and scheduling's contracts, to try the chassis with."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import ClassVar
from uuid import UUID

from caretrail_contracts.codes import Urgency
from caretrail_contracts.envelope import Envelope
from caretrail_contracts.event import Event
from caretrail_contracts.intake import ReferralAccepted, ReferralReceived, SourceType
from caretrail_contracts.scheduling import EnrollmentRejected
from fastapi import APIRouter
from pydantic import BaseModel

from chassis.aggregate import Aggregate
from chassis.command import Command, Handlers, Work
from chassis.policy import Policies, Timer
from chassis.projection import Change, Projection, Table, on
from chassis.refusal import Refusal
from chassis.service import Service
from web.http import Accepted, Calling

POISON = Urgency.STAT
"""Referrals of this urgency break the second service's handlers while ``Faults.on``."""


class Faults:
    """Whether poison is poison now."""

    on: ClassVar[bool] = True


class AlreadyAccepted(Refusal):
    """It is accepted already."""


class Referral(Aggregate):
    category: ClassVar[str] = "referral"
    accepted: bool = False

    def when(self, fact: Event) -> None:
        match fact:
            case ReferralReceived():
                self.patient = fact.patient
            case ReferralAccepted():
                self.accepted = True


class Receive(Command):
    referral: UUID
    patient: UUID
    urgency: Urgency


class Accept(Command):
    referral: UUID


first = Handlers()


@first.handles(Receive)
async def receive(command: Receive, work: Work) -> None:
    fact = ReferralReceived(source_type=SourceType.SELF, channel="toy", **dict(command))
    work.add(Referral.start(command.referral, fact, work.now))


@first.handles(Accept)
async def accept(command: Accept, work: Work) -> None:
    referral = await work.load(Referral, command.referral)
    if referral.accepted:
        raise AlreadyAccepted()
    referral.record(ReferralAccepted(), work.now)


class Body(BaseModel):
    patient: UUID
    urgency: Urgency = Urgency.ROUTINE


router = APIRouter()


@router.post("/referrals", status_code=201)
async def post(body: Body, caller: Calling) -> Accepted:
    return await caller.execute(Receive(referral=caller.command_id, **dict(body)))


@router.post("/referrals/{referral}/accept")
async def post_accept(referral: UUID, caller: Calling) -> Accepted:
    return await caller.execute(Accept(referral=referral))


reminders = Policies()


@reminders.on(ReferralReceived)
def when_received(event: ReferralReceived, about: Envelope) -> Iterator[Timer]:
    """An urgent referral is accepted an hour later by itself."""
    if event.urgency is Urgency.URGENT:
        yield Timer(
            f"accept-{event.referral}",
            about.recorded_at + timedelta(hours=1),
            Accept(referral=event.referral),
        )


INTAKE = Service("intake", first, reminders, router=router)

COUNTS = Table("counts", key={"patient": "uuid"}, counters={"received": "integer", "accepted": "integer"})


class Counts(Projection):
    """How many referrals each patient has."""

    tables: ClassVar[tuple[Table, ...]] = (COUNTS,)

    @on(ReferralReceived)
    def received(self, event: ReferralReceived, about: Envelope) -> Iterator[Change]:
        if event.urgency is POISON and Faults.on:
            raise KeyError("poison")
        yield COUNTS.add(patient=event.patient, received=1)

    @on(ReferralAccepted)
    def accepted(self, event: ReferralAccepted, about: Envelope) -> Iterator[Change]:
        yield COUNTS.add(patient=about.patient, accepted=1)


class Seat(Aggregate):
    category: ClassVar[str] = "seat"

    def when(self, fact: Event) -> None:
        if isinstance(fact, EnrollmentRejected):
            self.patient = fact.patient


class Reject(Command):
    referral: UUID
    patient: UUID


second = Handlers()


@second.handles(Reject)
async def reject(command: Reject, work: Work) -> None:
    fact = EnrollmentRejected(patient=command.patient, episode=command.referral, track="toy", reason="toy")
    work.add(Seat.start(command.referral, fact, work.now))


seating = Policies()


@seating.on(ReferralReceived)
def when_referral_received(event: ReferralReceived, about: Envelope) -> Iterator[Command]:
    yield Reject(referral=event.referral, patient=event.patient)


SCHEDULING = Service("scheduling", second, seating, (Counts(),))
