"""Tasks of staff: never late at night, never lost, handed on until somebody answers."""

from datetime import date, timedelta
from decimal import Decimal

import pytest
from caretrail_contracts.billing import (
    AuthorizationDenied,
    AuthorizationRunningLow,
    ClaimCorrectionDue,
    ClaimNeedsReview,
    DenialOpened,
    ExchangeFailed,
    RemittanceClaimParked,
)
from caretrail_contracts.clinical import SuicideRiskScreened, SuicideRiskScreenRequested
from caretrail_contracts.codes import RiskLevel
from caretrail_contracts.event import Event
from caretrail_contracts.notifications import (
    StaffNoticeFailed,
    StaffNoticeReleased,
    StaffNoticeSent,
    StaffTaskAcknowledged,
    StaffTaskCompleted,
    StaffTaskCreated,
    StaffTaskEscalated,
    TaskKind,
)
from caretrail_contracts.scheduling import (
    ConsecutiveMissesDetected,
    EnrollmentRejected,
    WaitlistEntryAdded,
)
from caretrail_contracts.sealed import Document, Sealed

from chassis.ids import derive
from services.notifications.commands.notices import RecordNoticeFailed, RecordNoticeSent
from services.notifications.commands.tasks import AcknowledgeTask, CompleteTask, EscalateTask
from services.notifications.domain.refusals import TaskDone, TaskTaken
from tests.services.notifications.builders import (
    ANA,
    GROUP,
    MORNING,
    Play,
    cared_for,
    episode_of,
    risk,
    utc,
)

THREE_AT_NIGHT = utc(date(2026, 3, 2), 8)
SUBJECT = derive("subject")
MEASURE = derive("measure")
SCREEN_DUE = SuicideRiskScreenRequested(patient=ANA, measure=MEASURE, item_9=1)


async def tasks(play: Play) -> list[StaffTaskCreated]:
    return [one for one in await play.events(StaffTaskCreated) if isinstance(one, StaffTaskCreated)]


async def notices(play: Play) -> list[StaffNoticeReleased]:
    found = await play.events(StaffNoticeReleased)
    return [one for one in found if isinstance(one, StaffNoticeReleased)]


@pytest.mark.parametrize(
    ("event", "kind"),
    [
        (SCREEN_DUE, TaskKind.RISK),
        (risk(RiskLevel.MODERATE), TaskKind.RISK),
        (risk(RiskLevel.HIGH, RiskLevel.MODERATE), TaskKind.CRISIS),
        (
            SuicideRiskScreened(patient=ANA, level=RiskLevel.INCOMPLETE, form="recent", answers=("Y", None)),
            TaskKind.RISK,
        ),
    ],
)
async def test_a_risk_is_a_task_at_three_in_the_night(event: Event, kind: TaskKind) -> None:
    play = await cared_for(now=THREE_AT_NIGHT)
    await play.hears(event)
    [task] = await tasks(play)
    assert (task.kind, task.patient, task.assignee) == (kind, ANA, "on-call-1")
    assert task.due_at == THREE_AT_NIGHT + timedelta(minutes=15)
    [notice] = await notices(play)
    assert (notice.task, notice.kind, notice.assignee, notice.attempt) == (task.task, kind, "on-call-1", 1)


@pytest.mark.parametrize(
    "event",
    [risk(RiskLevel.LOW), risk(RiskLevel.MODERATE, RiskLevel.HIGH), risk(RiskLevel.NONE, RiskLevel.LOW)],
)
async def test_a_risk_that_is_low_or_was_lowered_is_none(event: Event) -> None:
    play = await cared_for()
    await play.hears(event)
    assert not await tasks(play)


