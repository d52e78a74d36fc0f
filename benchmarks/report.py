"""The report: a table for people and a file for programs, of the same figures."""

from __future__ import annotations

import json
import os
import platform
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

import psycopg
from rich.box import HEAVY_HEAD, SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from benchmarks.figures import Figure, as_json, reason, verdict
from benchmarks.keys import KEYS
from benchmarks.lab import SIZED, STAMPED, Lab
from benchmarks.revision import revision

PACKAGES = ("eventsourcing", "psycopg", "aiokafka", "pydantic", "fastapi", "uvicorn", "uvloop", "aiohttp")
TITLE = "Caretrail beside its references"
WIDE = 130
"""Columns from which the table has room for reasons; they are in the file besides."""

COLOURS = {"met": "green", "missed": "red", "missing": "yellow"}


def surroundings(lab: Lab) -> dict[str, Any]:
    """Versions and machine."""
    with psycopg.connect(lab.postgres) as connection:
        [server] = connection.execute("show server_version").fetchone() or [""]
        settings: dict[str, str] = dict(
            connection.execute(SETTINGS, (["fsync", *STAMPED, *SIZED],)).fetchall()
        )
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": {
            "python": platform.python_version(),
            "postgresql": server,
            "kafka": _kafka(),
            **{name: version(name) for name in PACKAGES},
        },
        "machine": {
            "system": platform.platform(),
            "processor": _processor(),
            "processors": os.cpu_count(),
            "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
            "load_before": [round(load, 2) for load in os.getloadavg()],
            "fsync": settings.pop("fsync"),
        },
        "revision": revision(),
        "postgresql_settings": settings,
    }


SETTINGS = b"select name, current_setting(name) from pg_settings where name = any (%s)"


def _processor() -> str:
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.exists() else []
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "unknown")


def _kafka() -> str:
    lock = Path(__file__).parent.parent / "deploy" / "local" / "kafka.lock"
    found = [line for line in lock.read_text().splitlines() if "kafka_2.13" in line]
    return found[0].split()[0].rsplit(":", 1)[-1] if found else "unknown"


def write(path: Path, figures: list[Figure], about: dict[str, Any], size: str) -> None:
    """Write the figures as JSON; what another run measured of other keys does not stay."""
    content = {
        **about,
        "size": size,
        "figures": {figure.key: as_json(figure, KEYS[figure.key]) for figure in figures},
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=1) + "\n")


def show(console: Console, figures: list[Figure], about: dict[str, Any]) -> None:
    """Print the figures as a table; medians, with the least and the most of the trials."""
    wide = console.width >= WIDE
    table = Table(box=HEAVY_HEAD if wide else SIMPLE_HEAD, padding=(0, 1) if wide else (0, 1, 0, 0))
    table.title, table.caption, table.title_style = TITLE, _caption(about), "bold"
    table.add_column("key", no_wrap=True)
    for name in ("ours", "reference", "ratio"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("floor", min_width=8)
    table.add_column("verdict", no_wrap=True)
    if wide:
        table.add_column("measured beside, or why not")
    for figure in figures:
        key = KEYS[figure.key]
        found = verdict(figure, key.floor)
        why = reason(figure, key) or key.reference
        more = ", ".join(f"{name} {number(median(values))}" for name, values in figure.more.items())
        table.add_row(
            figure.key,
            _cell(figure.ours, key.unit),
            _cell(figure.reference, ""),
            _cell(figure.ratios, "×"),
            str(key.floor).replace(", ", "\n"),
            f"[{COLOURS[found]}]{found}[/]",
            *([f"{why}\n{more}".strip()] if wide else []),
        )
    console.print(table)
    for figure in [] if wide else figures:
        if why := reason(figure, KEYS[figure.key]):
            console.print(f"{figure.key}: {why}")


def _caption(about: dict[str, Any]) -> str:
    machine, versions = about["machine"], about["versions"]
    return (
        f"{machine['processors']} × {machine['processor']}, load {machine['load_before'][0]} at the start; "
        f"Python {versions['python']}, PostgreSQL {versions['postgresql']} (fsync {machine['fsync']}), "
        f"Kafka {versions['kafka']}; median, least–most of the trials"
    )


def _cell(values: Any, unit: str) -> str:
    if not values:
        return "–"
    gap = "" if unit == "×" else " "
    return f"{number(median(values))}{gap}{unit}".rstrip() + f"\n{number(min(values))}–{number(max(values))}"


def number(value: float) -> str:
    """A figure as people read it."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
