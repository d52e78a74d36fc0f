"""What intake takes in of a FHIR referral: coded where it is coded, the rest kept sealed as words."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from caretrail_contracts.codes import Urgency
from caretrail_contracts.intake import AdministrativeGender, SourceType
from pydantic import ValidationError

from services.intake.adapters.fhir.form import Address, ReferralForm, as_answer
from services.intake.api.bodies import MAILBOX, AddressBody, ContactBody, PersonBody, ReferralBody
from services.intake.domain.identity import UNKNOWN
from web.text import is_blank

SHORT, LONG, REASONS_MAX = 200, 4000, 20
CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/-]{0,63}")
BLANK = re.compile(r"[\s\x00-\x1f\x7f]+")
"""Between the words of a name: FHIR allows tabs, line breaks and DEL there."""


def body_of(form: ReferralForm, source_type: SourceType) -> ReferralBody:
    """The referral that a form makes. One that names nobody is taken in too, so that somebody asks back.

    A payer's name stays words: it may be a person's, and which of the program's payers it is, staff decide.
    """
    return ReferralBody(
        person=_person(form),
        source_type=source_type,
        channel="fhir",
        urgency=Urgency(form.urgency) if form.urgency else Urgency.ROUTINE,
        reasons=tuple(_codes(form))[:REASONS_MAX],
        payer_name=_short(form.payer),
        member_id=_short(form.member_id),
        requester=_short(form.requester),
        external_id=_short(form.identifiers[0].value if form.identifiers else form.referral),
        note="; ".join(dict.fromkeys(_words(form)))[:LONG] or None,
    )


def number_of(form: ReferralForm) -> str:
    """The sender's own number with its system; of a referral without any, all that it says."""
    if form.identifiers:
        return "|".join(f"{each.system}|{each.value}" for each in form.identifiers)
    return json.dumps([form.authored_on, as_answer(form)], sort_keys=True)


def _person(form: ReferralForm) -> PersonBody:
    patient = form.patient
    gender = patient.gender if patient.gender in set(AdministrativeGender) else AdministrativeGender.UNKNOWN
    email = _short(patient.email)
    return PersonBody(
        family=_short(patient.family) or UNKNOWN,
        given=_short(patient.given) or UNKNOWN,
        birth_date=patient.birth_day,
        gender=AdministrativeGender(gender),
        contact=ContactBody(
            address=_address(patient.address),
            email=email if email and re.fullmatch(MAILBOX, email) else None,
            phone=_short(patient.phone),
        ),
    )


def _codes(form: ReferralForm) -> Iterator[str]:
    found = (reason.code for reason in form.reasons)
    return (code for code in dict.fromkeys(found) if code and CODE.fullmatch(code))


def _words(form: ReferralForm) -> Iterator[str]:
    """What does not fit a coded field, kept in the sealed note."""
    for reason in form.reasons:
        if not (reason.code and CODE.fullmatch(reason.code)):
            yield reason.text or reason.code or ""
    patient = form.patient
    if patient.birth_date and not patient.birth_day:
        yield f"born {patient.birth_date}"
    if patient.email and not re.fullmatch(MAILBOX, patient.email):
        yield f"mail {patient.email}"
    address = patient.address
    if address and _address(address) is None:
        parts = (*address.lines, address.city, address.state, address.postal_code, address.country)
        yield "address " + ", ".join(part for part in parts if part)


def _address(address: Address | None) -> AddressBody | None:
    """The address, where it is a whole one of the United States."""
    if address is None:
        return None
    try:
        return AddressBody(
            line=_on_one_line(", ".join(address.lines)),
            city=_on_one_line(address.city or ""),
            state=(address.state or "").upper(),
            postal_code=(address.postal_code or "").replace("-", ""),
        )
    except ValidationError:
        return None


def _short(text: str | None) -> str | None:
    short = _on_one_line(text or "")[:SHORT].strip()
    return None if is_blank(short) else short


def _on_one_line(text: str) -> str:
    return BLANK.sub(" ", text).strip()
