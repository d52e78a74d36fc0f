"""Requests to a payer beside claims: authorizations and appeals, as JSON files of our own form."""

from __future__ import annotations

import asyncio
import json
from typing import Any
from uuid import UUID

from caretrail_contracts.billing import AppealFiled, AuthorizationRequested, ExchangeFailed
from caretrail_contracts.envelope import Envelope, Purpose

from chassis.command import Command
from chassis.office import AdapterOffice
from keystore.doors import Erased
from services.billing.adapters.folder import Folder
from services.billing.commands.answers import RecordExchangeFailure

AUTHORIZATION, APPEAL = "authorization", "appeal"
UNITS_ARE = "days"


async def request_authorization(
    event: AuthorizationRequested, about: Envelope, office: AdapterOffice
) -> Command | None:
    """Write ``auth-<id>.json``; the member id is opened for it. Without one, staff are told."""
    if event.member_id is None:
        return _failed(event.authorization, event.patient, "MemberIdMissing")
    resource = f"authorization {event.authorization}"
    opened = await office.open(
        event.patient, [event.member_id], resource=resource, purpose=Purpose.PAYMENT.value
    )
    if isinstance(opened[0], Erased):
        return _failed(event.authorization, event.patient, "Erased")
    request = {
        "request": str(event.authorization),
        "member_id": opened[0].root,
        "service_code": event.code,
        "units": event.units,
        "unit_type": UNITS_ARE,
        "from": event.starts_on.isoformat(),
        "to": event.ends_on.isoformat(),
        "review": event.review,
    }
    await _write(office, f"auth-{event.authorization}.json", request)
    return None


async def file_appeal(event: AppealFiled, about: Envelope, office: AdapterOffice) -> Command | None:
    """Write ``appeal-<id>.json``: the claim by its number, no word of the person."""
    request = {
        "appeal": str(event.appeal),
        "claim": event.number,
        "level": event.level,
        "grounds": event.grounds,
    }
    await _write(office, f"appeal-{event.appeal}.json", request)
    return None


async def _write(office: AdapterOffice, name: str, request: dict[str, Any]) -> None:
    data = json.dumps(request, separators=(",", ":")).encode() + b"\n"
    await asyncio.to_thread(Folder(office.options.exchange_dir).write, name, data)


def _failed(id: UUID, patient: UUID, rule: str) -> RecordExchangeFailure:
    failure = ExchangeFailed(kind=AUTHORIZATION, about=id, patient=patient, rule=rule)
    return RecordExchangeFailure(failure=failure)
