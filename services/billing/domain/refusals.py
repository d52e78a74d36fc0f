"""What billing says no to."""

from __future__ import annotations

from typing import ClassVar

from chassis.refusal import Refusal


class DiscreteServiceIncomplete(Refusal):
    """A short day's service needs both its code and its amount, or neither."""

    at: ClassVar[str | None] = "/discrete_code"


class DisputeWindowMissing(Refusal):
    """A provider dispute needs the contract's number of days to dispute."""

    at: ClassVar[str | None] = "/dispute_days"


class UnknownRegime(Refusal):
    """The appeal regime is none of {known}."""

    at: ClassVar[str | None] = "/appeal_regime"


class AlreadyEffective(Refusal):
    """Other terms of this payer take effect on this day already: expected a day of its own."""

    at: ClassVar[str | None] = "/effective_on"


class NoContract(Refusal):
    """There is no contract with the episode's payer on this day: agree on one first."""

    at: ClassVar[str | None] = "/starts_on"


class PeriodBackwards(Refusal):
    """The last day is before the first one."""

    at: ClassVar[str | None] = "/ends_on"


class TraceReused(Refusal):
    """The payer used this trace number for a payment of another content: nothing of the file is posted."""

    at: ClassVar[str | None] = "segment {segment} TRN02"


class DenialDone(Refusal):
    """The denial is closed already, with outcome {outcome}."""


class AppealPending(Refusal):
    """Level {level} waits for the payer's decision."""

    at: ClassVar[str | None] = "/level"


class WrongLevel(Refusal):
    """The next level is {expected}."""

    at: ClassVar[str | None] = "/level"


class NoLevelLeft(Refusal):
    """The contract gives {levels} levels of appeal, and each was used."""

    at: ClassVar[str | None] = "/level"


class TooLate(Refusal):
    """The last day to appeal was {deadline}."""
