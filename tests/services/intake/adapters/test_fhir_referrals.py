"""FHIR referrals in the shapes that senders use, and what each is read as."""

from __future__ import annotations

import json
from typing import Any

import pytest

from services.intake.adapters.fhir.errors import FhirError
from services.intake.adapters.fhir.form import PatientForm, ReferralForm, as_answer
from services.intake.adapters.fhir.referrals import read_referrals

ICD = "http://hl7.org/fhir/sid/icd-10-cm"
NPI = "http://hl7.org/fhir/sid/us-npi"
URN = "urn:uuid:0c7e2a5e-6c5a-4a55-9d70-7f5a3c9f000"
Json = dict[str, Any]


def resource(kind: str, **elements: Any) -> Json:
    return {"resourceType": kind, **elements}


def patient(**elements: Any) -> Json:
    plain = {"id": "p1", "name": [{"family": "Rivera", "given": ["Ana", "Luz"]}], "birthDate": "1990-02-03"}
    return resource("Patient", **(plain | elements))


def request(**elements: Any) -> Json:
    plain = {"id": "r1", "status": "active", "intent": "order", "subject": ref("Patient/p1")}
    return resource("ServiceRequest", **(plain | elements))


def coverage(**elements: Any) -> Json:
    plain = {
        "id": "c1",
        "status": "active",
        "beneficiary": ref("Patient/p1"),
        "payor": [ref("Organization/o1")],
    }
    return resource("Coverage", **(plain | elements))


def payer(**elements: Any) -> Json:
    return resource("Organization", **({"id": "o1", "name": "Acme Health Plan"} | elements))


def ref(text: str, **elements: Any) -> Json:
    return {"reference": text, **elements}


def coded(code: str, system: str = ICD) -> Json:
    return {"coding": [{"system": system, "code": code}]}


def bundle(*entries: Json, kind: str = "collection", **elements: Any) -> Json:
    return resource("Bundle", type=kind, entry=list(entries), **elements)


def entry(content: Json, url: str | None = None) -> Json:
    return {"resource": content} | ({"fullUrl": url} if url else {})


def read(*documents: Json) -> list[ReferralForm]:
    return read_referrals([(f"{n}.json", json.dumps(each).encode()) for n, each in enumerate(documents)])


def one(*documents: Json) -> ReferralForm:
    (form,) = read(*documents)
    return form


def test_a_request_with_its_parts_beside_it_is_one_referral() -> None:
    doctor = resource(
        "Practitioner", id="d1", name=[{"prefix": ["Dr."], "given": ["Susan"], "family": "Watson"}]
    )
    asked = request(
        priority="urgent",
        reasonCode=[coded("F33.1"), coded("F10.20")],
        requester=ref("Practitioner/d1"),
        insurance=[ref("Coverage/c1")],
    )
    form = one(doctor, coverage(subscriberId="W123"), patient(), asked, payer())
    assert as_answer(form) == {
        "referral": "r1",
        "patient": {"family": "Rivera", "given": "Ana Luz", "birth_date": "1990-02-03"},
        "reason": ["F33.1", "F10.20"],
        "requester": "Dr. Susan Watson",
        "urgency": "urgent",
        "payer": "Acme Health Plan",
    }
    assert (form.member_id, form.findings) == ("W123", ())


def test_all_parts_may_be_contained() -> None:
    parts = [
        patient(id="pat"),
        coverage(id="cov", beneficiary=ref("#pat"), payor=[ref("#org")]),
        payer(id="org"),
        resource("Condition", id="why", subject=ref("#pat"), code=coded("F41.1")),
    ]
    asked = request(
        contained=parts, subject=ref("#pat"), requester=ref("#org"), insurance=[ref("#cov")],
        reasonReference=[ref("#why")],
    )  # fmt: skip
    answer = as_answer(one(asked))
    assert (answer["patient"]["family"], answer["reason"]) == ("Rivera", ["F41.1"])
    assert answer["payer"] == answer["requester"] == "Acme Health Plan"


