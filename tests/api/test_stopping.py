"""A process that ends answers what it can no longer carry out: an error that asks to send it again."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
from collections.abc import AsyncIterator

import pytest
import uvicorn
from fastapi import APIRouter
from fastapi.responses import StreamingResponse
from structlog.testing import capture_logs

from chassis.command import Handlers
from chassis.config import Settings
from chassis.policy import Policies
from chassis.service import Service
from deploy.logs import meant
from deploy.serving import Protocol
from web.application import application


def hanging(begun: asyncio.Event) -> APIRouter:
    """Doors that never come to an end: one before its answer begins, one within it."""
    router = APIRouter()

    @router.post("/waits")
    async def waits() -> None:
        begun.set()
        await asyncio.Event().wait()

    @router.post("/streams")
    async def streams() -> StreamingResponse:
        async def lines() -> AsyncIterator[bytes]:
            yield b"one\n"
            begun.set()
            await asyncio.Event().wait()

        return StreamingResponse(lines())

    return router


async def left_with(path: str) -> bytes:
    """What a client gets whose request is under way when the process is told to stop."""
    begun = asyncio.Event()
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        app = application(Service("clinical", Handlers(), Policies(), router=hanging(begun)), Settings())
        config = uvicorn.Config(
            app, http=Protocol, lifespan="off", log_config=None, timeout_graceful_shutdown=1
        )
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server.serve([listening]))
        reader, writer = await asyncio.open_connection(*listening.getsockname())
        writer.write(f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n".encode())
        async with asyncio.timeout(10):
            await begun.wait()
            server.should_exit = True
            answer = await reader.read()
            await serving
        writer.close()
    return answer


async def test_who_waits_when_a_process_ends_is_told_to_send_it_again() -> None:
    head, body = (await left_with("/waits")).split(b"\r\n\r\n", 1)
    assert head.startswith(b"HTTP/1.1 503 ")
    assert b"\r\nretry-after: 1" in head
    problem = json.loads(body)
    assert (problem["type"], problem["status"]) == ("urn:caretrail:problem:Stopping", 503)


async def test_an_answer_that_has_begun_is_cut_and_is_no_bug(caplog: pytest.LogCaptureFixture) -> None:
    with capture_logs() as logged, caplog.at_level(logging.ERROR):
        answer = await left_with("/streams")
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert [(each["event"], each["route"]) for each in logged] == [("answer_cut", "/streams")]
    errors = [record for record in caplog.records if meant(record)]
    assert [record.getMessage().partition(" ")[0] for record in errors] == ["Cancel"]
    assert answer.endswith(b"4\r\none\n\r\n")
