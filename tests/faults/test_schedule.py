"""What strikes, and for how long: by the schedule, before anything is hurt."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from random import Random

import pytest

from chassis.ownership import IDLE_TIMEOUT_MS
from deploy.local.programs import SERVICES
from deploy.local.supervisor import Supervisor
from tests.faults import rounds, turning
from tests.faults.faults import plan
from tests.faults.processes import Freeze
from tests.faults.theatre import Theatre


@pytest.fixture
def stage(tmp_path: Path) -> Theatre:
    """A stack of which nothing is started."""
    clock = turning.begin(tmp_path / "faults", rounds.BEGINS, 1.0)
    return Theatre(tmp_path, 1.0, Supervisor(tmp_path), clock)


def test_a_round_has_each_kind_once_before_any_comes_again() -> None:
    kinds = {"a": 6.0, "b": 1.0, "c": 0.1, "never": 0.0}
    for seed in range(20):
        found = list(islice(plan(Random(seed), kinds), 40))
        assert sorted(found[:3]) == ["a", "b", "c"]
        assert "never" not in found


def test_a_frozen_process_with_a_second_one_beside_it_outlasts_its_locks(stage: Theatre) -> None:
    for seconds in (60.0, 180.0, rounds.FULL_SCALE_S):
        frozen = [Freeze(stage, Random(seed), rounds.scale_of(seconds), turn=0) for seed in range(200)]
        assert all(one.second and one.length_s(True) > IDLE_TIMEOUT_MS / 1000 + 1 for one in frozen)
    assert 50 < max(one.length_s(True) for one in frozen) <= 60
    assert [Freeze(stage, Random(1), turn=turn).second for turn in range(4)] == [True, False, True, False]


def test_every_service_has_its_turn_in_a_lane(stage: Theatre) -> None:
    for start in range(7):
        told = [Freeze(stage, Random(1), turn=turn, start=start).in_turn(SERVICES) for turn in range(6)]
        assert sorted(told) == sorted(SERVICES)
