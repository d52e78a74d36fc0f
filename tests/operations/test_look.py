"""A look that several wait for: each gets what that one saw."""

from __future__ import annotations

import asyncio

from operations.looking import Look


async def test_who_waited_for_a_look_gets_it_also_where_another_has_begun_the_next() -> None:
    gates, begun, others = [asyncio.Event(), asyncio.Event()], list[int](), list[asyncio.Task[int | None]]()

    async def look() -> int:
        number = len(begun)
        begun.append(number)
        await gates[number].wait()
        return number

    one = Look(look)
    first = asyncio.create_task(one.within(5))
    while one._task is None:
        await asyncio.sleep(0)
    await asyncio.sleep(0)
    one._task.add_done_callback(lambda _: others.append(asyncio.create_task(one.within(0.01))))
    gates[0].set()
    assert await first == 0
    assert await others[0] is None
    gates[1].set()
    assert await one.within(5) == 1
