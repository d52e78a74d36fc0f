"""Whatever bytes stand in a record's headers and value: all others are applied, the service stays ready."""

from __future__ import annotations

import asyncio
import re
from contextlib import AsyncExitStack
from itertools import count

import pytest
from caretrail_contracts.cloudevents import to_headers
from caretrail_contracts.examples import envelope_of
from caretrail_contracts.intake import ReferralReceived
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from tests.chassis import toy
from tests.chassis.forging import Send, body, forger, headers, patient_of
from tests.chassis.test_feed import applied, readiness, refer
from tests.conftest import Run
from tests.running import Running

pytestmark = pytest.mark.servers

PARTITION = 3
NAMES = sorted(
    {name.removeprefix("ce_") for name, _ in to_headers(envelope_of(ReferralReceived), 7)}
    | {"site", "causationid", "prev"}
)
NASTY = st.sampled_from(
    [
        *(b"", b"\x00", b"a\x00b", b"\xff\xfe", b"\xed\xa0\x80", b"0", b"-1", b"1e9", b"NaN", b"x" * 9_000),
        *(b"%d" % (2**power + more) for power in (15, 31, 63, 64) for more in (-1, 0)),
        *(b"9999-12-31T23:59:59Z", b"0001-01-01T00:00:00Z", b"0001-01-01T00:00:00+14:00"),
        *(b"caretrail.intake.ReferralAccepted", b"caretrail.system.RecordParked", b"no.such.Event"),
        *(b"application/cloudevents+json", b"urn:caretrail:billing:main", b"12", b"4"),
    ]
)
VALUES = st.none() | NASTY | st.binary(max_size=40) | st.text(max_size=40).map(str.encode)
BODIES = st.sampled_from([None, b"", b"{}", b"null", b"[" * 50_000, b'{"a":"\\u0000"}']) | st.binary(
    max_size=60
)
CHANGES = st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=4)

DRAWN = settings(
    max_examples=40,
    derandomize=True,
    database=None,
    deadline=None,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=list(HealthCheck),
)
"""The same at every run; a shrunk example would stand behind the partition that its forerunner stopped."""


def test_others_records_are_applied_whatever_one_record_holds(running: Run) -> None:
    """Only a record that follows one that never came may stop its partition, which is told."""
    with asyncio.Runner() as runner:
        stack, numbers = AsyncExitStack(), count(1)

        async def begin() -> tuple[Running, Send]:
            run = await stack.enter_async_context(running(toy.INTAKE, toy.SCHEDULING))
            return run, await stack.enter_async_context(forger(run))

        run, send = runner.run(begin())

        async def holds(changes: dict[str, bytes | None], value: bytes | None, own: bool) -> None:
            # Each forged record has a source of its own: none hides behind the positions of another.
            said: dict[str, bytes | None] = {"source": b"urn:caretrail:intake:forged-%d" % next(numbers)}
            said |= {
                ("content-type" if name == "datacontenttype" else name): changes[name] for name in changes
            }
            victim, near, far = patient_of(PARTITION), patient_of(PARTITION), patient_of(PARTITION, but=True)
            await send(PARTITION, str(victim), headers(victim, 1, **said), body(victim) if own else value)
            await refer(run, near)
            await refer(run, far)
            await applied(run, far)
            await applied(run, near)
            for fault in (await readiness(run))["faults"]:
                await mend(run, send, fault, said)
            async with asyncio.timeout(20):
                while await readiness(run) != {"status": "ready", "faults": []}:
                    await asyncio.sleep(0.05)

        @DRAWN
        @given(CHANGES, BODIES, st.booleans())
        @example({"epoch": b"2147483648"}, None, True)
        @example({"site": b"a\x00b"}, None, True)
        @example({"prev": b"8", "position": b"9"}, None, True)
        @example({}, None, True)
        @example({}, b'{"referral":"\\u0000"}', False)
        @example({}, b"[" * 50_000, False)
        def holds_for(changes: dict[str, bytes | None], value: bytes | None, own: bool) -> None:
            runner.run(holds(changes, value, own))

        try:
            holds_for()
        finally:
            runner.run(stack.aclose())


async def mend(run: Running, send: Send, fault: str, said: dict[str, bytes | None]) -> None:
    """Send what is missing before a gap, and what was behind it again, as a relay that goes back does."""
    topic = run.runtime("intake").ground.topic
    found = re.fullmatch(rf"topic-feed: {topic}\[{PARTITION}\]: position (\d+) follows (\d+), but .*", fault)
    assert found, fault
    missing: dict[str, bytes | None] = {"position": found[2].encode(), "prev": None}
    late: dict[str, bytes | None] = {"position": found[1].encode()}
    for changes in (missing, late):
        patient = patient_of(PARTITION)
        known: dict[str, bytes | None] = {name: said.get(name, b"1") for name in ("source", "epoch", "prev")}
        await send(PARTITION, str(patient), headers(patient, 1, **known | changes), body(patient))
