"""The breakdown follows events through every step of their way."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.breakdown import STEPS, followed
from benchmarks.lab import lab
from benchmarks.sizes import SIZES
from benchmarks.stamping import Stamps
from tests.homes import HOMES

pytestmark = [pytest.mark.servers, pytest.mark.xdist_group("stacks")]


@pytest.fixture
def home() -> Iterator[Path]:
    """A home of servers; its path is short, since PostgreSQL's socket lies in it."""
    found = Path(tempfile.mkdtemp(prefix="caretrail-bench-", dir=HOMES))
    yield found
    shutil.rmtree(found, ignore_errors=True)


def test_every_event_that_is_visible_passed_every_step_in_order(home: Path) -> None:
    async def run() -> Stamps:
        async with lab(home, SIZES["tiny"]) as found:
            return (await followed(found, 1))[0]

    stamps = asyncio.run(run())
    assert len(stamps["visible"]) >= 100
    order = ("asked", "read", "fetched", "applying", "visible")
    for position in stamps["visible"]:
        passed = [stamps[step][position] for step in order]
        assert passed == sorted(passed)
    assert {step for begin, end, _ in STEPS for step in (begin, end)} == stamps.keys()
