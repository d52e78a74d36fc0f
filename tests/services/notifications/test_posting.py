"""Caps: who goes out when several messages want the last place."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from caretrail_contracts.notifications import Template
from hypothesis import given
from hypothesis import strategies as st

from chassis.ids import derive
from services.notifications.domain.posting import EPOCH, Candidate, Caps, cap_rule, posting_time

NOW = datetime(2026, 3, 5, 17, tzinfo=UTC)
ZONE = ZoneInfo("America/New_York")


def waiting(template: Template, name: str = "a", posting: datetime = NOW) -> Candidate:
    return Candidate(derive(name, template), template, posting)


def sent(days_ago: float, template: Template = Template.SESSION_REMINDER) -> Candidate:
    at = NOW - timedelta(days=days_ago)
    return Candidate(derive(days_ago), template, at, released_at=at, waiting=False)


USUAL = Caps()


def rule(mine: Candidate, *others: Candidate, caps: Caps = USUAL) -> str | None:
    return cap_rule(mine, others, caps, NOW, ZONE)


def test_one_message_a_day() -> None:
    assert rule(waiting(Template.SESSION_REMINDER), sent(0.1)) == "daily_cap"
    assert rule(waiting(Template.SESSION_REMINDER), sent(1)) is None


def test_the_fourth_message_in_seven_days_stays() -> None:
    outreach = waiting(Template.MISSED_SESSION)
    assert rule(outreach, sent(1), sent(3), sent(6.9)) == "weekly_cap"
    assert rule(outreach, sent(1), sent(3), sent(7)) is None


def test_a_reminder_leaves_the_weeks_last_place_to_outreach() -> None:
    before = (sent(1), sent(3))
    assert rule(waiting(Template.SESSION_REMINDER), *before) == "weekly_cap"
    assert rule(waiting(Template.MISSED_SESSION), *before) is None


def test_outreach_outranks_a_reminder_of_the_same_moment() -> None:
    outreach, reminder = waiting(Template.MISSED_SESSION), waiting(Template.SESSION_REMINDER)
    assert rule(outreach, reminder) is None
    assert rule(reminder, outreach) == "daily_cap"


def test_a_message_that_is_tried_again_has_its_place_already() -> None:
    again = Candidate(derive("again"), Template.WELCOME, NOW, released_at=NOW - timedelta(minutes=5))
    assert rule(again, sent(0.1), sent(1), sent(2)) is None
    assert rule(waiting(Template.MISSED_SESSION), again) == "daily_cap"


def test_an_overdue_message_contends_with_one_of_now() -> None:
    overdue = waiting(Template.MISSED_SESSION, posting=NOW - timedelta(hours=1))
    assert rule(waiting(Template.SESSION_REMINDER), overdue) == "daily_cap"
    assert rule(overdue, waiting(Template.SESSION_REMINDER)) is None


def decide(messages: list[Candidate], history: list[Candidate], caps: Caps) -> set[str]:
    """The messages that go out, when they are decided on one by one in this order."""
    state = {one.message: one for one in messages}
    for one in messages:
        others = [other for other in state.values() if other.message != one.message]
        if rule(one, *history, *others, caps=caps) is None:
            state[one.message] = Candidate(one.message, one.template, NOW, None, NOW, waiting=False)
        else:
            del state[one.message]
    return {str(one.message) for one in state.values()}


@given(
    st.lists(st.sampled_from(Template), min_size=1, max_size=5).flatmap(
        lambda templates: st.permutations([waiting(template, str(n)) for n, template in enumerate(templates)])
    ),
    st.lists(st.integers(0, 8), max_size=4, unique=True),
    st.builds(Caps, st.integers(1, 3), st.integers(1, 5)),
)
def test_the_order_of_decisions_changes_nothing_and_no_cap_is_broken(
    messages: list[Candidate], days: list[int], caps: Caps
) -> None:
    history = [sent(day + 0.01) for day in days]
    out = decide(messages, history, caps)
    assert out == decide(sorted(messages, key=lambda one: one.rank), history, caps)
    today = sum(1 for day in days if day == 0)
    this_week = sum(1 for day in days if day < 7)
    if out:
        assert len(out) + today <= caps.a_day
        assert len(out) + this_week <= caps.a_week


@given(st.integers(0, 10**10), st.integers(1, 3600))
def test_messages_are_decided_on_at_full_steps_and_never_at_once(second: int, every_s: int) -> None:
    at, every = EPOCH + timedelta(seconds=second), timedelta(seconds=every_s)
    posting = posting_time(at, every)
    assert timedelta(seconds=1) <= posting - at < timedelta(seconds=1) + every
    assert (posting - EPOCH) % every == timedelta(0)
