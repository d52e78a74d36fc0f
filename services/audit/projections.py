"""The ledger: every record of every topic, once, as it came."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from caretrail_contracts.cloudevents import Record, to_headers

from chassis.projection import Archive, Change, Table

SERVICES = ("audit", "billing", "clinical", "intake", "notifications", "scheduling")
"""The services whose topics the ledger keeps: all of them, audit's own too."""

LEDGER = Table(
    "ledger",
    key={"source": "text", "epoch": "integer", "position": "bigint"},
    values={
        "event_id": "uuid",
        "service": "text",
        "stream": "text",
        "stream_version": "integer",
        "type": "text",
        "patient": "uuid",
        "occurred_at": "timestamptz",
        "recorded_at": "timestamptz",
        "headers": "jsonb",
        "body": "bytea",
    },
)


class Ledger(Archive):
    """The audit ledger."""

    table: ClassVar[Table] = LEDGER
    services: ClassVar[tuple[str, ...]] = SERVICES

    def keep(self, record: Record) -> Iterable[Change]:
        """One row: the envelope as columns to find it by, headers and body as they came."""
        about = record.envelope
        yield LEDGER.insert(
            source=about.source,
            epoch=about.epoch,
            position=about.position,
            event_id=about.id,
            service=about.service,
            stream=about.stream,
            stream_version=about.stream_version,
            type=about.type,
            patient=about.patient,
            occurred_at=about.occurred_at,
            recorded_at=about.recorded_at,
            headers={name: value.decode() for name, value in to_headers(about, record.prev)},
            body=record.body,
        )
