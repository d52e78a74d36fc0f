"""Forking: one process imports what every service needs, and each service begins as a fork of it.

Six services are ready in a fraction of the time that six interpreters take, and share the memory of what
was imported (docs/decisions/forked-services.md). Deployed services are interpreters of their own.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib import import_module
from typing import Any

from setproctitle import setproctitle, setthreadtitle

from deploy.local.dying import die_with_parent

SHARED = ("chassis.effects", "cli.stack", "deploy.serving")
"""What is imported before the forks, with all that it imports: nothing that reads a service's settings."""

ORDER_MAX = 1 << 16
"""Bytes of an order at most."""

ATTEMPTS_MAX = 3
"""So often a fork is tried whose forking process ends meanwhile."""


class Fork:
    """A program that began as a fork; as a process of asyncio, but its exit code is not known."""

    def __init__(self, pid: int, alive: int) -> None:
        """``alive`` is the end of a pipe that is at its end once the process is gone, however it went."""
        self.pid = pid
        self.returncode: int | None = None
        self._alive, self._gone = alive, asyncio.Event()
        asyncio.get_running_loop().add_reader(alive, self._end)

    def _end(self) -> None:
        asyncio.get_running_loop().remove_reader(self._alive)
        os.close(self._alive)
        self.returncode = 0
        self._gone.set()

    async def wait(self) -> None:
        """Wait until it is gone."""
        await self._gone.wait()

    def terminate(self) -> None:
        """Ask it to stop."""
        self._send(signal.SIGTERM)

    def kill(self) -> None:
        """End it."""
        self._send(signal.SIGKILL)

    def _send(self, number: int) -> None:
        if self.returncode is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)


class Forker:
    """The process whose forks are services: begun early, so that it has imported when they are wanted."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._orders: socket.socket | None = None
        self._lock = asyncio.Lock()

    def begin(self) -> None:
        """Start it, unless it runs."""
        if self._process and self._process.poll() is None:
            return
        self.end()
        self._orders, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                (sys.executable, "-m", "deploy.local.forking", str(theirs.fileno())),
                pass_fds=(theirs.fileno(),),
                start_new_session=True,
                preexec_fn=die_with_parent,
            )

    async def fork(self, argv: Sequence[str], env: Mapping[str, str], out: int) -> Fork:
        """Run ``python -m`` with a module and its arguments; ``out`` is the file that it writes to."""
        async with self._lock:
            attempts = 0
            while True:
                try:
                    return await self._fork(argv, env, out)
                except ConnectionError:  # it was killed meanwhile: another takes its place
                    attempts += 1
                    await asyncio.to_thread(self.end)  # it may still be dying
                    if attempts == ATTEMPTS_MAX:
                        raise

    async def _fork(self, argv: Sequence[str], env: Mapping[str, str], out: int) -> Fork:
        self.begin()
        alive, theirs = os.pipe()
        try:
            return Fork(await asyncio.to_thread(self._order, argv, env, out, theirs), alive)
        except BaseException:
            os.close(alive)
            raise
        finally:
            os.close(theirs)

    def _order(self, argv: Sequence[str], env: Mapping[str, str], out: int, alive: int) -> int:
        assert self._orders
        order = json.dumps({"argv": list(argv), "env": dict(env)}).encode()
        socket.send_fds(self._orders, [order], [out, alive])
        if not (answer := self._orders.recv(ORDER_MAX)):
            raise ConnectionResetError("the process that forks services ended")
        return int(answer)

    def end(self) -> None:
        """Have it end, once its forks did."""
        if self._orders:
            self._orders.close()
        if self._process:
            self._process.wait()
        self._orders = self._process = None


def main() -> None:
    """Import, then fork a program at each order."""
    for name in SHARED:
        import_module(name)
    gc.collect()
    gc.freeze()  # the collector would touch, and so copy, what the forks share
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    parent = os.getpid()
    with socket.socket(fileno=int(sys.argv[1])) as orders:
        while True:
            order, files, _, _ = socket.recv_fds(orders, ORDER_MAX, 2)
            if not order:
                return
            if not (pid := os.fork()):
                break
            for file in files:
                os.close(file)
            orders.send(str(pid).encode())
    die_with_parent()
    if os.getppid() == parent:  # else it died before it was asked to take us with it
        _become(json.loads(order), *files)


def _become(order: Mapping[str, Any], out: int, alive: int) -> None:
    """Go on as the program of an order; ``alive`` stays open until this process is gone."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.setsid()
    os.set_inheritable(alive, False)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for file, place in ((nothing, 0), (out, 1), (out, 2)):
        os.dup2(file, place)
    os.close(nothing)
    os.close(out)
    module, *arguments = order["argv"]
    sys.argv = [module, *arguments]
    setproctitle(" ".join(("caretrail", *arguments)))  # it needs the environment where it was
    words = [word for word in arguments if not word.startswith("-")]
    setthreadtitle("-".join(words[1:]))  # no spaces: there are scripts that split what /proc says
    os.environ.update(order["env"])
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
