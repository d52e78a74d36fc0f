"""A server tells its URL once it answers; a request that is no HTTP gets a problem document too."""

from __future__ import annotations

import asyncio
import json
import socket

import pytest
import uvicorn
from fastapi import FastAPI

from deploy.serving import Protocol, Server


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
