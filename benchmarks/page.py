"""Rows of the tables in ``docs/performance.md``: ``python -m benchmarks.page FILE [EARLIER]``.

Of one file of results its figures, of two their ratios beside each other.
"""

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


def beside(results: dict[str, Any], earlier: dict[str, Any]) -> Iterator[str]:
    """One line for each key with a reference: the ratios of an earlier run, and of this one."""
    for key, figure in results["figures"].items():
        if figure["ratio"]:
            before = earlier["figures"].get(key, {}).get("ratio")
            yield f"| {key} | {_spread(before, '×')} | {_spread(figure['ratio'], '×')} | {figure['floor']} |"


def _spread(found: dict[str, Any] | None, unit: str) -> str:
    if not found:
        return "–"
    least, middle, most = (number(found[name]) for name in ("min", "median", "max"))
    return f"{middle}{unit} ({least}–{most})"


if __name__ == "__main__":
    given = [json.loads(Path(name).read_text()) for name in sys.argv[1:]]
    print("\n".join(beside(*given) if len(given) > 1 else rows(*given)))