DENIAL = DenialOpened(
    denial=SUBJECT,
    claim=derive("claim"),
    patient=ANA,
    denial_class="authorization",
    carc=("197",),
    amount=Decimal("400.00"),
    paid=Decimal("0.00"),
    regime="commercial",
    appeal_deadline=date(2026, 9, 1),
    work_by=date(2026, 8, 31),
)
CORRECTION = ClaimCorrectionDue(
    claim=derive("claim"), number="A1", patient=ANA, charge=derive("charge"), reason="note-withdrawn"
)
NOT_EXCHANGED = ExchangeFailed(kind="claim-file", about=SUBJECT, patient=None, rule="unwritable")
WAITLISTED = WaitlistEntryAdded(
    enrollment=derive("enrollment"), patient=ANA, episode=episode_of(ANA), group=GROUP, position=1
)
REJECTED = EnrollmentRejected(patient=ANA, episode=episode_of(ANA), track="adult", reason="unknown_track")
MISSES = ConsecutiveMissesDetected(patient=ANA, episode=episode_of(ANA), count=2, rule="two_in_a_row")
PARKED = RemittanceClaimParked(
    remittance=derive("remittance"),
    index=1,
    status="1",
    charge=Decimal("400.00"),
    paid=Decimal("0.00"),
    document=Sealed[Document](kid="service:billing.1", nonce="bm9uY2Vub25jZTEy", ct="c2VhbGVk"),
)
REVIEW = ClaimNeedsReview(
    claim=derive("claim"),
    number="A1",
    patient=ANA,
    remittance=derive("remittance"),
    status="1",
    charge=Decimal("400.00"),
    paid=Decimal("0.00"),
    patient_responsibility=Decimal("0.00"),
    adjustments=(),
    carc=("999",),
)


@pytest.mark.parametrize(
    ("event", "kind", "assignee"),
    [
        (DENIAL, TaskKind.DENIAL, "billing-desk"),
        (AuthorizationDenied(reason="not_necessary"), TaskKind.AUTHORIZATION, "billing-desk"),
        (
            AuthorizationRunningLow(remaining=3, review_due=date(2026, 3, 24)),
            TaskKind.AUTHORIZATION,
            "billing-desk",
        ),
        (PARKED, TaskKind.REMITTANCE_REVIEW, "billing-desk"),
        (REVIEW, TaskKind.REMITTANCE_REVIEW, "billing-desk"),
        (CORRECTION, TaskKind.CLAIM_CORRECTION, "billing-desk"),
        (NOT_EXCHANGED, TaskKind.EXCHANGE, "billing-desk"),
        (WAITLISTED, TaskKind.ENROLLMENT, "care-desk"),
        (REJECTED, TaskKind.ENROLLMENT, "care-desk"),
        (MISSES, TaskKind.OUTREACH, "care-desk"),
    ],
)
async def test_each_cause_has_its_task_and_its_desk(event: Event, kind: TaskKind, assignee: str) -> None:
    play = await cared_for()
    await play.hears(event, stream=f"subject-{SUBJECT}")
    [task] = await tasks(play)
    assert (task.kind, task.assignee) == (kind, assignee)
    assert [notice.assignee for notice in await notices(play)] == [assignee]
    assert not any(key.startswith("escalate") for key in play.scenario.timers)


async def test_a_denial_is_due_on_its_own_date() -> None:
    play = await cared_for()
    await play.hears(DENIAL)
    [task] = await tasks(play)
    assert task.due_at.date() == DENIAL.work_by


async def test_a_cause_that_comes_again_makes_no_second_task() -> None:
    play = await cared_for()
    await play.hears(SCREEN_DUE, SCREEN_DUE)
    assert len(await tasks(play)) == 1


async def test_a_task_that_nobody_acknowledges_goes_round_the_list() -> None:
    play = await cared_for()
    await play.hears(SCREEN_DUE)
    await play.after(timedelta(minutes=46))
    escalated = [one for one in await play.events(StaffTaskEscalated) if isinstance(one, StaffTaskEscalated)]
    assert [(one.level, one.assignee) for one in escalated] == [
        (1, "on-call-2"),
        (2, "on-call-1"),
        (3, "on-call-2"),
    ]
    assert [one.due_at - MORNING for one in escalated] == [timedelta(minutes=m) for m in (30, 45, 60)]
    assert len({notice.notice for notice in await notices(play)}) == 4


