"""The driver believes an instant's end only of those who know it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from chassis.clock import SharedClock
from deploy.local.demo import driver as module
from deploy.local.demo.driver import Driver, NotQuiet
from deploy.local.demo.play import BEGINS

INTAKE, BILLING = "urn:caretrail:intake:main", "urn:caretrail:billing:main"
AT_REST: dict[str, Any] = {"due": 0, "effects": 0, "watched": 0, "queued": 0, "next_due": None}


def report(source: str, head: int, *, follows: str = "", up_to: int = 0, outside: bool = False) -> Any:
    consumed = {"store": {"0": head}} | ({source_of(follows): {"0": up_to}} if follows else {})
    heads = {"head": head, "relayed": head, "heads": {"0": head}, "consumed": consumed}
    return {"source": source, "sources": [follows] * bool(follows), "reaches_out": outside} | heads | AT_REST


def source_of(name: str) -> str:
    return f"urn:caretrail:{name}:main"


class Told(Driver):
    """A driver of services that say what the test has them say; ``asked`` is who was asked."""

    def __init__(self, home: Path, **reports: Any) -> None:
        urls = {name: "http://127.0.0.1:9" for name in reports}
        super().__init__(urls, SharedClock(home / "clock", create=BEGINS), home / "payer", "test")
        self.reports, self.asked = reports, list[str]()

    async def _get(self, service: str, path: str) -> Any:
        self.asked.append(service)
        return self.reports[service]

    async def _follow(self, name: str) -> None:
        self._told[name] = self.reports[name]
        await asyncio.Event().wait()


async def test_reports_that_agree_are_believed_and_keepers_not_waited_for(tmp_path: Path) -> None:
    reports = {
        "intake": report(INTAKE, 5),
        "billing": report(BILLING, 3, follows="intake", up_to=5),
        "audit": report(source_of("audit"), 0, follows="intake", up_to=2),
    }
    async with Told(tmp_path, **reports) as driver:
        assert (await driver.quiet()).keys() == {"intake", "billing"}
        assert driver.asked == []


async def test_who_was_sent_something_or_reaches_outside_is_asked_again(tmp_path: Path) -> None:
    reports = {"intake": report(INTAKE, 5), "billing": report(BILLING, 3, follows="intake", up_to=5)}
    async with Told(tmp_path, **reports) as driver:
        await driver.quiet()
        driver.reports["intake"] = report(INTAKE, 6)
        driver.reports["billing"] = report(BILLING, 3, follows="intake", up_to=5, outside=True)
        await driver.get("intake", "/referrals")
        driver.asked.clear()
        driver._rested = None
        quiet = asyncio.create_task(driver.quiet())
        await asyncio.sleep(0.05)
        assert not quiet.done()
        assert set(driver.asked) == {"intake"}
        driver.reports["billing"] = report(BILLING, 4, follows="intake", up_to=6, outside=True)
        driver._told |= driver.reports
        assert (await quiet)["intake"]["head"] == 6
        assert driver.asked[-2:] == ["intake", "billing"]


async def test_what_was_so_for_a_moment_alone_keeps_nobody_waiting(tmp_path: Path) -> None:
    reports = {"intake": report(INTAKE, 5), "billing": report(BILLING, 3, outside=True)}
    async with Told(tmp_path, **reports) as driver:
        await asyncio.sleep(0)
        driver.reports["billing"] = reports["billing"] | {"queued": 1}
        quiet = asyncio.create_task(driver.quiet())
        await asyncio.sleep(0.05)
        assert not quiet.done()
        driver.reports["billing"] = reports["billing"]
        assert (await asyncio.wait_for(quiet, 5))["billing"]["queued"] == 0


async def test_who_waits_in_vain_is_told_for_what(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "QUIET_MAX_S", 0.1)
    reports = {"intake": report(INTAKE, 5), "billing": report(BILLING, 3, follows="intake", up_to=4)}
    async with Told(tmp_path, **reports) as driver:
        await asyncio.sleep(0)
        driver.reports["intake"] = report(INTAKE, 6)
        (tmp_path / "payer" / "outbound").mkdir(parents=True)
        (tmp_path / "payer" / "outbound" / "auth-7.json").touch()
        with pytest.raises(NotQuiet) as raised:
            await driver.quiet()
    for part in ("billing <- urn:caretrail:intake:main", "outbound/auth-7.json", "intake head 6, told 5"):
        assert part in str(raised.value)


async def test_keepers_are_waited_for_where_their_records_are_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reports = {
        "intake": report(INTAKE, 5),
        "audit": report(source_of("audit"), 0, follows="intake", up_to=2),
    }
    async with Told(tmp_path, **reports) as driver:
        monkeypatch.setattr(module, "QUIET_MAX_S", 0.1)
        with pytest.raises(NotQuiet, match="audit <- urn:caretrail:intake:main"):
            await driver.kept()
        driver.reports["audit"] = report(source_of("audit"), 0, follows="intake", up_to=5)
        assert (await driver.kept()).keys() == {"intake", "audit"}
