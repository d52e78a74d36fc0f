"""What is no FHIR referral is refused with its place, and never with a value of the file."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from caretrail_contracts.intake import SourceType
from hypothesis import given, settings
from hypothesis import strategies as st

from services.intake.adapters.fhir.document import DEPTH_MAX, FILE_BYTES_MAX
from services.intake.adapters.fhir.errors import FhirError
from services.intake.adapters.fhir.form import ReferralForm
from services.intake.adapters.fhir.referrals import read_referrals, refuse_impossible_births
from services.intake.api.referral_files import body_of

SECRET = "Zyxwvut"
Json = dict[str, Any]
PATIENT: Json = {
    "resourceType": "Patient",
    "id": "p1",
    "name": [{"family": SECRET, "given": ["Ana"]}],
    "birthDate": "1990-02-03",
}
REQUEST: Json = {
    "resourceType": "ServiceRequest",
    "id": "r1",
    "status": "active",
    "intent": "order",
    "subject": {"reference": "Patient/p1"},
}
COVERAGE: Json = {
    "resourceType": "Coverage",
    "id": "c1",
    "status": "active",
    "beneficiary": {"reference": "Patient/p1"},
    "payor": [{"display": "Acme"}],
}


def refused(*contents: bytes) -> FhirError:
    with pytest.raises(FhirError) as caught:
        read_referrals([(f"{n}.json", content) for n, content in enumerate(contents)])
    assert SECRET not in str(caught.value)
    return caught.value


def refused_json(*documents: Json) -> FhirError:
    return refused(*(json.dumps(each).encode() for each in documents))


def bundle(*resources: Json, **elements: Any) -> Json:
    entries = [{"resource": each} for each in resources]
    return {"resourceType": "Bundle", "type": "collection", "entry": entries} | elements


@pytest.mark.parametrize(
    ("content", "pointer", "what"),
    [
        (b"", "", "not JSON"),
        (b"<ServiceRequest/>", "", "not JSON"),
        (b'{"resourceType": "ServiceRequest", "id": "Zyxwvut"', "", "line 1"),
        (b"[]", "", "not an object"),
        (b'"ServiceRequest"', "", "not an object"),
        ("{}".encode("utf-16"), "", "not UTF-8"),
        (b"{}", "", "null or empty"),
        (b'{"name": {"given": 1, "given": 2}}', "/name", "name twice"),
        (b'{"name": [{"given": NaN}]}', "/name/0/given", "not a number"),
        (b'{"name": -Infinity}', "/name", "not a number"),
        (b'{"name": 1e999}', "/name", "not a number"),
        (b'{"name": null}', "/name", "null or empty"),
        (b'{"name": [{"given": 1}, null]}', "/name/1", "null or empty"),
        (b'{"name": ""}', "/name", "null or empty"),
        (b'{"Zyxwvut name": ""}', "/?", "null or empty"),
        (b'{"name": "Zyxwvut\\u0000"}', "/name", "character"),
        (b'{"name": "Zyxwvut\\ud800"}', "/name", "character"),
        (b'{"name": ' + b"9" * 5000 + b"}", "", "digits"),
        (b'{"name": ' * (DEPTH_MAX + 2) + b"1" + b"}" * (DEPTH_MAX + 2), "/name" * (DEPTH_MAX + 1), "deep"),
        (b"[" * 100_000, "", "deep"),
        (b" " * (FILE_BYTES_MAX + 1), "", "over the limit"),
        (b'{"id": "x"}', "/resourceType", "missing"),
        (b'{"resourceType": 5}', "/resourceType", "not a string"),
        (b'{"resourceType": "Zyxwvut"}', "/resourceType", "does not know"),
        (b'{"resourceType": "ActorDefinition"}', "/resourceType", "does not know"),
        (b'{"resourceType": "Patient"}', "", "no referral"),
    ],
)
def test_a_file_that_is_no_fhir_json_is_refused_where_it_breaks(
    content: bytes, pointer: str, what: str
) -> None:
    error = refused(content)
    assert (error.file, error.pointer) == ("0.json", pointer)
    assert what in error.what


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"birthDate": "1990-02-30"}, "/birthDate"),
        ({"birthDate": "1990-2-3"}, "/birthDate"),
        ({"birthDate": "02/03/1990"}, "/birthDate"),
        ({"birthDate": 0}, "/birthDate"),
        ({"name": {"family": SECRET}}, "/name"),
        ({"name": [SECRET]}, "/name/0"),
        ({"name": [{"given": SECRET}]}, "/name/0/given"),
        ({"name": [{"family": 5}]}, "/name/0/family"),
        ({"gender": SECRET}, "/gender"),
        ({"surname": SECRET}, "/?"),
        ({"name": [{"Pimpernelle": SECRET}]}, "/name/0/?"),
        ({"name": [{"pimpernelle": {"x": [float("nan")]}}]}, "/name/0/?/?/0"),
        ({"modifierExtension": [{"url": "http://x.example", "valueBoolean": True}]}, "/modifierExtension"),
        ({"deceasedBoolean": True, "deceasedDateTime": "2020"}, ""),
    ],
)
def test_a_malformed_patient_is_refused_where_it_breaks(change: Json, pointer: str) -> None:
    error = refused_json(REQUEST, PATIENT | change)
    assert (error.file, error.pointer) == ("1.json", pointer)
    assert refused_json(bundle(REQUEST, PATIENT | change)).pointer == "/entry/1/resource" + pointer


@pytest.mark.parametrize(
    ("change", "pointer", "what"),
    [
        ({"status": "revoked"}, "/status", "revoked"),
        ({"status": "entered-in-error"}, "/status", "entered in error"),
        ({"status": SECRET}, "/status", "does not allow"),
        ({"intent": SECRET}, "/intent", "does not allow"),
        ({"priority": "high"}, "/priority", "does not allow"),
        ({"doNotPerform": True}, "/doNotPerform", "forbids"),
        ({"subject": "Patient/p1"}, "/subject", "not an object"),
        ({"subject": '{"reference": "Patient/p1"}'}, "/subject", "not an object"),
        ({"subject": {"reference": "Group/g1"}}, "/subject", "another type"),
        ({"subject": {"reference": "#nobody"}}, "/subject/reference", "no contained"),
        ({"authoredOn": "2021-13-01"}, "/authoredOn", "date"),
        ({"authoredOn": "2021-11-12T10:59:38"}, "/authoredOn", "date or time"),
        ({"occurrenceDateTime": "2021", "occurrencePeriod": {"start": "2021"}}, "", "one choice of types"),
        ({"requester": [{"display": SECRET}]}, "/requester", "not an object"),
        ({"id": "x" * 65}, "/id", "form of its type"),
        ({"reasonCode": {"text": SECRET}}, "/reasonCode", "not an array"),
        ({"reason": [{"concept": {"text": SECRET}}]}, "/reason", "does not know"),
        ({"contained": [{"resourceType": SECRET, "id": "x"}]}, "/contained/0/resourceType", "does not know"),
        ({"contained": [{"resourceType": "Patient"}]}, "/contained/0/id", "missing"),
        ({"contained": [PATIENT, PATIENT]}, "/contained/1/id", "second"),
        ({"contained": [PATIENT | {"birthDate": "1990-13-01"}]}, "/contained/0/birthDate", "date"),
        ({"implicitRules": "http://x.example"}, "/implicitRules", "meaning"),
    ],
)
def test_a_request_that_does_not_stand_is_refused(change: Json, pointer: str, what: str) -> None:
    error = refused_json(REQUEST | change, PATIENT)
    assert (error.file, error.pointer) == ("0.json", pointer)
    assert what in error.what


@pytest.mark.parametrize("birth_date", ["2026-03-13", "2026-04", "2999", "1850-01-01", "1850"])
def test_nobody_is_born_tomorrow_or_older_than_anybody(birth_date: str) -> None:
    contents = [json.dumps(each).encode() for each in (REQUEST, PATIENT | {"birthDate": birth_date})]
    forms = read_referrals([(f"{n}.json", content) for n, content in enumerate(contents)])
    with pytest.raises(FhirError) as refusal:
        refuse_impossible_births(forms, datetime(2026, 3, 12, 8, tzinfo=UTC))
    assert (refusal.value.file, refusal.value.pointer) == ("1.json", "/birthDate")
    assert birth_date not in str(refusal.value)


@pytest.mark.parametrize("birth_date", ["2026-03-12", "2026-03", "2026", "1900"])
def test_a_newborn_and_the_very_old_may_be_referred(birth_date: str) -> None:
    contents = [json.dumps(each).encode() for each in (REQUEST, PATIENT | {"birthDate": birth_date})]
    forms = read_referrals([(f"{n}.json", content) for n, content in enumerate(contents)])
    refuse_impossible_births(forms, datetime(2026, 3, 12, 8, tzinfo=UTC))
    assert forms[0].patient.birth_date == birth_date


@pytest.mark.parametrize("name", ["status", "intent", "subject"])
def test_a_request_without_a_required_element_is_refused(name: str) -> None:
    error = refused_json({key: value for key, value in REQUEST.items() if key != name})
    assert (error.pointer, error.what) == (f"/{name}", "a required element is missing")


def test_two_patients_of_one_name_are_refused_and_the_first_place_is_told() -> None:
    twin = PATIENT | {"birthDate": "1991-01-01"}
    error = refused_json(REQUEST, PATIENT, twin)
    assert (error.file, error.pointer) == ("2.json", "")
    assert "1.json" in error.what
    assert refused_json(bundle(REQUEST, PATIENT, twin)).pointer == "/entry/2/resource"


def test_a_reference_that_two_bundles_answer_is_refused() -> None:
    other = bundle(PATIENT | {"birthDate": "1991-01-01"})
    error = refused_json(REQUEST, bundle(PATIENT), other)
    assert (error.file, error.pointer, error.what) == (
        "0.json",
        "/subject",
        "leads to more than one resource",
    )


def test_a_full_url_names_one_entry_of_a_bundle() -> None:
    url = "urn:uuid:0c7e2a5e-6c5a-4a55-9d70-7f5a3c9f0001"
    document = bundle(REQUEST, PATIENT)
    for entry in document["entry"]:
        entry["fullUrl"] = url
    assert refused_json(document).pointer == "/entry/1/resource"


@pytest.mark.parametrize(
    ("elements", "pointer"),
    [
        ({"type": "history"}, "/type"),
        ({"type": SECRET}, "/type"),
        ({"entry": {}}, "/entry"),
        ({"entry": [SECRET]}, "/entry/0"),
        ({"entry": [{"resource": SECRET}]}, "/entry/0/resource"),
        ({"entry": [{"content": REQUEST}]}, "/entry/0/content"),
    ],
)
def test_a_bundle_that_is_none_is_refused(elements: Json, pointer: str) -> None:
    assert refused_json(bundle(REQUEST, **elements)).pointer == pointer


def test_a_byte_order_mark_is_no_fault() -> None:
    (form,) = read_referrals([("a.json", b"\xef\xbb\xbf" + json.dumps(REQUEST).encode())])
    assert form.referral == "r1"


JUNK = st.sampled_from(
    [0, 1.5, True, None, "", "#x", SECRET, [], {}, [SECRET], [None], {"a": SECRET}, [[1]], "{}", "[1]"]
)


def _places(tree: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    members = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    return [place for key, member in members for place in ((*path, key), *_places(member, (*path, key)))]


@given(st.data())
@settings(max_examples=200, deadline=None)
def test_any_damage_is_read_or_refused_in_one_way(data: st.DataObject) -> None:
    """A junk value put anywhere gives a form or a FhirError: never another exception."""
    task = {
        "resourceType": "Task", "status": "requested", "intent": "order",
        "focus": {"reference": "ServiceRequest/r1"}, "reasonCode": {"coding": [{"code": "Z59.0"}]},
        "requester": {"identifier": {"system": "s", "value": "1"}},
    }  # fmt: skip
    claim = {
        "resourceType": "Claim", "status": "active", "use": "preauthorization", "created": "2026-01-01",
        "type": {"text": "t"}, "priority": {"text": "n"}, "patient": {"reference": "Patient/p1"},
        "provider": {"display": "d"}, "referral": {"reference": "ServiceRequest/r1"},
        "insurance": [{"sequence": 1, "focal": True, "coverage": {"reference": "Coverage/c1"}}],
        "item": [{"sequence": 1, "productOrService": {"text": "t"},
                  "extension": [{"url": "u", "valueReference": {"reference": "ServiceRequest/r1"}}]}],
    }  # fmt: skip
    document = json.loads(json.dumps(bundle(REQUEST, PATIENT, COVERAGE, task, claim)))
    *path, last = data.draw(st.sampled_from(_places(document)))
    holder = document
    for step in path:
        holder = holder[step]
    holder[last] = data.draw(JUNK)
    damaged = json.dumps(document).encode()
    outcome: list[ReferralForm] | str
    try:
        outcome = read_referrals([("a.json", damaged)])
    except FhirError as error:
        outcome = f"refused at {error.pointer}"
    assert outcome, "neither a form nor a refusal"


def test_what_fhir_allows_between_words_becomes_a_space() -> None:
    """R4 lets a string hold tabs, line breaks and DEL; a name is kept on one line."""
    address = {
        "line": ["1 Main\tStreet", "Unit\r\n2"],
        "city": "Al\x7fbany",
        "state": "NY",
        "postalCode": "12207",
    }
    telecom = [{"system": "phone", "value": "518\n5550100"}, {"system": "email", "value": "a\tb@example.org"}]
    patient = PATIENT | {
        "name": [{"family": "Riv\nera", "given": ["Ana\tMaria"]}],
        "address": [address],
        "telecom": telecom,
    }
    [form] = read_referrals([("0", json.dumps(bundle(REQUEST, patient)).encode())])
    body = body_of(form, SourceType.HOSPITAL)
    assert (body.person.family, body.person.given) == ("Riv era", "Ana Maria")
    contact = body.person.contact
    assert contact.address is not None
    assert (contact.address.line, contact.address.city) == ("1 Main Street, Unit 2", "Al bany")
    assert (contact.phone, contact.email) == ("518 5550100", None)
    assert body.note == "mail a\tb@example.org"
