"""The operators' page does what it says: its commands run word for word against real services."""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
import uvicorn
from fastapi import FastAPI

from deploy.local.ports import free_port
from services.clinical.app import service as clinical
from services.intake.app import service as intake
from tests.conftest import Run
from tests.running import ROOT, Running

pytestmark = pytest.mark.servers

PAGE = ROOT / "docs" / "operations" / "rebuilding.md"
COMMAND_MAX_S = 60.0


@asynccontextmanager
async def listening(app: FastAPI) -> AsyncIterator[str]:
    """A running application on a port of its own."""
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(app, port=port, lifespan="off", log_config=None))
    serving = asyncio.create_task(server.serve())
    try:
        while not server.started:
            await asyncio.sleep(0.01)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        await serving


@asynccontextmanager
async def stack_of(run: Running, home: Path) -> AsyncIterator[None]:
    """Running services, written down as a stack that the command line finds."""
    async with AsyncExitStack() as stack:
        urls = {name: await stack.enter_async_context(listening(app)) for name, app in run.apps.items()}
        (home / "run").mkdir(exist_ok=True)
        told = {"kafka_bootstrap": run.settings.kafka_bootstrap, "services": urls}
        (home / "run" / "stack.json").write_text(json.dumps(told))
        yield


async def shell(command: str, home: Path) -> tuple[int | None, str, str]:
    """What a command of the page answers: exit code, output, errors."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    env = {**os.environ, "PATH": path, "CARETRAIL_HOME": str(home), "COLUMNS": "120"}
    process = await asyncio.create_subprocess_shell(
        command, env=env, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(COMMAND_MAX_S):
        out, err = await process.communicate()
    return process.returncode, out.decode(), err.decode()


def blocks() -> list[str]:
    """The page's commands: those that anybody gives, and those that accept a difference."""
    found = re.findall(r"^```sh\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    assert len(found) == 2
    return found


async def test_the_commands_of_the_page_run(running: Run, tmp_path: Path) -> None:
    block, _ = blocks()
    async with running(intake, clinical) as run, stack_of(run, tmp_path):
        printed = []
        for command in block.splitlines():
            code, out, err = await shell(command, tmp_path)
            assert code == 0, (command, out, err)
            printed.append(out)
        listed, verified, rebuilt, by_two, every = printed
        assert "RiskBoard" in listed
        assert "Census" in listed
        assert "equal, 0 rows of 0 events" in verified
        assert "swapped, 0 rows of 0 events" in rebuilt
        assert "swapped" in by_two
        found = {each["projection"]: each["outcome"] for each in json.loads(every)}
        assert found.keys() >= {"RiskBoard", "Census", "Persons"}
        assert set(found.values()) == {"equal"}


async def test_a_difference_is_told_with_its_event_ends_with_one_and_can_be_accepted(
    running: Run, tmp_path: Path
) -> None:
    async with running(clinical) as run, stack_of(run, tmp_path):
        forged = "insert into risk_board (patient, level) values (gen_random_uuid(), 'high') returning 1"
        await run.runtime("clinical").ground.database.rows(forged)
        for action in ("verify", "rebuild"):
            code, out, _ = await shell(f"caretrail projections {action} RiskBoard", tmp_path)
            assert code == 1
            assert "different" in out
            assert "risk_board: a row is missing in shadow; no event of the history touches this row" in out
            assert "--accept-difference --reason TEXT" in out
        _, accepted = blocks()
        code, out, err = await shell(accepted, tmp_path)
        assert code == 0, (out, err)
        assert "swapped, 0 rows of 0 events" in out
        assert "The difference is accepted by ana (operator)" in out
        assert await run.runtime("clinical").ground.database.rows("select * from risk_board") == []
        code, out, err = await shell("caretrail projections rebuild Nothing --json", tmp_path)
        assert (code, out) == (1, "")
        assert json.loads(err)["title"] == "no service has a projection Nothing"
