"""Whether what was behind comes after, once nothing is hurt any more."""

from __future__ import annotations

from collections.abc import Iterator

from tests.faults.evidence import Evidence

RULE = "lag returns to nothing"
LAG_MAX_S = 30.0
TOLD_MAX = 8


def soon(evidence: Evidence) -> Iterator[str]:
    """All is relayed, consumed and done within half a minute from when the servers serve, and stays so."""
    yield from gone(evidence)
    if evidence.lag_s is not None and evidence.lag_s > LAG_MAX_S:
        last = _told(evidence.last_behind)
        yield f"after {evidence.lag_s:.1f} s, expected {LAG_MAX_S:.0f} s; last behind: {last}"


def gone(evidence: Evidence) -> Iterator[str]:
    """All is relayed, consumed and done within the time that a round waits, and stays so."""
    if evidence.lag_s is None:
        yield f"not within the time given: {_told(evidence.behind)}"
    elif evidence.behind:
        yield f"it was gone, and came back: {_told(evidence.behind)}"


def _told(behind: list[str]) -> str:
    return "; ".join(behind[:TOLD_MAX])
