"""The play: twelve weeks of a cohort, day by day, and the figures that came of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from chassis.clock import SharedClock
from deploy.local.demo import outcome
from deploy.local.demo.cohort import Patient, answers, cohort
from deploy.local.demo.driver import Driver
from deploy.local.demo.people import Course, People
from deploy.local.demo.setting import prepare
from deploy.local.stack import Stack

BEGINS = datetime(2026, 3, 2, 11, tzinfo=UTC)
"""A Monday, six in the morning in New York."""

FIRST_DAY = date(2026, 3, 2)
ARRIVALS = timedelta(hours=12)
"""From midnight UTC to when the day's referrals are worked on."""

REMINDED = timedelta(hours=17, minutes=30)
"""From midnight UTC to when the next day's reminders are out, and calls instead of them are due."""

EVENING = timedelta(hours=26)
"""From midnight UTC of a session's day to when its attendance is in: 21:00 or 22:00 in New York."""

NOTES = timedelta(hours=26, minutes=30)
CALMER_WEEK = 2
"""The week in which clinicians find that risks seen before are lower."""


async def play(
    stack: Stack,
    clock: SharedClock,
    patients: int,
    weeks: int,
    seed: int,
    console: Console,
    who: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Play the whole journey and return its figures; ``who`` goes with each request, as a header."""
    began = time.monotonic()
    driver = Driver(stack.urls, clock, stack.home / "payer", f"demo-{seed}", who)
    async with driver:
        with _progress(console) as progress:
            task = progress.add_task("weeks", total=weeks * 7, day=FIRST_DAY.isoformat())
            await _play(driver, cohort(seed, patients), weeks, seed, lambda day: progress.update(
                task, completed=(day - FIRST_DAY).days + 1, day=day.isoformat()
            ))  # fmt: skip
        figures = await outcome.figures(driver, stack)
    return {**figures, "seconds": time.monotonic() - began, "instants": driver.instants, "seed": seed}


def _progress(console: Console) -> Progress:
    bar = BarColumn(bar_width=40)
    return Progress(
        TextColumn("playing {task.fields[day]}"),
        bar,
        TextColumn("{task.percentage:>3.0f} %"),
        TimeElapsedColumn(),
        console=console,
    )


async def _play(driver: Driver, patients: list[Patient], weeks: int, seed: int, tell: Any) -> None:
    groups = await prepare(driver, FIRST_DAY, weeks)
    people = People(driver, seed, groups)
    for number in range(weeks * 7):
        day = FIRST_DAY + timedelta(days=number)
        tell(day)
        arriving = [patient for patient in patients if patient.day == number]
        if arriving:
            await driver.until(_midnight(day) + ARRIVALS)
            await people.arrive(arriving)
        await driver.until(_midnight(day) + REMINDED)
        await people.answer_tasks()
        if day.weekday() in (0, 2, 4):
            await _session_day(driver, people, day, number // 7, seed)
        if day.weekday() == 4:
            await people.work_denials()
        if number == weeks * 7 - 3:
            await people.leave_all(day)
    await driver.until(_midnight(FIRST_DAY + timedelta(weeks=weeks, days=14)))


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


async def _session_day(driver: Driver, people: People, day: date, week: int, seed: int) -> None:
    await driver.until(_midnight(day) + EVENING)
    await people.attend(day)
    await driver.quiet()
    await driver.until(_midnight(day) + NOTES)
    await people.sign_notes(day)
    if day.weekday() == 0:
        await asyncio.gather(*(_measure(people, course, week, seed) for course in people.courses))
        if week == CALMER_WEEK:
            await people.judge_risks()
    await driver.quiet()
    await people.answer_tasks()


async def _measure(people: People, course: Course, week: int, seed: int) -> None:
    if course.admitted:
        for instrument in ("phq-9", "gad-7"):
            found = answers(course.patient, instrument, week, seed)
            await people.measure(course, instrument, found, week)
