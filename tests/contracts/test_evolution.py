"""Every pair of versions of an event: added fields pass, with an upcast; all else is named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import ClassVar

import pytest
from caretrail_contracts.catalogue import all_events, name_of
from caretrail_contracts.event import Event, Upcast
from caretrail_contracts.evolution import Comparison, NoSchema, compared
from caretrail_contracts.examples import example
from caretrail_contracts.frozen import home
from caretrail_contracts.schemas import schema_of, to_text
from jsonschema import Draft202012Validator

from cli.compatibility import opened, unfit_samples

EVENTS = pytest.mark.parametrize("event", all_events(), ids=name_of)


class V1:
    class Seen(Event, service="test", version=1):
        """As first told."""

        minutes: int


class V2:
    class Seen(Event, service="test", version=2):
        """A field came."""

        upcasts: ClassVar[dict[int, Upcast]] = {1: lambda old: old | {"reason": None}}
        minutes: int
        reason: str | None


class V3:
    class Seen(Event, service="test", version=3):
        """Another came, and one is null no more."""

        upcasts: ClassVar[dict[int, Upcast]] = V2.Seen.upcasts | {
            2: lambda old: old | {"reason": old["reason"] or "", "room": None}
        }
        minutes: int
        reason: str
        room: str | None


class Broken:
    class Seen(Event, service="test", version=3):
        """A field was renamed, and nobody wrote the upcast from version 2."""

        upcasts: ClassVar[dict[int, Upcast]] = V2.Seen.upcasts
        mins: int
        reason: str | None


def frozen(folder: Path, *versions: type[Event]) -> Path:
    for kind in versions:
        path = folder / f"schemas/v{kind.version}/test.Seen.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(to_text(schema_of(kind)))
    return folder


def told(pair: Comparison) -> list[str]:
    return [f"{pair.older} {pair.newer} {found.direction.value} {found.at}" for found in pair.breaks]


def test_versions_that_add_fields_go_together_by_their_upcasts(tmp_path: Path) -> None:
    pairs = list(compared([V3.Seen], frozen(tmp_path, V1.Seen, V2.Seen, V3.Seen)))
    assert [(str(pair.older), str(pair.newer)) for pair in pairs] == [
        ("v1", "v2"),
        ("v1", "v3"),
        ("v2", "v3"),
    ]
    assert all(pair.upcast and not pair.breaks for pair in pairs)


def test_a_version_that_is_not_frozen_yet_is_compared_as_today_s(tmp_path: Path) -> None:
    pairs = list(compared([V2.Seen], frozen(tmp_path, V1.Seen)))
    assert [(str(pair.older), str(pair.newer)) for pair in pairs] == [("v1", "v2 today")]


def test_every_pair_is_compared_and_a_rename_breaks_old_readers_of_each(tmp_path: Path) -> None:
    pairs = list(compared([Broken.Seen], frozen(tmp_path, V1.Seen, V2.Seen)))
    assert [each for pair in pairs for each in told(pair)] == [
        "v1 v3 today backward /required",
        "v1 v3 today forward /required",
        "v2 v3 today backward /required",
        "v2 v3 today forward /required",
    ]


def test_an_upcast_does_not_excuse_a_change_of_the_same_version(tmp_path: Path) -> None:
    folder = frozen(tmp_path, V2.Seen)
    path = folder / "schemas/v2/test.Seen.json"
    schema = json.loads(path.read_text())
    schema["properties"]["minutes"] = {"type": "string"}
    path.write_text(json.dumps(schema))
    (pair,) = compared([V2.Seen], folder)
    assert told(pair) == [f"v2 v2 today {way} /properties/minutes/type" for way in ("backward", "forward")]


def test_a_frozen_schema_that_is_no_json_is_named(tmp_path: Path) -> None:
    path = frozen(tmp_path, V1.Seen) / "schemas/v1/test.Seen.json"
    path.write_text("{")
    with pytest.raises(NoSchema, match=str(path)):
        list(compared([V1.Seen], tmp_path))


def test_a_sample_that_an_older_version_refuses_is_named_by_its_place(tmp_path: Path) -> None:
    pairs = list(compared([V2.Seen], frozen(tmp_path, V1.Seen, V2.Seen)))
    sample = tmp_path / "golden/v2/test.Seen.json"
    sample.parent.mkdir(parents=True)
    sample.write_bytes(V2.Seen(minutes=3, reason=None).to_bytes())
    assert list(unfit_samples(pairs, tmp_path)) == []
    sample.write_text('{"minutes": "three", "reason": null}')
    (unfit,) = unfit_samples(pairs, tmp_path)
    assert (unfit.event, unfit.version, unfit.at, unfit.keyword) == ("test.Seen", 1, "/minutes", "type")


@EVENTS
def test_each_old_sample_is_read_today_and_today_s_is_taken_by_each_old_schema(event: type[Event]) -> None:
    versions = [
        n for n in range(1, event.version + 1) if (home() / f"schemas/v{n}/{name_of(event)}.json").exists()
    ]
    assert versions == list(range(1, event.version + 1))
    today = json.loads(example(event).to_bytes())
    for version in versions:
        event.from_bytes((home() / f"golden/v{version}/{name_of(event)}.json").read_bytes(), version)
        schema = json.loads((home() / f"schemas/v{version}/{name_of(event)}.json").read_bytes())
        Draft202012Validator(opened(schema)).validate(today | {"a field of tomorrow": 1})


@EVENTS
def test_the_published_schema_of_each_event_goes_together_with_itself(event: type[Event]) -> None:
    pairs = list(compared([event], home()))
    assert [told(pair) for pair in pairs if pair.breaks] == []
