"""What nobody could take: the answer names the place, and the refusal is on record."""

from __future__ import annotations

import asyncio
import json
import socket

import pytest
import uvicorn
from caretrail_contracts.envelope import Purpose
from caretrail_contracts.system import InputRefused

from tests.chassis import toy
from tests.conftest import Run
from tests.running import STAFF, Running
from web.http import ACTOR

pytestmark = pytest.mark.servers

JSON = {"Content-Type": "application/json"}


async def recorded(run: Running) -> list[InputRefused]:
    """What is on record as refused."""
    events = [record.decode() for record in await run.runtime("intake").ground.store.read(0, 100)]
    return [event for event in events if isinstance(event, InputRefused)]


@pytest.mark.parametrize(
    ("body", "at", "expected"),
    [
        (b'{"patient":\n  nobody}', "line 2 column 3", "valid JSON"),
        (b'{"patient": "\xff"}', "byte 14", "UTF-8"),
        (b"[" * 100_000, "body", "JSON that nests less deeply, with shorter numbers"),
        (b"9" * 5_000, "body", "JSON that nests less deeply, with shorter numbers"),
    ],
)
async def test_a_body_that_is_no_json_is_refused_at_its_place_and_on_record(
    running: Run, body: bytes, at: str, expected: str
) -> None:
    async with running(toy.INTAKE) as run:
        answer = await run.post("intake", "/referrals", body, **JSON)
        assert (answer.status_code, answer.headers["content-type"]) == (400, "application/problem+json")
        assert answer.json()["places"] == [{"at": at, "expected": expected}]
        [event] = await recorded(run)
        assert (event.rule, event.door, event.places[0].at) == ("NotJson", "POST /referrals", at)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32"])
async def test_json_in_another_encoding_is_refused_and_on_record(running: Run, encoding: str) -> None:
    async with running(toy.INTAKE) as run:
        body = json.dumps({"patient": STAFF_ID}).encode(encoding)
        answer = await run.post("intake", "/referrals", body, **JSON)
        assert (answer.status_code, answer.json()["type"]) == (400, "urn:caretrail:problem:NotJson")
        assert answer.json()["places"] == [{"at": f"byte {body.index(0) + 1}", "expected": "UTF-8"}]
        assert [event.rule for event in await recorded(run)] == ["NotJson"]


@pytest.mark.parametrize("said", ["", "text/plain", "application/vnd.api+json", "json", "Zyxwvut;;"])
async def test_a_body_of_another_media_type_is_refused_and_on_record(running: Run, said: str) -> None:
    async with running(toy.INTAKE) as run:
        body = json.dumps({"patient": STAFF_ID})
        answer = await run.post("intake", "/referrals", body, **{"Content-Type": said})
        assert (answer.status_code, answer.json()["type"]) == (415, "urn:caretrail:problem:MediaType")
        assert answer.json()["places"] == [{"at": "Content-Type", "expected": "application/json"}]
        assert "Zyxwvut" not in answer.text
        assert [event.rule for event in await recorded(run)] == ["MediaType"]


@pytest.mark.parametrize("said", ["application/json; charset=utf-8", "APPLICATION/JSON"])
async def test_a_media_type_has_parameters_and_any_case(running: Run, said: str) -> None:
    async with running(toy.INTAKE) as run:
        body = json.dumps({"patient": STAFF_ID})
        assert (await run.post("intake", "/referrals", body, **{"Content-Type": said})).status_code == 201
        path = f"/referrals/{(await run.post('intake', '/referrals', json.loads(body))).json()['command_id']}"
        plain = {"Content-Type": "text/plain"}
        assert (await run.post("intake", f"{path}/accept", "", **plain)).status_code == 200


@pytest.mark.parametrize("body", [b'{"reason": ["x"', '{"reason": 1}'.encode("utf-16"), b"[]", b"\xff"])
async def test_a_command_without_a_body_takes_none(running: Run, body: bytes) -> None:
    async with running(toy.INTAKE) as run:
        found = (await run.post("intake", "/referrals", {"patient": STAFF_ID})).json()
        path = f"/referrals/{found['command_id']}/accept"
        answer = await run.post("intake", path, body, **JSON)
        assert (answer.status_code, answer.json()["places"]) == (422, [{"at": "", "expected": "no body"}])
        assert [event.rule for event in await recorded(run)] == ["Malformed"]
        assert (await run.post("intake", path, {})).status_code == 200


PURPOSES = "one of TREAT, HPAYMT, HOPERAT, HCOMPL, PATRQT, PUBHLTH"


