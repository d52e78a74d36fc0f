"""Days of service: held, captured, claimed."""

from __future__ import annotations

from collections.abc import Iterator

from caretrail_contracts.billing import (
    ChargeCaptured,
    ChargeClaimed,
    ChargeDayOpened,
    ChargeHeld,
    ChargeVoided,
)
from caretrail_contracts.envelope import Envelope

from chassis.projection import Change, Projection, Table, on
from services.billing.domain.charge_day import ChargeStatus
from services.billing.policies.charges import subject_of

CHARGE_DAYS = Table(
    "charge_days",
    key={"charge": "uuid"},
    values={
        "patient": "uuid",
        "episode": "uuid",
        "service_date": "date",
        "status": "text",
        "rule": "text",
        "minutes": "integer",
        "held_since": "timestamptz",
        "payer": "text",
        "code": "text",
        "units": "integer",
        "amount": "numeric(12,2)",
        "authorization_id": "uuid",
        "claim": "uuid",
        "position": "bigint",
    },
    indexes=("episode, status", "payer, status", "patient", "position"),
)


class ChargeHoldQueue(Projection):
    """Each day of service with its state, and why it waits."""

    version = 1
    tables = (CHARGE_DAYS,)

    @on(ChargeDayOpened)
    def opened(self, event: ChargeDayOpened, about: Envelope) -> Iterator[Change]:
        """A day of service."""
        yield CHARGE_DAYS.put(
            charge=event.charge,
            patient=event.patient,
            episode=event.episode,
            service_date=event.service_date,
            status=ChargeStatus.OPEN.value,
            position=about.position,
        )

    @on(ChargeHeld)
    def held(self, event: ChargeHeld, about: Envelope) -> Iterator[Change]:
        """It waits."""
        facts = {"rule": event.rule, "minutes": event.minutes, "held_since": about.occurred_at}
        yield CHARGE_DAYS.put(charge=subject_of(about), status=ChargeStatus.HELD.value, **facts)

    @on(ChargeCaptured)
    def captured(self, event: ChargeCaptured, about: Envelope) -> Iterator[Change]:
        """It became a charge."""
        yield CHARGE_DAYS.put(
            charge=event.charge,
            status=ChargeStatus.CAPTURED.value,
            rule=None,
            held_since=None,
            minutes=event.minutes,
            payer=event.payer,
            code=event.code,
            units=event.units,
            amount=event.amount,
            authorization_id=event.authorization,
        )

    @on(ChargeClaimed)
    def claimed(self, event: ChargeClaimed, about: Envelope) -> Iterator[Change]:
        """It is on a claim."""
        status = ChargeStatus.CLAIMED.value
        yield CHARGE_DAYS.put(charge=subject_of(about), status=status, claim=event.claim)

    @on(ChargeVoided)
    def voided(self, event: ChargeVoided, about: Envelope) -> Iterator[Change]:
        """It no longer stands."""
        status = ChargeStatus.VOIDED.value
        yield CHARGE_DAYS.put(charge=subject_of(about), status=status, rule=event.reason, held_since=None)
