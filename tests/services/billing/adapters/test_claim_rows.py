"""A batch's file waits for its claims' rows; where they do not come, it holds up no other batch."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest

from chassis.part import passes
from services.billing.adapters import claim_files
from services.billing.adapters.claim_files import NotProjected, NotProjectedYet, write_batch


class Rows:
    """An office whose read models have no claims, and are as far as they are."""

    def __init__(self, applied: int) -> None:
        self.applied = applied

    async def rows(self, *_: Any) -> list[Any]:
        return []

    async def has_applied(self, position: int) -> bool:
        return self.applied >= position


@pytest.mark.parametrize(("applied", "told"), [(6, NotProjectedYet), (7, NotProjected)])
async def test_rows_are_waited_for_until_all_before_the_batch_is_applied(
    monkeypatch: pytest.MonkeyPatch, applied: int, told: type[Exception]
) -> None:
    monkeypatch.setattr(claim_files, "ROWS_TRIES", 2)
    event, about, office = SimpleNamespace(claims=(uuid4(),)), SimpleNamespace(position=7), Rows(applied)
    with pytest.raises(told):
        await write_batch(event, about, office)  # type: ignore[arg-type]


def test_only_what_may_still_come_is_waited_for_without_end() -> None:
    assert passes(NotProjectedYet())
    assert not passes(NotProjected())
