"""The promise: frozen schemas and golden bytes, and a check that names what differs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from caretrail_contracts.catalogue import all_events, name_of
from caretrail_contracts.examples import example
from caretrail_contracts.freeze import freeze
from caretrail_contracts.frozen import differences, home
from caretrail_contracts.intake import PatientAdmitted

SCHEMA = "schemas/v1/intake.PatientAdmitted.json"
GOLDEN = "golden/v1/intake.PatientAdmitted.json"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    freeze(tmp_path, rewrite=False)
    return tmp_path


def test_today_s_models_equal_what_was_published() -> None:
    assert [str(difference) for difference in differences(home())] == []


def test_every_event_has_golden_bytes_that_come_back_unchanged() -> None:
    for event in all_events():
        golden = (home() / f"golden/v{event.version}/{name_of(event)}.json").read_bytes()
        assert event.from_bytes(golden, event.version) == example(event)
        assert event.from_bytes(golden, event.version).to_bytes() == golden


def test_nothing_differs_from_what_was_just_frozen(folder: Path) -> None:
    assert differences(folder) == []
    assert freeze(folder, rewrite=True) == ([], [])


def test_a_changed_schema_is_named_with_its_pointer(folder: Path) -> None:
    schema = json.loads((folder / SCHEMA).read_text())
    schema["properties"]["track"]["maxLength"] = 32
    (folder / SCHEMA).write_text(json.dumps(schema))
    (difference,) = differences(folder)
    assert str(difference) == f"{SCHEMA} at /properties/track/maxLength: frozen 32, now 64"


def test_a_field_that_went_or_came_is_named(folder: Path) -> None:
    golden = json.loads((folder / GOLDEN).read_text())
    golden["moon"] = golden.pop("track")
    (folder / GOLDEN).write_text(json.dumps(golden))
    found = [str(difference) for difference in differences(folder)]
    assert found == [
        f"{GOLDEN} at /track: frozen readable as version 1, now Field required",
        f'{GOLDEN} at /moon: frozen "adult-evening", now nothing',
    ]


def test_other_bytes_of_the_same_json_are_a_difference(folder: Path) -> None:
    (folder / GOLDEN).write_text(json.dumps(json.loads((folder / GOLDEN).read_text()), indent=1))
    assert [(each.file, each.frozen) for each in differences(folder)] == [(GOLDEN, "other bytes")]


def test_a_missing_file_and_an_event_that_is_gone_are_named(folder: Path) -> None:
    (folder / SCHEMA).rename(folder / "schemas/v1/intake.Forgotten.json")
    found = {each.file: each.now for each in differences(folder)}
    assert found == {
        SCHEMA: "a new event or version: freeze it",
        "schemas/v1/intake.Forgotten.json": "no model",
    }


def test_freezing_leaves_a_published_file_alone_unless_told_otherwise(folder: Path) -> None:
    (folder / GOLDEN).write_text("{}")
    (folder / "golden/v1/intake.Forgotten.json").write_text("{}")
    assert freeze(folder, rewrite=False) == ([], [])
    assert freeze(folder, rewrite=True) == ([GOLDEN], ["golden/v1/intake.Forgotten.json"])
    assert (folder / GOLDEN).read_bytes() == example(PatientAdmitted).to_bytes()
