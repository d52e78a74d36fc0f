"""Quiet hours hold in every zone and across every clock change."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

from hypothesis import given
from hypothesis import strategies as st

from services.notifications.domain.quiet_hours import CLOSES, OPENS, is_day, next_opening, zone_of

NEW_YORK = ZoneInfo("America/New_York")

INSTANTS = st.integers(0, 2**31 - 1).map(lambda second: datetime.fromtimestamp(second, UTC))
ZONES = st.sampled_from(sorted(zone for zone in available_timezones() if "/" in zone)).map(ZoneInfo)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=NEW_YORK).astimezone(UTC)


def test_a_minute_before_eight_waits_for_eight() -> None:
    assert next_opening(at("2026-03-02T07:59"), NEW_YORK) == at("2026-03-02T08:00")


def test_the_evening_waits_for_the_next_morning() -> None:
    assert next_opening(at("2026-03-02T21:00"), NEW_YORK) == at("2026-03-03T08:00")
    assert next_opening(at("2026-03-02T20:59"), NEW_YORK) == at("2026-03-02T20:59")


def test_the_night_of_a_clock_change_opens_at_eight_by_the_new_time() -> None:
    assert next_opening(at("2026-03-07T22:00"), NEW_YORK) == datetime(2026, 3, 8, 12, tzinfo=UTC)
    assert next_opening(at("2026-10-31T22:00"), NEW_YORK) == datetime(2026, 11, 1, 13, tzinfo=UTC)


def test_a_zone_that_is_not_known_is_the_default_zone() -> None:
    assert zone_of("Nowhere/Town") == zone_of(None) == NEW_YORK


@given(INSTANTS, ZONES)
def test_what_opens_is_in_the_day_and_not_before_it_was_asked(now: datetime, zone: ZoneInfo) -> None:
    opening = next_opening(now, zone)
    assert is_day(opening, zone)
    assert opening >= now
    assert OPENS <= opening.astimezone(zone).time() < CLOSES


@given(INSTANTS, ZONES)
def test_nobody_waits_past_the_first_morning(now: datetime, zone: ZoneInfo) -> None:
    opening = next_opening(now, zone)
    between = now + timedelta(minutes=17)
    while between < opening:
        assert not is_day(between, zone)
        between += timedelta(minutes=17)
