"""Trials: callers side by side, rates and latencies, ours and the reference's in turn."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from statistics import quantiles
from time import perf_counter

Trial = Callable[[int], Awaitable[float]]
"""One trial, told its number; gives its figure."""


async def in_turn(trials: int, *sides: Trial) -> list[list[float]]:
    """Trials of several sides, one after the other in each round; the figures of each side."""
    found: list[list[float]] = [[] for _ in sides]
    for number in range(trials):
        for side, figures in zip(sides, found, strict=True):
            figures.append(await side(number))
    return found


async def rate(callers: int, total: int, act: Callable[[int], Awaitable[object]]) -> float:
    """Acts a second, by concurrent callers that each begin the next when the last one is done."""
    numbers = iter(range(total))

    async def call() -> None:
        for number in numbers:
            await act(number)

    began = perf_counter()
    async with asyncio.TaskGroup() as group:
        for _ in range(callers):
            group.create_task(call())
    return total / (perf_counter() - began)


def threaded_rate(threads: int, total: int, act: Callable[[int], object]) -> float:
    """Acts a second, by threads that each begin the next when the last one is done."""
    numbers = iter(range(total))

    def call(numbers: Iterator[int]) -> None:
        for number in numbers:
            act(number)

    with ThreadPoolExecutor(threads) as pool:
        began = perf_counter()
        for done in [pool.submit(call, numbers) for _ in range(threads)]:
            done.result()
        return total / (perf_counter() - began)


def percentile(values: Sequence[float], percent: int) -> float:
    """A percentile; of one value, the value."""
    return quantiles(values, n=100, method="inclusive")[percent - 1] if len(values) > 1 else values[0]
