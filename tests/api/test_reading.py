"""What is read of a request beside its body: who acts, and what a probe adds to an address."""

from __future__ import annotations

import pytest
from starlette.requests import Request

from chassis.config import Settings
from chassis.service import Service
from operations.composed import composed
from tests.api.doors import SERVICES, client
from web.http import actor_of


@pytest.mark.parametrize(
    ("sent", "id"),
    [
        ("Zoë;coordinator".encode(), "Zoë"),
        ("Zoë;coordinator".encode("latin-1"), None),
        (b"\xf0\x9f;coordinator", None),
        ("Zo\u0085;coordinator".encode(), None),
    ],
)
def test_who_acts_is_read_as_utf_8(sent: bytes, id: str | None) -> None:
    found = actor_of(Request({"type": "http", "headers": [(b"caretrail-actor", sent)]}))
    assert (found.id if found else None) == id


@pytest.mark.parametrize("service", SERVICES, ids=lambda service: str(service.name))
async def test_a_probe_may_add_to_its_address(service: Service) -> None:
    async with client(composed(service, Settings())) as ask:
        answer = await ask.get("/health/live?t=1")
    assert (answer.status_code, answer.json()) == (200, {"status": "live"})
