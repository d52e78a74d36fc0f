"""`caretrail contracts`: list, show, export, check."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from caretrail_contracts.catalogue import all_events
from caretrail_contracts.freeze import freeze
from jsonschema import Draft202012Validator

from tests.cli.conftest import Run


@pytest.mark.parametrize("columns", [80, 120])
def test_the_list_names_every_event_whole_and_fits_the_screen(run: Run, columns: int) -> None:
    answer = run("contracts", "list", columns=columns)
    assert answer.exit_code == 0
    assert all(event.__name__ in answer.stdout for event in all_events())
    assert max(map(len, answer.stdout.splitlines())) <= columns


def test_the_list_for_programs_has_every_event(run: Run) -> None:
    found = json.loads(run("contracts", "list", "--json").stdout)
    assert [each["type"] for each in found] == [event.type() for event in all_events()]
    person = next(each for each in found if each["name"] == "intake.PersonRegistered")
    assert person["sealed"]["name"] == "PersonName"


@pytest.mark.parametrize(
    "name", ["PatientAdmitted", "intake.patientadmitted", "caretrail.intake.PatientAdmitted"]
)
def test_an_event_is_shown_by_any_of_its_names(run: Run, name: str) -> None:
    found = json.loads(run("contracts", "show", name, "--json").stdout)
    assert found["name"] == "intake.PatientAdmitted"
    assert found["headers"]["ce_type"] == found["type"]
    Draft202012Validator(found["schema"]).validate(found["example"])


def test_every_event_can_be_shown_on_a_narrow_screen(run: Run) -> None:
    for event in all_events():
        answer = run("contracts", "show", event.type(), columns=80)
        assert answer.exit_code == 0, answer.output
        assert "topic" in answer.stdout


def test_an_unknown_name_is_a_usage_error_that_offers_near_ones(run: Run) -> None:
    answer = run("contracts", "show", "PatientAdmited")
    assert answer.exit_code == 2
    assert "intake.PatientAdmitted" in answer.stderr


def test_what_is_exported_is_complete_and_validates(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    files = json.loads(run("contracts", "export", folder, "--json").stdout)["files"]
    assert sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.json")) == files
    document = json.loads((folder / "asyncapi.json").read_text())
    for message in document["components"]["messages"].values():
        schema = json.loads((folder / message["payload"]["schema"]["$ref"]).read_text())
        assert all(Draft202012Validator(schema).is_valid(each["payload"]) for each in message["examples"])
    assert len(files) == 2 * len(all_events()) + 1


def test_a_folder_that_cannot_be_made_is_named(run: Run, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    answer = run("contracts", "export", str(tmp_path / "file" / "below"))
    assert answer.exit_code == 1
    assert "cannot be written to" in answer.stderr


def test_the_check_passes_on_what_was_just_frozen_and_names_what_differs(run: Run, tmp_path: Path) -> None:
    freeze(tmp_path, rewrite=False)
    assert run("contracts", "check", "--frozen", tmp_path).exit_code == 0
    path = tmp_path / "schemas/v1/intake.PatientAdmitted.json"
    path.write_text(path.read_text().replace('"maxLength": 64', '"maxLength": 65'))
    answer = run("contracts", "check", "--frozen", tmp_path, columns=80)
    assert answer.exit_code == 1
    assert "/properties/track/maxLength" in answer.stdout
    found = json.loads(run("contracts", "check", "--frozen", tmp_path, "--json").stdout)
    assert [each["file"] for each in found["differences"]] == ["schemas/v1/intake.PatientAdmitted.json"]


def test_help_imports_neither_kafka_nor_the_contracts() -> None:
    code = "import sys, cli.main; print({'aiokafka', 'pydantic', 'httpx', 'fastapi'} & set(sys.modules))"
    argv = [sys.executable, "-c", code]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "set()"
