"""The page of the metrics and a running stack know the same ones; gauges of what waits say what waits."""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from caretrail_contracts.envelope import partition_of, topic_of
from prometheus_client.parser import text_string_to_metric_families

from chassis.applying import Applier
from chassis.clock import SharedClock
from chassis.database import fetch
from chassis.feeds import TopicFeed
from services.intake.app import service as intake
from services.notifications.app import service as notifications
from services.scheduling.app import service as scheduling
from tests.chassis import toy
from tests.conftest import Run
from tests.operations.test_consumers import noticed, tell
from tests.operations.test_ready import until_said
from tests.running import ROOT, Running

pytestmark = pytest.mark.servers

PAGE = ROOT / "docs" / "operations" / "metrics.md"
ROW = re.compile(r"^\| `(caretrail_\w+)` \| (\w+)(?:, database)? \| ([^|]*)\|", re.MULTILINE)

Metric = tuple[str, str]
"""Name, as it is asked for, and type."""


def documented() -> dict[Metric, set[str]]:
    """The metrics of the page, with their labels."""
    return {
        (name, kind): set(re.findall(r"\w+", labels)) for name, kind, labels in ROW.findall(PAGE.read_text())
    }


async def shown(run: Running, service: str) -> dict[Metric, set[str]]:
    """The metrics that a service shows, with the labels of those that have samples."""
    text = (await run.get(service, "/metrics")).text
    found = {}
    for family in text_string_to_metric_families(text):
        if family.name.startswith("caretrail_") and not family.name.endswith("_created"):
            name = family.name + ("_total" if family.type == "counter" else "")
            labels = {label for sample in family.samples for label in sample.labels} - {"le"}
            found[name, family.type] = labels
    return found


async def value(run: Running, service: str, name: str, **labels: str) -> float:
    """What a gauge shows now."""
    text = (await run.get(service, "/metrics")).text
    [found] = [
        sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    ]
    return float(found)


async def test_the_page_and_a_running_stack_know_the_same_metrics(running: Run) -> None:
    page = documented()
    async with running(intake, scheduling, notifications) as run:
        for service in ("intake", "scheduling", "notifications"):
            found = await shown(run, service)
            assert found.keys() == page.keys(), found.keys() ^ page.keys()
            assert {key for key, labels in found.items() if not labels <= page[key]} == set()


async def test_failures_are_counted_from_nothing_on_and_a_bound_tells_its_size(running: Run) -> None:
    async with running(notifications) as run:
        [effect, *_] = notifications.effects
        [projection, *_] = notifications.projections
        for name, labels in (
            ("caretrail_commands_total", {"outcome": "Bug"}),
            ("caretrail_commands_total", {"outcome": "Unavailable"}),
            ("caretrail_commands_turned_away_total", {"bound": "queued"}),
            ("caretrail_commands_turned_away_total", {"bound": "unpublished"}),
            ("caretrail_records_parked_total", {"handler": projection.name()}),
            ("caretrail_records_parked_total", {"handler": effect.name}),
            ("caretrail_effects_failed_total", {"effect": effect.name}),
            ("caretrail_effects_in_hand", {"effect": effect.name}),
            ("caretrail_parked_keys", {"handler": projection.name()}),
            ("caretrail_parked_records", {"handler": effect.name}),
        ):
            assert await value(run, "notifications", name, **labels) >= 0
        most = await value(run, "notifications", "caretrail_unpublished_max_events")
        assert most == run.settings.unpublished_max


