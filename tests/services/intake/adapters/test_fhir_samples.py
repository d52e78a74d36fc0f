"""Real FHIR files of others: CARETRAIL_TEST_DATA, else ../shared/data beside the repository."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from services.intake.adapters.fhir.errors import FhirError
from services.intake.adapters.fhir.form import ReferralForm, as_answer
from services.intake.adapters.fhir.referrals import read_referrals

_BESIDE = Path(__file__).parents[4].parent / "shared" / "data"
DATA = Path(os.environ.get("CARETRAIL_TEST_DATA", _BESIDE))
pytestmark = pytest.mark.skipif(not (DATA / "EXPECTED.json").exists(), reason="no third-party files at hand")


def expected() -> dict[str, Any]:
    path = DATA / "EXPECTED.json"
    found: dict[str, Any] = json.loads(path.read_text())["fhir"] if path.exists() else {}
    return found


def read(*names: str) -> list[ReferralForm]:
    return read_referrals([(name, (DATA / "fhir" / name).read_bytes()) for name in names])


def _requests(facts: dict[str, Any]) -> list[str | None]:
    given = [facts, *facts.get("resources", [])]
    return [each.get("id") for each in given if each["resourceType"] == "ServiceRequest"]


@pytest.mark.parametrize("path", sorted(expected()))
def test_each_file_holds_the_referrals_that_were_counted_in_it(path: str) -> None:
    requests = _requests(expected()[path])
    if requests:
        assert [form.referral for form in read(path.removeprefix("fhir/"))] == requests
    else:
        with pytest.raises(FhirError, match="no referral"):
            read(path.removeprefix("fhir/"))


def test_a_rehabilitation_request_with_patient_and_coverage_beside_it() -> None:
    (form,) = read(
        "uscore/coverage-example.json", "uscore/servicerequest-rehab.json", "uscore/patient-example.json"
    )
    assert as_answer(form) == {
        "referral": "rehab",
        "patient": {"family": "Shaw", "given": "Amy V.", "birth_date": "1987-02-20"},
        "reason": ["Alcohol use disorder (disorder)"],
        "requester": "Practitioner/practitioner-1",
        "urgency": None,
        "payer": "Acme Health Plan",
    }
    assert form.member_id == "88800933501"


@pytest.mark.parametrize("folder", ["official", "pas", "uscore"])
def test_the_patient_of_a_request_has_the_name_that_was_read_by_hand(folder: str) -> None:
    facts = [
        each
        for path, found in expected().items()
        if path.startswith(f"fhir/{folder}/")
        for each in (found, *found.get("resources", []))
    ]
    paths = sorted((DATA / "fhir" / folder).glob("*atient-example.json"))
    paths += sorted((DATA / "fhir" / folder).glob("servicerequest-*.json"))
    paths = paths or [DATA / "fhir" / folder / "conformant_pas_bundle_v110.json"]
    people = {(*each["name"], each.get("birthDate")) for each in facts if each["resourceType"] == "Patient"}
    forms = read(*(f"{folder}/{path.name}" for path in paths))
    said = {(form.patient.family, form.patient.given, form.patient.birth_date) for form in forms}
    assert said
    assert said <= people


def test_a_physiotherapy_request_with_its_contained_condition() -> None:
    (form,) = read("official/servicerequest-example2.json", "official/patient-example.json")
    answer = as_answer(form)
    assert answer["patient"] == {"family": "Chalmers", "given": "Peter James", "birth_date": "1974-12-25"}
    assert (answer["reason"], answer["requester"]) == (["E84.0"], "Practitioner/example")
    assert form.requester == "Dr Adam Careful"


def test_a_preauthorization_bundle_speaks_for_the_request_in_it() -> None:
    (form,) = read("pas/conformant_pas_bundle_v110.json")
    assert as_answer(form) == {
        "referral": "ReferralRequestExample",
        "patient": {"family": "SMITH", "given": "JOE", "birth_date": None},
        "reason": ["G89.4"],
        "requester": "DR. JOE SMITH CORPORATION",
        "urgency": None,
        "payer": "MARYLAND CAPITAL INSURANCE COMPANY",
    }


def test_a_referral_task_names_who_asks() -> None:
    (form,) = read(
        "sdoh/ServiceRequest-SDOHCC-ServiceRequestActiveFoodPantryApplicationAssistExample.json",
        "sdoh/Task-SDOHCC-TaskReferralManagementOrderFulfillmentAcceptedExample.json",
    )
    assert form.requester == "Dr Jan Water Family Medicine Physician"
