"""Laws of seats: never more than there are, each held by one, none lost, whatever the order."""

from uuid import UUID

from caretrail_contracts.scheduling import CapacityReached, SeatTaken
from hypothesis import given
from hypothesis import strategies as st

from chassis.ids import derive
from services.scheduling.domain.group import Group
from tests.memory import replayed
from tests.services.scheduling.builders import SUNDAY, series

PEOPLE = [derive("enrollment", number) for number in range(12)]
CAPACITY = 4
steps = st.lists(st.tuples(st.booleans(), st.sampled_from(PEOPLE)), max_size=60)


def fresh() -> Group:
    return Group.schedule(series(capacity=CAPACITY), SUNDAY)


def play(group: Group, joins: bool, who: UUID) -> None:
    """Somebody comes, or goes and makes room."""
    if joins:
        if group.take(who, SUNDAY) is None:
            group.wait(who, SUNDAY)
    else:
        group.leave(who, SUNDAY)
        group.promote(SUNDAY)


@given(steps)
def test_seats_are_never_more_than_capacity_and_each_is_held_by_one(moves: list[tuple[bool, UUID]]) -> None:
    group = fresh()
    for joins, who in moves:
        play(group, joins, who)
        held = list(group.seats.values())
        assert len(held) == len(set(held)) <= CAPACITY
        assert all(1 <= seat <= CAPACITY for seat in held)


@given(steps)
def test_nobody_waits_while_a_seat_is_free_and_nobody_is_lost(moves: list[tuple[bool, UUID]]) -> None:
    group, here = fresh(), set[UUID]()
    for joins, who in moves:
        play(group, joins, who)
        here = here | {who} if joins else here - {who}
        assert sorted([*group.seats, *group.waiting]) == sorted(here)
        assert not group.waiting or len(group.seats) == CAPACITY


@given(st.permutations(PEOPLE))
def test_as_many_are_seated_in_whatever_order_they_come(order: list[UUID]) -> None:
    group = fresh()
    for who in order:
        play(group, True, who)
    assert (len(group.seats), group.waiting) == (CAPACITY, order[CAPACITY:])


@given(st.permutations(PEOPLE), st.integers(0, CAPACITY - 1))
def test_a_released_seat_and_its_promotion_conserve_the_seats(order: list[UUID], seat: int) -> None:
    group = fresh()
    for who in order:
        play(group, True, who)
    before, first = set(group.seats.values()), group.waiting[0]
    number = group.seats[order[seat]]
    play(group, False, order[seat])
    assert set(group.seats.values()) == before
    assert group.seats[first] == number


@given(steps)
def test_replay_equals_live(moves: list[tuple[bool, UUID]]) -> None:
    group = fresh()
    for joins, who in moves:
        play(group, joins, who)
    decided = list(group.decided())
    again = replayed(Group, group.id, decided)
    assert (again.seats, again.waiting) == (group.seats, group.waiting)


def test_capacity_is_reached_by_the_last_seat_only() -> None:
    group = fresh()
    for who in PEOPLE[:CAPACITY]:
        play(group, True, who)
    facts = [fact for fact, _ in group.decided()]
    assert isinstance(facts[-1], CapacityReached)
    assert isinstance(facts[-2], SeatTaken)
    assert sum(isinstance(fact, CapacityReached) for fact in facts) == 1
