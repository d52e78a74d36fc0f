"""One round of three minutes for all tests of the folder, or the evidence of an earlier one."""

from __future__ import annotations

import asyncio
import gc
import marshal
import os
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

AMONG_OTHERS = replace(rounds.EVERYTHING, disks=False, slow=3.0, rules={lag.RULE: lag.gone})
"""No disks are mounted, and clients leave time to others who share the machine: how fast the lag is gone is
no test's matter."""

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
    return _copies(played[1])


@pytest.fixture(scope="session")
def stored(played: tuple[Round, Evidence]) -> Callable[[], Evidence]:
    """The evidence without topics and ledger, which are most of it, for rules that do without them."""
    return _copies(replace(played[1], topics={}, ledger=[]))


def _copies(evidence: Evidence) -> Callable[[], Evidence]:
    """Copies of evidence, which is plain data; the collector of cycles would take as long as all the rest."""
    frozen = marshal.dumps(vars(evidence))

    def copy() -> Evidence:
        gc.disable()
        try:
            return Evidence(**marshal.loads(frozen))
        finally:
            gc.enable()

    return copy
