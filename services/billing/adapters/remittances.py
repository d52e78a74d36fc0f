"""835 files become commands: read whole or refused whole, judged, sealed, never half-posted."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from hashlib import sha256
from typing import Any, Protocol, TypeVar
from uuid import UUID

from caretrail_contracts.adjustments import Adjustment, AdjustmentGroup, ProviderAdjustment
from caretrail_contracts.sealed import Document, RecordNumber, Sealed
from caretrail_contracts.system import Place
from pydantic import BaseModel

from services.billing.adapters.x12.errors import X12Error
from services.billing.adapters.x12.reader import Interchange, Segment, read_interchanges
from services.billing.adapters.x12.remittance import (
    RemittanceAdvice,
    RemittanceFile,
    RemittedAdjustment,
    RemittedClaim,
    RemittedLine,
)
from services.billing.adapters.x12.remittance_reader import read_remittances
from services.billing.commands.remittances import (
    DeniedLine,
    PostRemittances,
    RemittanceIn,
    RemittedClaimIn,
)
from services.billing.domain.adjudication import claim_verdict, denied_lines, unknown_reasons
from services.billing.domain.adjustment_reasons import ADJUSTMENT_REASONS

OWNER = "service:billing"
"""Whose key seals what belongs to no patient of ours, as far as we know."""

MEDIA_TYPE = "application/edi-x12"

_CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/-]{0,63}")
_HCPCS = re.compile(r"[A-Z0-9]{5}")
_NO_CODE = re.compile(r"[^A-Za-z0-9._:/-]+")


T = TypeVar("T", bound=BaseModel)


class Sealer(Protocol):
    """What reading a remittance needs of a caller or an office."""

    async def seal(self, owner: UUID | str, value: T) -> Sealed[T]:
        """Seal a value under its owner's key."""
        ...

    @property
    def issue_key(self) -> Callable[[UUID | str], Awaitable[None]]:
        """Make the owner's key, if there is none yet."""
        ...

    @property
    def rows(self) -> Callable[..., Awaitable[list[dict[str, Any]]]]:
        """The rows of a query on the service's own tables."""
        ...


class RemittanceRefused(Exception):
    """Nothing of the file was posted; ``rule`` and ``place`` go to the sender and the auditor."""

    def __init__(self, rule: str, detail: str, place: Place) -> None:
        super().__init__(detail)
        self.rule, self.detail, self.place = rule, detail, place


@dataclass(frozen=True, slots=True)
class ReadRemittance:
    """A file that was read: what it says, and the command that posts it."""

    file: RemittanceFile
    command: PostRemittances


async def read_remittance(data: bytes, sealer: Sealer) -> ReadRemittance:
    """Read a file. Raises RemittanceRefused."""
    try:
        file = read_remittances(data)
        texts = _texts(data, file)
    except X12Error as error:
        detail = f"Nothing of the file was posted: {error.what}."
        place = Place(at=error.place, expected=error.expected[:400])
        raise RemittanceRefused(error.rule, detail, place) from error
    patients = await _patients(file, sealer)
    digest = sha256(data).hexdigest()
    remittances = [await _remittance(advice, patients, texts, sealer) for advice in file.advices]
    return ReadRemittance(file, PostRemittances(file_digest=digest, remittances=tuple(remittances)))


def _texts(data: bytes, file: RemittanceFile) -> dict[int, bytes]:
    """The segments of each claim as they stand, by the number of its first one."""
    interchanges, _ = read_interchanges(data)
    segments = {segment.number: (one, segment) for one in interchanges for segment in one.segments}
    found = {}
    for advice in file.advices:
        starts = [claim.segment for claim in advice.claims]
        for start, end in zip(starts, [*starts[1:], advice.last_segment], strict=True):
            rows = [segments[number] for number in range(start, end) if number in segments]
            found[start] = "\n".join(_shown(one, segment) for one, segment in rows).encode()
    return found


def _shown(interchange: Interchange, segment: Segment) -> str:
    return interchange.delimiters.element.join((segment.id, *segment.elements))


async def _patients(file: RemittanceFile, sealer: Sealer) -> dict[str, UUID]:
    """The patients of claims that are ours, by number."""
    numbers = sorted({claim.claim for advice in file.advices for claim in advice.claims})
    rows = await sealer.rows(PATIENTS, numbers)
    return {row["number"]: row["patient"] for row in rows}


PATIENTS = b"select number, patient from claims where number = any(%s)"


