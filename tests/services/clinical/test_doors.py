"""Clinical over HTTP on the real servers: answers, refusals with their places, words opened on record."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest

from services.clinical.app import service
from tests.running import Running
from tests.services.clinical.builders import ANA, BEN, CLINICIAN, EPISODE, SESSION

pytestmark = pytest.mark.servers

BY_CLINICIAN = {"Caretrail-Actor": "staff-9;clinician"}
PHQ9 = {
    "patient": str(ANA),
    "episode": str(EPISODE),
    "instrument": "phq-9",
    "answers": [1, 1, 1, 1, 1, 1, 1, 1, 1],
    "administered_on": "2026-03-02",
}
SCREEN = {
    "patient": str(ANA),
    "form": "lifetime_recent",
    "answers": ["yes", "yes", "no", "yes", "no", "no"],
}
NOTE = {
    "patient": str(ANA),
    "episode": str(EPISODE),
    "session": str(SESSION),
    "clinician": CLINICIAN,
    "text": "Spoke of the lake house.",
}


@pytest.fixture
async def run(running: Callable[..., AbstractAsyncContextManager[Running]]) -> AsyncIterator[Running]:
    async with running(service) as found:
        await found.runtime("clinical").ground.doors.issue_key(ANA)
        yield found


async def read(run: Running, path: str, position: int, **headers: str) -> Any:
    answer = await run.get("clinical", path, **{"Caretrail-After": str(position), **headers})
    assert answer.status_code == 200, answer.text
    return answer.json()


async def events(run: Running, name: str) -> list[dict[str, Any]]:
    sql = b"select convert_from(body, 'UTF8')::jsonb as body from events where type like %s order by position"
    rows = await run.runtime("clinical").ground.database.rows(sql, f"%.{name}")
    return [row["body"] for row in rows]


async def test_a_measure_is_scored_and_asks_for_a_screen(run: Running) -> None:
    answer = await run.post("clinical", "/measures", PHQ9, key="monday")
    assert answer.status_code == 201, answer.text
    given = answer.json()
    assert (given["score"], given["band"], given["screen_due"]) == (9, "mild", True)
    again = (await run.post("clinical", "/measures", PHQ9, key="monday")).json()
    assert (again["measure"], again["repeated"]) == (given["measure"], True)
    listed = await read(run, f"/measures?patient={ANA}&instrument=phq-9", given["position"])
    assert [(item["measure"], item["score"]) for item in listed["items"]] == [(given["measure"], 9)]
    due = await read(run, "/risk?screen_due=true", given["position"])
    assert [item["patient"] for item in due["items"]] == [str(ANA)]
    assert len(await events(run, "SuicideRiskScreenRequested")) == 1


MALFORMED_MEASURES: list[tuple[dict[str, Any], str]] = [
    ({"answers": [1] * 8}, "/answers"),
    ({"answers": [1] * 8 + [4]}, "/answers/8"),
    ({"answers": [1] * 8 + [True]}, "/answers/8"),
    ({"instrument": "c-ssrs"}, "/instrument"),
    ({"administered_on": "2026-02-30"}, "/administered_on"),
    ({"patient": "ana"}, "/patient"),
    ({"mood": 3, "mode": 4}, ""),  # the name of an unknown field could be anything: it is not said again
]
MALFORMED_SCREENS: list[tuple[dict[str, Any], str]] = [
    ({"answers": ["yes"] * 5}, "/answers"),
    ({"answers": ["lifetime"] + ["no"] * 5}, "/answers"),
    ({"answers": ["perhaps"] + ["no"] * 5}, "/answers/0"),
    ({"form": "baseline"}, "/form"),
]


async def test_malformed_measures_and_screens_are_refused_at_their_places(run: Running) -> None:
    requests = [("/measures", {**PHQ9, **change}, place) for change, place in MALFORMED_MEASURES]
    requests += [("/risk-screens", {**SCREEN, **change}, place) for change, place in MALFORMED_SCREENS]
    for path, body, place in requests:
        answer = await run.post("clinical", path, body)
        assert answer.status_code == 422, (path, place)
        assert [found["at"] for found in answer.json()["places"]] == [place]
    assert len(await events(run, "InputRefused")) == len(requests)
    assert await events(run, "MeasureAdministered") + await events(run, "SuicideRiskScreened") == []


async def test_a_misspelt_parameter_is_refused(run: Running) -> None:
    misspelt = await run.get("clinical", "/measures?pateint=x&limit=1")
    expected = "no parameters but patient, instrument, after, limit"
    assert (misspelt.status_code, misspelt.json()["places"]) == (422, [{"at": "query", "expected": expected}])


async def test_a_day_to_come_is_refused_by_its_rule(run: Running) -> None:
    answer = await run.post("clinical", "/measures", {**PHQ9, "administered_on": "2999-01-01"})
    assert (answer.status_code, answer.json()["places"][0]["at"]) == (409, "/administered_on")
    assert [event["rule"] for event in await events(run, "CommandRefused")] == ["NotYetAdministered"]


async def test_an_id_that_is_no_patients_is_refused_and_found_by_an_auditor(run: Running) -> None:
    posts: dict[str, dict[str, Any]] = {
        "/measures": PHQ9,
        "/risk-screens": SCREEN,
        "/notes": NOTE,
        f"/episodes/{EPISODE}/diagnoses": {"patient": "", "icd10": "F33.1", "rank": 1},
    }
    for path, body in posts.items():
        answer = await run.post("clinical", path, {**body, "patient": str(BEN)})
        assert (answer.status_code, answer.json()["places"][0]["at"]) == (404, "/patient"), path
    stated = await run.post("clinical", f"/patients/{BEN}/risk", {"level": "high", "rationale": "said so"})
    assert (stated.status_code, stated.json()["places"][0]["at"]) == (404, "path patient")
    assert [event["rule"] for event in await events(run, "InputRefused")] == ["UnknownPatient"] * 5


async def test_a_screen_raises_the_risk_and_a_clinician_lowers_it(run: Running) -> None:
    answer = await run.post("clinical", "/risk-screens", SCREEN)
    assert (answer.status_code, answer.json()["level"]) == (201, "high")
    word = {"level": "low", "rationale": "Spoke of the lake house."}
    path = f"/patients/{ANA}/risk"
    refused = await run.post("clinical", path, word)
    assert (refused.status_code, refused.json()["places"][0]["at"]) == (409, "Caretrail-Actor")
    lowered = await run.post("clinical", path, word, **BY_CLINICIAN)
    assert lowered.status_code == 200, lowered.text
    position = lowered.json()["position"]
    closed = await read(run, path, position)
    assert (closed["level"], closed["screen_level"], closed["rationale"]) == ("low", "high", "‹sealed›")
    assert await events(run, "AccessRecorded") == []
    opened = await read(run, f"{path}?open=true", position)
    assert opened["rationale"] == "Spoke of the lake house."
    assert [event["resource"] for event in await events(run, "AccessRecorded")] == ["risk"]


async def test_diagnoses_are_listed_by_rank(run: Running) -> None:
    path = f"/episodes/{EPISODE}/diagnoses"
    await run.post("clinical", path, {"patient": str(ANA), "icd10": "F10.20", "rank": 2})
    last = await run.post("clinical", path, {"patient": str(ANA), "icd10": "F33.1", "rank": 1})
    assert last.status_code == 201, last.text
    listed = await read(run, path, last.json()["position"])
    assert [(item["rank"], item["icd10"]) for item in listed["items"]] == [(1, "F33.1"), (2, "F10.20")]


async def test_a_note_is_kept_sealed_and_opened_on_record(run: Running) -> None:
    signed = await run.post("clinical", "/notes", NOTE)
    assert signed.status_code == 201, signed.text
    note, position = signed.json()["note"], signed.json()["position"]
    listed = await read(run, f"/notes?session={SESSION}", position)
    assert [(item["note"], item["text"]) for item in listed["items"]] == [(note, "‹sealed›")]
    assert (await read(run, f"/notes/{note}", position))["text"] == "‹sealed›"
    assert await events(run, "AccessRecorded") == []
    opened = await read(run, f"/notes/{note}?open=true", position)
    assert opened["text"] == NOTE["text"]
    assert [event["resource"] for event in await events(run, "AccessRecorded")] == ["note"]
    [kept] = await events(run, "NoteSigned")
    assert "lake" not in str(kept)


async def test_a_withdrawn_note_says_so(run: Running) -> None:
    note = (await run.post("clinical", "/notes", NOTE)).json()["note"]
    withdrawn = await run.post("clinical", f"/notes/{note}/withdraw", {"reason": "wrong-session"})
    assert withdrawn.status_code == 200, withdrawn.text
    shown = await read(run, f"/notes/{note}", withdrawn.json()["position"])
    assert (shown["reason"], shown["withdrawn_at"] is None) == ("wrong-session", False)
    unknown = await run.post("clinical", f"/notes/{EPISODE}/withdraw", {"reason": "wrong-session"})
    assert unknown.status_code == 404
