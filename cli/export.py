"""The contracts as files for integrators: schemas, examples, AsyncAPI."""

from __future__ import annotations

from pathlib import Path

from caretrail_contracts import asyncapi
from caretrail_contracts.catalogue import all_events
from caretrail_contracts.frozen import files_of, home
from caretrail_contracts.schemas import to_text


def export_to(folder: Path) -> list[str]:
    """Write every schema and example, those of older versions too, and the document that refers to them.

    Gives the files written, relative to the folder.
    """
    files = _older() | {file: body for event in all_events() for file, body in files_of(event).items()}
    exported = {file.replace("golden/", "examples/", 1): body for file, body in files.items()}
    exported["asyncapi.json"] = to_text(asyncapi.document()).encode()
    for file, body in exported.items():
        path = folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
    return list(exported)


def _older() -> dict[str, bytes]:
    """What was published of versions before today's: topics keep their records for ever."""
    try:
        published = home()
    except FileNotFoundError:
        return {}
    today = {event.type().removeprefix("caretrail."): event.version for event in all_events()}
    return {
        path.relative_to(published).as_posix(): path.read_bytes()
        for path in [*published.glob("schemas/v*/*.json"), *published.glob("golden/v*/*.json")]
        if int(path.parent.name.removeprefix("v")) < today.get(path.stem, 0)
    }
