"""A server tells its URL once it answers; a request that is no HTTP gets a problem document too."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import uvicorn
from fastapi import FastAPI

from chassis.config import Settings
from chassis.runtime import Role
from chassis.service import Service
from deploy import serving
from deploy.serving import ANEW, Protocol, Server
from tests.chassis.toy import INTAKE


@pytest.mark.parametrize("header", [b"Caretrail-Actor: a\x00b;c", b"Caretrail-Purpose: \x07", b"no colon"])
async def test_control_bytes_in_headers_are_a_problem(header: bytes) -> None:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        config = uvicorn.Config(FastAPI(), http=Protocol, lifespan="off", log_config=None)
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server.serve([listening]))
        try:
            reader, writer = await asyncio.open_connection(*listening.getsockname())
            writer.write(b"GET /health/live HTTP/1.1\r\nHost: x\r\n" + header + b"\r\n\r\n")
            async with asyncio.timeout(10):
                head, body = (await reader.read()).split(b"\r\n\r\n", 1)
            writer.close()
        finally:
            server.should_exit = True
            await serving
    assert head.startswith(b"HTTP/1.1 400 ")
    assert b"content-type: application/problem+json" in head
    problem = json.loads(body)
    assert (problem["type"], problem["status"]) == ("urn:caretrail:problem:NotHttp", 400)
    assert problem["places"] == [
        {"at": "headers", "expected": "a request of HTTP/1.1, without control bytes"}
    ]


async def test_a_server_tells_its_url_once_it_answers() -> None:
    config = uvicorn.Config(FastAPI(), port=0, lifespan="off", log_config=None)
    told: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    server = Server(config, told.set_result)
    serving = asyncio.create_task(server.serve())
    async with asyncio.timeout(10):
        url = await told
    try:
        host, _, port = url.removeprefix("http://").rpartition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(b"GET /docs HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert (await reader.readline()).startswith(b"HTTP/1.1 200")
        writer.close()
    finally:
        server.should_exit = True
        await serving


def test_a_process_that_must_begin_anew_ends_with_a_code_of_its_own(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Supervisors start it again, those too that take an end without fault for intended."""

    def ending(service: Service, settings: Settings, role: Role, end: Callable[[], None]) -> FastAPI:
        @asynccontextmanager
        async def life(app: FastAPI) -> AsyncIterator[None]:
            asyncio.get_running_loop().call_later(0.05, end)
            yield

        return FastAPI(lifespan=life)

    monkeypatch.setattr(serving, "composed", ending)
    monkeypatch.setattr(serving, "set_up_logs", lambda *_: None)
    with pytest.raises(SystemExit) as ended:
        serving.serve(INTAKE, Settings(home=tmp_path, port=0))
    assert ended.value.code == ANEW
