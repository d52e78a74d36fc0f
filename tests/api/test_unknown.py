"""What there is not: the place in the request is told, and neither what stood there nor a derived id."""

from __future__ import annotations

import re
from collections.abc import Iterator
from string import Formatter
from typing import Any

import pytest
from caretrail_contracts.system import Place

from chassis.refusal import AlreadyExists, NotFound, Refusal
from services.billing.app import service as billing
from services.intake.app import service as intake
from services.scheduling.app import service as scheduling
from tests.api.doors import SERVICES
from tests.api.test_openapi import FIELDS
from tests.conftest import Run
from tests.services.scheduling.test_doors import GROUP_BODY
from web.problems import Problem, problem_of, tell_where

NOBODY = "6a7e2f3c-8a31-5d3b-9a6f-0f2a4d1c7b10"
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")

IDS = {"id", "attendance", "session", "patient", "episode", "group", "referral", "of", "note", "segment"}
OWN_WORDS = {"kind", "status", "outcome", "known", "role", "expected"}
OWN_BOUNDS = {"today", "days", "earliest", "latest", "deadline", "level", "levels", "held", "sessions_max"}
OWN_DATES = {"starts_at", "admitted_on", "discharged_on", "received_on"}
"""What a message may tell: pseudonyms, our own codes, bounds, and dates of what stands already."""


def refusals(kind: type[Refusal] = Refusal) -> Iterator[type[Refusal]]:
    """Every refusal of every service, which SERVICES have imported."""
    for each in kind.__subclasses__():
        yield each
        yield from refusals(each)


def test_a_refusal_tells_nothing_of_the_input() -> None:
    assert SERVICES
    found = [each for each in refusals() if each.__module__.startswith(("services.", "chassis."))]
    assert len(found) > 40
    for each in found:
        told = {name for _, name, _, _ in Formatter().parse(each.__doc__ or "") if name}
        assert told <= IDS | OWN_WORDS | OWN_BOUNDS | OWN_DATES, each


def test_the_dates_of_what_is_refused_are_not_told() -> None:
    day = "2999-01-01"
    dates = {"admitted_on", "discharged_on", "ended_at", "effective_on", "first_on", "last_on", "on", "day"}
    future = [each for each in refusals() if "Future" in each.__name__]
    assert len(future) == 3
    for each in future:
        assert day not in each(**dict.fromkeys(dates, day)).message


@pytest.mark.parametrize(
    ("kind", "named", "body", "at"),
    [
        ("claim", {"number": "MARLOWE"}, None, "path number"),
        ("referral", {"referral": NOBODY}, {"reason": "x"}, "path referral"),
        ("referral", {}, {"track": "x", "referral": NOBODY}, "/referral"),
        ("coverage", {"episode": NOBODY}, {"units": 1}, "path episode"),
        ("contract", {}, {"payer": "no-such-payer"}, "/payer"),
        ("contract", {}, None, ""),
    ],
)
def test_the_place_is_where_the_request_names_it(kind: str, named: Any, body: Any, at: str) -> None:
    problem = problem_of(NotFound(kind=kind, id=NOBODY))
    tell_where(problem, named, body)
    assert [place.at for place in problem.places] == [at]
    assert NOBODY not in f"{problem.detail}{problem.places}"
    tell_where(problem, named, body)
    assert [place.at for place in problem.places] == [at]


def test_another_refusal_keeps_its_place() -> None:
    problem = problem_of(AlreadyExists(kind="episode", id=NOBODY))
    tell_where(problem, {"episode": NOBODY}, {})
    assert problem.places == ()


@pytest.mark.parametrize(("body", "at"), [({"level": "high"}, "path patient"), ({"patient": 1}, "/patient")])
def test_a_field_that_the_path_gives_is_told_there(body: Any, at: str) -> None:
    problem = Problem(404, "UnknownPatient", "No.", (Place(at="/patient", expected="an id"),))
    tell_where(problem, {"patient": NOBODY}, body)
    assert [place.at for place in problem.places] == [at]


@pytest.mark.servers
async def test_an_unknown_thing_is_told_by_its_place(running: Run) -> None:
    async with running(intake, scheduling, billing) as run:
        units = {"units": 18, "starts_on": "2026-04-20", "ends_on": "2026-06-30"}
        admission = {"referral": NOBODY, "track": "t", "site": "s", "level_of_care": "2.1"}
        for service, path, body, at in [
            ("billing", "/claims/MARLOWE/submissions", None, "path number"),
            ("billing", "/claim-batches", {"payer": "no-such-payer"}, "/payer"),
            ("billing", f"/episodes/{NOBODY}/authorizations", units, "path episode"),
            ("scheduling", "/groups", GROUP_BODY, "/track"),
            ("intake", f"/referrals/{NOBODY}/accept", None, "path referral"),
            ("intake", "/episodes", {**admission, "admitted_on": "2026-03-02"}, "/referral"),
        ]:
            for _ in range(2):  # a repeat is answered by what is on record
                answer = await run.post(service, path, body, key="the same")
                problem = answer.json()
                assert answer.status_code == 404, answer.text
                assert problem.keys() >= FIELDS
                assert [place["at"] for place in problem["places"]] == [at]
                said = f"{problem['detail']}{problem['places']}"
                assert not UUID.search(said)
                assert not any(each in said for each in ("MARLOWE", "no-such-payer"))
        shown = await run.get("billing", "/claims/MARLOWE")
        assert (shown.status_code, shown.json()["places"][0]["at"]) == (404, "path number")
        assert "MARLOWE" not in shown.text
        projection = await run.get("intake", "/internal/projections/Wrenfogle")
        assert "Wrenfogle" not in projection.text
        assert "Census" in projection.json()["places"][0]["expected"]
