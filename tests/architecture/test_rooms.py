"""Who knows one service knows all: each has the same rooms and no other."""

import ast
import sys
from pathlib import Path

import pytest

from tests.architecture.source import ROOT, imports, modules, name, tree

REQUIRED = {"domain", "commands", "policies", "projections", "api", "app"}
OPTIONAL = {
    "adapters",  # where a service speaks a format or protocol of the outside world
    "options",  # where it can be told anything
    "migrations",  # where it keeps tables beside those that its projections declare
}

SHIPPED = ("chassis", "keystore", "operations", "services", "web", "cli", "deploy", "contracts")

VAGUE = {"utils", "util", "helpers", "helper", "common", "base", "misc"}
SERVICES = sorted(path for path in (ROOT / "services").iterdir() if (path / "__init__.py").exists())
PACKAGES = tuple(path for path in modules(*SHIPPED) if path.name == "__init__.py")


def rooms(service: Path) -> set[str]:
    entries = (path for path in service.iterdir() if not path.name.startswith("__"))
    return {path.stem for path in entries if path.is_dir() or path.suffix == ".py"}


@pytest.mark.parametrize("service", SERVICES, ids=name)
def test_a_service_has_the_rooms_of_every_service_and_no_other(service: Path) -> None:
    found = rooms(service)
    assert found - REQUIRED - OPTIONAL == set(), "no such room in the house"
    assert found >= REQUIRED


def test_nothing_has_a_name_that_says_nothing() -> None:
    folders = modules(*SHIPPED, "tests")
    assert [name(path) for path in folders if {path.stem, path.parent.name} & VAGUE] == []


@pytest.mark.parametrize("path", PACKAGES, ids=name)
def test_a_package_says_what_it_is_and_exports_nothing(path: Path) -> None:
    body = tree(path).body
    assert ast.get_docstring(tree(path)), "a docstring that says its one idea"
    assert len(body) == 1, "a re-export would slip past the import rules"


@pytest.mark.parametrize("path", modules(*SHIPPED), ids=name)
def test_a_module_says_its_one_idea_first(path: Path) -> None:
    assert ast.get_docstring(tree(path))


def test_the_contracts_need_pydantic_alone() -> None:
    allowed = {*sys.stdlib_module_names, "pydantic", "pydantic_core", "caretrail_contracts"}
    found = {name(path): imports(path) - allowed for path in modules("contracts/caretrail_contracts")}
    assert {path: outside for path, outside in found.items() if outside} == {}
