"""The promise: what was published of each event version, and where today's models differ from it.

``schemas/v<version>/<service>.<Event>.json`` holds the schema, ``golden/v<version>/…`` the exact bytes
of the example. A published file never changes; a changed event gets a new version with an upcast.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from .catalogue import all_events, name_of
from .event import Event
from .examples import NoExample, example
from .schemas import schema_of, to_text

FOLDERS = ("schemas", "golden")


@dataclass(frozen=True, slots=True)
class Difference:
    """Where a frozen file and today's model part: JSON pointer, what is frozen, what is there now."""

    file: str
    at: str
    frozen: str
    now: str

    def __str__(self) -> str:
        return f"{self.file} at {self.at or '(root)'}: frozen {self.frozen}, now {self.now}"


def files_of(event: type[Event]) -> dict[str, bytes]:
    """The files that hold today's version of an event, by their path below the frozen folder."""
    place = f"v{event.version}/{name_of(event)}.json"
    return {
        f"schemas/{place}": to_text(schema_of(event)).encode(),
        f"golden/{place}": example(event).to_bytes(),
    }


def home() -> Path:
    """The folder of the frozen files: in the installed package, else beside it in the repository.

    Raises FileNotFoundError.
    """
    package = Path(__file__).parent
    for folder in (package / "published", package.parent):
        if all((folder / name).is_dir() for name in FOLDERS):
            return folder
    raise FileNotFoundError(f"no folders schemas/ and golden/ beside {package}")


def differences(folder: Path) -> list[Difference]:
    """Every way in which today's models differ from the frozen files, at most one for each file."""
    found: list[Difference] = []
    wanted: dict[str, bytes] = {}
    for event in all_events():
        try:
            wanted |= files_of(event)
        except NoExample as error:
            found.append(
                Difference(f"golden/v{event.version}/{name_of(event)}.json", "", "an example", str(error))
            )
        found += _unread(folder, event)
    for file, now in wanted.items():
        path = folder / file
        if not path.exists():
            found.append(Difference(file, "", "nothing", "a new event or version: freeze it"))
        elif path.read_bytes() != now:
            found.append(_first(file, path.read_bytes(), now))
    return found + list(_gone(folder))


def _unread(folder: Path, event: type[Event]) -> Iterator[Difference]:
    """Golden bytes of this and older versions that today's model cannot read."""
    for version in range(1, event.version + 1):
        file = f"golden/v{version}/{name_of(event)}.json"
        path = folder / file
        if not path.exists():
            continue
        try:
            event.from_bytes(path.read_bytes(), version)
        except ValidationError as error:
            at = "".join(f"/{part}" for part in error.errors()[0]["loc"])
            yield Difference(file, at, f"readable as version {version}", error.errors()[0]["msg"])
        except KeyError:
            yield Difference(file, "", f"readable as version {version}", "an upcast is missing")


def _gone(folder: Path) -> Iterator[Difference]:
    known = {name_of(event): event.version for event in all_events()}
    for path in sorted(folder.glob("schemas/v*/*.json")):
        version = int(path.parent.name.removeprefix("v"))
        if known.get(path.stem, 0) < version:
            yield Difference(str(path.relative_to(folder)), "", "a published event", "no model")


def _first(file: str, frozen: bytes, now: bytes) -> Difference:
    try:
        at, before, after = _parted(json.loads(frozen), json.loads(now), "")
    except ValueError:
        return Difference(file, "", "bytes that are no JSON", "JSON")
    if before is None and after is None:
        return Difference(file, "", "other bytes", "the same JSON in another form")
    return Difference(file, at, _shown(before), _shown(after))


_ABSENT = object()


def _parted(a: Any, b: Any, at: str) -> tuple[str, Any, Any]:
    """The first place where two JSON documents differ; the values are None where they do not."""
    if isinstance(a, dict) and isinstance(b, dict):
        keys: list[Any] = [*a, *(key for key in b if key not in a)]
        pairs = [(key, a.get(key, _ABSENT), b.get(key, _ABSENT)) for key in keys]
    elif isinstance(a, list) and isinstance(b, list):
        length = max(len(a), len(b))
        a, b = a + [_ABSENT] * (length - len(a)), b + [_ABSENT] * (length - len(b))
        pairs = [(index, a[index], b[index]) for index in range(length)]
    else:
        return (at, a, b) if a is not b and (type(a) is not type(b) or a != b) else ("", None, None)
    for key, left, right in pairs:
        step = str(key).replace("~", "~0").replace("/", "~1")
        place, before, after = _parted(left, right, f"{at}/{step}")
        if (before, after) != (None, None):
            return place, before, after
    return "", None, None


def _shown(value: Any) -> str:
    if value is _ABSENT:
        return "nothing"
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 80 else text[:79] + "…"
