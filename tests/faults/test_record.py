"""The record: what counts as a kill, what is due next, and that a run goes on where the last one ended."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from random import Random

from tests.faults import kills, points, record
from tests.faults.rounds import Round


def test_a_kill_counts_only_where_a_process_died() -> None:
    found = kills.Tally()
    found.add("Kill", "intake")
    found.add("Kill", "intake (was down)")
    found.add("KillAtPoint", "billing commit.after")
    found.add("KillAtPoint", "billing commit.before (not reached)")
    found.add("KillPostgres", "SIGKILL, back in 1.0 s")
    found.add("KillPostgres", "SIGQUIT, back in 1.0 s")
    found.add("Freeze", "audit")
    assert found.kills == {"intake": 1, "billing": 1, "postgres": 1}
    assert found.reached == {"commit.after": 1}


def test_points_that_killed_least_come_first_and_those_that_are_not_reached_later() -> None:
    found = kills.Tally()
    for point in points.ALL:
        found.reached[point] = kills.EACH
    found.reached["mark.after"] = found.reached["swap.moved"] = 1
    assert found.due() == ["mark.after", "swap.moved"]
    assert {found.next("intake", Random(seed)) for seed in range(20)} == {"mark.after", "swap.moved"}
    found.missed["intake", "mark.after"] += 1
    assert found.next("intake", Random(1)) == "swap.moved"


def test_every_point_that_is_installed_counts_and_every_one_that_counts_is_installed() -> None:
    named = Counter(re.findall(r'"([a-z]+\.[a-z-]+)"', Path(points.__file__).read_text()))
    assert set(named) == set(points.ALL)
    assert [point for point, times in named.items() if times < 2] == [], "listed, but nowhere installed"


def test_a_record_goes_on_and_says_when_it_is_enough(tmp_path: Path) -> None:
    path, fault = tmp_path / "record.json", {"at": 0.0, "kind": "Kill", "told": "intake", "seconds": 1.0}
    reached = [fault | {"kind": "KillAtPoint", "told": f"billing {point}"} for point in points.ALL]
    record.append(path, Round(1, 60, faults=[fault], kind="kills"))
    assert not record.enough(record.read(path), 1)
    record.append(path, Round(2, 60, faults=reached * kills.EACH, kind="kills"))
    assert record.enough(record.read(path), 1 + kills.EACH * len(points.ALL))
    assert not record.enough(record.read(path), 2 + kills.EACH * len(points.ALL))
    assert "still due: none" in record.page(record.read(path))
