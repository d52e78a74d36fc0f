"""The record of rounds: one JSON that every round is added to, and the page that sums it up."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, replace
from pathlib import Path

from tests.faults import bugs, kills, points
from tests.faults.checker import RULES, Finding
from tests.faults.faults import had_effect
from tests.faults.rounds import Round


def read(path: Path) -> list[Round]:
    """The rounds of a record; none where there is none yet."""
    if not path.exists():
        return []
    rounds = json.loads(path.read_text())["rounds"]
    return [Round(**{**one, "findings": [Finding(**each) for each in one["findings"]]}) for one in rounds]


def append(path: Path, found: Round) -> None:
    """Add a round. Of what a seeded bug led to, the rules alone are kept: places may be thousands."""
    if found.bug:
        rules = dict.fromkeys(each.rule for each in found.findings)
        found = replace(found, findings=[Finding(rule, "") for rule in rules])
    lines = ",\n".join(json.dumps(asdict(one)) for one in [*read(path), found])
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_suffix(".new")
    new.write_text(f'{{"rounds": [\n{lines}\n]}}\n')
    new.replace(path)


def tally(rounds: Iterable[Round]) -> kills.Tally:
    """The kills of a record, but for those of rounds with a seeded bug."""
    return kills.Tally.of(fault for one in rounds if not one.bug for fault in one.faults)


def enough(rounds: Iterable[Round], wanted: int) -> bool:
    """Whether a record holds so many kills, and each point killed often enough."""
    found = tally(rounds)
    return found.kills.total() >= wanted and not found.due()


def by_kind(rounds: Iterable[Round]) -> dict[str, tuple[int, int, float]]:
    """How often each kind of fault struck, how often without effect, and for how many seconds with one."""
    struck, idle, seconds = Counter[str](), Counter[str](), Counter[str]()
    for fault in (fault for one in rounds for fault in one.faults):
        kind = fault["kind"]
        if had_effect(fault):
            struck[kind] += 1
            seconds[kind] += fault["seconds"]
        else:
            idle[kind] += 1
    return {kind: (struck[kind], idle[kind], seconds[kind]) for kind in sorted(struck | idle)}


def by_round(rounds: Iterable[Round]) -> dict[str, list[Round]]:
    """Rounds by what they were of, in the order in which each sort came first."""
    found: dict[str, list[Round]] = {}
    for one in rounds:
        found.setdefault(one.kind, []).append(one)
    return found


def page(rounds: list[Round]) -> str:
    """The record for a reader; a round with a seeded bug shows how that was found, and nothing else."""
    seeded, rounds = {one.bug: one for one in rounds if one.bug}, [one for one in rounds if not one.bug]
    outcomes = Counter[str]()
    for one in rounds:
        outcomes.update(one.outcomes)
    killed, kinds = tally(rounds), by_kind(rounds)
    return PAGE.read_text().format(
        struck=f"{sum(struck for struck, _, _ in kinds.values()):,}",
        idle=f"{sum(idle for _, idle, _ in kinds.values()):,}",
        ok=f"{outcomes['ok']:,}",
        fail=f"{outcomes['fail']:,}",
        unknown=f"{outcomes['unknown']:,}",
        events=f"{sum(one.events for one in rounds):,}",
        sorts="\n".join(f"| {ROUNDS[kind]} | {_sum(found)} |" for kind, found in by_round(rounds).items()),
        found="".join(map(_found, rounds)),
        kills=f"{killed.kills.total():,}",
        processes="\n".join(f"| {name} | {times} |" for name, times in killed.kills.most_common()),
        points="\n".join(f"| `{point}` | {killed.reached[point]} |" for point in points.ALL),
        due=", ".join(killed.due()) or "none",
        each=kills.EACH,
        kinds="\n".join(
            f"| {kind} | {struck} | {idle} | {seconds:.0f} |"
            for kind, (struck, idle, seconds) in kinds.items()
        ),
        rounds="\n".join(map(_row, rounds)),
        rules="\n".join(f"- {rule}" for rule in RULES),
        bugs="\n".join(_bug(name, bug, seeded.get(name)) for name, bug in bugs.ALL.items()),
    )


def _bug(name: str, bug: bugs.Bug, one: Round | None) -> str:
    """A bug, and what found it in the last round that it was seeded into."""
    found = {each.rule for each in one.findings} if one else set()
    must = "; ".join(rule if rule in found else f"**not found by** {rule}" for rule in bug.found_by)
    besides = "; ".join(rule for rule in RULES if rule in found.difference(bug.found_by))
    told = (bug.seed.__doc__ or "").rstrip(".")
    played = f"{one.at[:10]}, {one.code}, seed {one.seed}, {one.seconds:.0f} s" if one else "no round"
    return f"| `{name}` | {told} | {must} | {besides} | {played} |"


def _sum(rounds: list[Round]) -> str:
    minutes = sum(one.seconds for one in rounds) / 60
    bad, lags = sum(bool(one.findings) for one in rounds), [one.lag_s for one in rounds if one.ended]
    slowest = "never" if None in lags else f"{max(filter(None, lags), default=0):.0f} s"
    return f"{len(rounds)} | {minutes:.0f} | {bad} | {slowest}"


def _found(one: Round) -> str:
    """What did not hold in a round, rule by rule, and what became of it."""
    if not one.findings:
        return ""
    load = "" if one.load is None else f", load average {one.load:.0f} on {one.processors} processors"
    rules = Counter(each.rule for each in one.findings)
    first = {each.rule: each.where for each in reversed(one.findings)}
    told = "; ".join(f"{rule} ({times}, such as {first[rule]})" for rule, times in rules.items())
    return f"\n- {one.kind}, seed {one.seed}{load}: {told}. {one.remark}".rstrip()


def _row(one: Round) -> str:
    load = "not measured" if one.load is None else f"{one.load:.1f}"
    lag = ("never" if one.ended else "not measured") if one.lag_s is None else f"{one.lag_s:.1f}"
    killed, code = kills.Tally.of(one.faults).kills.total(), one.code or "not kept"
    done = f"{one.outcomes.get('ok', 0):,}"
    where = (one.at, code, one.kind, one.seed, f"{one.seconds:.0f}")
    shown = (*where, killed, done, load, lag, len(one.findings))
    return f"| {' | '.join(map(str, shown))} |"


ROUNDS = {
    "faults": "faults of every kind",
    "kills": "kills alone",
    "brokers": "three brokers, of which one after the other loses its disk",
    "upgrade": "a release is rolled out",
    "restores": "databases are brought back to earlier moments",
    "topics": "topics are deleted and published again",
}
"""What a round is called on the page."""

PAGE = Path(__file__).with_name("page.md")
"""The page, with places for what was counted."""
