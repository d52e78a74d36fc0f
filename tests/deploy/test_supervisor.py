"""The supervisor: what dies comes back, what is stopped stays away, and nothing outlives it."""

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from deploy.local import hold, supervisor
from deploy.local.forking import Forker
from deploy.local.ports import free_port
from deploy.local.supervisor import NotReady, Program, Supervisor

WAIT_S = 20.0
SLEEPER = "import time; time.sleep(600)"
LISTENER = (
    "import pathlib, socket, sys, time; time.sleep(0.2); pathlib.Path(sys.argv[2]).touch();"
    "s = socket.create_server(('127.0.0.1', int(sys.argv[1]))); time.sleep(600)"
)
STUBBORN = (
    "import pathlib, signal, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
    "pathlib.Path(sys.argv[1]).touch(); time.sleep(600)"
)
SUPERVISING = """
import asyncio, sys
from pathlib import Path
from deploy.local.supervisor import Program, Supervisor
async def main():
    argv, forked = (sys.executable, "-m", "tests.deploy.coded", sys.argv[2]), sys.argv[3] == "forked"
    await Supervisor(Path(sys.argv[1])).start(Program("sleeper", argv, forked=forked))
    await asyncio.Event().wait()
asyncio.run(main())
"""


KINDS = pytest.mark.parametrize("kind", ["forked", "apart"])
"""Whether a program begins as a fork or as an interpreter of its own."""


def python(name: str, code: str, *words: str, ready: str = "", kind: str = "apart") -> Program:
    argv = (sys.executable, "-m", "tests.deploy.coded", code, *words)
    return Program(name, argv, ready=ready, forked=kind == "forked")


def state(home: Path, name: str) -> dict[str, int]:
    path = home / "run" / f"{name}.json"
    return dict(json.loads(path.read_text())) if path.exists() else {}


