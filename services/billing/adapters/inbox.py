"""What payers answer, taken from the shared folder: remittances, authorizations, appeals, refusals."""

from __future__ import annotations

import asyncio
import os
import re
from base64 import b64encode
from hashlib import sha256
from typing import Annotated, Literal
from urllib.parse import quote
from uuid import UUID

import structlog
from caretrail_contracts.billing import ExchangeFailed
from caretrail_contracts.codes import Units
from caretrail_contracts.sealed import Document
from caretrail_contracts.system import InputRefused, Place
from caretrail_contracts.wording import expected_of, known
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from chassis.command import Command
from chassis.database import arrays
from chassis.ids import derive
from chassis.office import AdapterOffice
from chassis.refusal import Refused
from services.billing.adapters.claim_files import CLAIM_FILES
from services.billing.adapters.folder import Folder
from services.billing.adapters.remittances import OWNER, RemittanceRefused, read_remittance
from services.billing.commands.answers import (
    KeepRefusedInput,
    RecordAuthorizationAnswer,
    RecordExchangeFailure,
)
from services.billing.commands.denials import RecordAppealDecision
from services.billing.commands.remittances import PostRemittances
from services.billing.domain.authorization import Action
from web.times import Day

KEPT_BYTES_MAX = 65_536
"""Of a file that could not be read this much is kept."""

MEDIA_TYPE_MAX = 200
"""The contract's limit: the name of a kept file, which stands there, ends with it."""

EARLY_S = 0.2
"""How long is waited before what came too early is looked at again."""

UNDECIDED = b"""
select claim, (select coalesce(max(position), 0) from events) as head from claims
where number = any(%s) and status = 'created' and submitted_at is null
"""
CUT = b"""
select distinct e.id, e.position from batches b join events e on e.position = b.position
where jsonb_exists_any(b.claims, %s::text[])
"""
OVER = b"""
select cut from unnest(%s::uuid[], %s::uuid[], %s::bigint[]) as batches (cut, sent, position)
where exists (select from commands where command_id = sent)
    or exists (select from parked where handler = %s and event_id = cut)
    or exists (select from effects_done where effect = %s and event_id = cut)
    or position <= (select s.position from effect_starts s where s.effect = %s)
"""
"""Batches whose sending is on record, parked, discarded, or none of the effect's work."""

_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_KINDS = {"auth-": "authorization", "appeal-": "appeal"}
_ANSWERS = {"auth-": "authorization-answer", "appeal-": "appeal-answer", "refused-": "refusal"}
_CODE = r"^[A-Za-z0-9][A-Za-z0-9._:/-]{0,63}$"

log = structlog.get_logger(__name__)


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)


class AuthorizationAnswerIn(_Answer):
    """``auth-<id>.json``: number, units and days are those certified."""

    request: UUID
    action: Action
    number: Annotated[str, StringConstraints(max_length=50)] | None = None
    units: Units = 0
    starts_on: Day = Field(alias="from")
    ends_on: Day = Field(alias="to")
    reason: Annotated[str, StringConstraints(pattern=_CODE)] | None = None


class AppealAnswerIn(_Answer):
    """``appeal-<id>.json``."""

    appeal: UUID
    outcome: Literal["overturned", "upheld"]


class Unreadable(Exception):
    """A file is not what its name says."""

    def __init__(self, rule: str, places: tuple[Place, ...]) -> None:
        super().__init__(rule)
        self.rule, self.places = rule, places


async def look(office: AdapterOffice) -> int:
    """Take in every answer that is there; returns how many files are still with the payer or with us.

    Files before the payer are counted first: it answers before it removes them, so that none goes uncounted.
    An answer to what is not on record as sent yet, with all after it, is left for the next look.
    """
    folder = Folder(office.options.exchange_dir)
    unanswered, answers = await asyncio.to_thread(folder.standing)
    for name in answers:
        if not await _take(name, await asyncio.to_thread(folder.read, name), office):
            break
        await asyncio.to_thread(folder.take, name)
    return unanswered + (len(await asyncio.to_thread(folder.answers)) if answers else 0)