async def test_commands_that_fail_before_they_are_carried_out_are_counted(
    running: Run, servers: dict[str, str]
) -> None:
    """Whatever kept them from it: the database of the keys, as readiness tells, or nobody who serves."""

    async def count(outcome: str) -> float:
        text = (await run.get("intake", "/metrics")).text
        found = re.search(rf'^caretrail_commands_total{{outcome="{outcome}"}} (.*)$', text, re.MULTILINE)
        return float(found[1]) if found else 0.0

    async with running(toy.INTAKE) as run:
        rules = ("Unavailable", "NotServed")
        before = [await count(rule) for rule in rules]
        keys = f"{run.settings.database_prefix}_keystore"
        with psycopg.connect(servers["postgres"], autocommit=True) as admin:
            admin.execute(f"alter database {keys} allow_connections false".encode())
            admin.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity where datname = %s", (keys,)
            )
            answer = await run.post("intake", "/referrals", {"patient": str(uuid4())})
            await until_said(run.clients["intake"], ["keystore: PoolTimeout"])
            admin.execute(f"alter database {keys} allow_connections true".encode())
            await until_said(run.clients["intake"], [])
        await run.post("intake", "/none")
        await run.clients["intake"].get("/none")  # this is no command
        assert answer.json()["title"] == "Unavailable"
        assert [await count(rule) - was for rule, was in zip(rules, before, strict=True)] == [1, 1]


