"""A tiny run of every key on servers of its own: the figures are complete, however slow."""

from __future__ import annotations

import asyncio
import json
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from caretrail_contracts.cloudevents import Record
from caretrail_contracts.envelope import partition_of
from rich.console import Console

from benchmarks import dataset
from benchmarks.__main__ import measure
from benchmarks.keys import KEYS
from benchmarks.lab import SIZED, STAMPED, lab
from benchmarks.sizes import FULL, QUICK, TINY
from benchmarks.workload import BODY_BYTES, TELLER
from chassis.runtime import Role
from tests.homes import HOMES

pytestmark = [pytest.mark.servers, pytest.mark.xdist_group("stacks")]


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    """A home of servers; its path is short, since PostgreSQL's socket lies in it."""
    found = Path(tempfile.mkdtemp(prefix="caretrail-bench-", dir=HOMES))
    yield found
    shutil.rmtree(found, ignore_errors=True)


@pytest.fixture(scope="module")
def results(home: Path) -> dict[str, Any]:
    """What a tiny run of every key writes."""
    path = home / "results.json"
    asyncio.run(measure(home, "tiny", list(KEYS), Console(file=StringIO()), path))
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def test_every_key_is_measured_or_says_why_not(results: dict[str, Any]) -> None:
    figures = results["figures"]
    assert list(figures) == list(KEYS)
    for name, figure in figures.items():
        if figure["verdict"] == "missing":
            assert figure["reason"], name
        else:
            assert len(figure["ours"]["trials"]) == TINY.trials, name
            assert figure["ours"]["min"] > 0, name


def test_every_measured_key_has_its_reference_of_the_same_run(results: dict[str, Any]) -> None:
    measured = {name: found for name, found in results["figures"].items() if found["verdict"] != "missing"}
    for name, figure in measured.items():
        if name != "memory":
            assert len(figure["reference"]["measured"]["trials"]) == len(figure["ours"]["trials"]), name
            assert figure["ratio"]["min"] <= figure["ratio"]["median"] <= figure["ratio"]["max"], name


def test_a_missed_key_says_what_holds_it_back(results: dict[str, Any]) -> None:
    missed = {name: found for name, found in results["figures"].items() if found["verdict"] == "missed"}
    assert all(found["reason"] for found in missed.values()), missed.keys()


def test_versions_and_machine_are_told(results: dict[str, Any]) -> None:
    assert results["machine"]["fsync"] == "on"
    assert results["machine"]["processors"] >= 1
    assert all(results["versions"].values())
    assert results["postgresql_settings"].keys() == {*STAMPED, *SIZED}


def test_what_is_published_is_of_three_trials_at_least() -> None:
    assert all(sizes.trials >= 3 for sizes in (FULL, QUICK))


async def _stored(home: Path) -> Sequence[Record]:
    async with lab(home, TINY) as found:
        settings = await found.prepare("stored", "clinical")
        with found.admin(settings, "clinical") as admin:
            assert dataset.events(admin, 1_500, patients=7) == 2_000
        async with found.runtime(TELLER, settings, Role.API) as runtime:
            return await runtime.ground.store.read(0, 2_000)


def test_a_data_set_is_what_the_store_would_have_written(home: Path) -> None:
    records = asyncio.run(_stored(home))
    assert [record.envelope.position for record in records] == list(range(1, 2_001))
    streams: dict[str, list[int]] = {}
    for record in records:
        about = record.envelope
        assert record.decode().to_bytes() == record.body
        assert len(record.body) == BODY_BYTES
        assert about.partition == partition_of(about.key)
        streams.setdefault(about.stream, []).append(about.stream_version)
    assert set(map(tuple, streams.values())) == {tuple(range(1, 11))}
    assert set(streams) == {f"chart-{dataset.chart(number)}" for number in range(200)}
