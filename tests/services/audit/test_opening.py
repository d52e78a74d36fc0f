"""Opening sealed values over HTTP: shown to who asks, null once erased, refused where they were altered."""

from __future__ import annotations

from typing import Any

import pytest
from caretrail_contracts.sealed import EmailAddress, Sealed

from services.audit.app import service
from tests.conftest import Run

pytestmark = pytest.mark.servers


def body(sealed: Sealed[Any], kind: str = "EmailAddress", **changes: str) -> dict[str, Any]:
    return {"resource": "a topic", "values": [{"kind": kind, **sealed.model_dump(mode="json"), **changes}]}


async def test_what_was_altered_does_not_open(running: Run) -> None:
    async with running(service) as run:
        doors = run.runtime("audit").ground.doors
        sealed = await doors.seal("service:audit", EmailAddress("ana@example.org"))
        shown = await run.post("audit", "/open", body(sealed))
        assert (shown.status_code, shown.json()["values"]) == (200, ["ana@example.org"])
        erased = await run.post("audit", "/open", body(sealed, kid="service:gone.1"))
        assert erased.json()["values"] == [None]
        for change in (body(sealed, ct="AAAA" + sealed.ct[4:]), body(sealed, "FreeText")):
            refused = await run.post("audit", "/open", change)
            assert (refused.status_code, refused.json()["title"]) == (422, "Tampered")
        unreadable = await run.post("audit", "/open", body(sealed, nonce="…"))
        assert unreadable.json()["places"][0]["at"] == "/values/0/nonce"
