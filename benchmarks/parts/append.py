"""Appends and commands in one process: through aggregate, store and executor, as a service does them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from time import perf_counter
from uuid import uuid4

from benchmarks import dataset
from benchmarks.figures import Figure
from benchmarks.lab import Lab
from benchmarks.patients import patient
from benchmarks.references import library, rows
from benchmarks.trials import in_turn, percentile, rate, threaded_rate
from benchmarks.workload import TELLER, Chart, SignNote, cause, note, sealed
from chassis.command import Commit, Fact, Work
from chassis.executor import Executor, Kept
from chassis.office import Ground
from chassis.runtime import Role
from chassis.snapshots import SNAPSHOT_EVERY

LONG = 10_000
"""Events of a long stream."""

PATIENTS = 500
STREAM = 10
"""Events of a stream that is loaded."""


async def append(ground: Ground, number: int) -> None:
    """One event of 400 bytes to a new stream, decided by its aggregate, durable on return."""
    work = Work(ground.store, Kept().pop, cause(), ground.clock.now(), None)
    id, someone = uuid4(), patient(number % PATIENTS)
    work.add(Chart.start(id, note(id, someone, sealed(someone)), work.now))
    await ground.store.append(work.commit())


async def append_rate(ground: Ground, callers: int, total: int) -> float:
    """Appends a second by concurrent callers."""
    return await rate(callers, total, lambda number: append(ground, number))


async def single(lab: Lab) -> list[Figure]:
    """One caller, one event after the other."""
    settings = await lab.prepare("append-1", "clinical")
    url, count = lab.database("rows_1"), lab.sizes.single
    async with lab.runtime(TELLER, settings, Role.API) as runtime:

        async def ours(_: int) -> float:
            times = []
            for number in range(count):
                began = perf_counter()
                await append(runtime.ground, number)
                times.append((perf_counter() - began) * 1000)
            return percentile(times, 50)

        async def reference(_: int) -> float:
            return await asyncio.to_thread(rows.insert_p50_ms, url, count)

        appended, inserted = await in_turn(lab.sizes.trials, ours, reference)
    return [Figure("append_1", appended, inserted, about={"events": count})]


async def concurrent(lab: Lab) -> list[Figure]:
    """Callers side by side, beside the library with as many threads as suit it best."""
    settings = await lab.prepare("append-n", "clinical")
    with library.charts(lab.database("library_append")) as app:
        threads = await asyncio.to_thread(library.best_threads, app, lab.sizes.probe)

        async def reference(_: int) -> float:
            return await asyncio.to_thread(
                threaded_rate, threads, lab.sizes.library, lambda _: library.save(app)
            )

        async with lab.runtime(TELLER, settings, Role.API) as runtime:

            async def with_16(_: int) -> float:
                return await append_rate(runtime.ground, 16, lab.sizes.appends)

            async def with_64(_: int) -> float:
                return await append_rate(runtime.ground, 64, lab.sizes.appends)

            by_16, saved, by_64 = await in_turn(lab.sizes.trials, with_16, reference, with_64)
    about = {"events": lab.sizes.appends, "library_threads": threads, "library_events": lab.sizes.library}
    return [Figure("append_16", by_16, saved, about=about), Figure("append_64", by_64, saved, about=about)]


async def commands(lab: Lab) -> list[Figure]:
    """Streams of ten events: each read from the store for its first command, then in memory for two more."""
    settings, total, trials = await lab.prepare("command", "clinical"), lab.sizes.commands, lab.sizes.trials
    with lab.admin(settings, "clinical") as admin:
        await asyncio.to_thread(dataset.events, admin, total * trials * STREAM, PATIENTS)
    with _library(lab) as (first, again):
        async with lab.runtime(TELLER, settings, Role.API) as runtime:
            ground, executors = runtime.ground, dict[int, Executor]()

            async def loaded(trial: int) -> float:
                executor = executors[trial] = Executor(ground.store, TELLER.handlers, ground.clock)
                return await rate(16, total, lambda number: _sign(executor, trial * total + number))

            async def kept(trial: int) -> float:
                end = (trial + 1) * total
                executor, last = executors.pop(trial), range(end - total // 2, end)
                return await rate(16, total, lambda number: _sign(executor, last[number % len(last)]))

            async def loaded_by_library(trial: int) -> float:
                return await asyncio.to_thread(first.trial, trial)

            async def kept_by_library(trial: int) -> float:
                return await asyncio.to_thread(again.trial, trial)

            sides = (loaded, loaded_by_library, kept, kept_by_library)
            found = await in_turn(trials, *sides)
    about = {"commands": total}
    return [
        Figure("command_16", found[2], found[3], about=about | {"library_threads": again.threads}),
        Figure("command_16_loaded", found[0], found[1], about=about | {"library_threads": first.threads}),
    ]


@contextmanager
def _library(lab: Lab) -> Iterator[tuple[library.Signing, library.Signing]]:
    """The library on streams of ten events: one that reads them, and one that keeps them."""
    url, count, probe = lab.database("library_command"), lab.sizes.library, lab.sizes.probe
    with library.charts(url) as reads, library.charts(url, kept=count) as keeps:
        streams = library.filled(reads, count * lab.sizes.trials + probe, STREAM)
        both = library.Signing(reads, streams, count), library.Signing(keeps, streams, count, kept=True)
        for one in both:
            one.choose(probe)
        yield both


async def long_stream(lab: Lab) -> list[Figure]:
    """A long stream, loaded as a command loads it: with its snapshot, and without."""
    settings, id = await lab.prepare("long", "clinical"), uuid4()
    async with lab.runtime(TELLER, settings, Role.API) as runtime:
        ground, someone = runtime.ground, patient(0)
        chart = Chart.start(id, note(id, someone, sealed(someone)), ground.clock.now())
        await _signed(ground, chart, LONG - SNAPSHOT_EVERY + 1)
        await ground.store.keep([chart])
        await _signed(ground, chart, LONG)

        async def timed(count: int, load: Callable[[], Awaitable[Chart | None]]) -> float:
            times = []
            for _ in range(count):
                began = perf_counter()
                found = await load()
                times.append((perf_counter() - began) * 1000)
                assert found is not None
                assert found.notes == LONG
            return percentile(times, 50)

        async def ours(_: int) -> float:
            return await timed(lab.sizes.looks, lambda: ground.store.load(Chart, id))

        async def whole() -> Chart | None:
            return Chart.resume(None, id, await ground.store.read_stream(chart.stream))

        async def reference(_: int) -> float:
            return await timed(3, whole)

        loaded, replayed = await in_turn(lab.sizes.trials, ours, reference)
    about = {"events": LONG, "after_the_snapshot": SNAPSHOT_EVERY - 1}
    return [Figure("load_long", loaded, replayed, more={"p50_ms": loaded}, about=about)]


async def _signed(ground: Ground, chart: Chart, until: int) -> None:
    """Notes of one commit, until the chart has so many."""
    someone, before = patient(0), chart.version if chart.notes > 1 else 0
    while chart.notes < until:
        id = uuid4()
        chart.record(note(id, someone, sealed(someone)), ground.clock.now())
    facts = tuple(
        Fact(chart.stream, before + step, event, at, someone, None)
        for step, (event, at) in enumerate(chart.decided(), 1)
    )
    await ground.store.append(Commit(cause(), ground.clock.now(), facts, {chart.stream: before}))


async def _sign(executor: Executor, number: int) -> None:
    chart = dataset.chart(number)
    await executor.execute(SignNote(chart=chart, note=uuid4(), patient=patient(number % PATIENTS)), cause())
