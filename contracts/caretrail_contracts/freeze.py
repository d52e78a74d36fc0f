"""Lay down the schemas and golden bytes of today's events: ``python -m caretrail_contracts.freeze``.

New events and versions are added. A frozen file that differs is left alone and named, unless
``--rewrite`` is given, which is for versions that nobody outside has seen yet.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from .catalogue import all_events
from .examples import NoExample
from .frozen import differences, files_of


def freeze(folder: Path, rewrite: bool) -> tuple[list[str], list[str]]:
    """Write the files; gives those written and those removed (the latter only with ``rewrite``)."""
    wanted = {file: body for event in all_events() for file, body in files_of(event).items()}
    written = []
    for file, body in wanted.items():
        path = folder / file
        if path.exists() and (path.read_bytes() == body or not rewrite):
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
        written.append(file)
    return written, _prune(folder, wanted) if rewrite else []


def _prune(folder: Path, wanted: dict[str, bytes]) -> list[str]:
    """Remove files of today's versions whose event is gone; older versions stay."""
    current = {file.split("/")[1] for file in wanted}
    removed = []
    for path in sorted([*folder.glob("schemas/v*/*.json"), *folder.glob("golden/v*/*.json")]):
        file = path.relative_to(folder).as_posix()
        older = any(file.rpartition("/")[2] == other.rpartition("/")[2] for other in wanted)
        if file not in wanted and not older and path.parent.name in current:
            path.unlink()
            removed.append(file)
    return removed


def main() -> int:
    """Freeze, say what was done, and fail where a frozen file differs."""
    parser = argparse.ArgumentParser(prog="python -m caretrail_contracts.freeze", description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=Path(__file__).parents[1])
    parser.add_argument("--rewrite", action="store_true", help="also change files frozen before")
    asked = parser.parse_args()
    try:
        written, removed = freeze(asked.folder, asked.rewrite)
    except NoExample as error:
        print(error, file=sys.stderr)
        return 1
    for file in written:
        print(f"written  {file}")
    for file in removed:
        print(f"removed  {file}")
    left = differences(asked.folder)
    for difference in left:
        print(f"differs  {difference}", file=sys.stderr)
    print(f"{len(written)} written, {len(removed)} removed, {len(left)} differ")
    return 1 if left else 0


if __name__ == "__main__":
    sys.exit(main())
