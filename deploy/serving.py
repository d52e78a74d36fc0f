"""Serving: one process of a service, from settings to a clean stop, with its logs as JSON lines."""

from __future__ import annotations

import gc
import json
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from ipaddress import ip_address

import uvicorn
from caretrail_contracts.system import Place
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from chassis.config import Settings
from chassis.runtime import Role
from chassis.service import Service
from deploy.logs import set_up_logs
from operations.composed import composed
from web.problems import MEDIA_TYPE, Problem, as_json

NOT_STARTED = 3
"""The exit code of a process that could not start, such as on a port that is taken."""

ANEW = 4
"""The exit code of a process that is to be started again: its database is not the one that it began on."""


COLLECTED_AT = 10_000
"""New objects after which the collector looks for cycles; with Python's 700 it takes a tenth of a command."""


class TokenMissing(Exception):
    """A service refuses any address but a loopback one without CARETRAIL_API_TOKEN."""


class Protocol(HttpToolsProtocol):
    """HTTP by httptools; what it cannot parse is answered with a problem document, not with bare text."""

    def send_400_response(self, msg: str) -> None:
        """Answer and close: nothing of the request is known, so none of it is on record."""
        expected = "a request of HTTP/1.1, without control bytes"
        place = Place(at="headers", expected=expected)
        problem = Problem(400, "NotHttp", "The request cannot be read as HTTP.", (place,))
        content = json.dumps(as_json(problem)).encode()
        head = (
            f"HTTP/1.1 400 Bad Request\r\ncontent-type: {MEDIA_TYPE}\r\n"
            f"content-length: {len(content)}\r\nconnection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + content)
        self.transport.close()


class Server(uvicorn.Server):
    """A server that tells its URL, with the port that it got, once it answers."""

    def __init__(self, config: uvicorn.Config, tell: Callable[[str], None]) -> None:
        super().__init__(config)
        self._tell = tell

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start the service, listen, then tell."""
        await super().startup(sockets)
        relieve_collector()
        if self.started:
            port = (sockets or self.servers[0].sockets)[0].getsockname()[1]
            host = self.config.host
            self._tell(f"http://{f'[{host}]' if ':' in host else host}:{port}")


def serve(
    service: Service,
    settings: Settings,
    role: Role = Role.ALL,
    tell: Callable[[str], None] = lambda url: None,
) -> None:
    """Run a service's process until it is told to stop (SIGTERM, Ctrl-C); ``tell`` is given its URL.

    Raises TokenMissing. Ends the process with 3 where it cannot start, with 4 where it must begin anew.
    """
    see_host(settings)
    set_up_logs(service.name, settings.log_level)
    anew = False

    def end() -> None:
        nonlocal anew
        anew = server.should_exit = True

    config = uvicorn.Config(
        composed(service, settings, role, end),
        host=settings.host,
        port=settings.port,
        http=Protocol,
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=5,
        timeout_keep_alive=60,
    )
    server = Server(config, tell)
    with suppress(KeyboardInterrupt):  # raised again by the server once all is stopped
        server.run()
    if anew or not server.started:
        sys.exit(ANEW if anew else NOT_STARTED)


def relieve_collector() -> None:
    """Let the collector of cycles look at what is new alone, and not at every 700 objects more.

    What a process has once it is ready lives as long as it does; of what comes later little is in cycles.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(COLLECTED_AT, *gc.get_threshold()[1:])


def see_host(settings: Settings) -> None:
    """See that services may listen where they are told to. Raises TokenMissing."""
    if not is_loopback(settings.host) and settings.api_token is None:
        raise TokenMissing(
            f"{settings.host} is not a loopback address: set CARETRAIL_API_TOKEN to listen there"
        )


def is_loopback(host: str) -> bool:
    """Whether an address is one of this machine's own."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
