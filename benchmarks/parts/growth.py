"""What a large log costs: appends and a patient's timeline at many stored events and at few."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack

import psycopg
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from benchmarks import dataset
from benchmarks.figures import Figure
from benchmarks.lab import KEPT, Lab
from benchmarks.parts.append import append_rate
from benchmarks.patients import patient
from benchmarks.trials import in_turn, rate
from benchmarks.workload import TELLER
from chassis.config import Settings, database_url
from chassis.database import Database
from chassis.office import Ground
from chassis.runtime import Role
from services.audit.api import TIMELINE

PAGE = 200
"""Events of each patient: one page shows them."""

CALLERS = 16

LOOKED_UP = (("events", "stream"), ("commands", "command_id"))
"""Columns whose indexes an append reads at a place of its own, anywhere in them."""

Fill = Callable[[psycopg.Connection, int, int, dataset.Told], int]


async def growth(lab: Lab) -> list[Figure]:
    """The small and the large data set in turn."""
    # What a run appends makes the small one larger: it is made anew. The large one is kept for later runs.
    small = await _filled(lab, "growth-small", lab.sizes.small)
    large = await _filled(lab, f"{KEPT}-cohorts-{lab.sizes.large}", lab.sizes.large)
    about = {"small": lab.sizes.small, "large": lab.sizes.large}
    appended, cold = await _appends(lab, large, small)
    looked, anybody = await _timelines(lab, large, small)
    return [
        Figure("growth_append", *appended, {"cold_events_s": cold}, about),
        Figure("growth_timeline", *looked, {"anybody_pages_s": anybody}, about),
    ]


async def _appends(
    lab: Lab, large: Settings, small: Settings
) -> tuple[tuple[list[float], list[float]], list[float]]:
    """By a server that has been at work; then what the large log took at first, nothing of it in memory."""
    async with AsyncExitStack() as stack:

        async def ground(settings: Settings) -> Ground:
            return (await stack.enter_async_context(lab.runtime(TELLER, settings, Role.API))).ground

        many, few, count = await ground(large), await ground(small), lab.sizes.appends
        cold = await append_rate(many, CALLERS, count)
        with lab.admin(large, "clinical") as admin:
            await asyncio.to_thread(_warm, admin)
        ours, reference = await in_turn(
            lab.sizes.trials,
            lambda _: append_rate(many, CALLERS, count),
            lambda _: append_rate(few, CALLERS, count),
        )
    return (ours, reference), [cold]


def _warm(admin: psycopg.Connection) -> None:
    """Read the indexes into the server's memory."""
    admin.execute("set enable_seqscan = off")
    for table, column in LOOKED_UP:
        admin.execute(f"select count({column}) from {table}".encode())


async def _timelines(
    lab: Lab, large: Settings, small: Settings
) -> tuple[tuple[list[float], list[float]], list[float]]:
    """Of patients in care at many events and at few; then of anybody who ever was, at many."""
    everybody, counts = lab.sizes.large // PAGE, (lab.sizes.large, lab.sizes.small)
    in_care, all_few = (min(count // PAGE, dataset.COHORT) for count in counts)

    async with AsyncExitStack() as stack:

        async def ledger(settings: Settings) -> Database:
            return await stack.enter_async_context(Database(database_url(settings, "audit")))

        many, few = await ledger(large), await ledger(small)
        newest = range(everybody - in_care, everybody)
        for log, patients in ((many, newest), (few, range(all_few))):
            await _looks(log, patients, len(patients), 0)  # whoever is in care was looked at before
        ours, reference = await in_turn(
            lab.sizes.trials,
            lambda trial: _looks(many, newest, lab.sizes.looks, trial),
            lambda trial: _looks(few, range(all_few), lab.sizes.looks, trial),
        )
        [anybody] = await in_turn(
            lab.sizes.trials, lambda trial: _looks(many, range(everybody), lab.sizes.looks, trial)
        )
    return (ours, reference), anybody


async def _looks(database: Database, patients: range, count: int, trial: int) -> float:
    """Pages a second of one reader, each of another patient."""

    async def look(number: int) -> None:
        someone = patient(patients[(trial * count + number) * 7919 % len(patients)])
        rows = await database.rows(TIMELINE, someone, None, "-infinity", "", 0, PAGE)
        if len(rows) != PAGE:
            raise RuntimeError(f"a page of {len(rows)} events")

    return await rate(1, count, look)


async def _filled(lab: Lab, name: str, count: int) -> Settings:
    """A log and a ledger of so many events, made where they are missing."""
    settings = await lab.prepare(name, "clinical", "audit")
    with lab.admin(settings, "clinical") as admin:
        await asyncio.to_thread(_fill, admin, "events", count, dataset.events)
    with lab.admin(settings, "audit") as admin:
        await asyncio.to_thread(_fill, admin, "ledger", count, dataset.ledger)
    return settings


def _fill(admin: psycopg.Connection, table: str, count: int, fill: Fill) -> None:
    """Fill a table that does not hold all of it yet, and show how far it is."""
    newest = admin.execute(f"select coalesce(max(position), 0) from {table}".encode()).fetchone()
    if newest is not None and newest[0] >= count:
        return
    admin.execute("truncate ledger" if table == "ledger" else "truncate events, commands")
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed:,.0f}"))
    with Progress(*columns, TimeRemainingColumn()) as progress:
        task = progress.add_task(f"{table}, once", total=count)
        fill(admin, count, count // PAGE, lambda done: progress.update(task, completed=done))
    admin.execute("checkpoint")
