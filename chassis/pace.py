"""How much is done in one transaction: less after PostgreSQL ended one, since that took too long."""

from __future__ import annotations

from asyncio import CancelledError
from collections.abc import Awaitable, Callable, Sequence
from time import monotonic
from typing import TypeVar

import structlog
from psycopg.errors import TransactionTimeout

from chassis.database import LIMIT_S, is_lost
from chassis.part import is_to_end
from chassis.positions import Fenced

ALONE_S = 300
"""The limit of a transaction that does one thing alone, once all limits above it proved too short."""

T = TypeVar("T")
Work = Callable[[Sequence[T], bool, Exception | None], Awaitable[None]]

log = structlog.get_logger(__name__)


class Pace:
    """How many things one transaction does, ``all`` at most, and the limit of its time, ``limit_s``."""

    def __init__(self, all: int) -> None:
        self._all, self.most, self._longer = all, all, False

    @property
    def limit_s(self) -> int:
        """After so many s PostgreSQL ends a transaction that does as much as goes."""
        return ALONE_S if self._longer else LIMIT_S

    async def through(self, things: Sequence[T], work: Work[T]) -> None:
        """Do work on things in order, on as many at once as go; where it fails of itself, on each apart.

        It is done on all it is given or not at all; told whether they are apart, and what failed where even
        so it did. Raises what it raises then, Fenced, what is lost, TransactionTimeout where one thing takes
        longer than the longest limit, and CancelledError.
        """
        apart, unfit = 0, None
        while things:
            if is_to_end():
                raise CancelledError
            some, limit_s, begun = things[: 1 if apart else self.most], self.limit_s, monotonic()
            try:
                await work(some, bool(apart), unfit)
            except Exception as error:
                if is_lost(error) and monotonic() - begun >= limit_s:
                    # PostgreSQL ended it: within a pipeline the error does not always say so.
                    log.warning("took_too_long", things=len(some), limit_s=limit_s)
                    if limit_s == ALONE_S:
                        raise TransactionTimeout(f"one alone took more than {limit_s} s") from error
                    # One alone is tried twice before: a process that was frozen finds its work ended, too.
                    self._longer, self.most = self.most == 1, max(1, len(some) // 2)
                elif unfit or isinstance(error, Fenced) or is_lost(error):
                    raise
                elif apart:
                    unfit = error
                else:
                    log.warning("apart", things=len(some), error=type(error).__name__)
                    apart = len(some)
                continue
            things, apart, unfit = things[len(some) :], max(0, apart - 1), None
            if len(some) == self.most and monotonic() - begun < LIMIT_S / 3:
                self._longer, self.most = False, min(2 * self.most, self._all)
