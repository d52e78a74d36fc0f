"""The checker: what must hold of the evidence of a run, whatever was done to the stack.

Shares no code with what it checks: rules and formats are written down here once more.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from tests.faults import business, causes, folds, heard, lag, mails, reserved, stumbles
from tests.faults.evidence import SERVICES, Evidence, Row
from tests.faults.values import command_of, derive, type_of

CELL, OPENING = "main", "caretrail.system.EpochBegan"
REMITTANCES = "/remittances"


@dataclass(frozen=True, slots=True)
class Finding:
    """A rule that does not hold, and where."""

    rule: str
    where: str

    def __str__(self) -> str:
        return f"{self.rule}: {self.where}"


def check(evidence: Evidence, rules: Mapping[str, Rule] | None = None) -> list[Finding]:
    """Everything that does not hold, by rule: of those that are given, else of all."""
    rules, whole = RULES if rules is None else rules, _whole(evidence)
    return [Finding(rule, where) for rule, holds in rules.items() for where in holds(whole)]


NOTHING = ("events", "commands", "positions", "relayed", "parked", "timers", "reservations")


def _whole(evidence: Evidence) -> Evidence:
    """The same evidence, in which a service that nothing was read of has nothing: rules say what it lacks."""
    stores, topics = dict(evidence.stores), dict(evidence.topics)
    for name in SERVICES:
        stores.setdefault(name, {**{part: [] for part in NOTHING}, "tables": {}})
        topics.setdefault(name, [])
    return replace(evidence, stores=stores, topics=topics)


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
        if id not in memory[operation["service"]]:
            if not reserved.came_before(evidence, operation):
                yield f"{where} is not remembered"
            continue
        if operation["service"] == "audit" or operation["path"] == REMITTANCES:  # answered with what is found
            continue
        if answer.get("command_id") != id:
            yield f"{where} was answered under another id"
            continue
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
    """Versions of a stream run from 1 without a gap, in the order of positions; positions have none
    but for the room before an epoch is opened."""
    for name, store in evidence.stores.items():
        versions: dict[str, int] = defaultdict(int)
        place, epoch = 0, 1
        for event in store["events"]:
            opens = event["epoch"] > epoch and event["type"] == OPENING
            place, epoch = event["position"] if opens else place + 1, event["epoch"]
            versions[event["stream"]] += 1
            if event["stream_version"] != versions[event["stream"]]:
                yield f"{name} {event['stream']}@{event['stream_version']}"
            if event["position"] != place:
                yield f"{name} position {event['position']} is in place {place}"
                return


def _foreign(evidence: Evidence) -> set[tuple[str, int, int]]:
    return {(one["topic"], one["partition"], one["offset"]) for one in evidence.injected}


def _sights(evidence: Evidence, name: str) -> Iterator[Row]:
    """Messages of a service's topic, those that no service wrote apart."""
    foreign = _foreign(evidence)
    for message in evidence.topics[name]:
        if (name, message["partition"], message["offset"]) not in foreign:
            yield message


def _first_sights(evidence: Evidence, name: str) -> dict[int, list[Row]]:
    """Messages of a service's topic by partition: the first of each id."""
    found, seen = defaultdict(list), set()
    for message in _sights(evidence, name):
        id = message["headers"].get("id", "")
        if id not in seen:
            seen.add(id)
            found[message["partition"]].append(message)
    return found


def published(evidence: Evidence) -> Iterator[str]:
    """Every event of a store is in its topic, each time as it is stored, and nothing else is."""
    for name in SERVICES:
        stored = {event["id"]: (event, wire) for event, wire in _wired(evidence, name)}
        missing = dict(stored)
        for message in _sights(evidence, name):
            id = message["headers"].get("id", "")
            where = f"{name} topic [{message['partition']}]@{message['offset']}"
            missing.pop(id, None)
            if id not in stored:
                yield f"{where} is of no event of the store"
                continue
            event, wire = stored[id]
            place = (event["patient"] or event["stream"], event["partition"])
            other = _differing(wire, message["headers"])
            if (message["key"], message["partition"], message["body"]) != (*place, event["body"]):
                other.append("key, partition or body")
            if other:
                yield f"{where} differs from its event in {', '.join(other)}"
        for event, _ in missing.values():
            yield f"{name} position {event['position']} is not in the topic"


def _differing(wire: Row, headers: Row) -> list[str]:
    return sorted(name for name in wire.keys() | headers.keys() if wire.get(name) != headers.get(name))


def _wired(evidence: Evidence, name: str) -> Iterator[tuple[Row, Row]]:
    """Events of a store, each with all the headers that its record has, without their prefix."""
    before: dict[tuple[int, int], int] = {}
    for event in evidence.stores[name]["events"]:
        spot = event["epoch"], event["partition"]
        yield event, _wire(event, name, before.get(spot))
        before[spot] = event["position"]


