"""The service is whole: what policies and timers ask for can be done, what is folded has its tables."""

from fastapi import FastAPI

from chassis.command import Command
from chassis.policy import Cancel, Timer
from services.notifications.app import service
from tests.services.notifications.builders import ANA, MORNING, Play, admitted, enrolled, missed, session_at


def test_it_hears_the_services_whose_events_it_needs() -> None:
    assert service.sources() == ("billing", "clinical", "intake", "scheduling")


def test_every_table_has_a_name_of_its_own() -> None:
    names = [table.name for projection in service.projections for table in projection.tables]
    assert len(names) == len(set(names))


def test_what_policies_ask_for_can_be_done_and_kept_as_a_timers_row() -> None:
    scenario = Play().scenario
    for event in (admitted(), enrolled(), session_at(MORNING), missed(MORNING)):
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
        "/tasks",
        "/tasks/{task}",
        "/tasks/{task}/acknowledge",
        "/tasks/{task}/complete",
        "/patients/{patient}/opt-out",
        "/patients/{patient}/opt-in",
        "/messages",
    }
    schemas = described["components"]["schemas"]
    assert all(schemas[name]["examples"] for name in ("TaskOut", "MessageOut", "Outcome", "ChannelIn"))
