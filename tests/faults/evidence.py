"""The evidence of a run: what clients saw, what stores, topics, ledger and mailbox hold, as plain data.

Read as an outsider reads: by SQL, by a Kafka client, by the headers that the wire documents.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import time
from dataclasses import dataclass, field
from email import policy
from email.parser import BytesHeaderParser
from pathlib import Path
from typing import Any

import psycopg
from confluent_kafka import Consumer, TopicPartition
from psycopg.rows import dict_row

PARTITIONS = 12
SERVICES = ("intake", "clinical", "scheduling", "billing", "notifications", "audit")
OWN = """
    origin events commands reservations relay_mark positions parked timers projections members effects_done
    readings snapshots effect_marks effect_starts rebuilds rebuild_places rebuild_skipped discarded place
    restores ledger
"""
"""Tables of a store that are no read models: rules of their own check them, or nothing does."""

READ_MODELS = """
select tablename from pg_tables where schemaname = 'public' and tablename <> all (%s)
"""

READ_MAX_S = 120.0
QUICKLY = 3
"""A level of compression."""

Row = dict[str, Any]


@dataclass
class Evidence:
    """Everything that the checker goes by. ``injected`` are messages that no service wrote."""

    history: list[Row] = field(default_factory=list)
    stores: dict[str, dict[str, Any]] = field(default_factory=dict)
    topics: dict[str, list[Row]] = field(default_factory=dict)
    ledger: list[Row] = field(default_factory=list)
    mails: list[Row] = field(default_factory=list)
    exchanged: list[str] = field(default_factory=list)
    """Names of the files that billing wrote for its payer."""

    answers: list[Row] = field(default_factory=list)
    """Files that the payer answered with: name, and SHA-256 of what each holds."""

    injected: list[Row] = field(default_factory=list)
    faults: list[Row] = field(default_factory=list)
    """What was done to the stack: kind, what is told of it, and from when to when by the machine's clock."""

    errors: list[str] = field(default_factory=list)
    """What services logged as errors, each once."""

    now: str = ""
    """The time of the run at its end, at which its clock stood while all this was read."""

    lag_s: float | None = None
    last_behind: list[str] = field(default_factory=list)
    """What was behind last before nothing was, and ``behind`` what still was when that was not seen."""

    behind: list[str] = field(default_factory=list)

    def save(self, path: Path) -> None:
        """Keep it."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(gzip.compress(json.dumps(vars(self)).encode(), QUICKLY))

    @classmethod
    def load(cls, path: Path) -> Evidence:
        """What was kept."""
        return cls(**json.loads(gzip.decompress(path.read_bytes())))


def gather(
    databases: dict[str, str], kafka: str, home: Path, history: list[Row], injected: list[Row]
) -> Evidence:
    """Read everything. ``databases`` are addresses by service; ``home`` holds mailbox and payer's folder."""
    return Evidence(
        history=history,
        stores={name: _store(databases[name], name) for name in SERVICES},
        topics={name: _topic(kafka, f"caretrail.{name}.events") for name in SERVICES},
        ledger=_rows(databases["audit"], "select * from ledger order by source, epoch, position"),
        mails=[_mail(path) for path in sorted((home / "mailbox").glob("*.eml"))],
        exchanged=sorted(path.name for part in ASKED for path in (home / "payer" / part).glob("[!.]*")),
        answers=[_file(path) for part in ANSWERED for path in sorted((home / "payer" / part).glob("[!.]*"))],
        injected=injected,
    )


ASKED = ("inbound", "processed", "refused")
"""Where a file that billing wrote may lie: before the payer, or behind it."""

ANSWERED = ("outbound", "taken")


def _store(address: str, name: str) -> dict[str, Any]:
    return {
        "events": _rows(address, "select * from events order by position"),
        "commands": _rows(address, "select command_id, position from commands"),
        "positions": _rows(address, "select topic, partition, source, epoch, position from positions"),
        "relayed": _rows(address, "select position from relay_mark"),
        "parked": _rows(address, "select handler, key, source, position, event_id, error from parked"),
        "timers": _rows(address, "select key, due_at, event_id from timers"),
        "reservations": _rows(address, "select scope, key, owner from reservations"),
        "tables": {row["tablename"]: _table(address, row["tablename"]) for row in _read_models(address)},
    }


def _read_models(address: str) -> list[Row]:
    return [row for row in _rows(address, READ_MODELS, OWN.split()) if "yoyo" not in row["tablename"]]


def _table(address: str, name: str) -> list[Row]:
    return _rows(address, f'select * from "{name}"')


def _rows(address: str, query: str, *values: Any) -> list[Row]:
    with psycopg.connect(address, row_factory=dict_row, options="-c timezone=UTC") as connection:
        return [_plain(row) for row in connection.execute(query.encode(), values or None).fetchall()]


def _plain(row: Row) -> Row:
    """A row as JSON has it: bytes as text, everything else that JSON lacks as its text."""
    return {name: _value(value) for name, value in row.items()}


def _value(value: Any) -> Any:
    if isinstance(value, bytes | memoryview):
        return bytes(value).decode(errors="replace")
    if value is None or isinstance(value, bool | int | float | str | dict | list):
        return value
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def _topic(bootstrap: str, topic: str) -> list[Row]:
    """Every message of a topic, in the order of each partition."""
    options: dict[str, Any] = {
        "bootstrap.servers": bootstrap,
        "log_level": 2,
        "group.id": "onlooker",
        "enable.auto.commit": False,
        "auto.offset.reset": "earliest",
        "enable.partition.eof": False,
    }
    consumer = Consumer(options)
    try:
        ends = {}
        for partition in range(PARTITIONS):
            ends[partition] = consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=20)[1]
        consumer.assign([TopicPartition(topic, partition, 0) for partition in ends])
        return _read(consumer, {partition: end for partition, end in ends.items() if end})
    finally:
        consumer.close()


def _read(consumer: Consumer, ends: dict[int, int]) -> list[Row]:
    found, until = list[Row](), time.monotonic() + READ_MAX_S
    while ends:
        if time.monotonic() > until:
            raise TimeoutError(f"partitions {sorted(ends)} could not be read to their ends")
        for message in consumer.consume(500, timeout=0.1):
            if message.error():
                continue
            partition, offset = message.partition() or 0, message.offset() or 0
            found.append(
                {
                    "partition": partition,
                    "offset": offset,
                    "key": (message.key() or b"").decode(errors="replace"),
                    "headers": headers(message.headers() or []),
                    "body": (message.value() or b"").decode(errors="replace")[:300_000],
                }
            )
            if offset + 1 >= ends.get(partition, 0):
                ends.pop(partition, None)
    return sorted(found, key=lambda one: (one["partition"], one["offset"]))


def headers(raw: Any) -> dict[str, str]:
    """The CloudEvents attributes of a message, by their names without the prefix."""
    return {
        name.removeprefix("ce_"): value.decode(errors="replace") for name, value in raw if value is not None
    }


def _file(path: Path) -> Row:
    return {"name": path.name, "digest": hashlib.sha256(path.read_bytes()).hexdigest()}


def _mail(path: Path) -> Row:
    """A mail's id, to whom it is, and when it came by the machine's clock."""
    headers = BytesHeaderParser(policy=policy.default).parsebytes(path.read_bytes())
    return {
        "id": str(headers.get("message-id", "")).strip(),
        "to": str(headers.get("to", "")),
        "came": path.stat().st_mtime,
    }