@pytest.mark.parametrize("kind", ["transaction", "batch", "searchset", "collection"])
def test_a_bundle_of_new_resources_speaks_in_urns(kind: str) -> None:
    who, asked = patient(), request(subject=ref(URN + "1"))
    del who["id"], asked["id"]
    form = one(bundle(entry(asked, URN + "2"), entry(who, URN + "1"), kind=kind))
    assert (form.referral, form.patient.family) == (None, "Rivera")


def test_message_and_document_bundles_hold_referrals_too() -> None:
    header = resource("MessageHeader", eventCoding={"code": "x"}, source={"endpoint": "http://a.example"})
    message = bundle(entry(header, URN + "3"), entry(request()), entry(patient()), kind="message")
    assert one(message).patient.family == "Rivera"
    document = bundle(
        entry(resource("Composition", id="k")), entry(request()), entry(patient()), kind="document"
    )
    assert one(document).patient.family == "Rivera"


@pytest.mark.parametrize(
    "text",
    ["Patient/p1", "Patient/p1/_history/3", "http://a.example/fhir/Patient/p1", "urn:uuid:p1"],
)
def test_a_patient_beside_the_request_is_found_by_any_form_of_reference(text: str) -> None:
    assert one(request(subject=ref(text)), patient()).patient.family == "Rivera"


def test_a_patient_is_found_by_logical_identifier_and_by_conditional_reference() -> None:
    who = patient(identifier=[{"system": "urn:mrn", "value": "77"}])
    logical = {"identifier": {"system": "urn:mrn", "value": "77"}}
    assert one(request(subject=logical), who).patient.family == "Rivera"
    assert one(request(subject=ref("Patient?identifier=urn:mrn|77")), who).patient.family == "Rivera"
    assert one(request(subject={"identifier": {"value": "77"}}), who).patient == PatientForm()


def test_a_relative_reference_stays_on_its_own_server_and_in_its_own_bundle() -> None:
    def of(server: str, family: str) -> Json:
        base = f"http://{server}.example/fhir"
        return bundle(
            entry(request(), f"{base}/ServiceRequest/r1"),
            entry(patient(name=[{"family": family}]), f"{base}/Patient/p1"),
        )

    assert [form.patient.family for form in read(of("north", "Rivera"), of("south", "Okafor"))] == [
        "Rivera",
        "Okafor",
    ]


def test_a_patient_who_is_not_given_leaves_nulls_and_a_finding() -> None:
    form = one(request(subject=ref("Patient/other", display="Ana Rivera")), patient())
    assert form.patient == PatientForm()
    assert [(each.pointer, each.what) for each in form.findings] == [
        ("/subject", "the resource referred to is not among the files")
    ]