async def _take(name: str, data: bytes, office: AdapterOffice) -> bool:
    """Record one answer. What cannot be read, or is refused, is kept sealed, and staff get a task.

    False where it is too early: a process that died behind sending claims has not recorded that yet.
    """
    # What in a name is no text must not stop the line for good.
    key = f"{os.fsencode(name).decode(errors='backslashreplace')}|{sha256(data).hexdigest()}"
    try:
        command = await _command(name, data, office)
    except Unreadable as error:
        command = await _refused(name, key, data, error, office)
    if isinstance(command, PostRemittances) and await _being_sent(command, office):
        await asyncio.sleep(EARLY_S)
        return False
    try:
        await office.execute(command, key)
    except Refused as refused:
        log.warning("answer_refused", kind=_kind(name), rule=refused.rule)
        place = Place(at=(refused.place or "")[:120], expected=refused.message[:400])
        kept = await _refused(name, key, data, Unreadable(refused.rule, (place,)), office)
        await office.execute(kept, f"{key}|refused")
    return True


async def _being_sent(command: PostRemittances, office: AdapterOffice) -> bool:
    """Whether one of the claims is in a batch whose sending is under way, or may be: it is not projected."""
    numbers = [claim.number for remittance in command.remittances for claim in remittance.claims]
    undecided = await office.rows(UNDECIDED, numbers)
    if not undecided:
        return False
    if not await office.has_applied(undecided[0]["head"]):
        return True
    cut = await office.rows(CUT, [str(row["claim"]) for row in undecided])
    if not cut:
        return False
    about = [(row["id"], office.command_id(str(row["id"]), CLAIM_FILES), row["position"]) for row in cut]
    over = await office.rows(OVER, *arrays(about), *[CLAIM_FILES] * 3)
    return len(over) < len(cut)


async def _command(name: str, data: bytes, office: AdapterOffice) -> Command:
    if name.startswith("refused-"):
        return _failure(name)
    if name.endswith(".835"):
        try:
            return (await read_remittance(data, office)).command
        except RemittanceRefused as error:
            raise Unreadable(error.rule, (error.place,)) from error
        except ValidationError as error:  # no reader should let it through: were it raised, the line stood
            raise Unreadable("RemittanceUnreadable", _places(error)) from None
    try:
        return _json_answer(name, data)
    except ValidationError as error:
        raise Unreadable("AnswerUnreadable", _places(error)) from None


def _json_answer(name: str, data: bytes) -> Command:
    if name.startswith("auth-"):
        given = AuthorizationAnswerIn.model_validate_json(data, strict=True)
        return RecordAuthorizationAnswer(
            authorization=given.request,
            action=given.action,
            number=given.number or "",
            units=given.units,
            starts_on=given.starts_on,
            ends_on=given.ends_on,
            reason=given.reason or "none",
        )
    if name.startswith("appeal-"):
        answer = AppealAnswerIn.model_validate_json(data, strict=True)
        return RecordAppealDecision(appeal=answer.appeal, outcome=answer.outcome)
    expected = "a name such as *.835, auth-*.json, appeal-*.json or refused-*.json"
    raise Unreadable("FileUnknown", (Place(at="file name", expected=expected),))


def _failure(name: str) -> Command:
    """The payer could not read a file of ours; the file's name says which."""
    found = _ID.search(name)
    if found is None:
        expected = "the name of a file that we wrote"
        raise Unreadable("FileUnknown", (Place(at="file name", expected=expected),))
    ours = name.removeprefix("refused-")
    kind = next((kind for start, kind in _KINDS.items() if ours.startswith(start)), "batch")
    failure = ExchangeFailed(kind=kind, about=UUID(found[0]), patient=None, rule="RefusedByPayer")
    return RecordExchangeFailure(failure=failure)


def _places(error: ValidationError) -> tuple[Place, ...]:
    return tuple(
        Place(at="".join(f"/{part}" for part in known(item))[:120], expected=expected_of(item))
        for item in error.errors(include_input=False)[:20]
    )


async def _refused(name: str, key: str, data: bytes, error: Unreadable, office: AdapterOffice) -> Command:
    """Keep a file that could not be taken, under its kind: a name is the payer's and may be a person's."""
    kind = _kind(name)
    media_type = f"application/octet-stream; name={quote(os.fsencode(name))}"[:MEDIA_TYPE_MAX]
    kept = Document(media_type=media_type, content=b64encode(data[:KEPT_BYTES_MAX]).decode())
    refused = InputRefused(
        door=f"exchange {kind}",
        rule=error.rule,
        places=error.places,
        document=await office.seal(OWNER, kept),
    )
    return KeepRefusedInput(input=derive("refused", key), kind=kind, refused=refused)


def _kind(name: str) -> str:
    """What a file is by its name."""
    if name.endswith(".835"):
        return "remittance"
    return next((kind for start, kind in _ANSWERS.items() if name.startswith(start)), "unknown-file")
