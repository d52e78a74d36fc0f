"""The figures of a play, asked of the services: events, messages, claims, dollars, lags, ledger."""

from __future__ import annotations

from collections import Counter
from typing import Any

from deploy.local.demo.driver import Driver
from deploy.local.progress import followed, is_behind, lag_path, own_lag
from deploy.local.stack import Stack

LABELS = {"claims_reversed": "claims reversed, not decided anew"}


def _fate(message: dict[str, Any]) -> str:
    """Its status, with the rule that kept it back, such as ``suppressed: weekly cap``."""
    return ": ".join(filter(None, (message["status"], message["rule"]))).replace("_", " ")


async def figures(driver: Driver, stack: Stack) -> dict[str, Any]:
    """Everything the demonstration prints."""
    await driver.kept()
    # Before the check, whose own event would be among them, or not yet.
    events = await driver.get("audit", "/totals")
    ledger = await driver.post("audit", "/integrity-checks", key=f"check {driver.now}", role="compliance")
    messages = Counter(_fate(one) for one in await driver.all("notifications", "/messages"))
    tasks = Counter(one["state"] for one in await driver.all("notifications", "/tasks"))
    billed = await driver.get("billing", "/totals")
    # The check and the looks are events themselves: how far all are is asked once these are at rest too.
    progress = await driver.kept()
    return {
        "events": events,
        "outcome": {
            "events in all": sum(row["events"] for row in events),
            **{f"messages {name}": count for name, count in sorted(messages.items())},
            **{f"tasks {name}": count for name, count in sorted(tasks.items())},
            **{
                f"billing: {LABELS.get(name, name).replace('_', ' ')}": value
                for name, value in billed.items()
            },
        },
        "lag": {name: await _lag(driver, own, progress) for name, own in progress.items()},
        "ledger": ledger,
        "memory_mib": stack.peak.kib / 1024,
    }


async def _lag(driver: Driver, own: dict[str, Any], progress: dict[str, Any]) -> int:
    """Events of its own and of others that a service has not applied yet."""
    found = own_lag(own)
    for other in followed(own, progress):
        if is_behind(own, other["source"], other["heads"]):
            found += (await driver.get(other["service"], lag_path(own, other)))["events"]
    return found
