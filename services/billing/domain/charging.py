"""From attended minutes to a day's charge, by the payer contract: per diem, discrete services, or a hold."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum

# Defaults of contracts; each is the contract's own to set.
PER_DIEM_MINUTES = 180  # HCPCS H0015: intensive outpatient, at least 3 hours a day
GROUP_SIZE_MAX = 12  # NGS LCD L33632, for CPT 90853
UPPER_TIER_SERVICES = 4  # CY 2024 OPPS: an IOP day of four and more services falls to the higher APC


class Fallback(StrEnum):
    """What a day below the minimum is billed as."""

    DISCRETE = "discrete"
    NONE = "none"


class HoldRule(StrEnum):
    """Why a charge waits for a person or an event: in the hold queue, and after a while as a task."""

    COVERAGE_MISSING = "CoverageMissing"
    CONTRACT_MISSING = "ContractMissing"
    NOTE_UNSIGNED = "NoteUnsigned"
    GROUP_SIZE_EXCEEDED = "GroupSizeExceeded"
    NO_PRIMARY_SERVICE = "NoPrimaryService"
    MINUTES_SHORT = "MinutesShort"
    DIAGNOSIS_MISSING = "DiagnosisMissing"
    AUTHORIZATION_MISSING = "AuthorizationMissing"
    AUTHORIZATION_PENDING = "AuthorizationPending"
    AUTHORIZATION_DENIED = "AuthorizationDenied"
    AUTHORIZATION_ELAPSED = "AuthorizationElapsed"
    AUTHORIZATION_EXHAUSTED = "AuthorizationExhausted"


class Tier(StrEnum):
    """Which APC a Medicare day falls to."""

    LOWER = "lower"
    UPPER = "upper"


@dataclass(frozen=True, slots=True)
class Break:
    """A pause inside attendance, such as `lunch`."""

    start: datetime
    end: datetime
    kind: str


@dataclass(frozen=True, slots=True)
class AttendedInterval:
    """What one patient attended of one session; `members` is the group's size, None outside a group."""

    start: datetime
    end: datetime
    service_code: str
    note_signed: bool
    members: int | None = None
    breaks: tuple[Break, ...] = ()


@dataclass(frozen=True, slots=True)
class DiscreteService:
    """What a short day is billed as: code and price of one unit (one a patient a day)."""

    code: str
    amount: Decimal


@dataclass(frozen=True, slots=True)
class PayerContract:
    """How one payer pays a day. `primary_services` is set for payers that itemize services (Medicare)."""

    code: str
    amount: Decimal
    revenue_code: str = ""
    min_minutes_day: int = PER_DIEM_MINUTES
    max_group_size: int = GROUP_SIZE_MAX
    excluded_breaks: frozenset[str] = frozenset()
    fallback: Fallback = Fallback.NONE
    discrete: DiscreteService | None = None
    primary_services: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        if self.fallback is Fallback.DISCRETE and self.discrete is None:
            raise ValueError("fallback `discrete` without a discrete service; expected its code and amount")


@dataclass(frozen=True, slots=True)
class ChargeDecision:
    """A charge (units > 0), a hold, or neither (nothing to bill). `amount` is units times the price."""

    minutes: int
    units: int = 0
    code: str | None = None
    amount: Decimal = Decimal("0.00")
    hold: HoldRule | None = None
    tier: Tier | None = None


def billable_minutes(intervals: Iterable[AttendedInterval], excluded_breaks: frozenset[str]) -> int:
    """Whole minutes of the union of the attended intervals less the breaks that the contract excludes.

    A break is taken off only where it was attended; an overlap counts once. Times carry one zone.
    """
    attended = tuple(intervals)
    pauses = [(one.start, one.end) for i in attended for one in i.breaks if one.kind in excluded_breaks]
    spans = [(one.start, one.end) for one in attended]
    attended_length = _length(spans + pauses) - _length(pauses)  # |spans \ pauses|
    return attended_length // timedelta(minutes=1)


def decide_day(contract: PayerContract, intervals: Sequence[AttendedInterval]) -> ChargeDecision:
    """One patient's day by its contract: no charge without a signed note for all that was attended."""
    minutes = billable_minutes(intervals, contract.excluded_breaks)
    if not minutes:
        return ChargeDecision(minutes)
    if hold := _hold(contract, intervals):
        return ChargeDecision(minutes, hold=hold)
    if contract.primary_services:
        tier = Tier.UPPER if len(intervals) >= UPPER_TIER_SERVICES else Tier.LOWER
        return ChargeDecision(minutes, 1, contract.code, contract.amount, tier=tier)
    if minutes >= contract.min_minutes_day:
        return ChargeDecision(minutes, 1, contract.code, contract.amount)
    if contract.fallback is Fallback.DISCRETE and contract.discrete:
        return ChargeDecision(minutes, 1, contract.discrete.code, contract.discrete.amount)
    return ChargeDecision(minutes)


def _hold(contract: PayerContract, intervals: Sequence[AttendedInterval]) -> HoldRule | None:
    if not all(one.note_signed for one in intervals):
        return HoldRule.NOTE_UNSIGNED
    if any(one.members is not None and one.members > contract.max_group_size for one in intervals):
        return HoldRule.GROUP_SIZE_EXCEEDED
    services = {one.service_code for one in intervals}
    if contract.primary_services and not services & contract.primary_services:
        return HoldRule.NO_PRIMARY_SERVICE
    return None


def _length(spans: Iterable[tuple[datetime, datetime]]) -> timedelta:
    """Length of the union; a span that ends before it starts has none."""
    total, reached = timedelta(0), None
    for start, end in sorted(span for span in spans if span[1] > span[0]):
        if reached is None or start > reached:
            total, reached = total + (end - start), end
        elif end > reached:
            total, reached = total + (end - reached), end
    return total
