"""Clients of a service, a process of their own: ``python -m benchmarks.clients URL``; prints JSON.

Each sends its next request when the last one is answered, or, with ``--rate``, when its time has come:
then a slow answer delays no other request. With ``--lines`` one request carries them all.
"""

from __future__ import annotations

import argparse
import asyncio
import json
from dataclasses import asdict, dataclass
from time import perf_counter
from uuid import uuid4

import aiohttp
import uvloop

from benchmarks.patients import patient
from benchmarks.trials import percentile

STAFF = {"Caretrail-Actor": "staff-7;clinician", "Caretrail-Purpose": "TREAT"}
PATIENTS = 200
TEXT = "Attended the whole session, spoke twice, no risk seen."


@dataclass(frozen=True, slots=True)
class Answered:
    """What came back: requests, their rate, and how long they took."""

    requests: int
    rate: float
    p50_ms: float
    p99_ms: float


class Clients:
    """Clients on kept connections."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session, self._url, self._sent = session, url, 0
        self._bodies = [{"patient": str(patient(number)), "text": TEXT} for number in range(PATIENTS)]
        self.times: list[float] = []

    async def post(self) -> None:
        """Send a command and note how long its answer took. Raises RuntimeError where it is refused."""
        self._sent += 1
        body = self._bodies[self._sent % PATIENTS]
        began = perf_counter()
        headers = {**STAFF, "Idempotency-Key": uuid4().hex}
        async with self._session.post(self._url, json=body, headers=headers) as answer:
            await answer.read()
            if answer.status != 201:
                raise RuntimeError(f"answered {answer.status}")
        self.times.append((perf_counter() - began) * 1000)

    async def closed(self, until: float) -> None:
        """One request after the other."""
        while perf_counter() < until:
            await self.post()

    async def open(self, rate: float, until: float) -> None:
        """Requests at a steady rate, whether the ones before were answered or not."""
        due = perf_counter()
        async with asyncio.TaskGroup() as group:
            while due < until:
                await asyncio.sleep(max(0.0, due - perf_counter()))
                group.create_task(self.post())
                due += 1 / rate


async def lines(url: str, count: int) -> Answered:
    """Send commands as lines of one request, once every patient's key is there; read all answers."""
    kind = {"Content-Type": "application/x-ndjson"}
    async with aiohttp.ClientSession() as session:
        for sent in (PATIENTS, count):
            body = "".join(_line(number) for number in range(sent)).encode()
            began = perf_counter()
            async with session.post(url, data=body, headers={**STAFF, **kind}) as answer:
                found = [line async for line in answer.content]
            elapsed = perf_counter() - began
            if refused := [line for line in found if b'"status":201' not in line] or len(found) != sent:
                raise RuntimeError(f"{len(found)} of {sent} lines answered, refused: {refused}")
    return Answered(count, count / elapsed, elapsed * 1000, elapsed * 1000)


def _line(number: int) -> str:
    body = {"patient": str(patient(number % PATIENTS)), "text": TEXT}
    return json.dumps({"key": uuid4().hex, "path": "/notes", "body": body}) + "\n"


async def run(url: str, clients: int, seconds: float, rate: float | None) -> Answered:
    """Send for a while, after every connection and every patient's key is there."""
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=clients)) as session:
        found = Clients(session, url)
        for _ in range(PATIENTS // clients):
            await asyncio.gather(*(found.post() for _ in range(clients)))
        found.times.clear()
        began = perf_counter()
        if rate:
            await found.open(rate, began + seconds)
        else:
            await asyncio.gather(*(found.closed(began + seconds) for _ in range(clients)))
        elapsed = perf_counter() - began
    count, times = len(found.times), found.times
    return Answered(count, count / elapsed, percentile(times, 50), percentile(times, 99))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--rate", type=float)
    parser.add_argument("--lines", type=int)
    given = parser.parse_args()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        if given.lines:
            answered = runner.run(lines(given.url, given.lines))
        else:
            answered = runner.run(run(given.url, given.clients, given.seconds, given.rate))
    print(json.dumps(asdict(answered)))
