"""The check of today's models against all that was published of them."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cli import screen
from cli.compatibility import Unfit, break_as_json, show_comparison, unfit_samples
from cli.problem import Problem

if TYPE_CHECKING:
    from caretrail_contracts.evolution import Comparison
    from caretrail_contracts.frozen import Difference

ADVICE = "A published version never changes: give the event a new version with an upcast."


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found: files that differ, pairs of versions, samples that an older version refuses."""

    events: int
    differences: list[Difference]
    pairs: list[Comparison]
    unfit: list[Unfit]

    @property
    def broken(self) -> list[Comparison]:
        """Pairs whose readers and writers part."""
        return [pair for pair in self.pairs if pair.breaks]

    @property
    def stands(self) -> bool:
        """Whether everything that was published still holds."""
        return not (self.differences or self.broken or self.unfit)


def verdict_on(frozen: Path | None) -> Verdict:
    """Check a folder of frozen files, else that of the contracts project. Raises Problem."""
    from caretrail_contracts.catalogue import all_events
    from caretrail_contracts.evolution import NoSchema, compared
    from caretrail_contracts.frozen import differences, home

    events = all_events()
    try:
        folder = frozen or home()
        pairs = list(compared(events, folder))
    except FileNotFoundError as error:
        raise Problem(str(error), advice="Name the folder with --frozen.") from None
    except NoSchema as error:
        raise Problem("A frozen schema is no JSON.").about(str(error)) from None
    return Verdict(len(events), differences(folder), pairs, list(unfit_samples(pairs, folder)))


def report(verdict: Verdict, as_json: bool) -> None:
    """Print a verdict, for people or for programs."""
    if as_json:
        screen.print_json(_as_json(verdict))
    elif verdict.stands:
        upcasts = sum(pair.upcast for pair in verdict.pairs)
        more = f" {len(verdict.pairs)} pairs of versions go together" if verdict.pairs else ""
        more += f", {upcasts} of them by upcasts" if upcasts else ""
        good = f"[{screen.GOOD}]{verdict.events} events equal what was published.[/]"
        screen.out().print(good + (f"{more}." if more else ""))
    else:
        _show(verdict)


def _as_json(verdict: Verdict) -> dict[str, Any]:
    return {
        "events": verdict.events,
        "differences": [
            {"file": each.file, "at": each.at, "frozen": each.frozen, "now": each.now}
            for each in verdict.differences
        ],
        "pairs": len(verdict.pairs),
        "upcasts": sum(pair.upcast for pair in verdict.pairs),
        "breaks": [
            {"event": pair.event, "old": str(pair.older), "new": str(pair.newer), **break_as_json(found)}
            for pair in verdict.broken
            for found in pair.breaks
        ],
        "samples": [asdict(each) for each in verdict.unfit],
    }


def _show(verdict: Verdict) -> None:
    from rich.text import Text

    out = screen.out()
    for difference in verdict.differences:
        out.print(Text(difference.file, style=screen.NAME), soft_wrap=True)
        out.print(Text.assemble(("  at     ", screen.QUIET), difference.at or "(root)"), soft_wrap=True)
        out.print(Text.assemble(("  frozen ", screen.QUIET), difference.frozen), soft_wrap=True)
        out.print(Text.assemble(("  now    ", screen.QUIET), difference.now), soft_wrap=True)
    for pair in verdict.broken:
        show_comparison(pair)
    for each in verdict.unfit:
        title = f"today's sample of {each.event}, read as version {each.version}"
        out.print(Text(title, style=screen.NAME), soft_wrap=True)
        out.print(Text.assemble(("  at     ", screen.QUIET), each.at or "(root)"), soft_wrap=True)
        out.print(Text.assemble(("  what   ", screen.QUIET), f"refused by {each.keyword}"), soft_wrap=True)
    _show_count(verdict)


def _show_count(verdict: Verdict) -> None:
    from rich.text import Text

    counts = {
        ("file differs", "files differ"): len(verdict.differences),
        ("pair of versions parts", "pairs of versions part"): len(verdict.broken),
        ("sample is refused", "samples are refused"): len(verdict.unfit),
    }
    parts = [f"{count} {words[count != 1]}" for words, count in counts.items() if count]
    screen.out().print(Text(f"{', '.join(parts)}.", style=screen.BAD))
    screen.out().print(Text(ADVICE, style=screen.QUIET))
