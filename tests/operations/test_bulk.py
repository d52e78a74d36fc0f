"""Many commands in one request: each line is what a request of its own would be."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from chassis.refusal import Unavailable
from operations.bulk import AT_ONCE, MEDIA_TYPE
from tests.chassis.toy import INTAKE
from tests.conftest import Run
from tests.running import Running
from web.http import Caller

pytestmark = pytest.mark.servers


def line(number: int, path: str = "/referrals", **body: Any) -> dict[str, Any]:
    """A referral of one of some patients, unless told otherwise."""
    return {"key": f"line-{number}", "path": path, "body": {"patient": str(UUID(int=number % 7 + 1)), **body}}


async def send(run: Running, *lines: dict[str, Any] | str, media_type: str = MEDIA_TYPE) -> httpx.Response:
    text = "\n".join(one if isinstance(one, str) else json.dumps(one) for one in lines)
    return await run.post("intake", "/commands", text, **{"Content-Type": media_type})


async def answers(run: Running, *lines: dict[str, Any] | str) -> list[dict[str, Any]]:
    found = await send(run, *lines)
    assert found.status_code == 200, found.text
    assert found.headers["content-type"].startswith(MEDIA_TYPE)
    return [json.loads(each) for each in found.text.splitlines()]


async def stored(run: Running, type: str) -> list[dict[str, Any]]:
    query = "select command_id::text as command, stream, body from events where type = %s order by position"
    return await run.runtime("intake").ground.database.rows(query, type)


async def test_every_line_is_carried_out_once_and_answered_in_its_place(running: Run) -> None:
    async with running(INTAKE) as run:
        lines = [line(number) for number in range(2 * AT_ONCE + 3)]
        found = await answers(run, *lines)
        assert [(each["line"], each["key"], each["status"]) for each in found] == [
            (number, each["key"], 201) for number, each in enumerate(lines, 1)
        ]
        events = await stored(run, "caretrail.intake.ReferralReceived")
        assert {each["command"] for each in events} == {each["body"]["command_id"] for each in found}
        assert len(events) == len(lines)
        again = await answers(run, *lines)
        assert [each["body"] for each in again] == [each["body"] | {"repeated": True} for each in found]
        assert len(await stored(run, "caretrail.intake.ReferralReceived")) == len(lines)


async def test_a_line_has_the_id_of_a_request_of_its_own(running: Run) -> None:
    async with running(INTAKE) as run:
        alone = await run.post("intake", "/referrals", line(1)["body"], key="line-1")
        [found] = await answers(run, line(1))
        # The bytes differ, so it is no repeat; carried out twice it is not.
        assert (found["status"], found["body"]["type"]) == (422, "urn:caretrail:problem:KeyReused")
        [event] = await stored(run, "caretrail.intake.ReferralReceived")
        assert event["command"] == alone.json()["command_id"]


async def test_what_is_wrong_is_told_on_its_line_and_the_others_go_through(running: Run) -> None:
    async with running(INTAKE) as run:
        stranger = uuid4()
        found = await answers(
            run,
            line(1),
            "{",
            '"text"',
            {"key": "nowhere", "path": "/nowhere", "body": {}},
            {"key": "no-uuid", "path": "/referrals/rosa/accept"},
            {"key": "no-body", "path": "/referrals"},
            {"key": "unfit", "path": "/referrals", "body": {"patient": "rosa"}},
            {"path": "/referrals", "body": {}},
            {"key": "refused", "path": f"/referrals/{stranger}/accept"},
            "",
            '{"key": "deep", "path": "/referrals", "body": ' + "[" * 5000,
            '{"key": "long", "path": "/referrals", "body": {"patient": ' + "9" * 6000 + "}}",
            line(2),
        )
        told = [
            (each["key"], each["status"], [place["at"] for place in each["body"].get("places", ())])
            for each in found
        ]
        assert told == [
            ("line-1", 201, []),
            (None, 400, ["line 1 column 2"]),
            (None, 422, [""]),
            ("nowhere", 404, ["/path"]),
            ("no-uuid", 422, ["/path"]),
            ("no-body", 422, ["/body"]),
            ("unfit", 422, ["/body/patient"]),
            (None, 422, ["/key"]),
            ("refused", 404, ["/path"]),
            (None, 400, ["body"]),
            (None, 400, ["body"]),
            ("line-2", 201, []),
        ]
        assert "rosa" not in json.dumps(found[5:7])
        assert len(await stored(run, "caretrail.intake.ReferralReceived")) == 2
        refused = [json.loads(each["body"]) for each in await stored(run, "caretrail.system.InputRefused")]
        assert sorted(each["door"] for each in refused) == [
            *["POST /commands"] * 6,
            *["POST /referrals"] * 2,
            "POST /referrals/{referral}/accept",
        ]
        assert len(await stored(run, "caretrail.system.CommandRefused")) == 1


async def test_lines_are_utf_8(running: Run) -> None:
    async with running(INTAKE) as run:
        text = json.dumps(line(1)).encode("utf-16-le")
        found = await run.post("intake", "/commands", text, **{"Content-Type": MEDIA_TYPE})
        assert [json.loads(each)["status"] for each in found.text.splitlines()] == [400]
        assert await stored(run, "caretrail.intake.ReferralReceived") == []


async def test_another_media_type_is_refused_whole(running: Run) -> None:
    async with running(INTAKE) as run:
        found = await send(run, line(1), media_type="application/json")
        assert (found.status_code, found.json()["places"][0]["expected"]) == (415, MEDIA_TYPE)
        assert await stored(run, "caretrail.intake.ReferralReceived") == []


async def test_a_line_that_cannot_be_put_on_record_is_to_be_sent_again_and_keeps_no_other(
    running: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: object) -> None:
        raise Unavailable

    async with running(INTAKE) as run:
        monkeypatch.setattr(Caller, "note_refused", away)
        lines = line(1), "{", {"key": "no-body", "path": "/referrals"}, line(2)
        found = await answers(run, *lines)
        assert [each["status"] for each in found] == [201, 503, 503, 201]
        assert [each.get("retry_after") for each in found] == [None, 1, 1, None]
        monkeypatch.undo()
        assert [each["status"] for each in await answers(run, *lines)] == [201, 400, 422, 201]
