"""The record of rounds: one JSON that every round is added to, and the page that sums it up."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

from tests.faults import kills
from tests.faults.checker import RULES, Finding
from tests.faults.rounds import Round


def read(path: Path) -> list[Round]:
    """The rounds of a record; none where there is none yet."""
    if not path.exists():
        return []
    rounds = json.loads(path.read_text())["rounds"]
    return [Round(**{**one, "findings": [Finding(**each) for each in one["findings"]]}) for one in rounds]


def append(path: Path, found: Round) -> None:
    """Add a round."""
    lines = ",\n".join(json.dumps(asdict(one)) for one in [*read(path), found])
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_suffix(".new")
    new.write_text(f'{{"rounds": [\n{lines}\n]}}\n')
    new.replace(path)


def tally(rounds: Iterable[Round]) -> kills.Tally:
    """The kills of a record."""
    return kills.Tally.of(fault for one in rounds for fault in one.faults)


def enough(rounds: Iterable[Round], wanted: int) -> bool:
    """Whether a record holds so many kills, and each point killed often enough."""
    found = tally(rounds)
    return found.kills.total() >= wanted and not found.due()


def by_kind(rounds: Iterable[Round]) -> dict[str, tuple[int, float]]:
    """How often each kind of fault struck, and for how many seconds."""
    times, seconds = Counter[str](), Counter[str]()
    for one in rounds:
        for fault in one.faults:
            times[fault["kind"]] += 1
            seconds[fault["kind"]] += fault["seconds"]
    return {kind: (times[kind], seconds[kind]) for kind in sorted(times)}


def page(rounds: list[Round]) -> str:
    """The record for a reader."""
    hurt = sum(one.seconds for one in rounds) / 60
    outcomes = Counter[str]()
    for one in rounds:
        outcomes.update(one.outcomes)
    bad = [one for one in rounds if one.findings]
    lags = [one.lag_s for one in rounds if one.lag_s is not None]
    return PAGE.format(
        rounds=len(rounds),
        minutes=f"{hurt:.0f}",
        faults=sum(len(one.faults) for one in rounds),
        ok=f"{outcomes['ok']:,}",
        fail=f"{outcomes['fail']:,}",
        unknown=f"{outcomes['unknown']:,}",
        events=f"{sum(one.events for one in rounds):,}",
        bad=len(bad),
        found="".join(f"\n- seed {one.seed}: {each}" for one in bad for each in one.findings[:3]),
        lag=f"{max(lags, default=0):.0f}",
        kinds="\n".join(
            f"| {kind} | {times} | {seconds:.0f} |" for kind, (times, seconds) in by_kind(rounds).items()
        ),
        rules="\n".join(f"- {rule}" for rule in RULES),
    )


PAGE = """\
# Reliability

What was done to the running stack, and what held. Written by `make faults`; run it yourself:

    make faults SECONDS=180 SEED=1

Clients work on all services at once, days of care pass in minutes, and three lanes of faults go on side by
side: what happens to processes, what happens around them, what somebody writes into the topics. Then
the stack is left alone, and a checker that shares no code with it reads the clients' history, the stores,
the topics, the ledger and the mailbox.

| | |
|---|---|
| rounds, minutes under faults | {rounds}, {minutes} |
| faults | {faults} |
| commands acknowledged, refused, unknown | {ok}, {fail}, {unknown} |
| events | {events} |
| rounds in which a rule did not hold | {bad} |
| lag gone at the latest after | {lag} s |
{found}

## What must hold

{rules}

The checker is tested itself: `tests/faults/test_checker.py` alters the evidence of a run in one place, and
each alteration must be found. `make faults ARGS="--bug dedupe_off"` seeds a bug into the running stack.

The limit of the lag, 30 s, is of the machine too: these rounds shared two processors with other work.

## Faults

| fault | times | seconds |
|---|---|---|
{kinds}

Not done yet: three brokers of which one is lost, a topic published again from its store, a rolling upgrade,
a database restored to an earlier point. Disks are full only where small ones can be mounted; they lie in
memory, so that losing power is not tried here.
"""