def test_a_silent_request_is_all_null() -> None:
    absent = {
        "extension": [
            {"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "unknown"}
        ]
    }
    asked = resource("ServiceRequest", _status=absent, _intent=absent, subject=absent)
    nobody = {"family": None, "given": None, "birth_date": None}
    silent = dict.fromkeys(["referral", "reason", "requester", "urgency", "payer"])
    assert as_answer(one(asked)) == silent | {"patient": nobody}


@pytest.mark.parametrize(
    ("names", "family", "given"),
    [
        ([{"use": "maiden", "family": "Old"}, {"use": "official", "family": "New"}], "New", None),
        ([{"use": "usual", "family": "Nick"}, {"use": "official", "family": "Law"}], "Law", None),
        ([{"use": "official", "family": "Past", "period": {"end": "2020"}}, {"family": "Now"}], "Now", None),
        (
            [{"use": "nickname", "given": ["Jim"]}, {"use": "temp", "family": "Tan", "given": ["Jo"]}],
            "Tan",
            "Jo",
        ),
        ([{"use": "old", "family": "Only"}], "Only", None),
        ([{"given": [None, "Ana"], "_given": [{"id": "a"}, None], "family": "Rivera"}], "Rivera", "Ana"),
        ([{"text": "Ana Luz Rivera"}], "Rivera", "Ana Luz"),
        ([{"text": "Rivera, Ana Luz"}], "Rivera", "Ana Luz"),
        ([{"text": "Ana Rivera, Jr."}], "Rivera", "Ana"),
        ([{"text": "Rivera"}], "Rivera", None),
        ([{"use": "official", "_family": {"id": "x"}}, {"family": "Said"}], "Said", None),
    ],
)
def test_the_current_official_name_is_the_persons(names: list[Json], family: str, given: str | None) -> None:
    form = one(request(), patient(name=names))
    assert (form.patient.family, form.patient.given) == (family, given)
    assert bool(form.findings) is ("text" in names[0])


RENAMED = [
    {"use": "old", "family": "Before", "given": ["Ana"], "period": {"end": "2020-07-22"}},
    {"use": "usual", "family": "After", "given": ["Ana"]},
]


@pytest.mark.parametrize(
    ("called", "family"),
    [
        (None, "After"),
        ("Ana Before", "Before"),
        ("BEFORE, ANA", "Before"),
        ("Ana After", "After"),
        ("Ana Before After", "After"),
        ("Ana", "After"),
        ("Before", "After"),
        ("Ana Beforehand", "After"),
        ("Somebody Else", "After"),
    ],
)
def test_the_name_by_which_the_request_calls_the_person_goes_first(called: str | None, family: str) -> None:
    about = ref("Patient/p1", **({"display": called} if called else {}))
    form = one(request(subject=about), patient(name=RENAMED))
    assert form.patient.family == family
    notes = [(note.pointer, note.what) for note in form.findings]
    assert notes == (
        [("/name/0", "the request calls the person so; the record holds a name that goes before it")]
        if family == "Before"
        else []
    )


@pytest.mark.parametrize("birth_date", ["1990", "1990-02", "1990-02-03"])
def test_a_partial_birth_date_stays_partial(birth_date: str) -> None:
    form = one(request(), patient(birthDate=birth_date))
    assert form.patient.birth_date == birth_date
    assert (form.patient.birth_day is None) is (len(birth_date) < 10)


def test_contact_and_address_in_use_are_taken() -> None:
    form = one(
        request(),
        patient(
            telecom=[
                {"system": "phone", "value": "1", "use": "old"},
                {"system": "phone", "value": "2", "use": "work"},
                {"system": "phone", "value": "3", "use": "mobile"},
                {"system": "email", "value": "a@b.example"},
            ],
            address=[
                {"use": "old", "city": "Then", "period": {"end": "2020"}},
                {"line": ["1 Elm St", "Apt 2"], "city": "Now", "state": "OK", "postalCode": "74048"},
            ],
            identifier=[{"value": "x"}, {"type": {"coding": [{"code": "MR"}]}, "value": "77"}],
        ),
    ).patient
    assert (form.phone, form.email, form.record_number) == ("3", "a@b.example", "77")
    assert form.address is not None
    assert (form.address.lines, form.address.city) == (("1 Elm St", "Apt 2"), "Now")


@pytest.mark.parametrize(
    ("requester", "beside", "printed"),
    [
        ({"display": "Ollie Ortho, MD"}, [], "Ollie Ortho, MD"),
        (ref("Practitioner/x", display="Dr Who"), [], "Dr Who"),
        (ref("Practitioner/x"), [], "Practitioner/x"),
        ({"identifier": {"system": NPI, "value": "1234567893"}}, [], "1234567893"),
        (ref("Organization/o1", display="stale"), [payer()], "Acme Health Plan"),
        (
            ref("PractitionerRole/pr"),
            [
                resource(
                    "PractitionerRole", id="pr",
                    practitioner=ref("Practitioner/d"), organization=ref("Organization/o1"),
                ),
                resource("Practitioner", id="d", name=[{"text": "Dr. Jan Water"}]),
                payer(),
            ],
            "Dr. Jan Water",
        ),
        (
            ref("PractitionerRole/pr"),
            [resource("PractitionerRole", id="pr", organization=ref("Organization/o1")), payer()],
            "Acme Health Plan",
        ),
        (
            {"identifier": {"system": NPI, "value": "1234567893"}},
            [payer(id="h", name="Mercy", identifier=[{"system": NPI, "value": "1234567893"}])],
            "Mercy",
        ),
        (ref("Patient/p1"), [patient()], "Ana Luz Rivera"),
    ],
)  # fmt: skip
def test_the_requester_is_printed_by_name(requester: Json, beside: list[Json], printed: str) -> None:
    assert one(request(requester=requester), *beside).requester == printed


def test_a_reason_lists_every_code_once_and_the_words_of_an_uncoded_one() -> None:
    both = {
        "coding": [{"system": ICD, "code": "F33.1"}, {"system": "http://snomed.info/sct", "code": "66344007"}]
    }
    refuted = {"coding": [{"code": "refuted"}]}
    not_so = resource(
        "Condition", id="n", subject=ref("Patient/p1"), code=coded("Z99"), verificationStatus=refuted
    )
    form = one(
        request(
            reasonCode=[both, coded("F33.1"), {"text": "unable to work"}],
            reasonReference=[ref("Condition/n"), {"display": "sleeplessness"}],
        ),
        not_so,
    )
    assert form.reason == ("F33.1", "66344007", "unable to work", "sleeplessness")


def test_the_patients_coverage_beside_the_request_pays_without_being_named() -> None:
    other = coverage(id="c2", beneficiary=ref("Patient/p2"), payor=[{"display": "Not This"}])
    form = one(request(), patient(), other, coverage(), payer())
    assert form.payer == "Acme Health Plan"
    assert one(request(), coverage(), payer()).payer == "Acme Health Plan"
    assert one(request(), patient(), other).payer is None


def test_of_several_coverages_the_first_in_order_that_is_in_force_pays() -> None:
    void = coverage(id="c0", status="cancelled", order=1, payor=[{"display": "Gone"}])
    second = coverage(id="c2", order=2, payor=[{"display": "Second"}])
    first = coverage(id="c3", order=1, payor=[{"display": "First"}])
    form = one(
        request(insurance=[ref(f"Coverage/{c}") for c in ("c0", "c2", "c3")]), patient(), void, second, first
    )
    assert form.payer == "First"
    assert "not used" in form.findings[0].what


def test_a_member_number_goes_before_the_subscribers() -> None:
    number = {"type": {"coding": [{"code": "MB"}]}, "value": "W123-01"}
    assert (
        one(request(), patient(), coverage(subscriberId="W123", identifier=[number])).member_id == "W123-01"
    )


def test_a_task_that_focuses_on_the_request_fills_its_gaps() -> None:
    task = resource(
        "Task", status="requested", intent="order", priority="asap", focus=ref("ServiceRequest/r1"),
        requester={"display": "Street Team"}, reasonCode=coded("Z59.0"),
    )  # fmt: skip
    form = one(request(), task)
    assert (form.requester, form.urgency, form.reason) == ("Street Team", "asap", ("Z59.0",))
    assert one(request(), task | {"status": "cancelled"}).requester is None
    assert one(request(requester={"display": "Clinic"}), task).requester == "Clinic"


def test_a_request_contained_in_its_task_is_a_referral() -> None:
    asked = request(id="in", subject=ref("Patient/p1"))
    task = resource("Task", status="requested", intent="order", focus=ref("#in"), contained=[asked])
    assert one(task, patient()).patient.family == "Rivera"


def test_several_requests_are_several_referrals_but_not_their_parts_or_what_they_replace() -> None:
    forms = read(
        bundle(
            entry(request()),
            entry(request(id="r2", replaces=[ref("ServiceRequest/r0")])),
            entry(request(id="r0")),
            entry(request(id="r3", intent="filler-order", basedOn=[ref("ServiceRequest/r1")])),
            entry(request(id="r4", intent="filler-order", basedOn=[ref("ServiceRequest/elsewhere")])),
        )
    )
    assert [form.referral for form in forms] == ["r1", "r2", "r4"]


def test_the_same_resource_given_twice_counts_once() -> None:
    assert len(read(request(), request(), patient(), patient())) == 1


def test_entries_without_a_resource_are_passed_over() -> None:
    delete = {"request": {"method": "DELETE", "url": "Patient/9"}}
    assert len(read(bundle(delete, entry(request()), kind="transaction"))) == 1


def test_a_completed_request_and_a_proposal_are_read_with_a_finding() -> None:
    assert "completed" in one(request(status="completed")).findings[0].what
    assert "proposal" in one(request(intent="proposal")).findings[0].what


def test_a_nameless_file_set_is_refused() -> None:
    with pytest.raises(FhirError, match="no referral"):
        read_referrals([])
