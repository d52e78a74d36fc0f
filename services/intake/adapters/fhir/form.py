"""What a FHIR referral says, as frozen values: None or an empty tuple where the files are silent."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any


@dataclass(frozen=True, slots=True)
class Finding:
    """What a person should know about a referral that was read all the same, without a value of the file."""

    file: str
    pointer: str
    what: str


@dataclass(frozen=True, slots=True)
class Identifier:
    """A business identifier; `kind` is the code of its type (HL7 v2 table 0203: MR, PLAC, MB)."""

    system: str | None
    value: str
    kind: str | None


@dataclass(frozen=True, slots=True)
class Address:
    """A postal address, as the file has it: states and countries are not brought to codes."""

    lines: tuple[str, ...]
    city: str | None
    state: str | None
    postal_code: str | None
    country: str | None


@dataclass(frozen=True, slots=True)
class PatientForm:
    """The person referred. `birth_date` may be partial: YYYY, YYYY-MM or YYYY-MM-DD.

    `file` and `pointer` say where the Patient stands; both are None without one.
    """

    file: str | None = None
    pointer: str | None = None
    family: str | None = None
    given: str | None = None
    birth_date: str | None = None
    gender: str | None = None
    record_number: str | None = None
    phone: str | None = None
    email: str | None = None
    address: Address | None = None
    deceased: bool = False

    @property
    def birth_day(self) -> date | None:
        """The birth date, where the file has all of it."""
        return self.born_from if self.birth_date and len(self.birth_date) == 10 else None

    @property
    def born_from(self) -> date | None:
        """The first day that a full or partial birth date may mean."""
        return date.fromisoformat((self.birth_date + "-01-01")[:10]) if self.birth_date else None


@dataclass(frozen=True, slots=True)
class Reason:
    """Why the person is referred: a code with its system, or words alone."""

    code: str | None
    system: str | None
    text: str | None


@dataclass(frozen=True, slots=True)
class ReferralForm:
    """One referral. `urgency` is R4's request-priority; `authored_on` is a FHIR dateTime as it stands.

    `referral` is the ServiceRequest's id, else its first identifier; `identifiers` are the sender's numbers;
    `requester_reference` is there where it leads to nothing that was given; `names_subject` where the request
    says whom it is about, be it somebody of whom the files hold nothing more.
    """

    file: str
    pointer: str
    referral: str | None
    identifiers: tuple[Identifier, ...]
    status: str | None
    intent: str | None
    authored_on: str | None
    names_subject: bool
    patient: PatientForm
    reasons: tuple[Reason, ...]
    requester: str | None
    requester_reference: str | None
    urgency: str | None
    payer: str | None
    member_id: str | None
    findings: tuple[Finding, ...]

    @property
    def reason(self) -> tuple[str, ...]:
        """The bare codes, each once, in the file's order; the words of a reason that has no code."""
        shown = (reason.code or reason.text for reason in self.reasons)
        return tuple(dict.fromkeys(each for each in shown if each))


def as_answer(form: ReferralForm) -> dict[str, Any]:
    """The JSON of `caretrail ingest referral --json`: null where the files are silent, `reason` too."""
    patient = form.patient
    return {
        "referral": form.referral,
        "patient": {"family": patient.family, "given": patient.given, "birth_date": patient.birth_date},
        "reason": list(form.reason) or None,
        "requester": form.requester_reference or form.requester,
        "urgency": form.urgency,
        "payer": form.payer,
    }
