"""A row of the ledger, read so that no alteration of it goes unnoticed or keeps others from being read."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from caretrail_contracts.cloudevents import Record, from_headers
from caretrail_contracts.digests import digest_of

from services.audit.domain.comparison import UNREADABLE_IN_LEDGER, Held
from services.audit.projections import LEDGER, Ledger


def held_of(row: dict[str, Any]) -> Held:
    """The event that a row holds, by headers and body; its columns must be what these say."""
    try:
        headers = [(name, value.encode()) for name, value in row["headers"].items()]
        record = from_headers(headers, row["body"])
        digest = digest_of(record)
    except (AttributeError, TypeError, ValueError):  # BrokenHeader is a ValueError
        return Held(
            id=str(row["event_id"] or ""),
            stream=row["stream"] or "",
            stream_version=row["stream_version"] or 0,
            epoch=row["epoch"],
            position=row["position"],
            digest=None,
            fault=UNREADABLE_IN_LEDGER,
        )
    about = record.envelope
    return Held(
        id=str(about.id),
        stream=about.stream,
        stream_version=about.stream_version,
        epoch=about.epoch,
        position=row["position"],
        partition=about.partition,
        digest=digest,
        prev=record.prev,
        fault=_fault(row, record),
    )


def _fault(row: dict[str, Any], record: Record) -> str | None:
    """The columns that are not what the ledger writes of this record."""
    (written,) = Ledger().keep(record)
    expected = dict(zip(LEDGER.key, written.key, strict=True)) | written.values
    other = [name for name, value in expected.items() if not _same(row[name], value)]
    return f"differs in ledger: {', '.join(other)}" if other else None


def _same(found: Any, expected: Any) -> bool:
    if not isinstance(expected, datetime):
        return bool(found == expected)
    try:
        return datetime.fromisoformat(found) == expected
    except (TypeError, ValueError):  # null, infinity, or a year beyond the calendar
        return False
