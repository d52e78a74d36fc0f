"""`caretrail contracts check --old --new`, and what it says of versions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from caretrail_contracts.freeze import freeze

from tests.cli.conftest import Run

TEXT = {"type": "string"}
OLD = {"type": "object", "properties": {"a": TEXT}, "required": ["a"]}
MORE = {"type": "object", "properties": {"a": TEXT, "b": TEXT}, "required": ["a", "b"]}
ADDED = {"type": "object", "properties": {"a": TEXT, "b": TEXT}, "required": ["a"]}


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    """Schemas as files, by name."""
    found = {}
    for name, schema in {"old": OLD, "more": MORE, "added": ADDED}.items():
        found[name] = tmp_path / f"{name}.json"
        found[name].write_text(json.dumps(schema))
    return found


def test_schemas_that_go_together_are_one_line(run: Run, files: dict[str, Path]) -> None:
    answer = run("contracts", "check", "--old", files["old"], "--new", files["added"], columns=60)
    assert (answer.exit_code, answer.stderr) == (0, "")
    (line,) = answer.stdout.splitlines()
    assert line.startswith("Compatible (full): ")


@pytest.mark.parametrize(("mode", "code"), [("backward", 1), ("forward", 0), ("full", 1), ("transitive", 1)])
def test_a_mode_asks_for_its_readers(run: Run, files: dict[str, Path], mode: str, code: int) -> None:
    asked = ("contracts", "check", "--old", files["old"], "--new", files["more"], "--mode", mode)
    assert run(*asked).exit_code == code
    found = json.loads(run(*asked, "--json").stdout)
    assert (found["mode"], found["compatible"]) == (mode, code == 0)
    assert (found["break"] is None) == (code == 0)


def test_a_break_says_for_whom_and_where(run: Run, files: dict[str, Path]) -> None:
    asked = ("contracts", "check", "--old", files["old"], "--new", files["more"])
    answer = run(*asked, columns=60)
    assert answer.stdout.splitlines() == [
        "Readers of the new schema cannot read what writers of the old one sent.",
        f"  at     /required  in {files['more']}",
        "  what   the reader requires b, the writer does not send it",
    ]
    assert json.loads(run(*asked, "--json").stdout)["break"] == {
        "direction": "backward",
        "at": "/required",
        "in": "new",
        "decided": True,
        "whom": "readers of the new schema cannot read what writers of the old one sent",
        "says": "the reader requires b, the writer does not send it",
    }


def test_what_is_not_decided_is_refused_and_said(run: Run, files: dict[str, Path]) -> None:
    files["added"].write_text(json.dumps(OLD | {"properties": {"a": TEXT | {"pattern": "^x"}}}))
    answer = run("contracts", "check", "--old", files["old"], "--new", files["added"])
    assert answer.exit_code == 1
    assert "may not be able to read" in answer.stdout
    assert "Not decided" in answer.stdout


NO_SCHEMAS: dict[str, tuple[str, str]] = {
    "no JSON": ("{", "it is no JSON"),
    "no UTF-8": ("\udcff", "it is no JSON"),
    "not a number": ('{"maximum": NaN}', "it is no JSON"),
    "a number without end": ('{"maximum": 1e999}', "it is no JSON"),
    "a list": ("[]", "an object, or true or false"),
    "another dialect": ('{"$schema": "http://json-schema.org/draft-07/schema#"}', "another dialect"),
    "a wrong type": ('{"properties": {"a": {"type": "strin"}}}', "/properties/a/type"),
    "a wrong type of a field with a slash": ('{"properties": {"a/b~": {"type": "strin"}}}', "/a~1b~0/type"),
    "a wrong type, sealed with a slash": (
        '{"properties": {"a/b": {"x-sealed": {"type": "strin"}}}}',
        "/properties/a~1b/x-sealed/type",
    ),
    "a pattern that is none": ('{"properties": {"a": {"pattern": "(x"}}}', "/properties/a/pattern"),
    "a pattern of names that is none": ('{"patternProperties": {"*x": {}}}', "/patternProperties"),
    "a wrong type, sealed": ('{"x-sealed": {"required": 1}}', "/x-sealed/required"),
    "a sealed nothing": ('{"x-sealed": 7}', "/x-sealed"),
    "a reference to no schema": ('{"$ref": "#/examples/0", "examples": [{"type": 7}]}', "/examples/0/type"),
    "a reference in percent to no schema": ('{"$ref": "#/a%20b", "a b": {"type": 7}}', "/a b/type"),
    "a reference to no schema, sealed": (
        '{"x-sealed": {"$ref": "#/examples/0", "examples": [{"type": 7}]}}',
        "/x-sealed/examples/0/type",
    ),
}


@pytest.mark.parametrize("name", NO_SCHEMAS)
def test_a_file_that_is_no_schema_is_named_and_ends_with_2(
    run: Run, files: dict[str, Path], name: str
) -> None:
    text, said = NO_SCHEMAS[name]
    files["added"].write_bytes(text.encode("utf-8", "surrogateescape"))
    answer = run("contracts", "check", "--old", files["old"], "--new", files["added"], columns=200)
    assert (answer.exit_code, answer.stdout) == (2, "")
    assert str(files["added"]) in answer.stderr
    assert said in answer.stderr
    problem = json.loads(
        run("contracts", "check", "--old", files["added"], "--new", files["old"], "--json").stderr
    )
    assert (problem["file"], problem["title"]) == (str(files["added"]), "This is no JSON Schema.")


@pytest.mark.parametrize(
    "pattern", [r"^\p{L}+$", "^[^]{2}$", "(?<name>x)", r"\cA", "x{,5}", r"[\w-a]", "a{", "^a|b$"]
)
def test_a_pattern_of_another_dialect_than_pythons_is_one(
    run: Run, files: dict[str, Path], pattern: str
) -> None:
    files["added"].write_text(json.dumps({"type": "string", "pattern": pattern}))
    assert run("contracts", "check", "--old", files["added"], "--new", files["added"]).exit_code == 0


@pytest.mark.parametrize("levels", [100, 5_000])
def test_a_file_that_is_nested_too_deep_ends_with_2(run: Run, files: dict[str, Path], levels: int) -> None:
    text = '{"properties": {"x": ' * levels + "true" + "}}" * levels
    files["added"].write_text(text)
    answer = run("contracts", "check", "--old", files["added"], "--new", files["added"], columns=200)
    assert (answer.exit_code, answer.stdout) == (2, "")
    assert f"{files['added']}: The file is nested too deep to look at." in answer.stderr


def test_a_document_given_by_mistake_is_not_shown(run: Run, files: dict[str, Path]) -> None:
    files["added"].write_text('{"type": "Ana Alvarez", "required": "Ana Alvarez"}')
    answer = run("contracts", "check", "--old", files["old"], "--new", files["added"])
    assert answer.exit_code == 2
    assert "Ana" not in answer.output


def test_a_file_that_is_not_there_ends_with_2(run: Run, files: dict[str, Path]) -> None:
    answer = run("contracts", "check", "--old", files["old"], "--new", "nowhere.json")
    assert answer.exit_code == 2
    assert "nowhere.json" in answer.stderr


@pytest.mark.parametrize("argv", [("--old", "x"), ("--new", "x"), ("--mode", "full"), ("--mode", "sideways")])
def test_half_a_question_is_a_usage_error(run: Run, argv: tuple[str, str]) -> None:
    assert run("contracts", "check", *argv).exit_code == 2


def edited(folder: Path, **changed: Any) -> None:
    freeze(folder, rewrite=False)
    path = folder / "schemas/v1/intake.PatientAdmitted.json"
    schema = json.loads(path.read_text())
    schema["properties"]["track"] |= changed
    path.write_text(json.dumps(schema))


def test_a_changed_schema_says_which_version_breaks_for_whom(run: Run, tmp_path: Path) -> None:
    edited(tmp_path, maxLength=65)
    answer = run("contracts", "check", "--frozen", tmp_path)
    assert answer.exit_code == 1
    lines = answer.stdout.splitlines()
    assert "intake.PatientAdmitted  v1 → v1 today" in lines
    assert "Readers of the new schema cannot read what writers of the old one sent." in lines
    assert "1 file differs, 1 pair of versions parts." in lines
    (found,) = json.loads(run("contracts", "check", "--frozen", tmp_path, "--json").stdout)["breaks"]
    assert (found["event"], found["old"], found["new"], found["at"]) == (
        "intake.PatientAdmitted",
        "v1",
        "v1 today",
        "/properties/track/maxLength",
    )


def test_a_change_of_words_differs_and_breaks_nobody(run: Run, tmp_path: Path) -> None:
    edited(tmp_path, description="other words")
    found = json.loads(run("contracts", "check", "--frozen", tmp_path, "--json").stdout)
    assert (len(found["differences"]), found["pairs"], found["breaks"]) == (1, 1, [])


def test_a_frozen_schema_that_is_no_json_is_named(run: Run, tmp_path: Path) -> None:
    edited(tmp_path)
    (tmp_path / "schemas/v1/intake.PatientAdmitted.json").write_text("{")
    answer = run("contracts", "check", "--frozen", tmp_path, columns=200)
    assert answer.exit_code == 1
    assert "schemas/v1/intake.PatientAdmitted.json" in answer.stderr


def test_a_folder_that_is_not_there_is_no_set_of_new_events(run: Run, tmp_path: Path) -> None:
    answer = run("contracts", "check", "--frozen", tmp_path / "nowhere", columns=300)
    assert (answer.exit_code, answer.stdout) == (2, "")
    assert "nowhere' does not exist" in answer.stderr
