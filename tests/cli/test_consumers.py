"""`caretrail consumers` tells how far readers are, and tells them what to do."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.cli.conftest import Run
from tests.cli.double import Asked, Double, serving

TOPIC = "caretrail.intake.events"


def reader(partition: int, **more: Any) -> dict[str, Any]:
    found = {"service": "billing", "topic": TOPIC, "partition": partition, "position": 40 + partition}
    rest = {"head": 9, "lag": 3, "lag_s": 1.5, "owner": "812@here", "paused": None, "reads_from": None}
    return found | rest | more


SEALED = {"kid": "service:billing.1", "nonce": "aaaa", "ct": "bbbb"}
PAUSED = {"since": "2026-03-09T14:00:00+00:00", "by": "ana", "role": "coordinator", "reason": SEALED}


@pytest.fixture
def billing(stack: Callable[..., None]) -> Iterator[Double]:
    def answer(asked: Asked) -> tuple[int, Any]:
        if asked.method == "GET":
            return 200, [reader(0), reader(1, lag_s=7.0, paused=PAUSED)]
        told = asked.json()
        if asked.path.endswith(("/pause", "/resume")) and told["topic"] == "store":
            return 200, {"topic": "store", "partitions": []}
        if asked.path.endswith("/reset"):
            return 200, {"topic": TOPIC, "reads_from": {str(number): 12 for number in told["partitions"]}}
        return 200, {"topic": TOPIC, "partitions": told.get("partitions", [0, 1])}

    with serving(answer) as found:
        stack(billing=found.url)
        yield found


def test_the_list_sums_up_a_topic_and_shows_who_paused_it(run: Run, billing: Double) -> None:
    shown = run("consumers", "list", columns=80).stdout
    assert "billing intake[1]: paused by ana (coordinator) since 2026-03-09 14:00: ‹sealed›" in shown
    [line] = [line.split() for line in shown.splitlines() if "812@here" in line]
    assert line == ["billing", "intake", "41", "6", "7.0", "812@here"]
    apart = run("consumers", "list", "--partitions", columns=80).stdout
    assert len([line for line in apart.splitlines() if "812@here" in line]) == 2
    assert "billing intake[1]: paused by ana" in apart
    assert len(json.loads(run("consumers", "list", "--json").stdout)) == 2


def test_of_a_missing_topic_the_lag_is_unknown_and_it_is_said_what_makes_it(
    run: Run, stack: Callable[..., None]
) -> None:
    gone = {"head": None, "lag": None, "lag_s": None, "owner": None}
    with serving(lambda asked: (200, [reader(0, **gone), reader(1, **gone)])) as billing:
        stack(billing=billing.url)
        for more in ((), ("--partitions",)):
            shown = run("consumers", "list", *more, columns=80).stdout
            assert all(" ? " in line for line in shown.splitlines() if "nobody" in line)
            assert f"{TOPIC} is missing: `caretrail topics restore intake` makes it." in shown


def test_each_who_paused_is_named_with_the_partitions_and_what_is_unknown_stays_so(
    run: Run, stack: Callable[..., None]
) -> None:
    ben, later = PAUSED | {"by": "ben"}, PAUSED | {"since": "2026-03-09T14:00:00.000003+00:00"}
    some = [reader(0), reader(1, paused=PAUSED, lag_s=None), reader(2, paused=ben), reader(3, paused=later)]
    whole = [reader(number, paused=PAUSED) | {"service": "audit"} for number in (0, 1)]
    with serving(lambda asked: (200, some)) as billing, serving(lambda asked: (200, whole)) as audit:
        stack(audit=audit.url, billing=billing.url)
        shown = [line.strip() for line in run("consumers", "list").stdout.splitlines()]
        since = "(coordinator) since 2026-03-09 14:00: ‹sealed›"
        assert f"billing intake[1, 3]: paused by ana {since}" in shown
        assert f"billing intake[2]: paused by ben {since}" in shown
        assert f"audit intake: paused by ana {since}" in shown
        [line] = [line.split() for line in shown if line.startswith("billing") and "812@here" in line]
        assert line == ["billing", "intake", "43", "12", "?", "812@here"]


def test_a_paused_store_does_not_seem_to_pause_effects(run: Run, stack: Callable[..., None]) -> None:
    own = reader(0, paused=PAUSED) | {"topic": "store", "effects": ["mailer"]}
    with serving(lambda asked: (200, [own])) as found:
        stack(billing=found.url)
        assert "‹sealed›; effects are not paused: mailer" in run("consumers", "list", columns=200).stdout


def test_a_reason_is_opened_by_audit_for_who_gives_a_name(
    run: Run, billing: Double, stack: Callable[..., None]
) -> None:
    def answer(asked: Asked) -> tuple[int, Any]:
        if asked.method == "GET":
            return 200, []
        assert asked.headers["caretrail-actor"] == "ana;coordinator"
        assert asked.json()["values"] == [{"kind": "FreeText", **SEALED}]
        assert asked.json()["resource"] == "billing.events"
        return 200, {"values": ["it is rebuilt"]}

    with serving(answer) as audit:
        stack(billing=billing.url, audit=audit.url)
        found = json.loads(run("consumers", "list", "--open", "--json").stdout)
        assert [each["paused"] and each["paused"]["reason"] for each in found] == [None, "it is rebuilt"]
        assert run("consumers", "list", "--open", user=False).exit_code == 2


def test_a_pause_names_who_and_why(run: Run, billing: Double) -> None:
    answer = run("consumers", "pause", "billing", "intake", "--partition", 3, "--reason", "it is rebuilt")
    assert answer.stdout == f"billing reads no more of {TOPIC}[3].\n"
    asked = billing.asked[-1]
    assert asked.json() == {"topic": "intake", "partitions": [3], "reason": "it is rebuilt"}
    assert asked.headers["caretrail-actor"] == "ana;coordinator"
    said = run("consumers", "pause", "billing", "store", "--reason", "x").stdout
    assert said == "What was named of store is paused in billing already, as `list` shows.\n"
    assert run("consumers", "pause", "billing", "intake").exit_code == 2
    assert run("consumers", "pause", "billing", "intake", "--reason", "x", user=False).exit_code == 2


def test_a_resume_is_for_all_partitions_unless_some_are_named(run: Run, billing: Double) -> None:
    assert json.loads(run("consumers", "resume", "billing", "intake", "--json").stdout)["partitions"] == [
        0,
        1,
    ]
    assert billing.asked[-1].json() == {"topic": "intake"}
    assert run("consumers", "resume", "billing", "intake").stdout == f"billing reads on in {TOPIC}[0, 1].\n"
    said = run("consumers", "resume", "billing", "store").stdout
    assert said == "Nothing of store was paused in billing: it reads as before.\n"


@pytest.mark.parametrize(
    ("to", "sent"),
    [("beginning", "beginning"), ("12", 12), ("2026-03-12T10:00:00+01:00", "2026-03-12T10:00:00+01:00")],
)
def test_a_reset_takes_the_beginning_an_offset_or_a_time(
    run: Run, billing: Double, to: str, sent: object
) -> None:
    told = ("reset", "billing", "intake", "--partition", 3, "--partition", 4, "--to", to, "--reason", "x")
    said = run("consumers", *told, columns=200).stdout.splitlines()
    assert said == [
        f"billing will read {TOPIC}[{number}] from offset 12 on, once it is resumed." for number in (3, 4)
    ]
    assert (billing.asked[-1].json()["to"], billing.asked[-1].json()["partitions"]) == (sent, [3, 4])


@pytest.mark.parametrize("place", ["the end", "0001-01-01", "1969-12-31T00:00:00Z"])
def test_another_place_is_none(run: Run, billing: Double, place: str) -> None:
    told = ("reset", "billing", "intake", "--partition", 3, "--to", place, "--reason", "x")
    answer = run("consumers", *told, columns=200)
    assert answer.exit_code == 2
    assert "expected beginning, an offset, or a time" in answer.stderr


def test_help_says_that_offsets_of_kafkas_groups_have_no_effect(run: Run) -> None:
    assert "have no effect on them" in run("consumers", "--help", columns=200).stdout


def test_a_pause_that_nobody_is_named_for_says_that_who_asks_is_recorded(run: Run) -> None:
    asked = ("consumers", "pause", "billing", "intake", "--reason", "to look")
    answer = run(*asked, user=False, columns=200)
    assert answer.exit_code == 2
    assert "who asks for this and why is recorded. Give --actor and --purpose" in answer.stderr
