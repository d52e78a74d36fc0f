"""Who gets a seat, who waits, and who is next."""

from datetime import date, timedelta
from uuid import UUID

from caretrail_contracts.event import Event
from caretrail_contracts.scheduling import (
    CapacityReached,
    EnrollmentEnded,
    EnrollmentRejected,
    GroupEnrollmentRequested,
    PatientEnrolledInGroup,
    PlacementEnded,
    SeatReleased,
    SeatTaken,
    WaitlistEntryAdded,
    WaitlistJoined,
    WaitlistLeft,
)

from services.scheduling.commands.seats import EndPlacement, SeatInTrack
from services.scheduling.domain.enrollment import enrollment_id
from services.scheduling.domain.group import Group
from services.scheduling.domain.refusals import PlacementHasEnded
from tests.services.scheduling.builders import (
    ANA,
    BEN,
    CARA,
    FIRST_ON,
    GROUP,
    SUNDAY,
    TRACK,
    Play,
    admitted,
    discharged,
    episode_of,
    group,
    track,
)

ANAS, BENS, CARAS = (enrollment_id(episode_of(who), GROUP) for who in (ANA, BEN, CARA))


def seat(patient: UUID = ANA) -> SeatInTrack:
    return SeatInTrack(patient=patient, episode=episode_of(patient), track=TRACK, starts_on=FIRST_ON)


async def test_an_admitted_patient_gets_a_seat_in_each_group_of_the_track() -> None:
    play = await Play().begin()
    await play.asks(group(name="Skills"))
    await play.hears(admitted(ANA))
    await play.until(SUNDAY + timedelta(seconds=1))
    enrolled = [each for each in await play.told(Event) if isinstance(each, PatientEnrolledInGroup)]
    assert [(each.patient, each.seat, each.starts_on) for each in enrolled] == 2 * [(ANA, 1, FIRST_ON)]


async def test_the_last_seat_says_that_the_group_is_full() -> None:
    play = await Play().begin(1)
    episode = episode_of(ANA)
    (await play.asks(seat())).then(
        SeatTaken(enrollment=ANAS, seat=1),
        CapacityReached(capacity=1),
        GroupEnrollmentRequested(patient=ANA, episode=episode, track=TRACK, groups=(GROUP,)),
        PatientEnrolledInGroup(
            enrollment=ANAS, patient=ANA, episode=episode, group=GROUP, seat=1, starts_on=FIRST_ON
        ),
    )


async def test_a_full_group_puts_the_next_patient_on_its_waitlist() -> None:
    play = await Play().begin(1, ANA)
    episode = episode_of(BEN)
    (await play.asks(seat(BEN))).then(
        WaitlistJoined(enrollment=BENS),
        GroupEnrollmentRequested(patient=BEN, episode=episode, track=TRACK, groups=(GROUP,)),
        WaitlistEntryAdded(enrollment=BENS, patient=BEN, episode=episode, group=GROUP, position=1),
    )


async def test_a_released_seat_goes_to_who_waits_first() -> None:
    play = await Play().begin(1, ANA, BEN, CARA)
    end = EndPlacement(episode=episode_of(ANA), reason="discharged", ends_on=date(2026, 3, 1))
    outcome = await play.asks(end)
    expected: tuple[Event, ...] = (
        PlacementEnded(reason="discharged"),
        SeatReleased(enrollment=ANAS, seat=1),
        SeatTaken(enrollment=BENS, seat=1),
        CapacityReached(capacity=1),
        EnrollmentEnded(enrollment=ANAS, reason="discharged", ends_on=date(2026, 3, 1)),
        PatientEnrolledInGroup(
            enrollment=BENS,
            patient=BEN,
            episode=episode_of(BEN),
            group=GROUP,
            seat=1,
            starts_on=date(2026, 3, 1),
        ),
    )
    assert sorted(map(repr, outcome.events)) == sorted(map(repr, expected))
    (waits,) = await play.scenario.store.rows("waitlist", {})
    assert waits["patient"] == CARA


async def test_a_free_seat_is_not_for_who_comes_after_the_line() -> None:
    play = await Play().begin(1, ANA, BEN)
    await play.scenario.given(Group, GROUP, SeatReleased(enrollment=ANAS, seat=1))
    outcome = await play.asks(seat(CARA))
    outcome.then_types(WaitlistJoined, GroupEnrollmentRequested, WaitlistEntryAdded)


async def test_who_leaves_while_waiting_gives_up_the_place_in_line() -> None:
    play = await Play().begin(1, ANA, BEN)
    await play.hears(discharged(BEN), patient=BEN)
    await play.until(play.scenario.now + timedelta(seconds=1))
    assert await play.told(WaitlistLeft) == [WaitlistLeft(enrollment=BENS)]
    assert await play.told(EnrollmentEnded) == [EnrollmentEnded(enrollment=BENS, reason="discharged")]


async def test_admissions_of_one_instant_are_seated_in_one_order_whatever_came_first() -> None:
    seats = []
    for order in ((ANA, BEN, CARA), (CARA, BEN, ANA)):
        play = await Play().begin(2)
        await play.hears(*map(admitted, order))
        await play.until(SUNDAY + timedelta(seconds=1))
        seats.append(await play.told(SeatTaken, WaitlistJoined))
    assert seats[0] == seats[1]


async def test_an_unknown_track_is_rejected_and_tried_again_by_hand() -> None:
    play = Play()
    rejected = EnrollmentRejected(patient=ANA, episode=episode_of(ANA), track=TRACK, reason="unknown-track")
    (await play.asks(seat())).then(rejected)
    (await play.asks(seat())).then()
    await play.begin()
    (await play.asks(seat())).then_types(GroupEnrollmentRequested, SeatTaken, PatientEnrolledInGroup)


async def test_a_track_without_groups_is_rejected() -> None:
    play = Play()
    await play.asks(track())
    (await play.asks(seat())).then(
        EnrollmentRejected(patient=ANA, episode=episode_of(ANA), track=TRACK, reason="no-groups")
    )


async def test_what_is_done_already_is_done_once() -> None:
    play = await Play().begin(1, ANA)
    (await play.asks(seat())).then()
    end = EndPlacement(episode=episode_of(ANA), reason="discharged")
    await play.asks(end)
    (await play.asks(end)).then()
    (await play.asks(seat())).then_refused(PlacementHasEnded)
