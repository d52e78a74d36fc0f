"""Traces: where an error arose and what led to it, by classes and places; messages could hold anything."""

from __future__ import annotations

from collections.abc import Iterator
from traceback import extract_tb

CHAIN_MAX = 20
"""Errors of a chain that are told at most."""

FRAMES_MAX = 50
"""Places of an error that are told at most, those next to it."""


def trace_of(error: BaseException) -> str:
    """The trace of an error, what led to it first, as Python prints it but without any message or value."""
    return "\n".join(_lines(error, set()))


def _lines(error: BaseException, told: set[int]) -> Iterator[str]:
    told.add(id(error))
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    group = error.exceptions if isinstance(error, BaseExceptionGroup) else ()
    for before in (cause, *group):
        if before and id(before) not in told and len(told) < CHAIN_MAX:
            yield from _lines(before, told)
    for at in extract_tb(error.__traceback__, -FRAMES_MAX):
        yield f'  File "{at.filename}", line {at.lineno}, in {at.name}'
    yield f"{type(error).__module__}.{type(error).__qualname__}"