async def test_a_scrape_waits_a_while_for_the_database_and_the_next_begins_no_second_look(
    running: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also beyond the bound, where one more look is taken."""
    monkeypatch.setattr("operations.measuring.LOOK_MAX_S", 0.2)
    monkeypatch.setattr("operations.pressure.LOOK_S", 0)
    async with running(toy.INTAKE) as run, asyncio.timeout(20):
        ground = run.runtime("intake").ground
        ground.store.seen = 2 * run.settings.unpublished_max
        async with ground.database.transaction() as held:
            await held.execute("lock table relay_mark")
            for _ in range(3):
                assert await value(run, "intake", "caretrail_database_up") == 0
            [row] = await fetch(held, LOOKS)
            assert row["looks"] == 1
        while await value(run, "intake", "caretrail_database_up") != 1:
            await asyncio.sleep(0.02)


LOOKS = """
select count(*) as looks from pg_stat_activity
where datname = current_database() and wait_event_type = 'Lock' and query like '-- How far the log is%%'
"""


async def test_parked_records_are_counted_by_handler(running: Run) -> None:
    async with running(toy.INTAKE, toy.SCHEDULING) as run:
        sick = str(uuid4())
        await run.post("intake", "/referrals", {"patient": sick, "urgency": "stat"})
        await run.post("intake", "/referrals", {"patient": sick})
        await run.settle()
        assert await value(run, "scheduling", "caretrail_parked_keys", handler="Counts") == 1
        assert await value(run, "scheduling", "caretrail_parked_records", handler="Counts") == 2


async def test_what_the_relay_did_not_send_is_counted_and_has_an_age(running: Run, tmp_path: Path) -> None:
    begin = datetime(2026, 3, 2, 9, tzinfo=UTC)
    clock = SharedClock(tmp_path / "clock", create=begin)
    async with running(toy.INTAKE, clock_file=tmp_path / "clock") as run:
        found = await run.post("intake", "/referrals", {"patient": str(uuid4())})
        for _ in range(2):  # the second one is refused, which is an event too
            await run.post("intake", f"/referrals/{found.json()['command_id']}/accept")
        assert await value(run, "intake", "caretrail_commands_total", outcome="AlreadyAccepted") >= 1
        await run.settle()
        assert await value(run, "intake", "caretrail_relay_backlog_events") == 0
        assert await value(run, "intake", "caretrail_relay_age_seconds") == 0
        clock.move(begin + timedelta(seconds=90))
        database = run.runtime("intake").ground.database
        await database.rows("update relay_mark set position = 1 returning position")
        assert await value(run, "intake", "caretrail_relay_backlog_events") == 2
        assert await value(run, "intake", "caretrail_relay_age_seconds") == 90


async def test_a_partition_that_is_not_read_on_falls_behind_in_records_and_seconds(
    running: Run, tmp_path: Path
) -> None:
    begin = datetime(2026, 3, 2, 9, tzinfo=UTC)
    clock = SharedClock(tmp_path / "clock", create=begin)
    patient, name = str(uuid4()), "caretrail_consumer_lag_"
    async with running(toy.INTAKE, toy.SCHEDULING, clock_file=tmp_path / "clock") as run:
        await run.post("intake", "/referrals", {"patient": patient})
        await run.settle()
        found = await shown(run, "scheduling")
        assert found["caretrail_consumer_lag_records", "gauge"] == {"topic", "partition"}
        [feed] = [feed for feed in run.runtime("scheduling").feeds if isinstance(feed, TopicFeed)]
        [(topic, number)] = [spot for spot, (_, passed_ms) in feed.behind().items() if passed_ms]
        spot = {"topic": topic, "partition": str(number)}
        assert await value(run, "scheduling", name + "records", **spot) == 0
        async with run.runtime("scheduling").ground.database.transaction() as held:
            await held.execute("lock table positions in exclusive mode")
            await run.post("intake", "/referrals", {"patient": patient})
            async with asyncio.timeout(20):
                while await value(run, "scheduling", name + "records", **spot) == 0:
                    await asyncio.sleep(0.02)
            clock.move(begin + timedelta(seconds=30))
            assert await value(run, "scheduling", name + "seconds", **spot) == 30
        await run.settle()
        assert await value(run, "scheduling", name + "records", **spot) == 0
        assert await value(run, "scheduling", name + "seconds", **spot) == 0
        assert await value(run, "scheduling", "caretrail_partition_stopped", **spot) == 0


async def test_a_lag_from_before_the_process_is_no_lag_of_no_time(
    running: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the first scrape of a process that just began it was told as 0 s old."""
    begin = datetime(2026, 3, 2, 9, tzinfo=UTC)
    clock = SharedClock(tmp_path / "clock", create=begin)
    patient, name = str(uuid4()), "caretrail_consumer_lag_"
    async with running(toy.INTAKE, clock_file=tmp_path / "clock") as run:
        await run.post("intake", "/referrals", {"patient": patient})
        await run.settle()
    clock.move(begin + timedelta(seconds=30))
    free, apply = asyncio.Event(), Applier.apply

    async def held(*given: Any) -> None:
        await free.wait()
        await apply(*given)

    monkeypatch.setattr(Applier, "apply", held)
    async with running(toy.INTAKE, toy.SCHEDULING, clock_file=tmp_path / "clock") as run:
        spot = run.runtime("intake").ground.topic, str(partition_of(patient))
        async with asyncio.timeout(20):
            while spot not in (seconds := await spots(run, name + "seconds")):
                await asyncio.sleep(0.02)
        assert seconds[spot] == 30
        assert (await spots(run, name + "records"))[spot] == 1
        free.set()


async def test_a_paused_partition_tells_for_how_long_and_no_lag_that_nobody_knows(running: Run) -> None:
    """Of what is not fetched the broker tells nothing, and after a reset the place is no measure of it."""
    patient = str(uuid4())
    async with running(toy.INTAKE, toy.SCHEDULING) as run:
        await run.post("intake", "/referrals", {"patient": patient})
        await run.settle()
        topic, number = topic_of("intake", run.settings.topic_prefix), partition_of(patient)
        spot = (topic, str(number))
        part: dict[str, Any] = {"topic": topic, "partitions": [number], "reason": "a look at it"}
        assert spot in await spots(run, "caretrail_consumer_lag_records")
        assert await spots(run, "caretrail_partition_paused_seconds") == {}
        await tell(run, "pause", **part)
        await noticed(run, f"{topic}[{number}]")
        await run.post("intake", "/referrals", {"patient": patient})
        await tell(run, "reset", to="beginning", **part)
        assert (await spots(run, "caretrail_partition_paused_seconds"))[spot] > 0
        for unit in ("records", "seconds"):
            assert spot not in await spots(run, f"caretrail_consumer_lag_{unit}")
        await tell(run, "resume", topic=topic)
        await noticed(run, None)
        await run.settle()
        assert await value(run, "scheduling", "caretrail_consumer_lag_records", partition=spot[1]) == 0
        assert await spots(run, "caretrail_partition_paused_seconds") == {}


async def spots(run: Running, name: str) -> dict[tuple[str, str], float]:
    """What scheduling's gauge shows of each topic and partition."""
    text = (await run.get("scheduling", "/metrics")).text
    return {
        (sample.labels["topic"], sample.labels["partition"]): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == name
    }
