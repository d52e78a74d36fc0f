"""The README does what it says: its tour runs word for word on a stack of its own, its subscribers read."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from deploy.local.programs import SERVICES
from tests.homes import HOMES
from tests.readme.kcat import as_kcat
from tests.readme.tour import ROOT, backup_and_restore, blocks, tour

# In the group of the journeys: two whole stacks at once are too much for two cores.
pytestmark = [pytest.mark.servers, pytest.mark.xdist_group("stacks")]
READY_MAX_S, TOUR_MAX_S, READ_MAX_S, STOP_MAX_S = 180, 240, 60, 60
"""Generous: the tour takes some 20 s on a machine of its own."""


@dataclass
class Toured:
    """What the tour printed, in the environment in which it ran."""

    env: dict[str, str]
    printed: str


@pytest.fixture
def toured() -> Iterator[Toured]:
    """The whole tour, from `make up` to the line before `make down`, on which two services are brought back.

    The runbook of backups runs around it, since no other stack is to be started for that.
    """
    own = {name: value for name, value in os.environ.items() if not name.startswith("CARETRAIL_")}
    folder = Path(tempfile.mkdtemp(prefix="caretrail-tour-", dir=HOMES))
    env = {**own, "CARETRAIL_HOME": str(folder / "home"), "COLUMNS": "120"}
    log = folder / "up.log"
    with log.open("w") as out:
        up = subprocess.Popen(["make", "up"], cwd=ROOT, env=env, stdout=out, stderr=out)
    try:
        _until_ready(log, up)
        backup, moment, restore = backup_and_restore()
        first, ingest, *rest = tour()
        # The archive alone has what is done before the moment, the topic what is done after it.
        script = "\n".join(("set -e", first, backup, ingest, moment, *rest, MAILED, restore, MAILED))
        done = subprocess.run(
            ["bash", "-c", script], cwd=ROOT, env=env, timeout=TOUR_MAX_S, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout
        yield Toured(env, done.stdout)
    finally:
        subprocess.run(["make", "down"], cwd=ROOT, env=env, check=True, timeout=STOP_MAX_S)
        assert up.wait(STOP_MAX_S) == 0, log.read_text()
        shutil.rmtree(folder)


def _until_ready(log: Path, up: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + READY_MAX_S
    while "Ready." not in log.read_text():
        assert up.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.1)


PROMISED = (
    "Juniper Marlowe",
    "came before: nothing changed",
    "name ‹sealed›",
    "name (family Marlowe, given Juniper)",
    '"screen_due":true',
    "before: nothing changed",
    "segment 22 SVC",
    '"rule":"ClaimUnknown"',
    "PatientEnrolledInGroup",
    "Nothing was known of",
    '"kind":"risk"',
    "A task waits for you",
    "topic   caretrail.intake.events",
    "stores and ledger alike",
)
RESTORED = (
    "Nothing that was recorded is lost.",
    '"lost": 0',
    "Census  equal",
)
"""What the runbook of backups promises, and that stores and ledger are alike afterwards too."""

TOPIC = re.compile(r"^\W*caretrail\.\w+\.events\W+[\d,]+\W+[\d,]+\W+[\d,]+\W+(\w+)", re.MULTILINE)
"""A row of the list of topics: its state."""

MAILED = "caretrail mailbox --json"
"""What was sent before services were brought back, and after."""

READ = {"subscribe.py": "PatientAdmitted", "subscribe_faststream.py": "joins adult-day"}


def test_the_tour_shows_what_the_readme_promises_and_its_subscribers_read(toured: Toured) -> None:
    """One test for all, so that parallel workers do not each start a stack."""
    missing = [said for said in (*PROMISED, *RESTORED) if said not in toured.printed]
    assert missing == [], toured.printed
    assert toured.printed.count("stores and ledger alike") == 2
    for figure in ("at_position", "taken_in"):
        assert re.search(rf'"{figure}": [1-9]', toured.printed), f"intake came back without {figure}"
    assert TOPIC.findall(toured.printed) == ["whole"] * len(SERVICES)
    before, after = mails(toured.printed)
    assert set(before) <= set(after)
    assert len(set(after)) == len(after) > 0, "no mail went out twice"
    for program, said in READ.items():
        assert said in _read(toured.env, program, said)
    _, line = blocks("Subscribing")
    bootstrap = _shell(toured.env, "caretrail url kafka").strip()
    printed = as_kcat(line.replace("$(caretrail url kafka)", bootstrap))
    assert "ce_type=caretrail.intake.PatientAdmitted," in printed
    if shutil.which("kcat"):
        assert sorted(_shell(toured.env, line).splitlines()) == sorted(printed.splitlines())


def mails(printed: str) -> list[list[str]]:
    """The Message-IDs of each list of mails among what was printed."""
    lists = re.findall(r"^\[$.*?^\]$", printed, re.MULTILINE | re.DOTALL)
    return [[mail["message_id"] for mail in json.loads(each)] for each in lists if "message_id" in each]


def _shell(env: dict[str, str], line: str) -> str:
    """What a line of the README prints."""
    script = f"source .venv/bin/activate\n{line}"
    return subprocess.run(
        ["bash", "-c", script], cwd=ROOT, env=env, timeout=READ_MAX_S, text=True,
        stdout=subprocess.PIPE, check=True,
    ).stdout  # fmt: skip


def _read(env: dict[str, str], program: str, until: str) -> str:
    """What a subscriber of the README prints, up to the line that holds ``until``."""
    (line,) = (line for line in blocks("Subscribing")[0].splitlines() if f"/{program} " in line)
    script = f"source .venv/bin/activate\nexec timeout {READ_MAX_S} {line}"
    printed = ""
    with subprocess.Popen(
        ["bash", "-c", script], cwd=ROOT, env=env, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    ) as reader:  # fmt: skip
        assert reader.stdout
        for shown in reader.stdout:
            printed += shown
            if until in shown:
                break
        reader.terminate()
    return printed
