"""A client that hangs up in the middle of its body is nobody's bug: one quiet line, and nothing answered."""

from __future__ import annotations

import asyncio
import logging
import socket

import pytest
import uvicorn
from structlog.testing import capture_logs

from chassis.config import Settings
from chassis.service import Service
from deploy.serving import Protocol
from services.billing.app import service as billing
from services.intake.app import service as intake
from web.application import application

SIZED, CHUNKED = b'Content-Length: 500\r\n\r\n{"a"', b'Transfer-Encoding: chunked\r\n\r\n4\r\n{"a"\r\n'
STAFF = b"Caretrail-Actor: staff-1;coordinator\r\nCaretrail-Purpose: TREAT\r\nIdempotency-Key: key-1\r\n"


@pytest.mark.parametrize("begun", [SIZED, CHUNKED], ids=["sized", "chunked"])
@pytest.mark.parametrize(
    ("service", "path", "kind"),
    [
        (intake, "/referrals", "application/json"),
        (intake, "/referrals/fhir", "application/fhir+json"),
        (billing, "/remittances", "application/edi-x12"),
    ],
)
async def test_who_hangs_up_in_the_middle_is_no_bug(
    service: Service, path: str, kind: str, begun: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    with capture_logs() as logged, caplog.at_level(logging.INFO), socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        app = application(service, Settings())
        server = uvicorn.Server(uvicorn.Config(app, http=Protocol, lifespan="off", log_config=None))
        serving = asyncio.create_task(server.serve([listening]))
        try:
            reader, writer = await asyncio.open_connection(*listening.getsockname())
            head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: {kind}\r\n".encode()
            writer.write(head + STAFF + begun)
            await writer.drain()
            writer.write_eof()
            async with asyncio.timeout(10):
                assert await reader.read() == b""
            writer.close()
        finally:
            server.should_exit = True
            await serving
    assert logged == [{"event": "client_left", "log_level": "info", "method": "POST", "route": path}]
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING] == []
