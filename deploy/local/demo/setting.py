"""The setting of the demonstration: tracks, groups, and contracts with made-up payers."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from deploy.local.demo.cohort import PAYERS
from deploy.local.demo.driver import Driver

SITE = "main-street"
ZONE = "America/New_York"
FACILITATORS = {"adult-day": "1234567893", "adult-evening": "1558597799"}
"""Made-up clinicians; their numbers pass the check digit (45 CFR 162.406)."""

CAPACITY = 11
"""Seats of a group, below 90853's customary limit of 12, so that a cohort of 25 meets a waitlist."""

STARTS = {"adult-day": "09:00", "adult-evening": "17:30"}


async def prepare(driver: Driver, first: date, weeks: int) -> dict[str, str]:
    """Open tracks and groups, agree contracts; the group of each track."""
    groups = {}
    for track, starts in STARTS.items():
        body = {"track": track, "site": SITE, "name": track.replace("-", " ").title(), "weekly_minutes": 540}
        await driver.post("scheduling", "/tracks", body, key=f"track {track}")
        group = await driver.post(
            "scheduling", "/groups", _group(track, starts, first, weeks), key=f"group {track}"
        )
        groups[track] = group["group"]
    for number, payer in enumerate(PAYERS):
        await driver.post(
            "billing",
            "/payer-contracts",
            _contract(payer, number, first),
            key=f"contract {payer}",
            role="biller",
        )
    await driver.quiet()
    return groups


def _group(track: str, starts: str, first: date, weeks: int) -> dict[str, Any]:
    return {
        "track": track,
        "name": f"{track.replace('-', ' ').title()} group",
        "weekdays": ["MO", "WE", "FR"],
        "starts": starts,
        "minutes": 180,
        "time_zone": ZONE,
        "capacity": CAPACITY,
        "facilitator": FACILITATORS[track],
        "first_on": first.isoformat(),
        "last_on": (first + timedelta(weeks=weeks, days=-1)).isoformat(),
    }


def _contract(payer: str, number: int, first: date) -> dict[str, Any]:
    return {
        "payer": payer,
        "contract": f"{payer}-2026",
        "payer_name": payer.replace("-", " ").title(),
        "payer_id": f"P{number:04d}",
        "filing_indicator": ("CI", "CI", "MC")[number],
        "effective_on": (first - timedelta(days=30)).isoformat(),
        "code": ("S9480", "H0015", "H0015")[number],
        "amount": ("412.00", "385.50", "240.00")[number],
        "min_minutes": 180,
        "discrete_code": "90853",
        "discrete_amount": ("62.00", "58.00", "41.00")[number],
        "group_size_max": 12,
        "place_of_service": "57",
        "requires_auth": number != 2,
        "auth_units": 36,
        "auth_days": 84,
        "low_units": 3,
        "review_lead_days": 3,
        "timely_filing_days": (180, 90, 365)[number],
        "appeal_regime": ("provider_dispute", "erisa_internal", "medicaid_plan")[number],
        "dispute_days": 180 if number == 0 else None,
        "appeal_levels": 2,
    }
