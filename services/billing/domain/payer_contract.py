"""A payer's contracts: which terms are in force on a day."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import ClassVar
from uuid import UUID

from caretrail_contracts.billing import ContractAgreed
from caretrail_contracts.event import Event

from chassis.aggregate import Aggregate
from chassis.ids import derive
from services.billing.domain.appeals import AppealRegime
from services.billing.domain.charging import DiscreteService, Fallback, PayerContract
from services.billing.domain.refusals import (
    AlreadyEffective,
    DiscreteServiceIncomplete,
    DisputeWindowMissing,
    UnknownRegime,
)


def contract_id(payer: str) -> UUID:
    """The id of the one stream of a payer's contracts."""
    return derive("contract", payer)


class Contract(Aggregate):
    """The terms agreed with a payer, by the day from which they hold."""

    category: ClassVar[str] = "contract"
    terms: tuple[ContractAgreed, ...] = ()

    def when(self, fact: Event) -> None:
        """Fold one event."""
        match fact:
            case ContractAgreed():
                self.terms = tuple(sorted((*self.terms, fact), key=lambda one: one.effective_on))

    @classmethod
    def agree(cls, found: Contract | None, terms: ContractAgreed, at: datetime) -> Contract:
        """Terms are agreed; the same again change nothing. Raises AlreadyEffective, and as `check` does."""
        check(terms)
        if found is None:
            return cls.start(contract_id(terms.payer), terms, at)
        if terms not in found.terms:
            if any(one.effective_on == terms.effective_on for one in found.terms):
                raise AlreadyEffective(payer=terms.payer, effective_on=terms.effective_on)
            found.record(terms, at)
        return found

    def on(self, day: date) -> ContractAgreed | None:
        """The terms in force on a day, None before the first ones."""
        held = [one for one in self.terms if one.effective_on <= day]
        return held[-1] if held else None


def check(terms: ContractAgreed) -> None:
    """Terms must be whole. Raises DiscreteServiceIncomplete, UnknownRegime, DisputeWindowMissing."""
    if (terms.discrete_code is None) != (terms.discrete_amount is None):
        raise DiscreteServiceIncomplete
    if terms.appeal_regime not in set(AppealRegime):
        raise UnknownRegime(known=", ".join(AppealRegime))
    if terms.appeal_regime == AppealRegime.PROVIDER_DISPUTE and terms.dispute_days is None:
        raise DisputeWindowMissing


def charging_rules(terms: ContractAgreed) -> PayerContract:
    """The part of the terms that decides a day."""
    discrete = None
    if terms.discrete_code is not None:
        discrete = DiscreteService(terms.discrete_code, terms.discrete_amount or Decimal(0))
    return PayerContract(
        code=terms.code,
        amount=terms.amount,
        min_minutes_day=terms.min_minutes,
        max_group_size=terms.group_size_max,
        fallback=Fallback.DISCRETE if discrete else Fallback.NONE,
        discrete=discrete,
    )
