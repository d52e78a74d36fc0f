"""The checker: what must hold of the evidence of a run, whatever was done to the stack.

Shares no code with what it checks: rules and formats are written down here once more.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid5

from tests.faults import business, folds
from tests.faults.evidence import SERVICES, Evidence, Row

NAMESPACE = UUID("6f1a3b52-5f0c-5d3e-9c57-0f3f6a1e9b10")
"""Namespace of the project's name-based ids."""

CELL = "main"
LAG_MAX_S = 30.0


@dataclass(frozen=True, slots=True)
class Finding:
    """A rule that does not hold, and where."""

    rule: str
    where: str

    def __str__(self) -> str:
        return f"{self.rule}: {self.where}"


def check(evidence: Evidence, rules: Mapping[str, Rule] | None = None) -> list[Finding]:
    """Everything that does not hold, by rule: of those that are given, else of all."""
    rules = RULES if rules is None else rules
    return [Finding(rule, where) for rule, holds in rules.items() for where in holds(evidence)]


def type_of(event: Row) -> str:
    """The last part of an event's type."""
    return str(event["type"]).rpartition(".")[2]


def derive(*parts: object) -> str:
    """An id from its causes, as the project derives ids."""
    return str(uuid5(NAMESPACE, "|".join(map(str, parts))))


def command_of(operation: Row) -> str:
    """The id of a client's command."""
    actor = operation["actor"].partition(";")[0]
    return derive(operation["service"], actor, "POST", operation["path"], operation["key"])


def answered(evidence: Evidence) -> Iterator[str]:
    """A service that cannot take a command says so; it never stumbles."""
    for operation in evidence.history:
        if any(status >= 500 and status != 503 for status in operation["statuses"]):
            yield f"{operation['service']} command {operation['number']}: {operation['statuses']}"


def _by_command(evidence: Evidence) -> dict[tuple[str, str], list[Row]]:
    found: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for name, store in evidence.stores.items():
        for event in store["events"]:
            found[name, event["command_id"]].append(event)
    return found


def acknowledged(evidence: Evidence) -> Iterator[str]:
    """An acknowledged command's events are there, at the versions that its answer told."""
    events = _by_command(evidence)
    memory = {
        name: {row["command_id"] for row in store["commands"]} for name, store in evidence.stores.items()
    }
    for operation in evidence.history:
        if operation["outcome"] != "ok" or operation["reuse"]:
            continue
        id, answer = command_of(operation), operation["answer"]
        where = f"{operation['service']} command {operation['number']}"
        if answer["command_id"] != id:
            yield f"{where} was answered under another id"
        if id not in memory[operation["service"]]:
            yield f"{where} is not remembered"
        last = {event["stream"]: event["stream_version"] for event in events[operation["service"], id]}
        if last != answer["streams"]:
            yield f"{where} was answered with {len(answer['streams'])} streams, {len(last)} hold its events"


def refused(evidence: Evidence) -> Iterator[str]:
    """A refused command left no event but the note of its refusal."""
    events = _by_command(evidence)
    for operation in evidence.history:
        where = f"{operation['service']} command {operation['number']}"
        if operation["reuse"]:
            if operation["outcome"] == "ok":
                yield f"{where} took a key that had another body"
            continue
        if operation["outcome"] != "fail":
            continue
        left = [type_of(event) for event in events[operation["service"], command_of(operation)]]
        if any(kind != "CommandRefused" for kind in left):
            yield f"{where} was refused and left {len(left)} events"


def once(evidence: Evidence) -> Iterator[str]:
    """No command's events are there twice: ids follow from command and index, without a gap."""
    for (name, command), events in _by_command(evidence).items():
        expected = {derive(command, index) for index in range(len(events))}
        if {event["id"] for event in events} != expected:
            yield f"{name} command {command}: {len(events)} events, not those of its indices"


def streams(evidence: Evidence) -> Iterator[str]:
    """Versions of a stream run from 1 without a gap, in the order of positions; positions have no gap."""
    for name, store in evidence.stores.items():
        versions: dict[str, int] = defaultdict(int)
        for place, event in enumerate(store["events"], 1):
            versions[event["stream"]] += 1
            if event["stream_version"] != versions[event["stream"]]:
                yield f"{name} {event['stream']}@{event['stream_version']}"
            if event["position"] != place:
                yield f"{name} position {event['position']} is in place {place}"
                return


def _foreign(evidence: Evidence) -> set[tuple[str, int, int]]:
    return {(one["topic"], one["partition"], one["offset"]) for one in evidence.injected}


def _first_sights(evidence: Evidence, name: str) -> dict[int, list[Row]]:
    """Messages of a service's topic by partition: the first of each id, those that no service wrote apart."""
    foreign, found, seen = _foreign(evidence), defaultdict(list), set()
    for message in evidence.topics[name]:
        id = message["headers"].get("id", "")
        place = (name, message["partition"], message["offset"])
        if place not in foreign and id not in seen:
            seen.add(id)
            found[message["partition"]].append(message)
    return found


def published(evidence: Evidence) -> Iterator[str]:
    """Every event of a store is in its topic, as it is stored, and nothing else is."""
    for name in SERVICES:
        stored = {event["id"]: event for event in evidence.stores[name]["events"]}
        sent = [one for part in _first_sights(evidence, name).values() for one in part]
        for message in sent:
            event = stored.pop(message["headers"].get("id", ""), None)
            if event is None:
                yield f"{name} topic [{message['partition']}]@{message['offset']} is of no event of the store"
            elif not _same(event, message):
                yield f"{name} topic [{message['partition']}]@{message['offset']} differs from its event"
        for event in stored.values():
            yield f"{name} position {event['position']} is not in the topic"


