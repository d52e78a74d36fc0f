"""Batches become 837P files: persons are opened at this door, for payment, with an access record each."""

from __future__ import annotations

import asyncio
import unicodedata
from dataclasses import dataclass
from typing import Any

from caretrail_contracts.billing import ClaimBatchCut, ClaimLine, ContractAgreed
from caretrail_contracts.envelope import Envelope, Purpose
from caretrail_contracts.sealed import BirthDate, MemberId, PersonName, PostalAddress, Sealed

from chassis.command import Command, Row
from chassis.office import AdapterOffice
from keystore.doors import Erased
from services.billing.adapters.folder import Folder
from services.billing.adapters.x12.claim import (
    POINTERS_MAX,
    Address,
    ClaimFile,
    ClaimValueError,
    Payer,
    ProfessionalClaim,
    Receiver,
    ServiceLine,
    Subscriber,
)
from services.billing.adapters.x12.claim_writer import write_claims
from services.billing.commands.claims import RecordSubmission, Unsent
from services.billing.commands.remittances import line_control

CLAIM_FILES = "claim-files"
"""The name of the effect that writes them, for ever."""

GENDERS = {"male": "M", "female": "F"}
"""FHIR's administrative gender as DMG03; whatever else is U."""

ROWS_WAIT_S, ROWS_TRIES = 0.05, 100
"""A batch's own event can come before its claims are projected: wait up to 5 s, then try again later."""


class NotProjectedYet(TimeoutError):
    """The rows of a batch's claims are not there yet: the effect waits for them."""


class NotProjected(Exception):
    """They do not come, for all before the batch was applied: what they come from is parked."""


class Missing(Exception):
    """Something that a claim needs is not known; ``at`` names it."""

    def __init__(self, rule: str, at: str) -> None:
        super().__init__(rule)
        self.rule, self.at = rule, at


@dataclass(frozen=True, slots=True)
class Prepared:
    """Claims that can be written, and those that cannot."""

    claims: tuple[ProfessionalClaim, ...]
    unsent: tuple[Unsent, ...]


async def write_batch(event: ClaimBatchCut, about: Envelope, office: AdapterOffice) -> Command | None:
    """Write ``<interchange>-<batch>.837``: the same event gives the same name and bytes."""
    rows = await _rows(event, about.position, office)
    terms = await _terms(event.payer, office)
    prepared = await _prepare(event, about, rows, terms, office)
    if prepared.claims:
        data = write_claims(_file(event, about, prepared.claims, terms, office))
        name = f"{event.interchange:09d}-{event.batch}.837"
        await asyncio.to_thread(Folder(office.options.exchange_dir).write, name, data)
    return RecordSubmission(batch=event.batch, unsent=prepared.unsent)


async def _rows(event: ClaimBatchCut, position: int, office: AdapterOffice) -> list[Row]:
    """The batch's claims with their persons, in the order of the batch.

    Raises NotProjectedYet, and NotProjected where the effect is to be parked lest it holds up the others.
    """
    for _ in range(ROWS_TRIES):
        all_applied = await office.has_applied(position)
        rows = {row["claim"]: row for row in await office.rows(CLAIMS, list(event.claims))}
        if len(rows) == len(event.claims):
            return [rows[claim] for claim in event.claims]
        if all_applied:
            raise NotProjected
        await asyncio.sleep(ROWS_WAIT_S)
    raise NotProjectedYet


async def _terms(payer: str, office: AdapterOffice) -> list[ContractAgreed]:
    rows = await office.rows(TERMS, payer)
    return [ContractAgreed.model_validate(row["terms"]) for row in rows]


async def _prepare(
    event: ClaimBatchCut, about: Envelope, rows: list[Row], terms: list[ContractAgreed], office: AdapterOffice
) -> Prepared:
    claims, unsent = [], []
    for row in rows:
        try:
            claim = _claim(row, _in_force(terms, row), await _subscriber(row, office))
            _file(event, about, (claim,), terms, office)
            claims.append(claim)
        except Missing as missing:
            unsent.append(Unsent(claim=row["claim"], rule=missing.rule, at=missing.at))
        except ClaimValueError as error:
            at = error.field.removeprefix("claims/0/")
            unsent.append(Unsent(claim=row["claim"], rule="ValueUnfit", at=at))
    return Prepared(tuple(claims), tuple(unsent))


