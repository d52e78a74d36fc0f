"""Opening sealed values over HTTP: shown to who asks, null once erased, refused where they were altered."""

from __future__ import annotations

from typing import Any

import pytest
from caretrail_contracts.sealed import EmailAddress, Sealed

from services.audit.app import service
from tests.conftest import Run

pytestmark = pytest.mark.servers


def body(sealed: Sealed[Any], kind: str = "EmailAddress", **changes: str) -> dict[str, Any]:
    return {"values": [{"kind": kind, **sealed.model_dump(mode="json"), **changes}]}


async def test_what_was_altered_does_not_open(running: Run) -> None:
    async with running(service) as run:
        topic = "intake.events"
        doors = run.runtime("audit").ground.doors
        sealed = await doors.seal("service:audit", EmailAddress("ana@example.org"))
        shown = await run.post("audit", "/open", {**body(sealed), "resource": topic})
        assert (shown.status_code, shown.json()["values"]) == (200, ["ana@example.org"])
        erased = await run.post("audit", "/open", {**body(sealed, kid="service:gone.1"), "resource": topic})
        assert erased.json()["values"] == [None]
        for change in (body(sealed, ct="AAAA" + sealed.ct[4:]), body(sealed, "FreeText")):
            refused = await run.post("audit", "/open", {**change, "resource": topic})
            assert (refused.status_code, refused.json()["title"]) == (422, "Tampered")
        unreadable = await run.post("audit", "/open", {**body(sealed, nonce="…"), "resource": topic})
        assert unreadable.json()["places"][0]["at"] == "/values/0/nonce"


async def test_what_is_opened_is_named_by_a_topic_and_never_by_words(running: Run) -> None:
    async with running(service) as run:
        words = "Quillfeather Bramblewick 1971-02-03"
        refused = await run.post("audit", "/open", {"resource": words, "values": []})
        assert (refused.status_code, refused.json()["places"][0]["at"]) == (422, "/resource")
        assert "Quillfeather" not in refused.text
