"""A look that several wait for: each gets what that one saw."""

from __future__ import annotations

import asyncio

from operations.looking import Look


async def test_who_waited_for_a_look_gets_it_also_where_another_has_begun_the_next() -> None:
    gates, begun = [asyncio.Event(), asyncio.Event()], list[int]()

    async def look() -> int:
        number = len(begun)
        begun.append(number)
        await gates[number].wait()
        return number

    async def comes_as_it_ends() -> int | None:
        await gates[0].wait()
        return await one.within(0.01)

    one = Look(look)
    first = asyncio.create_task(one.within(5))
    while not begun:
        await asyncio.sleep(0)
    other = asyncio.create_task(comes_as_it_ends())
    await asyncio.sleep(0)
    gates[0].set()
    assert await first == 0
    assert await other is None
    gates[1].set()
    assert await one.within(5) == 1
