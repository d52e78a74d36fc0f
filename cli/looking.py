"""Looks at several services side by side: one that is silent is told, and keeps no other from being shown."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING, Any, TypeVar

import typer

from cli.problem import Problem
from cli.stack_file import Stack

if TYPE_CHECKING:
    import httpx

ANSWER_S = 30.0
"""How long a service may take for an answer, as long as it says that it is alive."""

PROBE_S = 1.0
"""How long a service is waited for before it is asked, and asked again, whether it is alive."""

ALIVE_S = 5.0
"""How long that may take of a service that is only looked at: a frozen one takes for ever."""

WORKING_S = 30.0
"""How long that may take of a service in the midst of its work, which ends when it ends."""

UNAUTHORIZED = 401
"""The status of an answer that asks for a credential: each service would say the same."""

Key = TypeVar("Key")
Found = TypeVar("Found")


class Silent(Exception):
    """A service did not answer; why, in a sentence."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What services answered, and what kept others from it, by their names."""

    answers: dict[str, Any]
    problems: dict[str, Problem]

    def tell(self, as_json: bool) -> None:
        """Say on stderr which services did not answer; a line of JSON each, or words with one advice."""
        problems = list(self.problems.values())
        for problem, next in zip_longest(problems, problems[1:]):
            if not as_json and next and next.advice == problem.advice:
                problem.advice = ""
            problem.tell(as_json)

    def end(self, as_json: bool) -> None:
        """As tell, at the end of a command. Raises typer.Exit where a service did not answer."""
        self.tell(as_json)
        if self.problems:
            raise typer.Exit(1)

    def of_those(self) -> str:
        """A word for "of those that answered", where not all did."""
        return f" in {', '.join(self.answers)}" if self.problems else ""


def look(stack: Stack, services: Collection[str], path: str) -> Seen:
    """What services answer at a path. Raises Problem where none does, or one asks for a credential."""
    from cli.service import address

    seen = see(stack, fetched({name: (address(stack, name), path) for name in services}))
    if services and not seen.answers:
        raise _none(list(seen.problems.values()))
    return seen


def see(stack: Stack, found: Mapping[str, httpx.Response | Silent], advice: str | None = None) -> Seen:
    """What was fetched, by service; ``advice`` replaces that of the problems.

    Raises Problem where a service asks for a credential.
    """
    from cli.service import address, answer, silent

    seen = Seen({}, {})
    for name, fetched in found.items():
        try:
            if isinstance(fetched, Silent):
                raise silent(name, address(stack, name), str(fetched))
            seen.answers[name] = answer(fetched)
        except Problem as problem:
            if problem.status == UNAUTHORIZED:
                raise
            problem.advice = problem.advice if advice is None else advice
            seen.problems[name] = problem.of(name)
    return seen


def _none(problems: list[Problem]) -> Problem:
    if len(problems) == 1:
        return problems[0]
    said = "\n".join(" ".join(filter(None, (f"{each.title}.", each.detail))) for each in problems)
    title = "no service can say" if all(each.status for each in problems) else "no service answers"
    return Problem(title, said, advice=problems[-1].advice)


def fetched(
    urls: Mapping[Key, tuple[str, str]], within_s: float = ANSWER_S
) -> dict[Key, httpx.Response | Silent]:
    """What stands at addresses and paths, asked for side by side; Silent where nothing came in time."""
    return asyncio.run(_fetched(urls, within_s))


async def _fetched(
    urls: Mapping[Key, tuple[str, str]], within_s: float
) -> dict[Key, httpx.Response | Silent]:
    import httpx

    from cli.settings import CliSettings, credential

    async def one(base: str, path: str) -> httpx.Response | Silent:
        async def asked() -> httpx.Response:
            async with asyncio.timeout(within_s):
                return await client.get(base.rstrip("/") + path)

        try:
            return await while_alive(asked, client, base, ALIVE_S)
        except Silent as found:
            return found
        except TimeoutError:
            return Silent(f"It is alive, but gave no answer within {within_s:.0f} s.")
        except httpx.HTTPError as error:
            return Silent(f"{type(error).__name__}.")

    async with httpx.AsyncClient(headers=credential(CliSettings()), timeout=None) as client:
        found = await asyncio.gather(*(one(*url) for url in urls.values()))
        return dict(zip(urls, found, strict=True))


def lasting(
    stack: Stack, service: str, path: str, headers: Mapping[str, str], look: str = ""
) -> httpx.Response:
    """A service's answer to what takes as long as it takes, waited for while it is alive. Raises Problem.

    ``look`` is the command that shows whether what was not answered was done.
    """
    return asyncio.run(_lasting(stack, service, path, headers, look))


async def _lasting(
    stack: Stack, service: str, path: str, headers: Mapping[str, str], look: str
) -> httpx.Response:
    import httpx

    from cli.service import address, silent, unknown

    base = address(stack, service)
    async with httpx.AsyncClient(base_url=base, headers=headers, timeout=None) as client:
        try:
            return await while_alive(lambda: client.post(path), client, base, WORKING_S)
        except Silent as why:
            raise silent(service, base, f"{why}{unknown(look)}") from None
        except httpx.TransportError as error:
            raise silent(service, base, f"{type(error).__name__}.{unknown(look)}") from None


async def while_alive(
    asked: Callable[[], Awaitable[Found]], client: httpx.AsyncClient, base: str, alive_s: float
) -> Found:
    """What a service answers, waited for as long as it says meanwhile that it is alive. Raises Silent."""
    work = asyncio.ensure_future(asked())
    try:
        while not (await asyncio.wait({work}, timeout=PROBE_S))[0]:
            probe = asyncio.ensure_future(_alive(client, base, alive_s))
            await asyncio.wait({work, probe}, return_when=asyncio.FIRST_COMPLETED)
            if not work.done():
                probe.result()
            probe.cancel()
            await asyncio.gather(probe, return_exceptions=True)
        return work.result()
    finally:
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)


async def _alive(client: httpx.AsyncClient, base: str, alive_s: float) -> None:
    """See that a service is alive. Raises Silent."""
    import httpx

    try:
        async with asyncio.timeout(alive_s):
            await client.get(base.rstrip("/") + "/health/live")
    except TimeoutError:
        raise Silent(f"Within {alive_s:.0f} s it did not even say that it is alive.") from None
    except httpx.HTTPError as error:
        raise Silent(f"{type(error).__name__}.") from None
