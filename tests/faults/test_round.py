"""A stack that is killed, cut off, frozen and lied to keeps its promises."""

import pytest

from tests.faults.evidence import SERVICES, Evidence
from tests.faults.rounds import Round

pytestmark = [pytest.mark.servers, pytest.mark.faults, pytest.mark.xdist_group("faults")]

Played = tuple[Round, Evidence]


def test_nothing_is_lost_doubled_or_reordered_whatever_is_done_to_the_stack(played: Played) -> None:
    assert [str(finding) for finding in played[0].findings] == []


def test_there_was_work_and_harm_enough_to_tell(played: Played) -> None:
    found, evidence = played
    assert found.outcomes["ok"] > 100
    assert found.outcomes["fail"] > 0
    for name in SERVICES:
        assert evidence.stores[name]["events"] or name == "audit"
    if found.faults:
        assert len({fault["kind"] for fault in found.faults if fault["struck"]}) >= 8, found.faults
        assert any(status == 0 for operation in evidence.history for status in operation["statuses"])
