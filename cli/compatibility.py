"""Whether schemas go together: two files, or every pair of versions that was frozen."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cli import screen
from cli.schema_file import schema_from

if TYPE_CHECKING:
    from caretrail_contracts.compatibility import Break
    from caretrail_contracts.evolution import Comparison

GOOD_NEWS = {
    "backward": "readers of the new schema read what writers of the old one sent",
    "forward": "readers of the old schema read what writers of the new one send",
}


@dataclass(frozen=True, slots=True)
class Unfit:
    """A sample of today that the schema of an older version, opened, refuses: where, and by which keyword."""

    event: str
    version: int
    at: str
    keyword: str


def compare_files(old: Path, new: Path, mode: str, as_json: bool) -> bool:
    """Compare two files, print the verdict, and give whether they go together. Raises Problem."""
    from caretrail_contracts.compatibility import Mode, first_break

    found = first_break(schema_from(old), schema_from(new), Mode(mode))
    if as_json:
        files = {"old": str(old), "new": str(new)}
        part = break_as_json(found) if found else None
        screen.print_json({"mode": mode, **files, "compatible": found is None, "break": part})
    elif found:
        show_break(found, {"old": str(old), "new": str(new)})
    else:
        news = GOOD_NEWS.get(mode, f"{GOOD_NEWS['backward']}, and the other way round")
        screen.out().print(f"[{screen.GOOD}]Compatible ({mode}):[/] {news}.", soft_wrap=True)
    return found is None


def break_as_json(found: Break) -> dict[str, Any]:
    """A break for programs."""
    return {
        "direction": found.direction.value,
        "at": found.at,
        "in": found.side,
        "decided": found.decided,
        "whom": found.whom,
        "says": found.says,
    }


def show_break(found: Break, names: dict[str, str]) -> None:
    """A break for people: for whom, where, what."""
    from rich.text import Text

    out = screen.out()
    whom = found.whom[0].upper() + found.whom[1:]
    out.print(Text(f"{whom}.", style=screen.BAD), soft_wrap=True)
    where = Text.assemble(("  at     ", screen.QUIET), (found.at or "(root)", screen.NAME))
    out.print(where.append(f"  in {names[found.side]}"), soft_wrap=True)
    out.print(Text.assemble(("  what   ", screen.QUIET), found.says), soft_wrap=True)
    if not found.decided:
        advice = "Not decided; what cannot be shown to go together is refused."
        out.print(Text.assemble(("  note   ", screen.QUIET), advice), soft_wrap=True)


def show_comparison(comparison: Comparison) -> None:
    """The breaks between two versions of an event."""
    from rich.text import Text

    names = {"old": str(comparison.older), "new": str(comparison.newer)}
    title = f"{comparison.event}  {names['old']} → {names['new']}"
    for found in comparison.breaks:
        screen.out().print(Text(title, style=screen.NAME), soft_wrap=True)
        show_break(found, names)


def unfit_samples(comparisons: list[Comparison], folder: Path) -> Iterator[Unfit]:
    """Samples of the newer version of a pair that the older version's schema refuses, though opened."""
    from jsonschema import Draft202012Validator

    for each in comparisons:
        path = folder / f"golden/v{each.newer.number}/{each.event}.json"
        if not path.exists():
            continue
        validator = Draft202012Validator(opened(each.older.schema))
        try:
            sample = json.loads(path.read_bytes())
        except ValueError:
            continue  # that the file differs is said by itself
        for error in validator.iter_errors(sample):
            at = "".join(f"/{step}" for step in error.absolute_path)
            yield Unfit(each.event, each.older.number, at, str(error.validator))


def opened(schema: Any) -> Any:
    """A schema as a reader obeys it that ignores fields it does not know."""
    if isinstance(schema, list):
        return [opened(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    closing = ("additionalProperties", "unevaluatedProperties")
    return {name: opened(part) for name, part in schema.items() if not (name in closing and part is False)}
