"""Patients by number: clients that say nothing else import nothing else."""

from __future__ import annotations

from functools import lru_cache
from uuid import UUID, uuid5

NAMES = UUID("5b0e9a53-3c2f-4c6e-9d0e-6f2a61b7f0aa")


@lru_cache(maxsize=10_000)
def patient(number: int) -> UUID:
    """The pseudonym of one of many patients."""
    return uuid5(NAMES, str(number))
