"""The supervisor: programs as child processes that are restarted when they die and stopped with it."""

from __future__ import annotations

import asyncio
import json
import os
import urllib.error
import urllib.request
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from deploy.local import hold
from deploy.local.dying import die_with_parent
from deploy.local.forking import Fork, Forker

RESTART_S, RESTART_MAX_S = 0.2, 5.0
"""Rest before a program that died is started again: doubled each time up to the longer one."""

STEADY_S = 10.0
"""A program that ran this long starts anew with the shorter rest."""

STOP_S = 10.0
"""After this long a program that was asked to stop is killed."""

READY_MAX_S = 60.0

HELD_S = 0.1
"""How often a program whose service is held looks whether it may start."""


class NotReady(Exception):
    """A program did not become ready in time."""


@dataclass(frozen=True, slots=True)
class Program:
    """A program to run: its name, command line, environment, and where to ask whether it is ready.

    A forked one has a command line of this interpreter's with ``-m``.
    """

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)
    ready: str = ""
    port: int | None = None
    forked: bool = False


class Child:
    """One program, kept running."""

    def __init__(self, program: Program, home: Path, forker: Forker | None = None) -> None:
        self.program, self._home, self._forker = program, home, forker
        self.process: asyncio.subprocess.Process | Fork | None = None
        self.restarts = 0
        self._keeper: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start the program and keep it running."""
        await self._spawn()
        self._keeper = asyncio.create_task(self._keep(), name=f"keep-{self.program.name}")

    async def stop(self) -> None:
        """Ask it to stop, and kill it when it does not."""
        if self._keeper:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)
        if self.process and self.process.returncode is None:
            self.process.terminate()
            try:
                await asyncio.wait_for(self.process.wait(), STOP_S)
            except TimeoutError:
                self.process.kill()
                await self.process.wait()
        (self._home / "run" / f"{self.program.name}.json").unlink(missing_ok=True)

    async def _spawn(self) -> None:
        """Start the program once nobody holds its service."""
        while not await self._spawned():  # noqa: ASYNC110 another process
            await asyncio.sleep(HELD_S)

    async def _spawned(self) -> bool:
        with hold.passing(self._home, self.program.name) as free:
            if free:
                await self._run()
            return free

    async def _run(self) -> None:
        log = self._home / "logs" / f"{self.program.name}.log"
        log.parent.mkdir(0o700, parents=True, exist_ok=True)
        with log.open("ab") as out:
            self.process = await self._begun(out.fileno())
        self._write()

    async def _begun(self, out: int) -> asyncio.subprocess.Process | Fork:
        if self._forker and self.program.forked:
            return await self._forker.fork(self.program.argv[2:], self.program.env, out)
        return await asyncio.create_subprocess_exec(
            *self.program.argv,
            env={**os.environ, **self.program.env},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            start_new_session=True,
            preexec_fn=die_with_parent,
        )

    async def _keep(self) -> None:
        pause, loop = RESTART_S, asyncio.get_running_loop()
        while True:
            assert self.process is not None
            began = loop.time()
            await self.process.wait()
            if loop.time() - began > STEADY_S:
                pause = RESTART_S
            await asyncio.sleep(pause)
            pause = min(pause * 2, RESTART_MAX_S)
            self.restarts += 1
            with suppress(OSError):  # there was no memory for it, or what forks it ended: tried again
                await self._spawn()

    def _write(self) -> None:
        assert self.process is not None
        note(self._home, self.program.name, self.process.pid, self.program.port, self.restarts)


def note(home: Path, name: str, pid: int, port: int | None, restarts: int) -> None:
    """Write down that a program runs, where those look who ask for the processes of a home."""
    found = {
        "name": name,
        "pid": pid,
        "port": port,
        "started": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "restarts": restarts,
    }
    path = home / "run" / f"{name}.json"
    path.parent.mkdir(0o700, parents=True, exist_ok=True)
    temporary = path.with_suffix(".new")
    temporary.write_text(json.dumps(found))
    temporary.replace(path)


class Supervisor:
    """Programs of one home; those started together are stopped together, the last started first."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._together: list[list[Child]] = []
        self.forker = Forker()

    @property
    def children(self) -> list[Child]:
        """Every program's child, in the order in which they were started."""
        return [child for together in self._together for child in together]

    async def start(self, *programs: Program) -> None:
        """Start programs side by side and wait until each is ready. Raises NotReady."""
        children = [Child(program, self._home, self.forker) for program in programs]
        self._together.append(children)
        await asyncio.gather(*(child.start() for child in children))
        await asyncio.gather(*(self._until_ready(child) for child in children))

    async def stop(self, keep: int = 0) -> None:
        """Stop the programs, the last started first; those of the first ``keep`` starts go on."""
        while len(self._together) > keep:
            await asyncio.gather(*(child.stop() for child in self._together.pop()))
        if not keep:
            self.forker.end()

    async def _until_ready(self, child: Child) -> None:
        try:
            async with asyncio.timeout(READY_MAX_S):
                while not await is_ready(child.program.ready):  # noqa: ASYNC110 another process
                    await asyncio.sleep(0.05)
        except TimeoutError:
            log = self._home / "logs" / f"{child.program.name}.log"
            raise NotReady(
                f"{child.program.name} was not ready within {READY_MAX_S:.0f} s: see {log}"
            ) from None


async def is_ready(where: str) -> bool:
    if not where:
        return True
    if where.startswith("tcp://"):
        host, _, port = where.removeprefix("tcp://").rpartition(":")
        try:
            _, writer = await asyncio.open_connection(host, int(port))
        except OSError:
            return False
        writer.close()
        return True
    return await asyncio.to_thread(_answers, where)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as response:
            return bool(response.status == 200)
    except (urllib.error.URLError, OSError):
        return False
