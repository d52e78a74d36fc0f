"""The record: what counts as a kill, what is due next, and that a run goes on where the last one ended."""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from tests.faults import bugs, kills, points, record, rounds
from tests.faults.__main__ import main
from tests.faults.checker import RULES, Finding
from tests.faults.faults import had_effect
from tests.faults.restores import Failed
from tests.faults.rounds import Kind, Round
from tests.running import ROOT


def test_a_kill_counts_only_where_a_process_died() -> None:
    told = (
        ("Kill", "intake"),
        ("Kill", "intake (was down)"),
        ("KillAtPoint", "billing commit.after"),
        ("KillAtPoint", "billing commit.before (not reached)"),
        ("KillPostgres", "SIGKILL, back in 1.0 s"),
        ("KillPostgres", "SIGQUIT, back in 1.0 s"),
        ("Freeze", "audit"),
    )
    found = kills.Tally.of({"kind": kind, "told": text} for kind, text in told)
    found.add("KillBroker", "(was down)", False)
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


Exits = Callable[..., int]


@pytest.fixture
def exits(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Exits:
    """``make faults`` with rounds that come to what is given: findings by rule, or an error."""

    def run(*words: str, rules: tuple[str, ...] = (), error: Exception | None = None) -> int:
        async def fill(found: Round, home: Path, kind: Kind) -> None:
            found.findings = [Finding(rule, "somewhere") for rule in rules]
            found.starts()
            found.faults = [{"at": 0.0, "kind": "Kill", "told": "intake", "seconds": 1.0}]
            if error:
                raise error

        where = ("--record", str(tmp_path / "record.json"), "--home", str(tmp_path))
        monkeypatch.setattr(rounds, "fill", fill)
        monkeypatch.setattr(sys, "argv", ["make faults", "--seconds", "60", "--seed", "7", *where, *words])
        return main()

    return run


def test_a_round_that_breaks_is_on_record_with_its_cause_and_what_was_done(
    exits: Exits, tmp_path: Path
) -> None:
    broken = ExceptionGroup("lanes", [Failed(f"restore of intake in {tmp_path} lost 5 events")])
    assert exits("--restores", error=broken) == 1
    [found] = record.read(tmp_path / "record.json")
    [finding] = found.findings
    assert finding.rule == rounds.ENDS
    assert "Failed: restore of intake" in finding.where
    assert "seed 7" in finding.where
    [home] = tmp_path.glob("faults-7-*")
    assert home.name in finding.where
    assert "lost 5 events" in (home / "broken.txt").read_text()
    assert found.faults
    assert "not measured" in record.page([found])


def test_a_seeded_bug_must_be_found_by_the_rules_that_it_is_about(exits: Exits) -> None:
    for name, bug in bugs.ALL.items():
        assert set(bug.found_by) <= set(RULES), name
        assert exits("--bug", name, rules=("lag returns to nothing",)) == 1
        assert exits("--bug", name) == 1
        assert exits("--bug", name, rules=(*bug.found_by, "lag returns to nothing")) == 0


def test_a_round_with_a_seeded_bug_shows_what_found_it_and_counts_for_nothing_else(
    exits: Exits, tmp_path: Path
) -> None:
    must = bugs.ALL["dedupe_off"].found_by[0]
    assert exits("--bug", "dedupe_off", rules=(must, must, "lag returns to nothing")) == 0
    found = record.read(tmp_path / "record.json")
    assert [each.rule for one in found for each in one.findings] == [must, "lag returns to nothing"]
    assert record.tally(found).kills.total() == 0
    page = record.page(found)
    assert f"applied again | {must} | lag returns to nothing | " in page
    assert "| processes killed | 0 |" in page
    assert "**not found by** topics hold what stores hold |  | no round |" in page
    assert exits("--bug", "dedupe_off", rules=("lag returns to nothing",)) == 1
    assert f"**not found by** {must}" in record.page(record.read(tmp_path / "record.json"))


def test_too_few_kills_are_told_once_the_seconds_are_used_up(
    exits: Exits, capsys: pytest.CaptureFixture[str]
) -> None:
    assert exits("--kills", "1000") == 1
    assert "1 kills of 1000 are on record" in capsys.readouterr().out
    assert exits() == 0
    assert exits(rules=("streams have no gap",)) == 1


def test_a_round_says_what_code_it_was_played_on() -> None:
    page = record.page([Round(1, 60, code="86d0ed1-dirty"), Round(2, 60)])
    assert "| 86d0ed1-dirty | faults | 1 |" in page
    assert "| not kept | faults | 2 |" in page


@pytest.mark.parametrize(
    ("kind", "told", "struck"),
    [
        ("KillAtPoint", "billing commit.before (not reached)", False),
        ("KillAtPoint", "billing commit.before", True),
        ("CutAfterCommit", "0 commits", False),
        ("CutAfterCommit", "2 commits", True),
        ("CutBroker", "0 sides", False),
        ("CutDatabase", "106 sides", True),
        ("Reordered", "0 in audit", False),
        ("Repeated", "10 in audit", True),
        ("Poison", "_MSG_TIMED_OUT", False),
        ("Oversized", "MSG_SIZE_TOO_LARGE", True),
        ("LoseTopic", "audit, 0 events published again", False),
        ("LoseTopic", "intake, 120 events published again", True),
        ("TwoRelays", "notifications", False),
        ("Backup", "0 MB", True),
    ],
)
def test_what_did_nothing_is_without_effect_in_older_records_too(kind: str, told: str, struck: bool) -> None:
    old = {"at": 0.0, "kind": kind, "told": told, "seconds": 2.0}
    assert had_effect(old) is struck
    assert had_effect(old | {"struck": not struck}) is not struck
    page = record.page([Round(1, 60, faults=[old])])
    assert f"| {kind} | {int(struck)} | {int(not struck)} | {2 * struck} |" in page
    assert f"| faults that struck, and without effect | {int(struck)}, {int(not struck)} |" in page


def test_the_page_is_what_its_record_comes_to() -> None:
    docs = ROOT / "docs"
    assert (docs / "reliability.md").read_text() == record.page(record.read(docs / "reliability.json"))
