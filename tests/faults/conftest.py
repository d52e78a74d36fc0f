"""One round of three minutes for all tests of the folder, or the evidence of an earlier one."""

from __future__ import annotations

import asyncio
import os
import pickle
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.faults import lag, rounds
from tests.faults.evidence import Evidence
from tests.faults.rounds import Round

SECONDS, SEED = 180.0, 11

AMONG_OTHERS = replace(rounds.EVERYTHING, disks=False, rules={lag.RULE: lag.gone})
"""No disks are mounted; how fast the lag is gone is no test's matter, for others share the machine."""

KEPT = "CARETRAIL_TEST_EVIDENCE"
"""Names evidence to go by instead of a new round's: for work on the checker."""


@pytest.fixture(scope="session")
def played() -> tuple[Round, Evidence]:
    """A round and its evidence."""
    kept = os.environ.get(KEPT)
    if kept:
        evidence = Evidence.load(Path(kept))
        found = Round(SEED, SECONDS, lag_s=evidence.lag_s)
        rounds.sum_up(found, evidence, AMONG_OTHERS.rules)
        return found, evidence
    home = Path(tempfile.mkdtemp(prefix="caretrail-faults-", dir="/tmp"))
    try:
        return asyncio.run(rounds.play(home, SECONDS, SEED, AMONG_OTHERS))
    finally:
        shutil.rmtree(home, ignore_errors=True)


@pytest.fixture(scope="session")
def fresh(played: tuple[Round, Evidence]) -> Callable[[], Evidence]:
    """The evidence, anew each time, to be altered."""
    frozen = pickle.dumps(played[1])
    return lambda: pickle.loads(frozen)


@pytest.fixture(scope="session")
def stored(played: tuple[Round, Evidence]) -> Callable[[], Evidence]:
    """The evidence without topics and ledger, which are most of it, for rules that do without them."""
    frozen = pickle.dumps(replace(played[1], topics={}, ledger=[]))
    return lambda: pickle.loads(frozen)
