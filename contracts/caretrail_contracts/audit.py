"""Audit's events: checks of the ledger."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from .codes import Label
from .event import Event

Count = Annotated[int, Field(ge=0)]


class IntegrityVerified(Event, service="audit"):
    """Every store and the ledger held the same events up to the positions compared."""

    events: Count
    streams: Count


class IntegrityViolationDetected(Event, service="audit"):
    """A store and the ledger differ."""

    differences: tuple[Label, ...]