@pytest.mark.parametrize(
    ("header", "value", "rule", "expected"),
    [
        ("Caretrail-Purpose", "", "HeaderMissing", PURPOSES),
        ("Caretrail-Purpose", "curiosity", "HeaderUnfit", PURPOSES),
        ("Caretrail-Actor", "", "HeaderMissing", ACTOR),
        ("Caretrail-Actor", "Ana", "HeaderUnfit", ACTOR),
        ("Caretrail-Actor", "service:billing;coordinator", "HeaderUnfit", ACTOR),
        ("Caretrail-Actor", "Ana;Policy:x", "HeaderUnfit", ACTOR),
        ("Caretrail-Actor", "Ana;adapter:x", "HeaderUnfit", ACTOR),
        ("Caretrail-Actor", "Ana;consumer", "HeaderUnfit", ACTOR),
        ("Caretrail-Actor", "Ana\x1f;staff", "HeaderUnfit", ACTOR),
        ("Caretrail-After", "soon", "HeaderUnfit", "a position, as a command's answer gives it"),
        ("Caretrail-After", "9" * 5_000, "HeaderUnfit", "a position, as a command's answer gives it"),
        ("Caretrail-After", "99", "HeaderUnfit", "a position of this service's own events, which end at 1"),
    ],
)
async def test_a_header_that_is_missing_or_unfit_is_said_to_be_so_and_on_record(
    running: Run, header: str, value: str, rule: str, expected: str
) -> None:
    async with running(toy.INTAKE) as run:
        answer = await run.post("intake", "/referrals", {}, **{header: value})
        assert answer.status_code in (400, 422)
        answer = await run.post("intake", "/referrals", {"patient": STAFF_ID}, **{header: value})
        assert answer.status_code == 400
        assert answer.json()["type"] == f"urn:caretrail:problem:{rule}"
        assert answer.json()["places"] == [{"at": header, "expected": expected}]
        assert [event.rule for event in await recorded(run)][-1] == rule
        assert "curiosity" not in answer.text
        [*_, record] = await run.runtime("intake").ground.store.read(0, 100)
        assert (record.envelope.purpose in set(Purpose), record.envelope.actor.id == value) == (True, False)
        assert answer.json()["instance"] == record.envelope.command_id.urn


STAFF_ID = "5c83405b-7326-5535-adc1-de198e5aeaf9"


async def test_an_idempotency_key_that_is_missing_is_on_record(running: Run) -> None:
    async with running(toy.INTAKE) as run:
        answer = await run.clients["intake"].post("/referrals", json={"patient": STAFF_ID}, headers=STAFF)
        assert answer.json()["places"][0]["at"] == "Idempotency-Key"
        assert [event.rule for event in await recorded(run)] == ["HeaderMissing"]


@pytest.mark.parametrize("path", ["/internal/digests/a%00b", "/internal/digests?until=%00"])
async def test_a_nul_is_a_problem_of_the_caller(running: Run, path: str) -> None:
    async with running(toy.INTAKE) as run:
        answer = await run.get("intake", path)
        assert answer.status_code == 400
        assert answer.headers["content-type"] == "application/problem+json"


async def test_one_of_a_few_values_is_asked_for_in_plain_words(running: Run) -> None:
    async with running(toy.INTAKE) as run:
        body = {"patient": STAFF_ID, "urgency": "at-once"}
        answer = await run.post("intake", "/referrals", body)
        assert answer.json()["places"] == [
            {"at": "/urgency", "expected": "one of routine, urgent, asap, stat"}
        ]


async def test_a_body_far_over_the_limit_is_read_on_so_that_its_sender_hears_the_answer(
    running: Run,
) -> None:
    async with running(toy.INTAKE, body_bytes_max=1_000_000) as run:
        with socket.socket() as listening:
            listening.bind(("127.0.0.1", 0))
            listening.listen()
            port = listening.getsockname()[1]
            config = uvicorn.Config(run.apps["intake"], lifespan="off", log_config=None)
            server = uvicorn.Server(config)
            serving = asyncio.create_task(server.serve([listening]))
            try:
                head, answer = (await asyncio.to_thread(_sent, port, 3_500_000)).split(b"\r\n\r\n", 1)
            finally:
                server.should_exit = True
                await serving
        assert head.startswith(b"HTTP/1.1 413")
        assert b"connection: close" in head.lower()
        assert json.loads(answer)["type"] == "urn:caretrail:problem:BodyTooLarge"
        [event] = await recorded(run)
        assert (event.rule, event.door) == ("BodyTooLarge", "POST /referrals")


def _sent(port: int, size: int) -> bytes:
    """Send all of a body before reading anything, as plain clients do."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(
            b"POST /referrals HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            + f"Content-Length: {size}\r\n\r\n".encode()
        )
        for _ in range(size // 100_000):
            connection.sendall(b"x" * 100_000)
        found = b""
        while part := connection.recv(65_536):
            found += part
        return found