def runs(pid: int) -> bool:
    """Whether a process runs: one that ended and waits for its parent does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(WAIT_S):
        while not holds():
            await asyncio.sleep(0.02)


@pytest.fixture
async def supervising(tmp_path: Path) -> AsyncIterator[Supervisor]:
    found = Supervisor(tmp_path)
    yield found
    await found.stop()


@KINDS
async def test_a_killed_program_runs_again_and_says_so(
    supervising: Supervisor, tmp_path: Path, kind: str
) -> None:
    await supervising.start(python("sleeper", SLEEPER, kind=kind))
    before = state(tmp_path, "sleeper")
    os.kill(before["pid"], signal.SIGKILL)
    await until(lambda: state(tmp_path, "sleeper")["restarts"] == 1)
    after = state(tmp_path, "sleeper")["pid"]
    assert after != before["pid"]
    assert runs(after)


async def test_a_held_service_stays_away_until_the_hold_ends_and_others_run_on(
    supervising: Supervisor, tmp_path: Path
) -> None:
    """All of its processes, those of roles that run apart too; a restart during the hold waits."""
    await supervising.start(*(python(name, SLEEPER) for name in ("billing-api", "billing-relay", "intake")))
    before = {name: state(tmp_path, name)["pid"] for name in ("billing-api", "billing-relay", "intake")}
    holding = hold.held(tmp_path, "billing", "a test")
    stopped = await asyncio.to_thread(holding.__enter__)
    assert {each.name: each.pid for each in stopped} == {
        name: pid for name, pid in before.items() if name != "intake"
    }
    assert [runs(pid) for pid in before.values()] == [False, False, True]
    await asyncio.sleep(2 * supervisor.RESTART_S)  # by then they would be there again
    assert {name: state(tmp_path, name)["pid"] for name in before} == before
    holding.__exit__(None, None, None)
    await until(lambda: all(state(tmp_path, each.name)["pid"] != each.pid for each in stopped))
    assert state(tmp_path, "intake")["pid"] == before["intake"]


async def test_started_means_ready(supervising: Supervisor, tmp_path: Path) -> None:
    port, up = free_port(), tmp_path / "up"
    listener = python("listener", LISTENER, str(port), str(up), ready=f"tcp://127.0.0.1:{port}")
    await supervising.start(listener)
    assert up.exists()


async def test_a_program_that_never_gets_ready_is_named_with_its_log(
    supervising: Supervisor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "READY_MAX_S", 0.3)
    with pytest.raises(NotReady, match=r"sleeper was not ready .*sleeper\.log"):
        await supervising.start(python("sleeper", SLEEPER, ready=f"tcp://127.0.0.1:{free_port()}"))


@KINDS
async def test_the_last_started_stops_first_and_leaves_no_trace(
    supervising: Supervisor, tmp_path: Path, kind: str
) -> None:
    told = tmp_path / "told"
    code = (
        "import signal, sys, time\n"
        "def end(*_):\n"
        "    print(sys.argv[1], file=open(sys.argv[2], 'a'), flush=True)\n"
        "    sys.exit()\n"
        "signal.signal(signal.SIGTERM, end)\n"
        "open(sys.argv[3], 'w').close()\n"
        "time.sleep(600)\n"
    )
    for name in ("first", "second"):
        up = tmp_path / f"{name}.up"
        await supervising.start(python(name, code, name, str(told), str(up), kind=kind))
        await until(up.exists)
    await supervising.stop()
    assert told.read_text().split() == ["second", "first"]
    assert list((tmp_path / "run").glob("*.json")) == []


@KINDS
async def test_a_program_that_will_not_stop_is_killed(
    supervising: Supervisor, tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "STOP_S", 0.2)
    await supervising.start(python("stubborn", STUBBORN, str(tmp_path / "up"), kind=kind))
    await until((tmp_path / "up").exists)
    pid = state(tmp_path, "stubborn")["pid"]
    began = time.monotonic()
    await supervising.stop()
    assert not runs(pid)
    assert time.monotonic() - began < WAIT_S


@KINDS
async def test_what_a_program_prints_is_in_its_log(
    supervising: Supervisor, tmp_path: Path, kind: str
) -> None:
    log = tmp_path / "logs" / "speaker.log"
    await supervising.start(python("speaker", "import sys; sys.exit('here')", kind=kind))
    await until(lambda: state(tmp_path, "speaker")["restarts"] > 0)
    assert "here" in log.read_text().split()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells children that their parent died")
@KINDS
async def test_programs_end_with_a_supervisor_that_is_killed(tmp_path: Path, kind: str) -> None:
    argv = (sys.executable, "-c", SUPERVISING, str(tmp_path), SLEEPER, kind)
    supervising = await asyncio.create_subprocess_exec(*argv)
    await until(lambda: bool(state(tmp_path, "sleeper")))
    pid = state(tmp_path, "sleeper")["pid"]
    assert runs(pid)
    supervising.kill()
    await supervising.wait()
    await until(lambda: not runs(pid))


async def test_forks_come_back_when_what_forked_them_was_killed(
    supervising: Supervisor, tmp_path: Path
) -> None:
    """They end with it: nobody could tell when they do."""
    names = ("first", "second")
    await supervising.start(*(python(name, SLEEPER, kind="forked") for name in names))
    before = {name: state(tmp_path, name)["pid"] for name in names}
    forker = int(Path(f"/proc/{before['first']}/stat").read_text().rpartition(")")[2].split()[1])
    assert forker != os.getpid()
    os.kill(forker, signal.SIGKILL)
    await until(lambda: all(state(tmp_path, name)["restarts"] == 1 for name in names))
    assert not any(map(runs, before.values()))
    assert all(runs(state(tmp_path, name)["pid"]) for name in names)


async def test_a_forking_process_that_is_killed_while_it_begins_is_replaced(
    supervising: Supervisor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin, begun = Forker.begin, list[int]()

    def killed_once(self: Forker) -> None:
        begin(self)
        assert self._process
        if not begun:
            self._process.kill()
        begun.append(self._process.pid)

    monkeypatch.setattr(Forker, "begin", killed_once)
    await supervising.start(python("sleeper", SLEEPER, kind="forked"))
    assert runs(state(tmp_path, "sleeper")["pid"])
    assert len(set(begun)) == 2
