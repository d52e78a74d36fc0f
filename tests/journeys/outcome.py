"""What is kept of a play for the tests to look at, after its stage is gone."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from typing import Any

from psycopg import sql
from pyx12.params import params
from pyx12.x12n_document import x12n_document

from deploy.local.demo.cohort import Patient, cohort
from deploy.local.mailbox import Mail, read
from deploy.local.programs import SERVICES
from tests.journeys.records import Fact, Unsealing, facts, rows
from tests.journeys.stage import Stage

CHASSIS = {
    "origin", "place", "events", "commands", "reservations", "relay_mark", "positions", "parked", "timers",
    "projections", "snapshots", "members", "effects_done", "effect_marks", "effect_starts",
    "ledger",
}  # fmt: skip
"""Tables that are no projections."""


@dataclass
class Outcome:
    """One play's end."""

    figures: dict[str, Any]
    cohort: list[Patient]
    facts: list[Fact]
    projections: dict[str, list[str]]
    mails: list[Mail]
    claim_files: dict[str, str]
    parked: list[str]


def outcome(stage: Stage, patients: int) -> Outcome:
    """Read everything that a stage holds at the end of its play."""
    return Outcome(
        figures=stage.figures,
        cohort=cohort(stage.seed, patients),
        facts=facts(stage),
        projections=projections(stage),
        mails=read(stage.home / "mailbox"),
        claim_files={
            path.name: path.read_text("ascii") for path in sorted((stage.home / "payer").rglob("*.837"))
        },
        parked=[
            f"{name} {row['handler']} {row['error']}"
            for name in SERVICES
            for row in rows(stage.database(name), "select handler, error from parked")
        ],
    )


def projections(stage: Stage) -> dict[str, list[str]]:
    """The rows of each projection's tables, opened and sorted, but for ``position``, which may differ."""
    unsealing, found = Unsealing(stage), dict[str, list[str]]()
    for name in SERVICES:
        address = stage.database(name)
        for table in sorted(row["tablename"] for row in rows(address, TABLES)):
            if table not in CHASSIS and not table.startswith(("_yoyo", "yoyo")):
                query = sql.SQL("select to_jsonb(t) - 'position' as row from {} t").format(
                    sql.Identifier(table)
                )
                opened = (unsealing.opened(row["row"]) for row in rows(address, query.as_string()))
                found[f"{name}.{table}"] = sorted(json.dumps(row, sort_keys=True) for row in opened)
    return found


TABLES = "select tablename from pg_tables where schemaname = 'public'"


def is_valid_x12(text: str) -> bool:
    """Whether pyx12 accepts an interchange."""
    return bool(x12n_document(params(), io.StringIO(text), io.StringIO(), None))