def _in_force(terms: list[ContractAgreed], row: Row) -> ContractAgreed:
    """The terms of the claim's first day; a claim was charged by some."""
    return [one for one in terms if one.effective_on <= row["first_service_on"]][-1]


async def _subscriber(row: Row, office: AdapterOffice) -> Subscriber:
    """The person as the payer knows them. Raises Missing."""
    kinds: dict[str, type[Sealed[Any]]] = {
        "name": Sealed[PersonName],
        "birth_date": Sealed[BirthDate],
        "address": Sealed[PostalAddress],
        "member_id": Sealed[MemberId],
    }
    for field in kinds:
        if row[field] is None:
            raise Missing("SubscriberIncomplete", f"subscriber/{field}")
    sealed = [kind.model_validate(row[field]) for field, kind in kinds.items()]
    opened: list[Any] = await office.open(
        row["patient"], sealed, resource=f"claim {row['number']}", purpose=Purpose.PAYMENT.value
    )
    if any(isinstance(value, Erased) for value in opened):
        raise Missing("Erased", "subscriber")
    name, birth_date, address, member_id = opened
    return Subscriber(
        family=_plain(name.family)[:60].strip(),
        given=_plain(name.given)[:35].strip(),
        member_id=_plain(member_id.root),
        birth_date=birth_date.root,
        gender=GENDERS.get(row["gender"], "U"),
        address=Address(
            line=_plain(address.line)[:55].strip(),
            city=_plain(address.city)[:30].strip(),
            state=address.state,
            postal_code=address.postal_code,
        ),
    )


def _claim(row: Row, terms: ContractAgreed, subscriber: Subscriber) -> ProfessionalClaim:
    pointers = tuple(range(1, min(len(row["diagnoses"]), POINTERS_MAX) + 1))
    lines = [ClaimLine.model_validate(line) for line in row["lines"]]
    return ProfessionalClaim(
        claim_id=row["number"],
        amount=row["charge"],
        place_of_service=terms.place_of_service,
        subscriber=subscriber,
        payer=Payer(_plain(terms.payer_name), terms.payer_id, terms.filing_indicator),
        diagnoses=tuple(row["diagnoses"]),
        lines=tuple(_line(index, line, pointers) for index, line in enumerate(lines, 1)),
        frequency=row["frequency"],
        prior_authorization=row["authorization_number"] or "",
    )


def _line(index: int, line: ClaimLine, pointers: tuple[int, ...]) -> ServiceLine:
    return ServiceLine(
        code=line.code,
        charge=line.amount,
        units=line.units,
        service_date=line.service_date,
        pointers=pointers,
        control=line_control(index),
    )


def _file(
    event: ClaimBatchCut,
    about: Envelope,
    claims: tuple[ProfessionalClaim, ...],
    terms: list[ContractAgreed],
    office: AdapterOffice,
) -> ClaimFile:
    identity = office.options.identity
    return ClaimFile(
        interchange_control=event.interchange,
        group_control=event.interchange,
        transaction_control=f"{event.interchange:04d}",
        created_at=about.occurred_at,
        submitter=identity.submitter,
        receiver=Receiver(_plain(terms[-1].payer_name), terms[-1].payer_id[:15]),
        billing=identity.billing,
        claims=claims,
    )


def _plain(text: str) -> str:
    """Letters as X12's basic and extended sets have them: accents go, delimiters become blanks."""
    letters = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    kept = "".join(" " if one in "*:^~" or not one.isprintable() else one for one in letters)
    return " ".join(kept.upper().split())


CLAIMS = b"""
select c.*, s.name, s.birth_date, s.gender, s.address, v.member_id
from claims c
left join subscribers s on s.patient = c.patient
left join coverages v on v.episode = c.episode
where c.claim = any(%s)
"""
TERMS = b"select terms from contracts where payer = %s order by effective_on"
