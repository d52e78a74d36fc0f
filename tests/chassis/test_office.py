"""The office of an adapter: what it opens, and what it waits for."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest

from chassis.office import AdapterOffice
from keystore.doors import ERASED, UNREADABLE, Tampered
from tests.scenario import FixedClock


@pytest.mark.parametrize(("opened", "raises"), [(ERASED, False), (UNREADABLE, True)])
async def test_what_was_erased_is_for_good_and_what_does_not_open_is_tried_again(
    opened: Any, raises: bool
) -> None:
    """An effect that raises is parked, to be redriven once the right key is back."""

    async def open(*_: Any) -> list[Any]:
        return [opened]

    part = SimpleNamespace(
        options=None, issue_key=None, digest=None, rows=None, row=None, name="notifications"
    )
    ground: Any = SimpleNamespace(
        service=part,
        doors=part,
        database=part,
        has_applied=None,
        open=open,
        clock=FixedClock(datetime(2026, 3, 2, tzinfo=UTC)),
    )
    office = AdapterOffice(ground, "mailer")
    asked: dict[str, Any] = {"resource": "message-1", "purpose": "TREAT"}
    if raises:
        with pytest.raises(Tampered, match="message-1"):
            await office.open(uuid4(), [], **asked)
    else:
        assert await office.open(uuid4(), [], **asked) == [ERASED]
