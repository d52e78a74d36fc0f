"""Evidence altered in one place: the bugs that the checker is tested with."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

from tests.faults.evidence import Evidence, Row

Bug = Callable[[Evidence], None]
ELSEWHERE = "00000000-0000-4000-8000-000000000000"


def seeding(bugs: list[tuple[str, Bug]]) -> Callable[[str], Callable[[Bug], Bug]]:
    """What names the rule that must catch a bug, and lists both."""

    def seeded(rule: str) -> Callable[[Bug], Bug]:
        def note(bug: Bug) -> Bug:
            bugs.append((rule, bug))
            return bug

        return note

    return seeded


def events(evidence: Evidence, service: str, kind: str) -> Iterator[Row]:
    """Events of a type."""
    return (one for one in evidence.stores[service]["events"] if one["type"].endswith(f".{kind}"))


def ok(evidence: Evidence) -> Row:
    """An acknowledged command that left events."""
    return next(one for one in evidence.history if one["outcome"] == "ok" and one["answer"]["streams"])


def again(evidence: Evidence, service: str, event: Row, **fields: Any) -> Row:
    """An event once more, at the end of its store, with other fields in its body."""
    store = evidence.stores[service]["events"]
    body = json.dumps({**json.loads(event["body"]), **fields})
    store.append({**event, "id": ELSEWHERE, "position": store[-1]["position"] + 1, "body": body})
    return dict(store[-1])


def busiest(evidence: Evidence, service: str = "intake") -> list[int]:
    """Places in a topic of the real messages of its fullest partition."""
    parts: dict[int, list[int]] = {}
    forged = {(one["partition"], one["offset"]) for one in evidence.injected if one["topic"] == service}
    seen = set()
    for place, message in enumerate(evidence.topics[service]):
        id = message["headers"].get("id")
        if (message["partition"], message["offset"]) not in forged and id not in seen:
            seen.add(id)
            parts.setdefault(message["partition"], []).append(place)
    return max(parts.values(), key=len)


def without(evidence: Evidence, service: str, event: Row) -> None:
    """Take an event out of store, topic and ledger, as if it had never been."""
    store = evidence.stores[service]["events"]
    store[:] = [one for one in store if one["id"] != event["id"]]
    topic = evidence.topics[service]
    topic[:] = [one for one in topic if one["headers"].get("id") != event["id"]]
    evidence.ledger[:] = [row for row in evidence.ledger if row["event_id"] != event["id"]]


def forget(evidence: Evidence, service: str, command: str) -> None:
    """Take a command out of a service's memory."""
    memory = evidence.stores[service]["commands"]
    memory[:] = [one for one in memory if one["command_id"] != command]
