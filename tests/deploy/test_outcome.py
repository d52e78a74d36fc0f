"""The figures of a play: lags are those after rest, also after the events of the figures' own questions."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from deploy.local.demo import outcome

AUDIT = {"service": "audit", "source": "audit:main", "sources": [], "head": 1, "heads": {"0": 1}}
BUSY = {"audit": AUDIT | {"consumed": {}}}
AT_REST = {"audit": AUDIT | {"consumed": {"store": {"0": 1}}}}


class Restless:
    """Plays a driver whose audit has not applied the record of its own check yet; at rest it has."""

    now = "2026-03-30"

    async def post(self, *about: Any, **more: Any) -> dict[str, Any]:
        return {"verified": True, "events": 1, "streams": 1}

    async def get(self, service: str, path: str) -> Any:
        return [] if service == "audit" else {}

    async def all(self, service: str, path: str) -> list[Any]:
        return []

    async def progress(self) -> dict[str, Any]:
        return BUSY

    async def kept(self) -> dict[str, Any]:
        return AT_REST


async def test_the_lags_of_a_play_are_those_at_rest() -> None:
    driver: Any = Restless()
    stack: Any = SimpleNamespace(peak=SimpleNamespace(kib=0))
    assert (await outcome.figures(driver, stack))["lag"] == {"audit": 0}
