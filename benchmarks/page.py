"""Rows of the table in ``docs/performance.md``, of a file of results: ``python -m benchmarks.page FILE``."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.report import number

BESIDE = ("p99_ms", "cold_events_s", "reference_send", "rebuild_most_mib", "rebuild_growth_mib")
"""Of what was measured beside the key's own figure, that which the page tells too."""


def rows(results: dict[str, Any]) -> Iterator[str]:
    """One line of Markdown for each key: medians, with the least and the most of the trials."""
    for key, figure in results["figures"].items():
        more = [
            f"{name} {number(figure['more'][name]['median'])}" for name in BESIDE if name in figure["more"]
        ]
        cells = [
            key,
            "; ".join([_spread(figure["ours"], f" {figure['unit']}"), *more]),
            _spread(figure["reference"]["measured"], ""),
            _spread(figure["ratio"], "×"),
            figure["verdict"],
        ]
        yield f"| {' | '.join(cells)} |"


def _spread(found: dict[str, Any] | None, unit: str) -> str:
    if not found:
        return "–"
    least, middle, most = (number(found[name]) for name in ("min", "median", "max"))
    return f"{middle}{unit} ({least}–{most})"


if __name__ == "__main__":
    print("\n".join(rows(json.loads(Path(sys.argv[1]).read_text()))))
