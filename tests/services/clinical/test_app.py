"""The service is whole: described routes, tables of their own names, lists that follow the events."""

from datetime import timedelta
from typing import Any

from fastapi import FastAPI

from services.clinical.app import service
from services.clinical.commands.diagnoses import RecordDiagnosis
from services.clinical.commands.notes import WithdrawNote
from services.clinical.domain.note import note_id
from tests.scenario import Scenario
from tests.services.clinical.builders import ANA, EPISODE, SESSION, clinical, measure, note, screen

OUT = ("MeasureOut", "RiskOut", "DiagnosisOut", "NoteOut")
IN = ("MeasureIn", "ScreenIn", "RiskIn", "DiagnosisIn", "NoteIn", "WithdrawalIn")


def row(scenario: Scenario, table: str, **key: Any) -> dict[str, Any]:
    [found] = scenario.store.tables.select(table, key)
    return found


def test_it_waits_for_no_other_service() -> None:
    assert service.sources() == ()


def test_every_table_has_a_name_of_its_own() -> None:
    names = [table.name for projection in service.projections for table in projection.tables]
    assert sorted(names) == ["diagnoses", "measures", "notes", "risk_board"]


def test_its_routes_are_described_with_examples() -> None:
    app = FastAPI()
    assert service.router
    app.include_router(service.router)
    described = app.openapi()
    assert set(described["paths"]) == {
        "/measures",
        "/risk-screens",
        "/risk",
        "/patients/{patient}/risk",
        "/episodes/{episode}/diagnoses",
        "/notes",
        "/notes/{note}",
        "/notes/{note}/withdraw",
    }
    schemas = described["components"]["schemas"]
    assert all(schemas[name]["examples"] for name in IN + OUT)


async def test_the_trajectory_shows_a_measure_without_a_score_too() -> None:
    scenario = clinical()
    await scenario.when(measure(*[1] * 9))
    await scenario.when(measure(*[1] * 8, None, key="second"))
    points = scenario.store.tables.select("measures", {"patient": ANA})
    assert {(point["score"], point["band"]) for point in points} == {(9, "mild"), (None, None)}


async def test_a_screen_is_due_until_it_is_taken_to_its_end() -> None:
    scenario = clinical()
    await scenario.when(measure(*[0] * 8, 1))
    asked = row(scenario, "risk_board", patient=ANA)["screen_asked_at"]
    assert asked == scenario.now
    await scenario.after(timedelta(minutes=5)).when(screen("YY----"))
    board = row(scenario, "risk_board", patient=ANA)
    assert (board["screen_asked_at"], board["level"]) == (scenario.now, "incomplete")
    await scenario.when(screen("YYYNNN"))
    board = row(scenario, "risk_board", patient=ANA)
    assert (board["screen_asked_at"], board["level"], board["screen_level"]) == (None, "moderate", "moderate")


async def test_the_ranks_of_an_episode_hold_what_was_recorded_last() -> None:
    scenario = clinical()
    for code in ("F33.1", "F10.20"):
        await scenario.when(RecordDiagnosis(patient=ANA, episode=EPISODE, icd10=code, rank=1))
    assert row(scenario, "diagnoses", episode=EPISODE)["icd10"] == "F10.20"


async def test_a_note_is_in_force_from_its_signature_to_its_withdrawal() -> None:
    scenario = clinical()
    id = note_id(SESSION, ANA)
    await scenario.when(note())
    assert row(scenario, "notes", note=id)["withdrawn_at"] is None
    await scenario.when(WithdrawNote(note=id, reason="wrong-session"))
    withdrawn = row(scenario, "notes", note=id)
    assert (withdrawn["withdrawn_at"], withdrawn["reason"]) == (scenario.now, "wrong-session")
    await scenario.when(note())
    again = row(scenario, "notes", note=id)
    assert (again["withdrawn_at"], again["reason"]) == (None, None)
