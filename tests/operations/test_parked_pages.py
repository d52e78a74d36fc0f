"""The list of parked keys, where there are more than one answer holds."""

from __future__ import annotations

from uuid import uuid4

import pytest

from operations import parked
from tests.chassis.toy import INTAKE, SCHEDULING
from tests.conftest import Run
from tests.operations.test_parked import listed, refer

pytestmark = pytest.mark.servers


async def test_a_list_goes_by_handler_and_by_pages_and_denies_nothing(
    running: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The oldest keys of one handler must not hide those of another."""
    async with running(INTAKE, SCHEDULING) as run:
        sick = [str(uuid4()) for _ in range(3)]
        for each in sick:
            await refer(run, each, "stat", "routine")
        await run.settle()
        sick = [head["key"] for head in await listed(run)]
        monkeypatch.setattr(parked, "LISTED_MAX", 2)
        database = run.runtime("scheduling").ground.database
        await database.rows("update parked set handler = 'Gone' where key = %s returning 1", sick[2])

        async def keys(asked: str = "") -> tuple[int, int, list[str]]:
            found = (await run.get("scheduling", f"/internal/parked{asked}")).json()
            return found["keys"], found["records"], [head["key"] for head in found["parked"]]

        assert await keys() == (3, 6, sick[:2])
        assert await keys(f"?after={(await listed(run))[-1]['id']}") == (1, 2, sick[2:])
        assert await keys("?handler=Gone") == (1, 2, sick[2:])
        assert await keys("?handler=Nope") == (0, 0, [])