@pytest.mark.parametrize("done", [False, True])
async def test_an_answer_ends_the_escalation(done: bool) -> None:
    play = await cared_for()
    await play.hears(SCREEN_DUE)
    [task] = await tasks(play)
    await play.after(timedelta(minutes=14))
    if done:
        await play.asks(CompleteTask(task=task.task, by="nurse-1", outcome="screened"))
    else:
        await play.asks(AcknowledgeTask(task=task.task, by="nurse-1"))
    await play.after(timedelta(days=1))
    assert not await play.events(StaffTaskEscalated)


@pytest.mark.parametrize("done", [False, True])
async def test_an_escalation_that_is_under_way_comes_too_late(done: bool) -> None:
    play = await cared_for()
    await play.hears(SCREEN_DUE)
    [task] = await tasks(play)
    take = AcknowledgeTask(task=task.task, by="nurse-1")
    await play.asks(CompleteTask(task=task.task, by="nurse-1", outcome="screened") if done else take)
    (await play.asks(EscalateTask(task=task.task, level=1))).then()


async def test_a_level_is_escalated_to_once() -> None:
    play = await cared_for()
    await play.hears(SCREEN_DUE)
    [task] = await tasks(play)
    (await play.asks(EscalateTask(task=task.task, level=1))).then_types(StaffTaskEscalated)
    (await play.asks(EscalateTask(task=task.task, level=1))).then()


async def test_a_task_is_acknowledged_by_one_and_completed_once() -> None:
    play = await cared_for()
    await play.hears(SCREEN_DUE)
    [task] = await tasks(play)
    take = AcknowledgeTask(task=task.task, by="nurse-1")
    (await play.asks(take)).then(StaffTaskAcknowledged(by="nurse-1"))
    (await play.asks(take)).then()
    (await play.asks(AcknowledgeTask(task=task.task, by="nurse-2"))).then_refused(TaskTaken)
    finish = CompleteTask(task=task.task, by="nurse-2", outcome="screened")
    (await play.asks(finish)).then(StaffTaskCompleted(by="nurse-2", outcome="screened"))
    (await play.asks(finish)).then()
    (await play.asks(CompleteTask(task=task.task, by="nurse-2", outcome="other"))).then_refused(TaskDone)
    (await play.asks(take)).then_refused(TaskDone)


async def fail(play: Play, attempt: int) -> StaffNoticeFailed:
    [*_, notice] = await notices(play)
    command = RecordNoticeFailed(
        notice=notice.notice, attempt=attempt, reason="server_unreachable", final=False
    )
    [failed] = (await play.asks(command)).events
    assert isinstance(failed, StaffNoticeFailed)
    return failed


async def test_a_notice_that_fails_is_tried_again_and_the_task_stands() -> None:
    play = await cared_for()
    await play.hears(DENIAL)
    for attempt in range(1, 5):
        failed = await fail(play, attempt)
        assert failed.retry_at
        await play.until(failed.retry_at)
    assert (await fail(play, 5)).retry_at is None
    assert [task.kind for task in await tasks(play)] == [TaskKind.DENIAL, TaskKind.MESSAGE_FAILED]


async def test_the_notice_of_a_failed_notice_ends_there() -> None:
    play = await cared_for()
    await play.hears(DENIAL)
    for _ in range(2):
        for attempt in range(1, 6):
            failed = await fail(play, attempt)
            await play.until(failed.retry_at or play.now)
    await play.after(timedelta(days=1))
    assert len(await tasks(play)) == 2
    assert not any(key.startswith("notify") for key in play.scenario.timers)


async def test_the_mail_servers_word_on_a_notice_counts_once() -> None:
    play = await cared_for()
    await play.hears(DENIAL)
    [notice] = await notices(play)
    taken = RecordNoticeSent(notice=notice.notice, attempt=1, message_id="<a@example.org>")
    (await play.asks(taken)).then(StaffNoticeSent(message_id="<a@example.org>"))
    (await play.asks(taken)).then()
