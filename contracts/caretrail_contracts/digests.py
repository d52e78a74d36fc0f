"""Digests of events: what a store and the ledger compare to show that they hold the same."""

from __future__ import annotations

import hashlib

from .cloudevents import Record, to_headers


def digest_of(record: Record) -> str:
    """SHA-256, in hex, over every header (``prev`` apart) and the body, each with its length before it."""
    digest = hashlib.sha256()
    for name, value in to_headers(record.envelope, None):
        for part in (name.encode(), value):
            digest.update(len(part).to_bytes(4, "big") + part)
    digest.update(len(record.body).to_bytes(4, "big") + record.body)
    return digest.hexdigest()