async def _remittance(
    advice: RemittanceAdvice, patients: dict[str, UUID], texts: dict[int, bytes], sealer: Sealer
) -> RemittanceIn:
    payer = advice.payer
    claims = [await _claim(claim, patients, texts[claim.segment], sealer) for claim in advice.claims]
    identity = (advice.originator, payer.id if payer else "", payer.name if payer else "", advice.trace)
    return RemittanceIn(
        origin=sha256("|".join(identity).encode()).hexdigest(),
        content=advice.content,
        segment=advice.trace_segment,
        payer=_code(advice.originator or (payer.id or payer.name if payer else "")),
        trace=advice.trace[:50],
        total=advice.total,
        paid_on=advice.payment_date,
        provider_adjustments=tuple(
            ProviderAdjustment(reason=_code(one.reason), amount=one.amount)
            for one in advice.provider_adjustments
        ),
        claims=tuple(claims),
    )


async def _claim(
    claim: RemittedClaim, patients: dict[str, UUID], text: bytes, sealer: Sealer
) -> RemittedClaimIn:
    readable = all(map(_is_readable, claim.every_adjustment))
    adjustments = tuple(map(_adjustment, claim.counted_adjustments)) if readable else ()
    share = sum((one.amount for one in adjustments if one.group is AdjustmentGroup.PATIENT), Decimal(0))
    denying, stated = _denying(claim), claim.patient_responsibility
    return RemittedClaimIn(
        number=claim.claim[:64],
        status=_code(claim.status),
        charge=claim.charge,
        paid=claim.paid,
        patient_responsibility=stated or share,
        verdict=claim_verdict(claim),
        adjustments=adjustments,
        readable=readable,
        denied_lines=tuple(_line(line) for line in denied_lines(claim) if isinstance(line, RemittedLine)),
        group=AdjustmentGroup(denying[0].group) if denying and readable else None,
        carc=tuple(dict.fromkeys(_code(one.reason) for one in denying)),
        rarc=tuple(dict.fromkeys(map(_code, _remarks(claim)))),
        unknown=tuple(dict.fromkeys(_code(one.reason) for one in unknown_reasons(claim))),
        payer_claim_number=await _number(claim, patients.get(claim.claim), sealer),
        document=await _document(text, sealer),
    )


def _denying(claim: RemittedClaim) -> list[RemittedAdjustment]:
    """What denied, of what was denied; every adjustment where the payer gave no denying reason."""
    lines = [line for line in denied_lines(claim) if isinstance(line, RemittedLine)]
    on_denied = [*claim.adjustments, *(one for line in lines for one in line.adjustments)]
    denying = [one for one in on_denied if _denies(one)]
    return denying or list(claim.every_adjustment)


def _denies(adjustment: RemittedAdjustment) -> bool:
    reason = ADJUSTMENT_REASONS.get(adjustment.reason)
    return reason is not None and reason.reason_class.denies


def _remarks(claim: RemittedClaim) -> Iterator[str]:
    yield from claim.remarks
    for line in claim.lines:
        yield from line.remarks


def _is_readable(adjustment: RemittedAdjustment) -> bool:
    return adjustment.group in set(AdjustmentGroup) and _CODE.fullmatch(adjustment.reason) is not None


def _adjustment(adjustment: RemittedAdjustment) -> Adjustment:
    group = AdjustmentGroup(adjustment.group)
    return Adjustment(group=group, reason=adjustment.reason, amount=adjustment.amount)


def _line(line: RemittedLine) -> DeniedLine:
    code = line.procedure if line.procedure and _HCPCS.fullmatch(line.procedure) else None
    return DeniedLine(control=line.control, code=code, service_date=line.service_date, charge=line.charge)


async def _number(claim: RemittedClaim, patient: UUID | None, sealer: Sealer) -> Sealed[RecordNumber] | None:
    if patient is None or not claim.payer_claim_number:
        return None
    await sealer.issue_key(patient)
    sealed: Sealed[RecordNumber] = await sealer.seal(patient, RecordNumber(claim.payer_claim_number[:200]))
    return sealed


async def _document(text: bytes, sealer: Sealer) -> Sealed[Document]:
    content = b64encode(text[:KEPT_BYTES_MAX]).decode()
    sealed: Sealed[Document] = await sealer.seal(OWNER, Document(media_type=MEDIA_TYPE, content=content))
    return sealed


KEPT_BYTES_MAX = 65_536
"""Of a claim that a person must judge this much is kept."""


def _code(text: str) -> str:
    """Text of a file as a code: what a code cannot hold becomes a dash."""
    return _NO_CODE.sub("-", text).strip("-._:/")[:64] or "none"
