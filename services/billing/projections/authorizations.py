"""How authorizations burn down."""

from __future__ import annotations

from collections.abc import Iterator

from caretrail_contracts.billing import (
    AuthorizationApproved,
    AuthorizationDenied,
    AuthorizationPended,
    AuthorizationRequested,
    AuthorizationRunningLow,
    AuthorizationUnitConsumed,
    AuthorizationUnitReleased,
)
from caretrail_contracts.envelope import Envelope

from chassis.projection import Change, Projection, Table, on
from services.billing.domain.authorization import AuthorizationStatus
from services.billing.policies.charges import subject_of

AUTHORIZATIONS = Table(
    "authorizations",
    key={"authorization_id": "uuid"},
    values={
        "patient": "uuid",
        "episode": "uuid",
        "payer": "text",
        "code": "text",
        "review": "text",
        "status": "text",
        "action": "text",
        "number": "text",
        "reason": "text",
        "requested": "integer",
        "units": "integer",
        "starts_on": "date",
        "ends_on": "date",
        "review_due": "date",
        "position": "bigint",
    },
    counters={"used": "integer"},
    indexes=("episode", "status", "position"),
)


class AuthBurnDown(Projection):
    """What was asked, certified and used."""

    version = 1
    tables = (AUTHORIZATIONS,)

    @on(AuthorizationRequested)
    def requested(self, event: AuthorizationRequested, about: Envelope) -> Iterator[Change]:
        """A payer was asked."""
        yield AUTHORIZATIONS.put(
            authorization_id=event.authorization,
            patient=event.patient,
            episode=event.episode,
            payer=event.payer,
            code=event.code,
            review=event.review,
            status=AuthorizationStatus.REQUESTED.value,
            requested=event.units,
            starts_on=event.starts_on,
            ends_on=event.ends_on,
            position=about.position,
        )

    @on(AuthorizationPended)
    def pended(self, event: AuthorizationPended, about: Envelope) -> Iterator[Change]:
        """No decision yet."""
        status = AuthorizationStatus.PENDED.value
        yield AUTHORIZATIONS.put(authorization_id=subject_of(about), status=status)

    @on(AuthorizationApproved)
    def approved(self, event: AuthorizationApproved, about: Envelope) -> Iterator[Change]:
        """Certified."""
        yield AUTHORIZATIONS.put(
            authorization_id=subject_of(about),
            status=AuthorizationStatus.APPROVED.value,
            action=event.action,
            number=event.number,
            units=event.units,
            starts_on=event.starts_on,
            ends_on=event.ends_on,
        )

    @on(AuthorizationDenied)
    def denied(self, event: AuthorizationDenied, about: Envelope) -> Iterator[Change]:
        """Not certified."""
        status = AuthorizationStatus.DENIED.value
        yield AUTHORIZATIONS.put(authorization_id=subject_of(about), status=status, reason=event.reason)

    @on(AuthorizationUnitConsumed)
    def consumed(self, event: AuthorizationUnitConsumed, about: Envelope) -> Iterator[Change]:
        """Units burned."""
        yield AUTHORIZATIONS.add(authorization_id=subject_of(about), used=event.units)

    @on(AuthorizationUnitReleased)
    def released(self, event: AuthorizationUnitReleased, about: Envelope) -> Iterator[Change]:
        """Units given back."""
        yield AUTHORIZATIONS.add(authorization_id=subject_of(about), used=-event.units)

    @on(AuthorizationRunningLow)
    def running_low(self, event: AuthorizationRunningLow, about: Envelope) -> Iterator[Change]:
        """A review is due."""
        yield AUTHORIZATIONS.put(authorization_id=subject_of(about), review_due=event.review_due)
