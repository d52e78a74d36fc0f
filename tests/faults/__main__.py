"""``make faults``: rounds of faults, one after the other, each added to a record and shown as a table."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.faults import bugs, kills, losses, record, restores, rolling, rounds

ROUND_S, KILLS_S = 600.0, 300.0
"""A round at most, and one of kills; longer runs are rounds of following seeds, each on a fresh stack."""


def main() -> int:
    """Run; 1 where anything was found, a round broke or what was asked for did not come about.

    With a seeded bug, 1 unless each rule that must find it did.
    """
    given, console = _given(), Console()
    played = _rounds(given, console)
    if given.page:
        given.page.write_text(record.page(record.read(given.record)))
    lacking = list(_lacking(given, played))
    for each in lacking:
        console.print(f"[red]{each}[/red]")
    return 1 if lacking else 0


def _rounds(given: argparse.Namespace, console: Console) -> list[rounds.Round]:
    """Rounds of following seeds until the seconds are used up, or there are kills enough."""
    left, played = given.seconds, list[rounds.Round]()
    while left > 0:
        before = record.read(given.record)
        if given.kills and record.enough(before, given.kills):
            break
        seconds = min(left, KILLS_S if given.kills else ROUND_S)
        played.append(_round(given, seconds, before, console))
        left -= seconds
        given.seed = played[-1].seed + 1
    return played


def _lacking(given: argparse.Namespace, played: list[rounds.Round]) -> Iterator[str]:
    """What is not as it must be, for who called."""
    found = {finding.rule for one in played for finding in one.findings}
    if given.bug:
        for rule in bugs.ALL[given.bug].found_by:
            if rule not in found:
                yield f"the bug {given.bug} is seeded, and was not found: {rule}"
    elif found:
        yield f"{sum(bool(one.findings) for one in played)} of {len(played)} rounds with findings"
    kept = record.read(given.record)
    if given.kills and not record.enough(kept, given.kills):
        killed = record.tally(kept)
        due = ", ".join(killed.due()) or "none"
        yield (
            f"{killed.kills.total()} kills of {given.kills} are on record, points still due: {due}; "
            f"the {given.seconds:.0f} s are used up, run it again to go on"
        )


def _round(
    given: argparse.Namespace, seconds: float, before: list[rounds.Round], console: Console
) -> rounds.Round:
    """One round, shown and put on record; its home is left where anything was found."""
    seed = given.seed or max((one.seed for one in before), default=0) + 1
    home = Path(tempfile.mkdtemp(prefix=f"faults-{seed}-", dir=given.home))
    found = rounds.Round(seed, seconds, bug=given.bug)
    rounds.whole(found, home, _kind(given, before))
    record.append(given.record, found)
    console.print(table(found))
    for finding in found.findings[:20]:
        console.print(f"[red]{finding}[/red]")
    if found.findings:
        console.print(f"left for a look: {home}")
    else:
        rounds.clear(home)
    return found


def _kind(given: argparse.Namespace, before: list[rounds.Round]) -> rounds.Kind:
    """The kind of round that is asked for."""
    if given.kills:
        return rounds.Kind("kills", kills.Siege(record.tally(before)).hurt)
    if given.brokers > 1:
        return rounds.Kind("brokers", losses.losing, brokers=given.brokers)
    if given.upgrade:
        rules = {"a release rolls out under load": rolling.rolled}
        return rounds.Kind("upgrade", rolling.rolling, rules=rules)
    if given.restores:
        return rounds.Kind("restores", restores.restoring)
    if given.topics:
        rules = {"topics keep the order": restores.readable}
        return rounds.Kind("topics", restores.losing_topics, rules=rules)
    return replace(rounds.EVERYTHING, disks=not given.no_disks)


def _given() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make faults", description=__doc__)
    parser.add_argument("--seconds", type=float, default=180, help="how long the stack is hurt, in all")
    parser.add_argument(
        "--seed", type=int, default=0, help="which faults, and when; else one after the record's last"
    )
    parser.add_argument("--home", default="/tmp", help="where homes of stacks lie")
    parser.add_argument("--record", type=Path, default=Path(".caretrail/faults.json"))
    parser.add_argument(
        "--kills", type=int, default=0, help="rounds of kills alone, until the record holds so many"
    )
    parser.add_argument(
        "--brokers", type=int, default=1, help="so many, of which one after the other loses its disk"
    )
    parser.add_argument("--upgrade", action="store_true", help="roll out a new release meanwhile")
    parser.add_argument("--restores", action="store_true", help="bring databases back to earlier moments")
    parser.add_argument("--topics", action="store_true", help="delete topics, and publish them again")
    parser.add_argument("--page", type=Path, default=None, help="write the sum of the record as a page")
    parser.add_argument("--bug", choices=("", *bugs.ALL), default="", help="seed a bug: it must be found")
    parser.add_argument("--no-disks", action="store_true", help="mount no small disks to fill")
    return parser.parse_args()


def table(found: rounds.Round) -> Table:
    """A round's faults by kind, and what clients saw."""
    shown = Table(title=f"seed {found.seed}, {found.seconds:.0f} s", title_justify="left")
    for name in ("fault", "struck", "without effect", "seconds"):
        shown.add_column(name, justify="left" if name == "fault" else "right")
    for kind, (struck, idle, seconds) in record.by_kind([found]).items():
        shown.add_row(kind, str(struck), str(idle or ""), f"{seconds:.0f}")
    shown.add_section()
    for outcome in ("ok", "fail", "unknown"):
        shown.add_row(f"commands {outcome}", str(found.outcomes.get(outcome, 0)), "", "")
    shown.add_row("events", str(found.events), "", "")
    for what, after in (("servers served after", found.servers_s), ("lag gone after", found.lag_s)):
        shown.add_row(what, "", "", "never" if after is None else f"{after:.1f}")
    shown.add_row("load average", "", "", "" if found.load is None else f"{found.load:.1f}")
    shown.add_row("findings", str(len(found.findings)), "", "", style="red" if found.findings else "green")
    return shown


if __name__ == "__main__":
    sys.exit(main())
