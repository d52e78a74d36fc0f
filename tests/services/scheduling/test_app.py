"""The service is whole: what policies and timers ask for can be done, what is folded has its tables."""

import pytest
from fastapi import FastAPI
from pydantic import ValidationError

from chassis.command import Command
from chassis.policy import Cancel, Timer
from services.scheduling.api.offers import GroupIn, TrackIn
from services.scheduling.app import service
from tests.services.scheduling.builders import ANA, Play, admitted, discharged


def test_it_hears_intake_alone() -> None:
    assert service.sources() == ("intake",)


def test_every_table_has_a_name_of_its_own() -> None:
    names = [table.name for projection in service.projections for table in projection.tables]
    assert len(names) == len(set(names))


def test_what_policies_ask_for_can_be_done_and_kept_as_a_timers_row() -> None:
    scenario = Play().scenario
    for event in (admitted(ANA), discharged(ANA)):
        for reaction in scenario.reactions(event, scenario.about(event, ANA)):
            command = reaction.command if isinstance(reaction, Timer) else reaction
            assert not isinstance(command, Cancel)
            again: Command = service.handlers.named(type(command).__name__).model_validate(
                command.model_dump(mode="json")
            )
            assert again == command
            assert callable(service.handlers.of(again))


def test_its_routes_are_described_with_examples() -> None:
    app = FastAPI()
    assert service.router
    app.include_router(service.router)
    described = app.openapi()
    assert set(described["paths"]) == {
        "/tracks",
        "/tracks/{track}/placements",
        "/groups",
        "/groups/{group}/roster",
        "/groups/{group}/waitlist",
        "/placements",
        "/sessions",
        "/sessions/{session}/cancel",
        "/sessions/{session}/close",
        "/sessions/{session}/attendance",
        "/attendance",
        "/attendance/{attendance}/correct",
        "/weekly-dose",
    }
    schemas = described["components"]["schemas"]
    bodies = ("TrackIn", "GroupIn", "PlacementIn", "CancelIn", "CloseIn", "MemberIn", "CorrectionIn")
    assert all(schemas[name]["examples"] for name in bodies)


@pytest.mark.parametrize("name", ["", "a\x00b", "two\nlines", "x" * 121])
def test_names_are_one_printable_line(name: str) -> None:
    with pytest.raises(ValidationError, match="name"):
        TrackIn(track="adult-day", site="main", name=name, weekly_minutes=540)


@pytest.mark.parametrize("first_on", ["0001-01-01", "1999-12-31", "2100-01-01", "9999-12-31"])
def test_a_group_meets_in_this_century(first_on: str) -> None:
    [example] = GroupIn.model_json_schema()["examples"]
    assert GroupIn.model_validate(example)
    with pytest.raises(ValidationError, match="first_on"):
        GroupIn.model_validate({**example, "first_on": first_on, "last_on": first_on})
