"""The event models: registered once, closed, frozen, readable across versions, silent about values."""

from __future__ import annotations

import ast
import sys
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar

import pytest
from caretrail_contracts.catalogue import MODULES, all_events, events_on
from caretrail_contracts.codes import Money
from caretrail_contracts.event import Event, Instant, UnknownEvent, Upcast, model_of
from caretrail_contracts.examples import example
from caretrail_contracts.intake import PatientAdmitted, PersonRegistered
from caretrail_contracts.sealed import Sealed, sealed_fields, sealed_values
from caretrail_contracts.system import CommandRefused, Place
from hypothesis import assume, given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

MONEY, INSTANT = TypeAdapter[Decimal](Money), TypeAdapter[datetime](Instant)


class Renamed(Event, service="test", version=3):
    """An event that changed twice."""

    upcasts: ClassVar[dict[int, Upcast]] = {
        1: lambda old: {"minutes": old["mins"]},
        2: lambda old: old | {"reason": None},
    }
    minutes: int
    reason: str | None


class Skipping(Event, service="test", version=3):
    """An event that somebody forgot an upcast of."""

    upcasts: ClassVar[dict[int, Upcast]] = {1: lambda old: old}
    minutes: int


def test_every_event_class_of_the_contracts_is_the_one_that_its_type_names() -> None:
    classes = {
        kind for module in MODULES for kind in vars(module).values()
        if isinstance(kind, type) and issubclass(kind, Event)
        if kind.service and kind.__module__ == module.__name__
    }  # fmt: skip
    assert classes == set(all_events())
    assert all(model_of(kind.type()) is kind for kind in classes)


def test_every_event_has_a_sentence_and_an_upcast_from_each_older_version() -> None:
    for event in all_events():
        assert (event.__doc__ or "").rstrip().endswith("."), event
        assert set(event.upcasts) == set(range(1, event.version)), event


def test_a_topic_carries_its_service_s_events_and_those_of_any_service() -> None:
    assert PatientAdmitted in events_on("intake")
    assert PatientAdmitted not in events_on("billing")
    assert CommandRefused in events_on("billing")


def test_the_contracts_import_pydantic_and_the_standard_library_alone() -> None:
    allowed = {"pydantic", "pydantic_core", *sys.stdlib_module_names, ""}
    for path in Path(str(MODULES[0].__file__)).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) and not node.level else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            assert {name.partition(".")[0] for name in names} <= allowed, path.name


def test_an_older_version_is_read_by_its_upcasts() -> None:
    assert Renamed.from_bytes(b'{"mins": 180}', 1) == Renamed(minutes=180, reason=None)
    assert Renamed.from_bytes(b'{"minutes": 180}', 2) == Renamed(minutes=180, reason=None)


@pytest.mark.parametrize("body", [b'{"minutes": 1}', b"[]", b"7", b"{", b"\xff", b'{"mins": "Ana Alvarez"}'])
def test_bytes_that_do_not_fit_an_older_version_are_a_validation_error_without_values(body: bytes) -> None:
    with pytest.raises(ValidationError) as refused:
        Renamed.from_bytes(body, 1)
    assert "Ana" not in str(refused.value)


def test_a_missing_upcast_is_a_mistake_of_the_contract_and_no_fault_of_the_bytes() -> None:
    with pytest.raises(LookupError, match="2"):
        Skipping.from_bytes(b'{"minutes": 1}', 1)


def test_a_newer_version_is_read_when_it_only_added_fields_at_any_depth() -> None:
    class Nested(Event, service="test"):
        """An event with a part."""

        place: Place

    newer = b'{"place": {"at": "/a", "expected": "b", "since": 2}, "by": "x"}'
    assert Nested.from_bytes(newer, 2).place == Place(at="/a", expected="b")
    with pytest.raises(ValidationError):
        Nested.from_bytes(newer, 1)
    with pytest.raises(ValidationError):
        Nested.from_bytes(b'{"location": {}}', 2)


def test_an_unknown_type_is_said() -> None:
    with pytest.raises(UnknownEvent, match=r"caretrail\.intake\.Nothing"):
        model_of("caretrail.intake.Nothing")


def test_a_validation_error_names_the_place_and_never_the_value() -> None:
    with pytest.raises(ValidationError) as refused:
        PersonRegistered.from_bytes(b'{"patient": "Ana Alvarez", "name": {"kid": "Ana Alvarez", "x": 1}}', 1)
    assert "patient" in str(refused.value)
    assert "Ana" not in str(refused.value)


@given(st.decimals("-9999999999.99", "9999999999.99", places=2))
def test_an_amount_has_one_form_to_the_cent(amount: Decimal) -> None:
    text = MONEY.dump_json(MONEY.validate_python(amount)).decode().strip('"')
    assert Decimal(text) == amount
    assert len(text.partition(".")[2]) == 2
    assert MONEY.dump_json(MONEY.validate_python(amount.normalize())).decode().strip('"') == text


@pytest.mark.parametrize("amount", ["0.001", "10000000000.00", "NaN", "Infinity", "1,00", ""])
def test_what_is_no_amount_to_the_cent_is_refused(amount: str) -> None:
    with pytest.raises(ValidationError):
        MONEY.validate_python(amount)


@given(st.datetimes(), st.integers(-23 * 60, 23 * 60))
def test_an_instant_has_one_form_whatever_its_offset(local: datetime, minutes: int) -> None:
    assume(2 < local.year < 9998)
    there = local.replace(tzinfo=timezone(timedelta(minutes=minutes)))
    kept = INSTANT.validate_python(there)
    assert kept == there
    assert INSTANT.dump_json(kept).endswith(b'Z"')


@pytest.mark.parametrize(
    "wrong",
    [
        datetime.fromisoformat("2026-03-09T14:00:00"),
        datetime.max.replace(tzinfo=timezone(-timedelta(hours=1))),
    ],
)
def test_an_instant_needs_an_offset_and_a_year_that_exists(wrong: datetime) -> None:
    with pytest.raises(ValidationError):
        INSTANT.validate_python(wrong)


def test_sealed_values_are_found_at_any_depth_and_shown_as_sealed() -> None:
    person: Any = example(PersonRegistered)
    found = dict(sealed_values(person))
    assert set(found) == {f"/{name}" for name in sealed_fields(PersonRegistered)}
    assert dict(sealed_values([person]))["/0/name"] is person.name
    assert "‹sealed›" in repr(person)
    assert person.name.ct not in repr(person)
    assert person.name.owner == str(person.patient)
    assert isinstance(person.name, Sealed)
