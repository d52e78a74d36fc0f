"""How much is done in one transaction: less after PostgreSQL ended one, since that took too long."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from time import monotonic
from typing import TypeVar

import structlog
from psycopg.errors import TransactionTimeout

from chassis.database import LIMIT_S, is_lost
from chassis.positions import Fenced

ALONE_S = 300
"""The limit of a transaction that does one thing alone, once all limits above it proved too short."""

EASY_S = 5.0
"""Where as much as may be done at once took less, twice as much may be the next time."""

T = TypeVar("T")

log = structlog.get_logger(__name__)


class Pace:
    """How many things one transaction does, ``all`` at most, and the limit of its time, ``limit_s``."""

    def __init__(self, all: int) -> None:
        self._all = self.most = all

    @property
    def limit_s(self) -> int:
        """After so many s PostgreSQL ends a transaction that does as much as goes."""
        return ALONE_S if self.most == 1 else LIMIT_S

    async def through(
        self,
        things: Sequence[T],
        together: Callable[[Sequence[T]], Awaitable[None]],
        alone: Callable[[T], Awaitable[None]],
    ) -> None:
        """Do things in order, as many ``together`` as go; where these fail of themselves, each ``alone``.

        Both do all they are given or nothing. Raises what ``alone`` raises, Fenced, what is lost, and
        TransactionTimeout where one thing takes longer than the longest limit.
        """
        apart = 0
        while things:
            some, limit_s, begun = things[: 1 if apart else self.most], self.limit_s, monotonic()
            try:
                await (alone(some[0]) if apart else together(some))
            except Exception as error:
                if is_lost(error) and monotonic() - begun >= limit_s:
                    # PostgreSQL ended it: within a pipeline the error does not always say so.
                    self.most = max(1, len(some) // 2)
                    log.warning("took_too_long", things=len(some), limit_s=limit_s)
                    if limit_s == ALONE_S:
                        raise TransactionTimeout(f"one alone took more than {limit_s} s") from error
                elif apart or isinstance(error, Fenced) or is_lost(error):
                    raise
                else:
                    log.warning("apart", things=len(some), error=type(error).__name__)
                    apart = len(some)
                continue
            things, apart = things[len(some) :], max(0, apart - 1)
            if len(some) == self.most and monotonic() - begun < EASY_S:
                self.most = min(2 * self.most, self._all)
