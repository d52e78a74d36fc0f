"""Audit over HTTP: a patient's history as of any time, integrity checks, opening sealed values."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import httpx
from caretrail_contracts import sealed as kinds
from caretrail_contracts.catalogue import SERVICES
from caretrail_contracts.codes import Code
from caretrail_contracts.sealed import CIPHERTEXT_CHARS_MAX, Sealed
from caretrail_contracts.system import Place
from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from keystore.doors import UNREADABLE, Erased
from services.audit.adapters.stores import compare
from services.audit.commands import ConcludeCheck
from web.http import Calling
from web.problems import Problem
from web.times import Moment

router = APIRouter()

Limit = Annotated[int, Query(ge=1, le=500)]
Cursor = Annotated[str, Query(pattern=r"^$|^[0-9T:.+-]{10,40}\|[A-Za-z0-9._:-]{1,120}\|[0-9]{1,18}$")]

Resource = Annotated[str, StringConstraints(pattern=rf"^({'|'.join(SERVICES)})\.events$")]
"""What sealed values stand in: a topic, without its prefix. Words would stay in the record of the access."""

NOT_SHOWN = ("content-type", "ce_specversion", "ce_dataschema", "ce_partitionkey", "ce_prev")
"""Headers that say nothing to a reader of a history."""


class Page(BaseModel):
    """A part of a history; give ``next`` back as ``after`` for what follows."""

    items: list[dict[str, Any]]
    next: str | None


@router.get("/patients/{patient}/timeline")
async def timeline(
    patient: UUID,
    caller: Calling,
    as_of: Moment | None = None,
    after: Cursor = "",
    limit: Limit = 200,
) -> Page:
    """Every event of a patient over all services in the order recorded; ``as_of`` asks what was known then.

    Sealed values stay sealed. The look is recorded.
    """
    await caller.note_access(patient, resource="timeline")
    at, source, position = _cursor(after)
    rows = await caller.rows(TIMELINE, patient, as_of, at, source, position, limit)
    last = rows[-1] if len(rows) == limit else None
    token = f"{last['recorded_at'].isoformat()}|{last['source']}|{last['position']}" if last else None
    return Page(items=[_item(row) for row in rows], next=token)


def _cursor(after: str) -> tuple[datetime | str, str, int]:
    if not after:
        return "-infinity", "", 0
    try:
        at, source, position = after.split("|")
        return datetime.fromisoformat(at), source, int(position)
    except ValueError:
        place = Place(at="query after", expected="the value of next from the page before")
        raise Problem(422, "Malformed", "The cursor cannot be read.", (place,)) from None


def _item(row: dict[str, Any]) -> dict[str, Any]:
    """One event: its envelope's fields without their wire prefix, and its body under ``event``."""
    headers = {n.removeprefix("ce_"): v for n, v in row["headers"].items() if n not in NOT_SHOWN}
    headers["occurredat"] = headers.pop("time")
    return {**headers, "service": row["service"], "event": json.loads(row["body"])}


TIMELINE = b"""
select source, position, service, recorded_at, headers, body from ledger
where patient = %s and recorded_at <= coalesce(%s::timestamptz, 'infinity')
  and (recorded_at, source, position) > (%s::timestamptz, %s, %s)
order by recorded_at, source, position limit %s
"""


@router.get("/totals")
async def totals(caller: Calling) -> list[dict[str, Any]]:
    """How many events of each type the ledger holds of each service."""
    return await caller.rows(TOTALS)


TOTALS = b"""
select service, type, count(*) as events from ledger group by service, type order by service, type
"""


class Check(BaseModel):
    """What a comparison of every store with the ledger found."""

    verified: bool
    events: int
    streams: int
    differences: list[dict[str, Any]]


@router.post("/integrity-checks", status_code=201)
async def check(caller: Calling) -> Check:
    """Compare every store with the ledger; each event that differs is named."""
    headers, urls = {}, caller.options.service_urls
    if caller.options.api_token:
        headers["Authorization"] = f"Bearer {caller.options.api_token.get_secret_value()}"
    try:
        found = await compare(caller.rows, urls, headers)
    except httpx.HTTPError as error:
        asked = str(error.request.url)
        name = next((name for name, base in urls.items() if asked.startswith(f"{base}/")), "a service")
        detail = f"The digests of {name} could not be read: {type(error).__name__}."
        raise Problem(503, "StoreUnreachable", detail) from None
    names = tuple(str(difference) for difference in found.differences)
    command = ConcludeCheck(
        check=caller.command_id, events=found.events, streams=found.streams, differences=names
    )
    await caller.execute(command)
    return Check(
        verified=not found.differences,
        events=found.events,
        streams=found.streams,
        differences=[
            {
                "service": d.service,
                "stream": d.stream,
                "version": d.stream_version,
                "id": d.event_id,
                "kind": d.kind,
            }
            for d in found.differences
        ],
    )


BASE64 = r"^([A-Za-z0-9+/]{4})*[A-Za-z0-9+/]{2}([A-Za-z0-9+/]{2}|[A-Za-z0-9+/]=|==)$"


class SealedValue(BaseModel):
    """A sealed value and the kind of value inside."""

    model_config = ConfigDict(extra="forbid")

    kind: Code
    kid: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9:._-]{3,120}$")]
    nonce: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9+/]{16}$")]
    ct: Annotated[str, StringConstraints(pattern=BASE64, max_length=CIPHERTEXT_CHARS_MAX)]


class OpenBody(BaseModel):
    """Sealed values to be shown to the caller."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "patient": "6a7e2f3c-8a31-5d3b-9a6f-0f2a4d1c7b10",
                    "resource": "intake.events",
                    "values": [
                        {
                            "kind": "PersonName",
                            "kid": "6a7e2f3c-8a31-5d3b-9a6f-0f2a4d1c7b10.1",
                            "nonce": "bm9uY2Vub25jZTEy",
                            "ct": "Y2lwaGVydGV4dCBhbmQgdGFn",
                        }
                    ],
                }
            ]
        },
    )

    patient: UUID | None = None
    resource: Resource
    values: Annotated[list[SealedValue], Field(max_length=500)]


class Opened(BaseModel):
    """The values in the order asked; null where the key was destroyed."""

    values: list[Any]


@router.post("/open")
async def open_values(body: OpenBody, caller: Calling) -> Opened:
    """Open sealed values for the caller; the access is recorded first."""
    sealed = [_sealed(index, value) for index, value in enumerate(body.values)]
    opened = await caller.open(body.patient, sealed, resource=body.resource)
    if UNREADABLE in opened:
        why = "it was altered, its kind is another, or its key was lost."
        raise Problem(422, "Tampered", f"A value does not open: {why}")
    return Opened(
        values=[None if isinstance(value, Erased) else value.model_dump(mode="json") for value in opened]
    )


def _sealed(index: int, value: SealedValue) -> Sealed[Any]:
    kind = getattr(kinds, value.kind, None)
    if not (isinstance(kind, type) and issubclass(kind, BaseModel) and kind is not Sealed):
        place = Place(at=f"/values/{index}/kind", expected="a kind of sealed value, such as PersonName")
        raise Problem(422, "Malformed", "This kind of value is not known.", (place,))
    return Sealed[kind](kid=value.kid, nonce=value.nonce, ct=value.ct)  # type: ignore[valid-type]
