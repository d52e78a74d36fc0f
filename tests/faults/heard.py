"""What clients said and were answered: kept as it was said, and answered so that one can read it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from tests.faults.evidence import SERVICES, Evidence, Row
from tests.faults.values import command_of, fields_of, same, type_of

LAST = "last"
"""The client who comes when all is calm again."""

BLUNDERER = "blunderer"
"""The client whose commands are to be refused."""

MAY_BE = ("Not enrolled", "Risk unchanged")
"""Refusals that others may get too: whose seat is given up before their session is recorded, say."""

EPISODE = re.compile(r"/episodes/([0-9a-f-]{36})/")


def read(evidence: Evidence) -> Iterator[str]:
    """An answer that came whole is JSON."""
    for operation in evidence.history:
        if operation["unreadable"]:
            yield f"{operation['service']} command {operation['number']}: {operation['statuses']}"


def granted(evidence: Evidence) -> Iterator[str]:
    """Who does what is right is not refused: each client goes on from what was acknowledged to them."""
    for one in evidence.history:
        if one["outcome"] == "fail" and one["client"] != BLUNDERER and one["rule"] not in MAY_BE:
            told = f"of {one['client']} was refused: {one['rule']}"
            yield f"{one['service']} command {one['number']} {told}"


def served(evidence: Evidence) -> Iterator[str]:
    """Each service worked, and once nothing is hurt any more, takes each command at once."""
    for name in SERVICES:
        told = [one for one in evidence.history if one["service"] == name]
        if not any(one["outcome"] == "ok" for one in told):
            yield f"{name} acknowledged no command"
        if not any(one["client"] == LAST for one in told):
            yield f"{name} was sent no command at the end"
        for what, found in (
            ("event", evidence.stores[name]["events"]),
            ("message in its topic", evidence.topics[name]),
            ("row of the ledger", [row for row in evidence.ledger if row["service"] == name]),
        ):
            if not found:
                yield f"{name} has no {what}"
    for one in evidence.history:
        if one["client"] == LAST and one["outcome"] != "ok":
            yield f"{one['service']} command {one['number']} at the end: {one['statuses']} {one['rule']}"


def kept(evidence: Evidence) -> Iterator[str]:
    """What an event shows of a command's body is what the client said, sealed values apart."""
    said = {
        (one["service"], command_of(one)): one
        for one in reversed(evidence.history)
        if not one["reuse"] and isinstance(one["body"], dict)
    }
    for name, store in evidence.stores.items():
        for event in store["events"]:
            operation = said.get((name, event["command_id"]))
            if operation and type_of(event) != "CommandRefused":
                other = _other(_fields(operation), fields_of(event))
                if other:
                    told = f"{type_of(event)} differs in {', '.join(other)}"
                    yield f"{name} command {operation['number']}: {told}"


def _fields(operation: Row) -> dict[str, Any]:
    """What was said, a person's and their contact's particulars among it."""
    body = operation["body"]
    person = body.get("person") or {}
    found = {**(person.get("contact") or {}), **person, **body}
    episode = EPISODE.match(operation["path"])
    return {**found, **({"episode": episode[1]} if episode else {})}


def _other(said: dict[str, Any], fact: dict[str, Any]) -> list[str]:
    """Fields of the same name with other values."""
    return [
        name
        for name in sorted(said.keys() & fact.keys())
        if not isinstance(said[name], dict)
        and not isinstance(fact[name], dict)
        and same(said[name]) != same(fact[name])
    ]