def _wire(event: Row, name: str, prev: int | None) -> Row:
    """The CloudEvents attributes of an event, and its content type."""
    schema = event["type"].removeprefix("caretrail.")
    found = {
        "content-type": "application/json",
        "specversion": "1.0",
        "type": event["type"],
        "source": f"urn:caretrail:{name}:{CELL}",
        "dataschema": f"urn:caretrail:schema:{schema}:v{event['version']}",
        "eventversion": event["version"],
        "time": _zulu(event["occurred_at"]),
        "partitionkey": event["patient"] or event["stream"],
        "recordedat": _zulu(event["recorded_at"]),
        "site": event["site"] or None,
        "prev": prev,
    }
    found |= {attribute: event[column] for attribute, column in AS_STORED.items()}
    return {attribute: str(value) for attribute, value in found.items() if value is not None}


def _zulu(time: str) -> str:
    return time.replace("+00:00", "Z")


AS_STORED = {
    "epoch": "epoch",
    "id": "id",
    "position": "position",
    "partition": "partition",
    "stream": "stream",
    "streamversion": "stream_version",
    "organisation": "organisation",
    "program": "program",
    "actorid": "actor_id",
    "actorrole": "actor_role",
    "purpose": "purpose",
    "sensitivity": "sensitivity",
    "correlationid": "correlation_id",
    "commandid": "command_id",
    "patient": "patient",
    "causationid": "causation_id",
}
"""Attributes that a column of the store holds as they are."""


def ordered(evidence: Evidence) -> Iterator[str]:
    """In each partition first sights come in the store's order, each naming the one before it in its epoch,
    which the first one opens."""
    for name in SERVICES:
        for partition, messages in _first_sights(evidence, name).items():
            passed, before, epoch = 0, None, "1"
            for message in messages:
                headers, where = message["headers"], f"{name} [{partition}]@{message['offset']}"
                position, prev = int(headers["position"]), headers.get("prev")
                if headers["epoch"] != epoch:
                    before, epoch = None, headers["epoch"]
                    if headers["type"] != OPENING:
                        yield f"{where}: epoch {epoch} begins with {headers['type']}"
                if position <= passed:
                    yield f"{where}: position {position} after {passed}"
                if (None if prev is None else int(prev)) != before:
                    yield f"{where} follows {before}, but names {prev}"
                passed = before = position


def ledger(evidence: Evidence) -> Iterator[str]:
    """The ledger is the union of the stores, each event once, by bytes, and what was forged readably."""
    rows = Counter(row["event_id"] for row in evidence.ledger)
    for id, count in rows.items():
        if count > 1:
            yield f"event {id} is there {count} times"
    held = {row["event_id"]: row for row in evidence.ledger}
    for name in SERVICES:
        for event, wire in _wired(evidence, name):
            row = held.pop(event["id"], None)
            if row is None:
                yield f"{name} position {event['position']} is missing"
            elif other := _other_columns(row, event, name, wire):
                yield f"{name} position {event['position']} differs in {', '.join(other)}"
    expected = {one["id"] for one in evidence.injected if one["kept"]}
    for id in held.keys() - expected:
        yield f"event {id} is of no store"
    for id in expected - held.keys():
        yield f"injected event {id} is missing"


def _other_columns(row: Row, event: Row, name: str, wire: Row) -> list[str]:
    """Columns of a row of the ledger that are not the event's; a later release calls one otherwise."""
    version = "stream_version" if "stream_version" in row else "version"
    kept = {header.removeprefix("ce_"): value for header, value in row["headers"].items()}
    expected = {
        **{column: event[column] for column in LEDGER_COLUMNS},
        version: event["stream_version"],
        "service": name,
        "source": wire["source"],
    }
    other = [column for column, value in expected.items() if row[column] != value]
    return other + [f"header {header}" for header in _differing(wire, kept)]


LEDGER_COLUMNS = (
    "stream",
    "type",
    "patient",
    "epoch",
    "position",
    "occurred_at",
    "recorded_at",
    "body",
)


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


Rule = Callable[[Evidence], Iterator[str]]

RULES: dict[str, Rule] = {
    "services never stumble": stumbles.answered,
    "services log no error": stumbles.quiet,
    "answers can be read": heard.read,
    "services take commands once nothing is hurt": heard.served,
    "acknowledged commands are kept": acknowledged,
    "events say what clients said": heard.kept,
    "refused commands left nothing": refused,
    "who does what is right is not refused": heard.granted,
    "commands are carried out once": once,
    "every command was sent or has a cause": causes.caused,
    "events name what led to them": causes.named,
    "stories begin with what somebody sent": causes.rooted,
    "what an event leads to is carried out": causes.owed,
    "timers fire when they are due": causes.fired,
    "streams have no gap": streams,
    "topics hold what stores hold": published,
    "topics keep the order": ordered,
    "the ledger is the union of the stores": ledger,
    "relays stand at the head": relayed,
    "readers stand at the head": positions,
    "nothing real is parked": parked,
    "keys are held by whom their streams name": reserved.held,
    "who is sent twice is registered once": reserved.registered,
    "a day is charged once": business.charges,
    "a day that is over is decided": business.decided,
    "attendance is counted once": business.attendance,
    "a seat has one holder": business.seats,
    "an admission is placed once": business.placements,
    "who is placed has a seat or waits": business.places,
    "the payer gets what it is to get": business.outside,
    "a message goes out once": mails.messages,
    "read models equal the fold of the log": folds.compared,
    lag.RULE: lag.soon,
}
"""Every rule with what tells where it does not hold."""
