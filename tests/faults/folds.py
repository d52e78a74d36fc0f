"""Read models folded once more, by hand, from the log, and compared with the tables that the stack keeps.

Every table of every service is folded, each with all its columns: none is left out. A table that nobody folds
is a finding. The ledger has a rule of its own.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

from tests.faults.evidence import Evidence, Row
from tests.faults.read_models import PUTS
from tests.faults.values import derive, same, subject_of

Fact = dict[str, Any]
Folded = dict[tuple[str, ...], Fact]
Own = Callable[[Fact], Fact]
"""What no word can say of a row: further columns from an event's fields."""

PARTS = re.compile(r"(\w+)(==|[=+?-])?(.*)")


def compared(evidence: Evidence) -> Iterator[str]:
    """Rows that are missing, too many, or other than folded; and tables that nobody folds."""
    facts = _facts(evidence)
    for name, store in evidence.stores.items():
        for table in sorted(store["tables"]):
            if f"{name}.{table}" not in PUTS:
                yield f"{name}.{table} is folded by nobody"
    for name, puts in PUTS.items():
        service, _, table = name.partition(".")
        if table not in evidence.stores[service]["tables"]:
            yield f"{name} is not there"
            continue
        yield from _table(name, evidence.stores[service]["tables"][table], puts, facts)


def _table(name: str, rows: list[Row], puts: dict[str, str], facts: dict[str, list[Fact]]) -> Iterator[str]:
    key, *_ = (each.split() for each in puts)
    expected = _fold(key, puts, facts)
    found = {tuple(str(row[column]) for column in key): row for row in rows}
    for id in expected.keys() - found.keys():
        yield f"{name} lacks {'/'.join(id)}"
    for id in found.keys() - expected.keys():
        yield f"{name} has {'/'.join(id)} without cause"
    for id in expected.keys() & found.keys():
        row, folded = found[id], expected[id]
        other = [
            column
            for column, value in row.items()
            if same(value) != same(folded.get(column, COUNTERS.get(column)))
        ]
        if other:
            yield f"{name} {'/'.join(id)} differs in {', '.join(other)}"


COUNTERS = {"used": 0, "paid": "0.00", "adjustments": "0.00", "patient_responsibility": "0.00"}
"""Columns that count from nothing."""


def _facts(evidence: Evidence) -> dict[str, list[Fact]]:
    """Fields of every event of a type that some table folds, in order, with the envelope's as ``@name``."""
    wanted = {kind for puts in PUTS.values() for kind in puts}
    found: dict[str, list[Fact]] = {kind: [] for kind in wanted}
    for name, store in evidence.stores.items():
        for event in store["events"]:
            kind = f"{name}.{event['type'].rpartition('.')[2]}"
            if kind in wanted:
                fact = json.loads(event["body"])
                about = {f"@{column}": value for column, value in event.items() if column != "body"}
                subject = subject_of(event)
                more = WORKED_OUT[kind](fact, event) if kind in WORKED_OUT else {}
                whole = {"episode": subject, **fact} if kind == "intake.PatientDischarged" else fact
                found[kind].append({**whole, **more, **about, "@subject": subject, "@fact": fact})
    return found


def _fold(key: list[str], puts: dict[str, str], facts: dict[str, list[Fact]]) -> Folded:
    """The rows of a table. Events of several types stand in the order of their service's positions."""
    kinds = [kind for kind in list(puts)[1:]]
    events = [(fact, puts[kind].split()) for kind in kinds for fact in facts[kind]]
    rows: Folded = {}
    for fact, words in sorted(events, key=lambda one: int(one[0]["@position"])):
        condition, *rest = words
        if condition.startswith("-"):
            rows.pop((str(fact[condition[1:]]),), None)
            continue
        if condition.startswith("?"):
            if not fact.get(condition[1:]):
                continue
            words = rest
        row = _columns(words, fact)
        id = tuple(str(row[column]) for column in key)
        kept = rows.setdefault(id, {})
        for column, value in row.items():
            kept[column] = _counted(kept.get(column), value) if isinstance(value, Decimal) else value
    return rows


def _counted(before: Any, more: Decimal) -> Decimal:
    return (before if isinstance(before, Decimal) else Decimal(0)) + more


def _columns(words: list[str], fact: Fact) -> Fact:
    row: Fact = {}
    for word in words:
        parts = PARTS.fullmatch(word)
        assert parts, word
        column, how, what = parts.groups()
        if how == "==":
            row[column] = SAID.get(what, what)
        elif how in ("+", "-"):
            row[column] = Decimal(str(fact[what])) * (1 if how == "+" else -1)
        elif how != "?" or fact[what] is not None:
            row[column] = fact.get(what or column)
    return row


SAID: dict[str, Any] = {"null": None, "true": True, "false": False, "0": 0}


def _off(fact: Fact, event: Row) -> Fact:
    amounts = [(one["group"], Decimal(str(one["amount"]))) for one in fact["adjustments"]]
    share = sum((amount for group, amount in amounts if group == "PR"), Decimal("0.00"))
    return {"share": share, "off": sum((amount for _, amount in amounts), Decimal("0.00")) - share}


def _corrected(fact: Fact, event: Row) -> Fact:
    change = (fact["minutes"] > 0) - (fact["previous_minutes"] > 0)
    message = derive("message", "missed_session", fact["session"], fact["patient"])
    return {
        "change": change,
        "status": "attended" if fact["minutes"] else "missed",
        "missed": fact["minutes"] == 0,
        "missed_message": message if fact["minutes"] else None,
    }


def _failed(fact: Fact, event: Row) -> Fact:
    return {"status": "waiting" if fact["retry_at"] else "failed"}


WORKED_OUT: dict[str, Callable[[Fact, Row], Fact]] = {
    "clinical.SuicideRiskScreened": lambda fact, event: {
        "screen_asked_at": event["recorded_at"] if fact["level"] == "incomplete" else None
    },
    "scheduling.AttendanceCorrected": _corrected,
    "billing.ClaimCreated": lambda fact, event: {
        "first_service_on": min(line["service_date"] for line in fact["lines"])
    },
    "billing.ClaimPaid": _off,
    "billing.ClaimDenied": lambda fact, event: {
        **_off(fact, event),
        "status": "denied" if fact["whole"] else "partly_denied",
    },
    "billing.ClaimReversed": _off,
    "billing.ClaimNeedsReview": _off,
    "notifications.MessageFailed": _failed,
    "notifications.StaffNoticeFailed": _failed,
}
"""What is worked out from an event's fields."""
