"""A command of which the topic held a part is told when a store takes that in: people complete it."""

from __future__ import annotations

import asyncio
from uuid import UUID

import pytest
from caretrail_contracts.codes import Urgency
from caretrail_contracts.envelope import Envelope
from caretrail_contracts.examples import envelope_of
from caretrail_contracts.intake import ReferralReceived, SourceType
from fastapi import APIRouter
from structlog.testing import capture_logs

import chassis.relay
from chassis.command import Command, Work
from chassis.config import Settings
from chassis.ids import derive
from chassis.runtime import Role
from chassis.service import Service
from operations.opening import opening
from operations.torn import torn
from tests.chassis import toy
from tests.chassis.forging import patient_of
from tests.chassis.toy import SCHEDULING
from tests.conftest import Run
from tests.operations.test_restoring import keep, log_of, plain, set_back
from tests.operations.test_topics import refer
from tests.running import running_alone
from web.http import Accepted, Calling


def facts(*of: tuple[UUID, int], epoch: int = 1) -> list[Envelope]:
    """Events at positions from 11 on, each of a command, by its index in it; those without one are lost."""
    some = envelope_of(ReferralReceived)
    return [
        some._replace(id=derive(command, index), command_id=command, position=position, epoch=epoch)
        for position, (command, index) in enumerate(of, 11)
        if index >= 0
    ]


A, B, C = (UUID(int=number) for number in (1, 2, 3))
LOST = (B, -1)


@pytest.mark.parametrize(
    ("of", "surely", "maybe"),
    [
        ([(A, 0), (A, 1), (B, 0), (C, 0)], [], []),
        ([(A, 0), (B, 0), (B, 1), LOST, LOST], [], []),
        ([LOST, (A, 0), (A, 1)], [], []),
        ([LOST, (A, 1), (C, 0)], [A], []),
        ([(A, 0), LOST, (A, 2), (C, 0)], [A], []),
        ([(A, 0), (A, 1), LOST, (C, 0)], [], [A]),
        ([(A, 0), LOST, (B, 1), LOST, (C, 0)], [B], [A]),
    ],
)
def test_a_command_is_torn_where_a_position_of_its_own_is_held_by_nobody(
    of: list[tuple[UUID, int]], surely: list[UUID], maybe: list[UUID]
) -> None:
    assert torn(facts(*of), 10) == (surely, maybe)


def test_positions_that_an_opening_leaves_out_are_no_command_s() -> None:
    opened = [record.envelope for record in opening("intake", Settings(), epoch=2, head=12)]
    assert torn([*facts((A, 0), (B, 0)), *opened], 10) == ([], [])


class Pair(Command):
    one: UUID
    other: UUID


@toy.first.handles(Pair)
async def pair(command: Pair, work: Work) -> None:
    for patient in (command.one, command.other):
        fact = ReferralReceived(
            source_type=SourceType.SELF,
            channel="toy",
            referral=patient,
            patient=patient,
            urgency=Urgency.ROUTINE,
        )
        work.add(toy.Referral.start(patient, fact, work.now))


router = APIRouter()
router.include_router(toy.router)


@router.post("/pairs", status_code=201)
async def post_pair(body: Pair, caller: Calling) -> Accepted:
    return await caller.execute(body)


PAIRS = Service("intake", toy.first, toy.reminders, router=router)


@pytest.mark.servers
async def test_a_command_of_which_a_part_was_sent_comes_back_as_that_part_and_is_told(
    running: Run, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(PAIRS, SCHEDULING) as run:
        await refer(run, 5)
        await run.settle()
    keep(settings, "intake")
    asked = [(1, 7), (7, 1), (1, 1)]
    async with running_alone(PAIRS, settings, Role.API) as run:
        ids = []
        for partitions in asked:
            one, other = map(patient_of, partitions)
            answer = await run.post("intake", "/pairs", {"one": str(one), "other": str(other)})
            ids.append(answer.json()["command_id"])
    with monkeypatch.context() as patch:
        real = chassis.relay.packed
        patch.setattr(chassis.relay, "packed", lambda *of: [each for each in real(*of) if each[0] == 1])
        async with running_alone(PAIRS, settings, Role.RELAY) as run, asyncio.timeout(20):
            while (at := (await run.get("intake", "/internal/progress")).json())["relayed"] < at["head"]:
                await asyncio.sleep(0.05)
    set_back(settings, "intake")
    with capture_logs() as told:
        async with running(PAIRS, SCHEDULING) as run:
            assert len(plain(await log_of(run, "intake"))) == 5 + 4
    [line] = [line for line in told if line["event"] == "commands_torn"]
    assert (line["surely"], line["perhaps"], line["commands"]) == (1, 1, [ids[1], ids[0]])