def _same(event: Row, message: Row) -> bool:
    about = message["headers"]
    told = (about["stream"], int(about["streamversion"]), about["commandid"], int(about["position"]))
    stored = (event["stream"], event["stream_version"], event["command_id"], event["position"])
    key = event["patient"] or event["stream"]
    return (
        told == stored
        and message["body"] == event["body"]
        and (message["key"], message["partition"]) == (key, event["partition"])
    )


def ordered(evidence: Evidence) -> Iterator[str]:
    """In each partition first sights come in the store's order, each naming the one before it."""
    for name in SERVICES:
        for partition, messages in _first_sights(evidence, name).items():
            before = None
            for message in messages:
                position = int(message["headers"]["position"])
                prev = message["headers"].get("prev")
                if before is not None and position <= before:
                    yield f"{name} [{partition}]@{message['offset']}: position {position} after {before}"
                if (None if prev is None else int(prev)) != before:
                    yield f"{name} [{partition}]@{message['offset']} follows {before}, but names {prev}"
                before = position


def ledger(evidence: Evidence) -> Iterator[str]:
    """The ledger is the union of the stores, each event once, by bytes, and what was forged readably."""
    rows = Counter(row["event_id"] for row in evidence.ledger)
    for id, count in rows.items():
        if count > 1:
            yield f"event {id} is there {count} times"
    held = {row["event_id"]: row for row in evidence.ledger}
    for name, store in evidence.stores.items():
        for event in store["events"]:
            row = held.pop(event["id"], None)
            if row is None:
                yield f"{name} position {event['position']} is missing"
            elif (row["position"], _digest(row)) != (event["position"], _digest(event)):
                yield f"{name} position {event['position']} differs"
    expected = {one["id"] for one in evidence.injected if one["kept"]}
    for id in held.keys() - expected:
        yield f"event {id} is of no store"
    for id in expected - held.keys():
        yield f"injected event {id} is missing"


def _digest(row: Row) -> str:
    return hashlib.sha256(row["body"].encode()).hexdigest()


def relayed(evidence: Evidence) -> Iterator[str]:
    """The relay's mark is at the head: neither behind nor ahead."""
    for name, store in evidence.stores.items():
        head = store["events"][-1]["position"] if store["events"] else 0
        mark = store["relayed"][0]["position"] if store["relayed"] else 0
        if mark != head:
            yield f"{name}: mark {mark}, head {head}"


def positions(evidence: Evidence) -> Iterator[str]:
    """Each reader stands at the head of every partition that it reads, its own store included."""
    heads: dict[tuple[str, int], int] = {}
    for name, store in evidence.stores.items():
        for event in store["events"]:
            heads[name, event["partition"]] = event["position"]
    for name, store in evidence.stores.items():
        stands = {
            (row["source"].split(":")[2], row["partition"]): row["position"]
            for row in store["positions"]
            if row["topic"] != "store" and row["source"].endswith(f":{CELL}")
        }
        for (source, partition), head in heads.items():
            if source in READS[name] and stands.get((source, partition), 0) != head:
                yield f"{name} of {source} [{partition}]: {stands.get((source, partition))}, head {head}"
        yield from _own(name, store)


def _own(name: str, store: dict[str, Any]) -> Iterator[str]:
    head = store["events"][-1]["position"] if store["events"] else 0
    own = max((row["position"] for row in store["positions"] if row["topic"] == "store"), default=0)
    if own != head:
        yield f"{name} of its own store: {own}, head {head}"


READS = {
    "intake": (),
    "clinical": (),
    "scheduling": ("intake",),
    "billing": ("clinical", "intake", "scheduling"),
    "notifications": ("billing", "clinical", "intake", "scheduling"),
    "audit": SERVICES,
}
"""Which services' topics each one reads."""


def parked(evidence: Evidence) -> Iterator[str]:
    """Nothing is parked but what was injected to be parked; a service's own event never."""
    expected = {one["id"] for one in evidence.injected}
    for name, store in evidence.stores.items():
        for row in store["parked"]:
            if row["event_id"] not in expected:
                yield f"{name} {row['handler']}: {row['source']} position {row['position']}: {row['error']}"


def caught_up(evidence: Evidence) -> Iterator[str]:
    """Once nothing is hurt any more, all is relayed, consumed and done within half a minute."""
    if evidence.lag_s is None:
        yield f"not within the time given: {'; '.join(evidence.behind[:8])}"
    elif evidence.lag_s > LAG_MAX_S:
        yield f"after {evidence.lag_s:.1f} s, expected {LAG_MAX_S:.0f} s"


def body_of(event: Row) -> dict[str, Any]:
    """An event's fields."""
    return dict(json.loads(event["body"]))


Rule = Callable[[Evidence], Iterator[str]]

RULES: dict[str, Rule] = {
    "services never stumble": answered,
    "acknowledged commands are kept": acknowledged,
    "refused commands left nothing": refused,
    "commands are carried out once": once,
    "streams have no gap": streams,
    "topics hold what stores hold": published,
    "topics keep the order": ordered,
    "the ledger is the union of the stores": ledger,
    "relays stand at the head": relayed,
    "readers stand at the head": positions,
    "nothing real is parked": parked,
    "a day is charged once": business.charges,
    "attendance is counted once": business.attendance,
    "a seat has one holder": business.seats,
    "an admission is placed once": business.placements,
    "a message goes out once": business.messages,
    "read models equal the fold of the log": folds.compared,
    "lag returns to nothing": caught_up,
}
"""Every rule with what tells where it does not hold."""
